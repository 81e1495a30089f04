/**
 * An Ethernet: frames in and out, ARP, and our address on it.
 *
 * Read: RFC 894; RFC 826; RFC 5227 (conflicts); neighbours.ts and address-claim.ts.
 */
import type { ErrorName } from '../../../protocol/errno.ts';
import { type Ipv4Address, isUnicast, LINK_ADDRESS_BYTES, LINK_BROADCAST, UNSPECIFIED } from '../../../wire/address.ts';
import { ARP_REPLY, ARP_REQUEST, type ArpPacket, buildArp, parseArp } from '../../../wire/arp.ts';
import { readUint16, readUint32, writeUint16 } from '../../../wire/bytes.ts';
import { buildEthernet, ETHERNET_HEADER_BYTES, ETHERTYPE, MINIMUM_FRAME_BYTES } from '../../../wire/ethernet.ts';
import {
  type AddressOrigin,
  broadcastOf,
  type InterfaceCounters,
  inNetwork,
  type NetworkInterface,
  noCounters,
  type OwnAddress,
} from '../ip/interface.ts';
import type { RandomNumbers } from '../random.ts';
import { AddressClaim } from './address-claim.ts';
import { Neighbours, type WaitingPacket } from './neighbours.ts';

const NOBODY = Buffer.alloc(LINK_ADDRESS_BYTES);

/** What an interface does, and whom it tells. */
export interface EthernetEvents {
  transmit(frame: Buffer): void;
  /** A packet of IPv4 has come. `toAll`: the frame was a broadcast or for a group. */
  received(packet: Buffer, toAll: boolean, now: number): void;
  /** A packet could not be sent since its next hop does not answer. */
  undeliverable(packet: Buffer): void;
  /** `probe` has found nobody: the address may be used. */
  claimed(address: Ipv4Address, now: number): void;
  /** An address that was probed or is used is somebody else's, `hardware`; it has to be given up. */
  conflicted(address: Ipv4Address, hardware: Buffer, now: number): void;
  /** The address is used by somebody else too, and stays ours. */
  defended(address: Ipv4Address, hardware: Buffer, now: number): void;
}

/** See the head of this file. */
export class EthernetInterface implements NetworkInterface {
  readonly name: string;
  readonly loopback = false;
  readonly mtu: number;
  readonly hardware: Buffer;
  readonly counters: InterfaceCounters = noCounters();
  readonly neighbours: Neighbours;
  readonly claim: AddressClaim;
  readonly arpCounters = { requestsReceived: 0, repliesReceived: 0, repliesSent: 0, malformed: 0 };
  up = true;
  link: boolean;
  #own: OwnAddress | null = null;
  #origin: AddressOrigin = 'none';
  readonly #events: EthernetEvents;
  readonly #hardwareHigh: number;
  readonly #hardwareLow: number;

  constructor(
    description: { readonly name: string; readonly hardware: Uint8Array; readonly mtu: number; readonly link: boolean },
    events: EthernetEvents,
    random: RandomNumbers,
  ) {
    this.name = description.name;
    this.mtu = description.mtu;
    this.link = description.link;
    this.hardware = Buffer.from(description.hardware);
    this.#hardwareHigh = readUint32(this.hardware, 0);
    this.#hardwareLow = readUint16(this.hardware, 4);
    this.#events = events;
    this.neighbours = new Neighbours({
      ask: (address, hardware) => this.#ask(address, hardware),
      send: (packet, hardware) => this.#sendTo(packet.buffer, packet.packetBytes, hardware),
      failed: (packet) => events.undeliverable(packetOf(packet)),
    });
    this.claim = new AddressClaim(
      {
        probe: (address) => this.#arp(ARP_REQUEST, UNSPECIFIED, NOBODY, address, LINK_BROADCAST),
        announce: (address) => this.#arp(ARP_REQUEST, address, NOBODY, address, LINK_BROADCAST),
        claimed: (address, now) => events.claimed(address, now),
      },
      random,
    );
  }

  get own(): OwnAddress | null {
    return this.#own;
  }

  get origin(): AddressOrigin {
    return this.#origin;
  }

  /**
   * Gives the interface an address, which is announced; null takes it away. What is known of neighbours elsewhere is
   * forgotten.
   */
  setAddress(own: OwnAddress | null, origin: AddressOrigin, now: number): void {
    const before = this.#own;
    this.#own = own;
    this.#origin = own === null ? 'none' : origin;
    this.claim.stop();
    if (before !== null && (before.address !== own?.address || before.prefix !== own.prefix)) this.neighbours.clear();
    if (own !== null) this.claim.announce(own.address, now);
  }

  output(buffer: Buffer, packetBytes: number, nextHop: Ipv4Address | null, now: number): ErrorName | null {
    if (!this.up) return 'ENETDOWN';
    if (!this.link) {
      this.counters.sendDrops++;
      return null;
    }
    const hardware = nextHop === null ? LINK_BROADCAST : this.neighbours.lookup(nextHop, now);
    if (hardware !== null) {
      this.#sendTo(buffer, packetBytes, hardware);
      return null;
    }
    return this.neighbours.enqueue(nextHop ?? UNSPECIFIED, { buffer, packetBytes }, now);
  }

  /** Takes a frame from the cable. */
  frame(bytes: Buffer, now: number): void {
    const { counters } = this;
    counters.framesReceived++;
    counters.bytesReceived += bytes.length;
    if (bytes.length < ETHERNET_HEADER_BYTES) {
      counters.receiveErrors++;
      return;
    }
    if (!this.up) {
      counters.receiveDrops++;
      return;
    }
    const high = readUint32(bytes, 0);
    const forUs = high === this.#hardwareHigh && readUint16(bytes, 4) === this.#hardwareLow;
    const toAll = (high & 0x0100_0000) !== 0;
    const type = readUint16(bytes, 12);
    if (!forUs && !toAll) counters.receiveDrops++;
    else if (type === ETHERTYPE.IPV4) this.#events.received(bytes.subarray(ETHERNET_HEADER_BYTES), toAll, now);
    else if (type === ETHERTYPE.ARP) this.#receiveArp(bytes.subarray(ETHERNET_HEADER_BYTES), now);
    else counters.receiveDrops++;
  }

  advance(now: number): void {
    this.neighbours.advance(now);
    this.claim.advance(now);
  }

  deadline(): number {
    return Math.min(this.neighbours.deadline(), this.claim.deadline());
  }

  #receiveArp(bytes: Buffer, now: number): void {
    const packet = parseArp(bytes);
    if (
      packet === null ||
      !isStation(packet.senderLink) ||
      !(isUnicast(packet.sender) || packet.sender === UNSPECIFIED)
    ) {
      this.arpCounters.malformed++;
      return;
    }
    if (packet.operation === ARP_REQUEST) this.arpCounters.requestsReceived++;
    else if (packet.operation === ARP_REPLY) this.arpCounters.repliesReceived++;
    else return;
    // Our own question, come back over a bridge.
    if (this.hardware.equals(packet.senderLink)) return;
    const own = this.#own;
    if (this.#conflicts(packet)) {
      this.#resolveConflict(packet, now);
      return;
    }
    if (own === null) return;
    const toUs = packet.target === own.address;
    if (isNeighbour(packet.sender, own)) {
      const answer = packet.operation === ARP_REPLY && toUs;
      this.neighbours.learn(packet.sender, packet.senderLink, answer, toUs, now);
    }
    if (packet.operation === ARP_REQUEST && toUs) {
      this.arpCounters.repliesSent++;
      this.#arp(ARP_REPLY, own.address, packet.senderLink, packet.sender, packet.senderLink);
    }
  }

  /** Whether somebody uses our address, or wants the one that we are about to use (RFC 5227, 2.1.1 and 2.4). */
  #conflicts(packet: ArpPacket): boolean {
    const { probing } = this.claim;
    if (probing !== null) {
      const wanted = packet.operation === ARP_REQUEST && packet.sender === UNSPECIFIED && packet.target === probing;
      if (packet.sender === probing || wanted) return true;
    }
    return this.#own !== null && packet.sender === this.#own.address;
  }

  #resolveConflict(packet: ArpPacket, now: number): void {
    const address = this.claim.probing ?? this.#own?.address ?? UNSPECIFIED;
    const hardware = Buffer.from(packet.senderLink);
    const outcome = this.claim.conflict(this.#origin !== 'dhcp', now);
    if (outcome === 'defended') this.#events.defended(address, hardware, now);
    else this.#events.conflicted(address, hardware, now);
  }

  #ask(address: Ipv4Address, hardware: Buffer | null): void {
    if (this.#own === null) return;
    this.#arp(ARP_REQUEST, this.#own.address, NOBODY, address, hardware ?? LINK_BROADCAST);
  }

  #arp(operation: number, sender: Ipv4Address, targetLink: Uint8Array, target: Ipv4Address, to: Uint8Array): void {
    const packet = buildArp({ operation, senderLink: this.hardware, sender, targetLink, target });
    this.#transmit(buildEthernet(to, this.hardware, ETHERTYPE.ARP, packet));
  }

  #sendTo(buffer: Buffer, packetBytes: number, hardware: Buffer): void {
    const length = ETHERNET_HEADER_BYTES + packetBytes;
    const frame = exactly(buffer, length);
    for (let at = 0; at < LINK_ADDRESS_BYTES; at++) {
      frame[at] = hardware[at] ?? 0;
      frame[LINK_ADDRESS_BYTES + at] = this.hardware[at] ?? 0;
    }
    writeUint16(frame, ETHERTYPE.IPV4, 2 * LINK_ADDRESS_BYTES);
    this.#transmit(frame);
  }

  #transmit(frame: Buffer): void {
    if (!this.up || !this.link) {
      this.counters.sendDrops++;
      return;
    }
    this.counters.framesSent++;
    this.counters.bytesSent += frame.length;
    this.#events.transmit(frame);
  }
}

/** The first bytes of a buffer as a frame; a short one is filled up with zeros to the smallest size. */
function exactly(buffer: Buffer, length: number): Buffer {
  if (length < MINIMUM_FRAME_BYTES) return padded(buffer, length);
  return length === buffer.length ? buffer : buffer.subarray(0, length);
}

function padded(buffer: Buffer, length: number): Buffer {
  const frame = Buffer.alloc(MINIMUM_FRAME_BYTES);
  buffer.copy(frame, 0, 0, length);
  return frame;
}

function packetOf({ buffer, packetBytes }: WaitingPacket): Buffer {
  return buffer.subarray(ETHERNET_HEADER_BYTES, ETHERNET_HEADER_BYTES + packetBytes);
}

/** Whether a link address is that of one station. */
function isStation(link: Uint8Array): boolean {
  return ((link[0] ?? 1) & 1) === 0 && link.some((byte) => byte !== 0);
}

/** Whether an address can be that of somebody on this link. */
function isNeighbour(address: Ipv4Address, own: OwnAddress): boolean {
  return (
    isUnicast(address) &&
    address !== own.address &&
    inNetwork(address, own.address, own.prefix) &&
    address !== broadcastOf(own)
  );
}
