/**
 * The link to the guest: whose link address is whose, and packets into frames. It answers and asks by ARP.
 *
 * Read: RFC 826; RFC 1122, 2.3.2 (packets wait for an address, a few of them).
 */

import { type Ipv4Address, isUnicast, LINK_ADDRESS_BYTES, LINK_BROADCAST, UNSPECIFIED } from '../../../wire/address.ts';
import { ARP_REPLY, ARP_REQUEST, buildArp, parseArp } from '../../../wire/arp.ts';
import { buildEthernet, ETHERNET_MTU, ETHERTYPE, type EthernetFrame } from '../../../wire/ethernet.ts';
import { buildIpv4, type Ipv4Fields } from '../../../wire/ipv4.ts';
import { BROADCASTS, GATEWAY, GATEWAY_LINK, inNetwork, NETWORK, OWN_ADDRESSES } from './layout.ts';

const TIME_TO_LIVE = 64;
/** Packets that wait for one address, and addresses that packets wait for. */
const WAITING_PACKETS = 16;
const WAITING_ADDRESSES = 16;

/** A packet as its sender knows it; the rest of the header is ours. */
export type Ipv4Message = Pick<Ipv4Fields, 'source' | 'destination' | 'protocol'>;

export class GuestLink {
  readonly #transmit: (frame: Buffer) => void;
  /** Link addresses by IPv4 address; at most as many as the network has hosts. */
  readonly #neighbours = new Map<Ipv4Address, Buffer>();
  readonly #waiting = new Map<Ipv4Address, Buffer[]>();
  #identification = 0;
  /** Packets that nobody took because their address was never answered. */
  drops = 0;

  /** @param transmit puts a frame on the cable */
  constructor(transmit: (frame: Buffer) => void) {
    this.#transmit = transmit;
  }

  /**
   * Remembers who has an address, and sends what waited for it. Addresses outside of the network and our own are
   * nobody's.
   */
  learn(address: Ipv4Address, link: Uint8Array): void {
    if (!inNetwork(address) || address === NETWORK || BROADCASTS.has(address) || OWN_ADDRESSES.has(address)) return;
    if (((link[0] ?? 0) & 1) === 1) return;
    const known = this.#neighbours.get(address);
    if (known?.equals(link) !== true) this.#neighbours.set(address, Buffer.from(link));
    const packets = this.#waiting.get(address);
    if (packets === undefined) return;
    this.#waiting.delete(address);
    for (const packet of packets) this.#sendPacket(packet, link, GATEWAY);
  }

  /** Takes an ARP packet: learns from it, and answers for our own addresses. */
  receiveArp(frame: EthernetFrame): void {
    const packet = parseArp(frame.payload);
    // A probe comes from no address (RFC 5227, 2.1.1) and is answered all the same.
    if (packet === null || !(isUnicast(packet.sender) || packet.sender === UNSPECIFIED)) return;
    this.learn(packet.sender, packet.senderLink);
    const own = OWN_ADDRESSES.get(packet.target);
    if (packet.operation !== ARP_REQUEST || own === undefined) return;
    const reply = buildArp({
      operation: ARP_REPLY,
      senderLink: own,
      sender: packet.target,
      targetLink: packet.senderLink,
      target: packet.sender,
    });
    this.#transmit(buildEthernet(packet.senderLink, own, ETHERTYPE.ARP, reply));
  }

  /**
   * Sends a packet to a guest, in fragments if it is large, as soon as its link address is known.
   *
   * @param link the link address, for a guest that has no address yet
   */
  send(message: Ipv4Message, payload: Uint8Array, link?: Uint8Array): void {
    this.#identification = (this.#identification + 1) & 0xffff;
    const fields = { ...message, timeToLive: TIME_TO_LIVE, identification: this.#identification };
    const { destination } = message;
    const known = link ?? this.#linkOf(destination);
    for (const packet of buildIpv4(fields, payload, ETHERNET_MTU)) {
      if (known === undefined) this.#wait(destination, packet);
      else this.#sendPacket(packet, known, message.source);
    }
    if (known === undefined) this.#ask(destination);
  }

  #linkOf(address: Ipv4Address): Uint8Array | undefined {
    return BROADCASTS.has(address) ? LINK_BROADCAST : this.#neighbours.get(address);
  }

  #sendPacket(packet: Buffer, link: Uint8Array, source: Ipv4Address): void {
    this.#transmit(buildEthernet(link, linkFor(source), ETHERTYPE.IPV4, packet));
  }

  #wait(address: Ipv4Address, packet: Buffer): void {
    const packets = this.#waiting.get(address) ?? [];
    if (packets.length === 0) {
      const oldest = this.#waiting.size >= WAITING_ADDRESSES ? this.#waiting.entries().next().value : undefined;
      if (oldest !== undefined) {
        this.#waiting.delete(oldest[0]);
        this.drops += oldest[1].length;
      }
      this.#waiting.set(address, packets);
    }
    packets.push(packet);
    if (packets.length > WAITING_PACKETS) {
      packets.shift();
      this.drops++;
    }
  }

  #ask(address: Ipv4Address): void {
    const request = buildArp({
      operation: ARP_REQUEST,
      senderLink: GATEWAY_LINK,
      sender: GATEWAY,
      targetLink: Buffer.alloc(LINK_ADDRESS_BYTES),
      target: address,
    });
    this.#transmit(buildEthernet(LINK_BROADCAST, GATEWAY_LINK, ETHERTYPE.ARP, request));
  }
}

/** The link address that packets from `source` come from: our own, or the router's for everybody behind it. */
function linkFor(source: Ipv4Address): Buffer {
  return OWN_ADDRESSES.get(source) ?? GATEWAY_LINK;
}
