/**
 * A network stack with everything around it played by the test: the cable, the recovery store, TCP, random numbers and
 * the time.
 */
import type { Endpoint, TcpInput, UnreachableKind } from '../../../services/netstack/environment.ts';
import { Stack } from '../../../services/netstack/stack.ts';
import { type Ipv4Address, parseIpv4 } from '../../../wire/address.ts';
import { type ArpPacket, buildArp, parseArp } from '../../../wire/arp.ts';
import { buildEthernet, ETHERTYPE, parseEthernet } from '../../../wire/ethernet.ts';
import { buildIcmp, type IcmpMessage, parseIcmp } from '../../../wire/icmp.ts';
import { buildIpv4, type Ipv4Packet, PROTOCOL, parseIpv4Packet } from '../../../wire/ipv4.ts';
import { buildUdp, parseUdp, type UdpDatagram } from '../../../wire/udp.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';

export const OWN_LINK = Buffer.from('525400123456', 'hex');
export const PEER_LINK = Buffer.from('020000000001', 'hex');
export const BROADCAST_LINK = Buffer.alloc(6, 0xff);
export const OWN = parseIpv4('10.0.2.15');
export const PEER = parseIpv4('10.0.2.7');
export const ROUTER = parseIpv4('10.0.2.2');
export const FAR = parseIpv4('192.0.2.1');

/** TCP as the stack sees it, which remembers what it was told. */
export class FakeTcp implements TcpInput {
  readonly segments: { source: Ipv4Address; destination: Ipv4Address; segment: Buffer }[] = [];
  readonly errors: { kind: UnreachableKind; local: Endpoint; remote: Endpoint; sequence: number }[] = [];
  readonly gone: Ipv4Address[] = [];
  /** Whether it has sent what it is asked about. */
  hasSent = true;

  input(source: Ipv4Address, destination: Ipv4Address, segment: Buffer): void {
    this.segments.push({ source, destination, segment });
  }

  unreachable(kind: UnreachableKind, local: Endpoint, remote: Endpoint, sequence: number): void {
    this.errors.push({ kind, local, remote, sequence });
  }

  isUnderWay(): boolean {
    return this.hasSent;
  }

  advance(): void {}

  deadline(): number {
    return Infinity;
  }

  addressGone(address: Ipv4Address): void {
    this.gone.push(address);
  }
}

/** How the packets of a test come. */
export interface PacketFields {
  readonly source?: Ipv4Address;
  readonly destination?: Ipv4Address;
  readonly timeToLive?: number;
  readonly mtu?: number;
  /** Link addresses. */
  readonly from?: Uint8Array;
  readonly to?: Uint8Array;
}

/** See the head of this file. */
export class StackBench {
  now = 1000;
  readonly tcp = new FakeTcp();
  readonly keeper: MemoryKeeper;
  readonly stack: Stack;
  readonly log: string[] = [];
  /** Where frames go, if not to `frames`. */
  deliver: ((frame: Buffer) => void) | null = null;
  /** Frames that the stack has sent. */
  readonly frames: Buffer[] = [];
  #identification = 0;

  /** @param keeper what an earlier incarnation has kept */
  constructor(keeper = new MemoryKeeper(), random = new Random(1)) {
    this.keeper = keeper;
    this.stack = new Stack({
      random: (count) => random.bytes(count),
      keeper,
      tcp: this.tcp,
      transmit: (_name, frame) => {
        if (this.deliver === null) this.frames.push(frame);
        else this.deliver(frame);
      },
      log: (text) => this.log.push(text),
    });
  }

  /** Plugs the card in. */
  plug(): void {
    this.stack.addInterface({ name: 'ne0', hardware: OWN_LINK, mtu: 1500, link: true }, this.now);
  }

  /** A bench whose card has the address 10.0.2.15/24, a router, and knows the link addresses of it and of the peer. */
  static configured(keeper?: MemoryKeeper): StackBench {
    const bench = new StackBench(keeper);
    bench.plug();
    bench.stack.configure(
      { interface: 'ne0', up: null, address: { address: OWN, prefix: 24 }, dhcp: false },
      bench.now,
    );
    if (!bench.stack.routes().some(({ prefix }) => prefix === 0)) {
      bench.stack.addRoute({ destination: 0, prefix: 0, gateway: ROUTER, interface: null, metric: 0 });
    }
    bench.wait(5000);
    bench.introduce(PEER, PEER_LINK);
    bench.introduce(ROUTER, Buffer.from('020000000002', 'hex'));
    bench.frames.length = 0;
    return bench;
  }

  /** Lets time pass. */
  wait(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let turns = 0; this.stack.deadline() <= end; turns++) {
      if (turns > 100_000) throw new Error('the stack never comes to rest');
      this.now = Math.max(this.now, this.stack.deadline());
      this.stack.advance(this.now);
    }
    this.now = end;
  }

  /** Does what is due now. */
  settle(): void {
    this.wait(0);
  }

  // ── to the stack ───────────────────────────────────────────────────────────────────────────────────────────────────

  frame(bytes: Buffer): void {
    this.stack.frame('ne0', bytes, this.now);
  }

  arp(packet: Partial<ArpPacket>, to: Uint8Array = BROADCAST_LINK): void {
    const bytes = buildArp({
      operation: 1,
      senderLink: PEER_LINK,
      sender: PEER,
      targetLink: Buffer.alloc(6),
      target: OWN,
      ...packet,
    });
    this.frame(buildEthernet(to, packet.senderLink ?? PEER_LINK, ETHERTYPE.ARP, bytes));
  }

  /** The stack hears who has an address. */
  introduce(sender: Ipv4Address, senderLink: Uint8Array): void {
    this.arp({ operation: 2, sender, senderLink, targetLink: OWN_LINK }, OWN_LINK);
    // Once more as a question, so that one that was not asked for is remembered, too.
    this.arp({ operation: 1, sender, senderLink });
  }

  ipv4(protocol: number, payload: Buffer, fields: PacketFields = {}): void {
    const { source = PEER, destination = OWN, timeToLive = 64, mtu = 1500 } = fields;
    const identification = ++this.#identification & 0xffff;
    for (const packet of buildIpv4({ source, destination, protocol, timeToLive, identification }, payload, mtu)) {
      this.frame(buildEthernet(fields.to ?? OWN_LINK, fields.from ?? PEER_LINK, ETHERTYPE.IPV4, packet));
    }
  }

  udp(sourcePort: number, destinationPort: number, data: Buffer | string, fields: PacketFields = {}): void {
    const { source = PEER, destination = OWN } = fields;
    const bytes = buildUdp(source, sourcePort, destination, destinationPort, Buffer.from(data));
    this.ipv4(PROTOCOL.UDP, bytes, fields);
  }

  icmp(message: Partial<IcmpMessage>, fields: PacketFields = {}): void {
    const bytes = buildIcmp({ type: 8, code: 0, rest: 0, data: Buffer.alloc(0), ...message });
    this.ipv4(PROTOCOL.ICMP, bytes, fields);
  }

  // ── from the stack ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** The packets of IPv4 since the last call; other frames are dropped. */
  take(): Ipv4Packet[] {
    return this.frames.splice(0).flatMap((bytes) => {
      const frame = parseEthernet(bytes);
      if (frame === null || bytes.length < 60) throw new Error('an ill-formed frame');
      if (frame.type === ETHERTYPE.ARP) return [];
      const packet = parseIpv4Packet(frame.payload);
      if (packet === null) throw new Error('an ill-formed packet');
      return packet;
    });
  }

  takeIcmp(): (IcmpMessage & { source: Ipv4Address; destination: Ipv4Address })[] {
    return this.take().map(({ source, destination, payload }) => {
      const message = parseIcmp(payload);
      if (message === null) throw new Error('an ill-formed message');
      return { source, destination, ...message };
    });
  }

  takeUdp(): (UdpDatagram & { source: Ipv4Address; destination: Ipv4Address })[] {
    return this.take().map(({ source, destination, payload }) => {
      const datagram = parseUdp(payload, source, destination);
      if (datagram === null) throw new Error('an ill-formed datagram');
      return { source, destination, ...datagram };
    });
  }

  /** ARP packets with the link address that they were sent to. */
  takeArp(): (ArpPacket & { to: Buffer })[] {
    return this.frames.splice(0).flatMap((bytes) => {
      const frame = parseEthernet(bytes);
      const packet = frame?.type === ETHERTYPE.ARP ? parseArp(frame.payload) : null;
      return frame === null || packet === null ? [] : { ...packet, to: frame.destination };
    });
  }
}
