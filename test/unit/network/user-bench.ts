/**
 * The network `user` with everything around it played by the test: the guest's frames, the host's sockets, the time.
 */

import type { Endpoint } from '../../../hw/network/options.ts';
import type {
  Host,
  HostDatagrams,
  HostDatagramsHandler,
  HostStream,
  HostStreamHandler,
} from '../../../hw/network/user/host.ts';
import { UserNetwork } from '../../../hw/network/user/network.ts';
import { formatIpv4, type Ipv4Address, parseIpv4 } from '../../../wire/address.ts';
import { ARP_REPLY, ARP_REQUEST, buildArp, parseArp } from '../../../wire/arp.ts';
import { buildEthernet, ETHERTYPE, parseEthernet } from '../../../wire/ethernet.ts';
import { parseIcmp } from '../../../wire/icmp.ts';
import { buildIpv4, type Ipv4Packet, PROTOCOL, parseIpv4Packet } from '../../../wire/ipv4.ts';
import { buildTcp, FLAG, parseTcp, type TcpSegment } from '../../../wire/tcp.ts';
import { buildUdp, parseUdp } from '../../../wire/udp.ts';

export const GUEST_LINK = Buffer.from('525400123456', 'hex');
export const GATEWAY_LINK = Buffer.from('52550a000202', 'hex');
export const GUEST = '10.0.2.15';

/** A TCP connection of the host, which remembers what was done to it. */
export class FakeStream implements HostStream {
  readonly to: Endpoint | null;
  readonly handler: HostStreamHandler;
  readonly written: Buffer[] = [];
  pending = 0;
  paused = false;
  hasEnded = false;
  destroyed = false;

  constructor(to: Endpoint | null, handler: HostStreamHandler) {
    this.to = to;
    this.handler = handler;
  }

  get text(): string {
    return Buffer.concat(this.written).toString();
  }

  write(bytes: Buffer): void {
    this.written.push(bytes);
    this.pending += bytes.length;
  }

  /** The host takes what is pending. */
  drain(count = this.pending): void {
    this.pending -= count;
    this.handler.drained();
  }

  end(): void {
    this.hasEnded = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

export class FakeDatagrams implements HostDatagrams {
  readonly to: Endpoint;
  readonly handler: HostDatagramsHandler;
  readonly sent: Buffer[] = [];
  closed = false;

  constructor(to: Endpoint, handler: HostDatagramsHandler) {
    this.to = to;
    this.handler = handler;
  }

  send(data: Buffer): void {
    this.sent.push(data);
  }

  close(): void {
    this.closed = true;
  }
}

export class FakeHost implements Host {
  readonly streams: FakeStream[] = [];
  readonly sockets: FakeDatagrams[] = [];
  servers: string[] = ['192.0.2.53', '192.0.2.54'];

  connectStream(to: Endpoint, handler: HostStreamHandler): FakeStream {
    const stream = new FakeStream(to, handler);
    this.streams.push(stream);
    return stream;
  }

  connectDatagrams(to: Endpoint, handler: HostDatagramsHandler): FakeDatagrams {
    const socket = new FakeDatagrams(to, handler);
    this.sockets.push(socket);
    return socket;
  }

  nameServers(): readonly string[] {
    return this.servers;
  }
}

export class UserBench {
  now = 0;
  readonly host = new FakeHost();
  readonly network: UserNetwork;
  /** Frames for the guest. */
  readonly frames: Buffer[] = [];
  #random = 1;
  #identification = 0;

  constructor(restricted = false) {
    this.network = new UserNetwork({
      host: this.host,
      restricted,
      clock: () => this.now,
      random32: () => this.#random++,
      transmit: (frame) => this.frames.push(frame),
    });
  }

  /** Lets time pass. */
  wait(milliseconds: number): void {
    const end = this.now + milliseconds;
    while (this.network.nextTimeout <= end) {
      this.now = Math.max(this.now, this.network.nextTimeout);
      this.network.advance();
    }
    this.now = end;
  }

  // ── from the guest ─────────────────────────────────────────────────────────────────────────────────────────────────

  arp(operation: number, sender: string, target: string, targetLink: Uint8Array = Buffer.alloc(6)): void {
    const packet = buildArp({
      operation,
      senderLink: GUEST_LINK,
      sender: parseIpv4(sender),
      targetLink,
      target: parseIpv4(target),
    });
    const to = operation === ARP_REQUEST ? Buffer.alloc(6, 0xff) : GATEWAY_LINK;
    this.network.receive(buildEthernet(to, GUEST_LINK, ETHERTYPE.ARP, packet));
  }

  /** Says who has the guest's address. */
  introduce(): void {
    this.arp(ARP_REPLY, GUEST, '10.0.2.2', GATEWAY_LINK);
  }

  ipv4(
    protocol: number,
    destination: string,
    payload: Buffer,
    fields: { readonly source?: string; readonly timeToLive?: number; readonly link?: Uint8Array } = {},
  ): void {
    const header = {
      source: parseIpv4(fields.source ?? GUEST),
      destination: parseIpv4(destination),
      protocol,
      timeToLive: fields.timeToLive ?? 64,
      identification: ++this.#identification & 0xffff,
    };
    for (const packet of buildIpv4(header, payload, 1500)) {
      this.network.receive(buildEthernet(fields.link ?? GATEWAY_LINK, GUEST_LINK, ETHERTYPE.IPV4, packet));
    }
  }

  udp(sourcePort: number, destination: string, port: number, data: Buffer | string): void {
    const bytes = buildUdp(parseIpv4(GUEST), sourcePort, parseIpv4(destination), port, Buffer.from(data));
    this.ipv4(PROTOCOL.UDP, destination, bytes);
  }

  tcp(destination: string, fields: Partial<TcpSegment>): void {
    const segment: TcpSegment = {
      sourcePort: 4000,
      destinationPort: 80,
      sequence: 0,
      acknowledgment: 0,
      flags: 0,
      window: 65_535,
      segmentSize: undefined,
      windowShift: undefined,
      data: Buffer.alloc(0),
      ...fields,
    };
    this.ipv4(PROTOCOL.TCP, destination, buildTcp(parseIpv4(GUEST), parseIpv4(destination), segment));
  }

  /** Opens a connection as far as both sides go; returns the host's socket and the sequence number after our SYN. */
  connect(destination = '192.0.2.1', sourcePort = 4000): { stream: FakeStream; sequence: number } {
    this.tcp(destination, { sourcePort, flags: FLAG.SYN, sequence: 100, segmentSize: 1460 });
    const stream = this.host.streams.at(-1);
    if (stream === undefined) throw new Error('the host was not asked');
    stream.handler.connected();
    const answer = this.takeTcp().at(-1);
    if (answer === undefined) throw new Error('no answer to the SYN');
    const sequence = answer.sequence + 1;
    this.tcp(destination, { sourcePort, flags: FLAG.ACK, sequence: 101, acknowledgment: sequence });
    return { stream, sequence };
  }

  // ── for the guest ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** The packets that came since the last call. */
  take(): Ipv4Packet[] {
    return this.frames.splice(0).flatMap((bytes) => {
      const frame = parseEthernet(bytes);
      if (frame === null) throw new Error('an ill-formed frame');
      if (frame.type === ETHERTYPE.ARP) return [];
      const packet = parseIpv4Packet(frame.payload);
      if (packet === null) throw new Error('an ill-formed packet');
      return packet;
    });
  }

  takeTcp(): TcpSegment[] {
    return this.take().map((packet) => {
      const segment = parseTcp(packet.payload, packet.source, packet.destination);
      if (segment === null) throw new Error('an ill-formed segment');
      return segment;
    });
  }

  /** Datagrams as text: from where, to where, what. */
  takeUdp(): string[] {
    return this.take().map(({ source, destination, payload }) => {
      const datagram = parseUdp(payload, source, destination);
      if (datagram === null) throw new Error('an ill-formed datagram');
      const from = `${formatIpv4(source)}:${datagram.sourcePort}`;
      return `${from} ${formatIpv4(destination)}:${datagram.destinationPort} ${datagram.data.toString('latin1')}`;
    });
  }

  /** ICMP messages as text: from where, type, code, and the protocol of the quoted packet. */
  takeIcmp(): string[] {
    return this.take().map(({ source, payload }) => {
      const message = parseIcmp(payload);
      if (message === null) throw new Error('an ill-formed message');
      const quoted = message.type === 3 || message.type === 11 ? ` about ${message.data[9]}` : '';
      return `${formatIpv4(source)} ${message.type} ${message.code}${quoted}`;
    });
  }

  takeArp(): { operation: number; sender: Ipv4Address; target: Ipv4Address }[] {
    return this.frames.splice(0).flatMap((bytes) => {
      const frame = parseEthernet(bytes);
      return frame?.type === ETHERTYPE.ARP ? (parseArp(frame.payload) ?? []) : [];
    });
  }
}
