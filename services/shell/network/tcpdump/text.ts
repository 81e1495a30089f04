/** Packets as lines of text, in the manner of tcpdump. */
import { formatIpv4 } from '../../../../wire/address.ts';
import { ARP_REPLY, ARP_REQUEST, type ArpPacket } from '../../../../wire/arp.ts';
import { checksum, transportChecksum } from '../../../../wire/checksum.ts';
import { ETHERNET_HEADER_BYTES } from '../../../../wire/ethernet.ts';
import { ICMP, parseQuote } from '../../../../wire/icmp.ts';
import { PROTOCOL } from '../../../../wire/ipv4.ts';
import { visibleText } from '../../width.ts';
import { formatHardware, portText } from '../addresses.ts';
import { icmpErrorText } from '../icmp-texts.ts';
import { dhcpText, dnsText } from './application-text.ts';
import type { IpView, PacketView } from './packet.ts';

const TCP_HEADER_BYTES = 20;
const UDP_HEADER_BYTES = 8;
/** Connections whose first sequence numbers are remembered. */
const MAX_FLOWS = 1024;

/** How packets are shown. */
export interface TextOptions {
  /** Ports as numbers. */
  readonly numeric: boolean;
  /** Headers of IP and check sums too. */
  readonly verbose: boolean;
}

const flagLetters: readonly (readonly [bit: number, letter: string])[] = [
  ...([
    [0x01, 'F'],
    [0x02, 'S'],
    [0x04, 'R'],
    [0x08, 'P'],
    [0x10, '.'],
    [0x20, 'U'],
    [0x40, 'E'],
    [0x80, 'W'],
  ] as const),
];

const protocolTexts: Readonly<Record<number, string>> = {
  1: 'ICMP',
  2: 'IGMP',
  6: 'TCP',
  17: 'UDP',
  41: 'IPv6',
  47: 'GRE',
};

function optionTexts(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes.readUInt8(at);
    if (kind === 0) {
      texts.push('eol');
      break;
    }
    if (kind === 1) {
      texts.push('nop');
      at += 1;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length) {
      texts.push(`[bad opt ${kind}]`);
      break;
    }
    texts.push(optionText(kind, bytes.subarray(at + 2, at + length)));
    at += length;
  }
  return texts;
}

function optionText(kind: number, value: Buffer): string {
  if (kind === 2 && value.length === 2) return `mss ${value.readUInt16BE(0)}`;
  if (kind === 3 && value.length === 1) return `wscale ${value.readUInt8(0)}`;
  if (kind === 4) return 'sackOK';
  if (kind === 5 && value.length % 8 === 0) {
    const blocks = Array.from(
      { length: value.length / 8 },
      (_, at) => `{${value.readUInt32BE(8 * at)}:${value.readUInt32BE(8 * at + 4)}}`,
    );
    return `sack ${blocks.length} ${blocks.join('')}`;
  }
  if (kind === 8 && value.length === 8) return `TS val ${value.readUInt32BE(0)} ecr ${value.readUInt32BE(4)}`;
  return `opt-${kind}`;
}

/** Turns packets into text. It knows where connections began, so that sequence numbers after the first are small. */
export class PacketText {
  private readonly options: TextOptions;
  /** By both ends: the first sequence number of that direction. */
  private readonly flows = new Map<string, number>();

  constructor(options: TextOptions) {
    this.options = options;
  }

  /** The line, or lines, without the time. */
  of(packet: PacketView): string {
    const { arp, ip, type, length } = packet;
    if (arp !== null) return this.arp(arp, length - ETHERNET_HEADER_BYTES);
    if (ip !== null) return this.ip(packet, ip);
    if (type === null) return `802.3, length ${length}`;
    return `ethertype 0x${type.toString(16).padStart(4, '0')}, length ${length}`;
  }

  private arp({ operation, sender, senderLink, target }: ArpPacket, length: number): string {
    const [from, to] = [formatIpv4(sender), formatIpv4(target)];
    if (operation === ARP_REQUEST)
      return sender === target
        ? `ARP, Announcement ${to}, length ${length}`
        : sender === 0
          ? `ARP, Probe ${to}, length ${length}`
          : `ARP, Request who-has ${to} tell ${from}, length ${length}`;
    if (operation === ARP_REPLY) return `ARP, Reply ${from} is-at ${formatHardware(senderLink)}, length ${length}`;
    return `ARP, operation ${operation}, length ${length}`;
  }

  private ip(packet: PacketView, ip: IpView): string {
    const [source, destination] = packet.ports ?? [];
    const end = (address: number, port: number | undefined): string =>
      port === undefined ? formatIpv4(address) : `${formatIpv4(address)}.${portText(port, this.options.numeric)}`;
    const ends = `${end(ip.source, source)} > ${end(ip.destination, destination)}`;
    const content = this.content(ip);
    if (!this.options.verbose) return `IP ${ends}: ${content}`;
    const flags = `${ip.dontFragment ? 'DF' : ''}${ip.moreFragments ? '+' : ''}` || 'none';
    const name = protocolTexts[ip.protocol] ?? 'unknown';
    const sum = checksum(ip.header) === 0 ? '' : ', bad cksum!';
    const head = [
      `tos 0x${ip.typeOfService.toString(16)}`,
      `ttl ${ip.timeToLive}`,
      `id ${ip.identification}`,
      `offset ${ip.fragmentOffset}`,
      `flags [${flags}]`,
      `proto ${name} (${ip.protocol})`,
      `length ${ip.length}`,
    ];
    return `IP (${head.join(', ')}${sum})\n    ${ends}: ${content}`;
  }

  private content(ip: IpView): string {
    const length = ip.length - ip.header.length;
    if (ip.fragmentOffset > 0) return `${(protocolTexts[ip.protocol] ?? `ip-proto-${ip.protocol}`).toLowerCase()}`;
    if (ip.protocol === PROTOCOL.TCP) return this.tcp(ip, length);
    if (ip.protocol === PROTOCOL.UDP) return this.udp(ip, length);
    if (ip.protocol === PROTOCOL.ICMP) return this.icmp(ip.payload, length);
    return `${protocolTexts[ip.protocol] ?? `ip-proto-${ip.protocol}`} ${length}`;
  }

  /** Whether a check sum is right, for -v; nothing where not all of it is there. */
  private sum({ source, destination, protocol, payload, moreFragments }: IpView, length: number): string {
    if (!this.options.verbose || moreFragments || payload.length < length) return '';
    const right = transportChecksum(source, destination, protocol, payload) === 0;
    return right ? 'cksum correct, ' : 'cksum INCORRECT, ';
  }

  private tcp(ip: IpView, length: number): string {
    const { payload } = ip;
    if (payload.length < TCP_HEADER_BYTES) return `[|tcp], length ${length}`;
    const headerBytes = (payload.readUInt8(12) >>> 4) * 4;
    if (headerBytes < TCP_HEADER_BYTES || headerBytes > length) return `TCP, bad header length ${headerBytes}`;
    const bits = payload.readUInt8(13);
    const dataBytes = length - headerBytes;
    const { sequence, acknowledgment } = this.relative(ip, bits);
    const flags = flagLetters.map(([bit, letter]) => ((bits & bit) === 0 ? '' : letter)).join('') || 'none';
    const parts = [`Flags [${flags}]`];
    if (dataBytes > 0) parts.push(`seq ${sequence}:${(sequence + dataBytes) >>> 0}`);
    else if ((bits & 0x07) !== 0) parts.push(`seq ${sequence}`);
    if ((bits & 0x10) !== 0) parts.push(`ack ${acknowledgment}`);
    parts.push(`win ${payload.readUInt16BE(14)}`);
    const options = optionTexts(payload.subarray(TCP_HEADER_BYTES, headerBytes));
    if (options.length > 0) parts.push(`options [${options.join(',')}]`);
    parts.push(`length ${dataBytes}`);
    return this.sum(ip, length) + parts.join(', ') + httpText(ip.payload, headerBytes);
  }

  /**
   * Sequence numbers from where the connection began, if that was seen or at least something of it; the first ones as
   * they are.
   */
  private relative(
    { source, destination, payload }: IpView,
    bits: number,
  ): { sequence: number; acknowledgment: number } {
    const sequence = payload.readUInt32BE(4);
    const acknowledgment = payload.readUInt32BE(8);
    const [from, to] = [`${source}.${payload.readUInt16BE(0)}`, `${destination}.${payload.readUInt16BE(2)}`];
    const own = `${from}>${to}`;
    const other = `${to}>${from}`;
    if ((bits & 0x02) !== 0) {
      this.remember(own, sequence);
      const base = (bits & 0x10) === 0 ? undefined : this.flows.get(other);
      return { sequence, acknowledgment: base === undefined ? acknowledgment : (acknowledgment - base) >>> 0 };
    }
    const base = this.flows.get(own);
    const otherBase = this.flows.get(other);
    if (base === undefined) this.remember(own, sequence);
    if (otherBase === undefined && (bits & 0x10) !== 0) this.remember(other, acknowledgment);
    return {
      sequence: base === undefined ? sequence : (sequence - base) >>> 0,
      acknowledgment: otherBase === undefined ? acknowledgment : (acknowledgment - otherBase) >>> 0,
    };
  }

  private remember(flow: string, sequence: number): void {
    this.flows.delete(flow);
    this.flows.set(flow, sequence);
    const [oldest] = this.flows.keys();
    if (this.flows.size > MAX_FLOWS && oldest !== undefined) this.flows.delete(oldest);
  }

  private udp(ip: IpView, length: number): string {
    const { payload } = ip;
    if (payload.length < UDP_HEADER_BYTES) return `[|udp], length ${length}`;
    const ports = [payload.readUInt16BE(0), payload.readUInt16BE(2)];
    const dataBytes = payload.readUInt16BE(4) - UDP_HEADER_BYTES;
    const data = payload.subarray(UDP_HEADER_BYTES);
    const sum = payload.readUInt16BE(6) === 0 ? (this.options.verbose ? 'no cksum, ' : '') : this.sum(ip, length);
    if (dataBytes < 0) return `UDP, bad length ${dataBytes + UDP_HEADER_BYTES}`;
    if (ports.includes(53)) return sum + dnsText(data, dataBytes);
    if (ports.includes(67) || ports.includes(68)) return sum + dhcpText(data, dataBytes);
    return `${sum}UDP, length ${dataBytes}`;
  }

  private icmp(payload: Buffer, length: number): string {
    if (payload.length < 8) return `ICMP, [|icmp], length ${length}`;
    const [type, code, rest] = [payload.readUInt8(0), payload.readUInt8(1), payload.readUInt32BE(4)];
    const sum =
      this.options.verbose && payload.length >= length && checksum(payload.subarray(0, length)) !== 0
        ? ' (wrong cksum)'
        : '';
    if (type === ICMP.ECHO_REQUEST || type === ICMP.ECHO_REPLY) {
      const kind = type === ICMP.ECHO_REQUEST ? 'request' : 'reply';
      return `ICMP echo ${kind}, id ${rest >>> 16}, seq ${rest & 0xffff}, length ${length}${sum}`;
    }
    const quoted = parseQuote(payload.subarray(8));
    if (type === ICMP.UNREACHABLE && code === 3 && quoted !== null && quoted.payload.length >= 4) {
      const name = quoted.protocol === PROTOCOL.UDP ? 'udp' : 'tcp';
      const port = portText(quoted.payload.readUInt16BE(2), this.options.numeric);
      return `ICMP ${formatIpv4(quoted.destination)} ${name} port ${port} unreachable, length ${length}${sum}`;
    }
    const error = icmpErrorText({ type, code, rest });
    if (error === null) return `ICMP type ${type} code ${code}, length ${length}${sum}`;
    const about = quoted === null ? '' : ` for ${formatIpv4(quoted.destination)}`;
    return `ICMP ${error.charAt(0).toLowerCase()}${error.slice(1)}${about}, length ${length}${sum}`;
  }
}

/** The first line of a request or answer of HTTP. */
function httpText(payload: Buffer, start: number): string {
  const text = payload.toString('latin1', start, start + 256);
  const [, line] = /^((?:GET|HEAD|POST|PUT|DELETE|OPTIONS) [^\r\n]*|HTTP\/1\.[01] [^\r\n]*)\r?\n/.exec(text) ?? [];
  return line === undefined ? '' : `: HTTP: ${visibleText(line)}`;
}

/** `21:18:03.123456`, in UTC. @param time nanoseconds since 1970 */
export function clockText(time: bigint): string {
  const seconds = new Date(Number(time / 1_000_000n)).toISOString().slice(11, 19);
  return `${seconds}.${String((time / 1000n) % 1_000_000n).padStart(6, '0')}`;
}
