/**
 * ICMP: answers echoes, tells others why their packets got nowhere, and hears what others tell about ours.
 *
 * Read: RFC 792; RFC 1122, 3.2.2; RFC 1812, 4.3.2.8 (limits); RFC 6633 (source quench is not listened to); RFC 5927
 * (attacks).
 */
import type { Ipv4Address } from '../../../wire/address.ts';
import { isUnicast } from '../../../wire/address.ts';
import { readUint16, readUint32 } from '../../../wire/bytes.ts';
import {
  buildIcmp,
  ICMP,
  type IcmpMessage,
  isIcmpError,
  parseIcmp,
  quote,
  TIME_EXCEEDED,
  UNREACHABLE,
} from '../../../wire/icmp.ts';
import { type Ipv4Packet, PROTOCOL, parseQuotedPacket, type QuotedPacket } from '../../../wire/ipv4.ts';
import type { Endpoint, UnreachableKind } from '../environment.ts';
import type { Ipv4 } from '../ip/ipv4.ts';
import { HEADROOM_BYTES, packetBuffer } from '../ip/packet.ts';
import { RateLimit } from '../rate-limit.ts';

const ERRORS_A_SECOND = 100;
const ERRORS_AT_ONCE = 50;
const TIME_TO_LIVE = 64;

/** Who is told about packets of ours that got nowhere. */
export interface IcmpEffects {
  tcp(kind: UnreachableKind, local: Endpoint, remote: Endpoint, sequence: number): void;
  udp(kind: UnreachableKind, local: Endpoint, remote: Endpoint): void;
  /** Whether such a packet can have been sent a moment ago. `sequence`: of a TCP segment. */
  isSent(protocol: number, local: Endpoint, remote: Endpoint, sequence: number): boolean;
}

/** See the head of this file. */
export class Icmp {
  readonly counters = { received: 0, malformed: 0, echoes: 0, errorsReceived: 0, errorsSent: 0, redirectsIgnored: 0 };
  readonly limit = new RateLimit(ERRORS_A_SECOND, ERRORS_AT_ONCE);
  readonly #ip: Ipv4;
  readonly #effects: IcmpEffects;

  constructor(ip: Ipv4, effects: IcmpEffects) {
    this.#ip = ip;
    this.#effects = effects;
  }

  /** Takes the packet of a message. Broadcasts are not answered (RFC 1122, 3.2.2.6). */
  input(packet: Ipv4Packet, toAll: boolean, now: number): void {
    this.counters.received++;
    const message = parseIcmp(packet.payload);
    if (message === null) {
      this.counters.malformed++;
      return;
    }
    switch (message.type) {
      case ICMP.ECHO_REQUEST:
        if (!toAll) this.#answerEcho(packet, message, now);
        break;
      case ICMP.UNREACHABLE:
        this.#takeError(unreachableKind(message.code), message, now);
        break;
      case ICMP.TIME_EXCEEDED:
      case ICMP.PARAMETER_PROBLEM:
        this.#takeError('host', message, now);
        break;
      case ICMP.REDIRECT:
        this.counters.redirectsIgnored++;
        break;
    }
  }

  /** Tells the sender of a packet that came for us that its port or protocol is nobody's. */
  unreachable(code: number, packet: Ipv4Packet, now: number): void {
    this.#sendError(ICMP.UNREACHABLE, code, quote(packet.bytes), now);
  }

  /** Tells the sender of a packet that not all of its fragments came in time. @param quoted its first fragment */
  reassemblyExpired(quoted: Buffer, now: number): void {
    this.#sendError(ICMP.TIME_EXCEEDED, TIME_EXCEEDED.REASSEMBLY, quoted, now);
  }

  /** A packet of ours could not even be sent: nobody has the link address of its next hop. */
  undeliverable(packet: Buffer): void {
    const quoted = parseQuotedPacket(packet);
    if (quoted !== null) this.#tell('host', quoted);
  }

  #answerEcho(packet: Ipv4Packet, message: IcmpMessage, now: number): void {
    this.counters.echoes++;
    const { source, destination, typeOfService } = packet;
    this.#send(destination, source, typeOfService, buildIcmp({ ...message, type: ICMP.ECHO_REPLY, code: 0 }), now);
  }

  /**
   * Never about an error, a fragment that is not the first, or a packet that came to all or from nobody in particular
   * (RFC 1122, 3.2.2).
   */
  #sendError(type: number, code: number, about: Buffer, now: number): void {
    const packet = parseQuotedPacket(about);
    if (packet === null || packet.fragmentOffset !== 0) return;
    const { source, destination } = packet;
    if (!isUnicast(source) && source >>> 24 !== 127) return;
    if (!this.#ip.isOwn(destination) || this.#ip.isBroadcast(source)) return;
    if (packet.protocol === PROTOCOL.ICMP && isIcmpError(packet.payload[0] ?? 0)) return;
    if (!this.limit.allow(now)) return;
    this.counters.errorsSent++;
    this.#send(destination, source, 0, buildIcmp({ type, code, rest: 0, data: about }), now);
  }

  #send(source: Ipv4Address, destination: Ipv4Address, typeOfService: number, message: Buffer, now: number): void {
    const payloadBytes = message.length;
    const buffer = packetBuffer(payloadBytes);
    buffer.set(message, HEADROOM_BYTES);
    this.#ip.send(
      {
        source,
        destination,
        protocol: PROTOCOL.ICMP,
        timeToLive: TIME_TO_LIVE,
        typeOfService,
        dontFragment: false,
        buffer,
        payloadBytes,
      },
      now,
    );
  }

  #takeError(kind: UnreachableKind, message: IcmpMessage, now: number): void {
    const quoted = parseQuotedPacket(message.data);
    // What is quoted has to be ours, and to one host.
    if (quoted === null || !this.#ip.isOwn(quoted.source) || this.#ip.isBroadcast(quoted.destination)) {
      this.counters.malformed++;
      return;
    }
    this.counters.errorsReceived++;
    if (kind !== 'fragmentation') {
      this.#tell(kind, quoted);
      return;
    }
    // Anybody could make packets to anybody tiny with a word about none of them (RFC 5927, 7.2).
    const ends = endsOf(quoted);
    if (ends === null || !this.#effects.isSent(quoted.protocol, ends.local, ends.remote, ends.sequence)) return;
    const { destination, length } = quoted;
    const before = this.#ip.pathMtu(destination);
    const mtu = this.#ip.pathMtus.reduce(destination, message.rest & 0xffff, length, before, now);
    if (mtu !== null) this.#tell(kind, quoted);
  }

  #tell(kind: UnreachableKind, quoted: QuotedPacket): void {
    const ends = endsOf(quoted);
    if (ends === null) return;
    if (quoted.protocol === PROTOCOL.TCP) this.#effects.tcp(kind, ends.local, ends.remote, ends.sequence);
    else if (quoted.protocol === PROTOCOL.UDP) this.#effects.udp(kind, ends.local, ends.remote);
  }
}

/** The ends of a packet that is quoted, by its first eight bytes, as those of UDP and TCP; null: they are not there. */
function endsOf({ source, destination, fragmentOffset, payload }: QuotedPacket) {
  if (fragmentOffset !== 0 || payload.length < 8) return null;
  const local: Endpoint = { address: source, port: readUint16(payload, 0) };
  const remote: Endpoint = { address: destination, port: readUint16(payload, 2) };
  return { local, remote, sequence: readUint32(payload, 4) };
}

function unreachableKind(code: number): UnreachableKind {
  switch (code) {
    case UNREACHABLE.PROTOCOL:
      return 'protocol';
    case UNREACHABLE.PORT:
      return 'port';
    case UNREACHABLE.FRAGMENTATION_NEEDED:
      return 'fragmentation';
    case UNREACHABLE.NETWORK:
    case UNREACHABLE.NETWORK_UNKNOWN:
    case UNREACHABLE.NETWORK_PROHIBITED:
    case UNREACHABLE.NETWORK_SERVICE:
      return 'net';
    default:
      return 'host';
  }
}
