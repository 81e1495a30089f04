/**
 * IPv4 packets.
 *
 * Read: RFC 791, 3.1 and 3.2; RFC 1122, 3.2.1.
 */

import type { Ipv4Address } from './address.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from './bytes.ts';
import { finishChecksum } from './checksum.ts';

export const IPV4_HEADER_BYTES = 20;
export const IPV4_PACKET_LIMIT = 65_535;
const VERSION = 4;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;
/** Fragment offsets count in these. */
const FRAGMENT_UNIT = 8;

export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;

export interface Ipv4Packet {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  readonly typeOfService: number;
  readonly timeToLive: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Where the payload belongs in the packet it is a fragment of, in bytes. */
  readonly fragmentOffset: number;
  readonly payload: Buffer;
  /** The whole packet: header, options and payload, without padding of the link. */
  readonly bytes: Buffer;
}

/** Takes a packet apart: views of its bytes. Null when lengths, version or the header's check sum are wrong. */
export function parseIpv4Packet(bytes: Buffer): Ipv4Packet | null {
  if (bytes.length < IPV4_HEADER_BYTES) return null;
  const first = bytes.readUInt8(0);
  const headerBytes = (first & 0x0f) * 4;
  const length = readUint16(bytes, 2);
  if (first >>> 4 !== VERSION || headerBytes < IPV4_HEADER_BYTES) return null;
  if (length < headerBytes || length > bytes.length) return null;
  if (headerBytes > bytes.length || headerChecksum(bytes, 0, headerBytes) !== 0) return null;
  const fragment = readUint16(bytes, 6);
  return {
    source: readUint32(bytes, 12),
    destination: readUint32(bytes, 16),
    protocol: bytes.readUInt8(9),
    typeOfService: bytes.readUInt8(1),
    timeToLive: bytes.readUInt8(8),
    identification: readUint16(bytes, 4),
    dontFragment: (fragment & DONT_FRAGMENT) !== 0,
    moreFragments: (fragment & MORE_FRAGMENTS) !== 0,
    fragmentOffset: (fragment & OFFSET_MASK) * FRAGMENT_UNIT,
    payload: bytes.subarray(headerBytes, length),
    // A view costs more than all the rest.
    bytes: length === bytes.length ? bytes : bytes.subarray(0, length),
  };
}

/** The check sum of the header at `at`; 0 when the right one is in it. */
function headerChecksum(bytes: Buffer, at: number, headerBytes: number): number {
  let sum = 0;
  for (let word = at; word < at + headerBytes; word += 2) sum += readUint16(bytes, word);
  return finishChecksum(sum);
}

/** What a packet to be sent needs. */
export interface Ipv4Fields {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  readonly timeToLive: number;
  readonly identification: number;
  /** 0 when it is left out. */
  readonly typeOfService?: number;
  /** False when it is left out. */
  readonly dontFragment?: boolean;
}

/**
 * Puts packets together, none larger than `mtu` bytes: one, or as many fragments as it takes. Throws a RangeError when
 * the payload is larger than any packet.
 */
export function buildIpv4(fields: Ipv4Fields, payload: Uint8Array, mtu: number): Buffer[] {
  if (IPV4_HEADER_BYTES + payload.length > IPV4_PACKET_LIMIT) {
    throw new RangeError(`${payload.length} bytes do not fit into an IPv4 packet`);
  }
  if (IPV4_HEADER_BYTES + payload.length <= mtu) return [buildPacket(fields, payload, 0, false)];
  const step = fragmentStep(mtu);
  const packets: Buffer[] = [];
  for (let at = 0; at < payload.length; at += step) {
    packets.push(buildPacket(fields, payload.subarray(at, at + step), at, at + step < payload.length));
  }
  return packets;
}

/** How much of a payload each fragment but the last carries on a link with this MTU. */
export function fragmentStep(mtu: number): number {
  const room = mtu - IPV4_HEADER_BYTES;
  return room - (room % FRAGMENT_UNIT);
}

function buildPacket(fields: Ipv4Fields, payload: Uint8Array, offset: number, more: boolean): Buffer {
  const bytes = Buffer.alloc(IPV4_HEADER_BYTES + payload.length);
  writeIpv4Header(bytes, 0, fields, payload.length, offset, more);
  bytes.set(payload, IPV4_HEADER_BYTES);
  return bytes;
}

/**
 * Writes a header without options.
 *
 * @param at where it begins in `bytes`
 * @param payloadBytes how much follows it
 * @param fragmentOffset where that belongs in the whole, in bytes, a multiple of 8
 */
export function writeIpv4Header(
  bytes: Buffer,
  at: number,
  fields: Ipv4Fields,
  payloadBytes: number,
  fragmentOffset = 0,
  moreFragments = false,
): void {
  const flags = (fields.dontFragment === true ? DONT_FRAGMENT : 0) | (moreFragments ? MORE_FRAGMENTS : 0);
  bytes.writeUInt8((VERSION << 4) | (IPV4_HEADER_BYTES / 4), at);
  bytes.writeUInt8(fields.typeOfService ?? 0, at + 1);
  writeUint16(bytes, IPV4_HEADER_BYTES + payloadBytes, at + 2);
  writeUint16(bytes, fields.identification, at + 4);
  writeUint16(bytes, flags | (fragmentOffset / FRAGMENT_UNIT), at + 6);
  bytes.writeUInt8(fields.timeToLive, at + 8);
  bytes.writeUInt8(fields.protocol, at + 9);
  writeUint16(bytes, 0, at + 10);
  writeUint32(bytes, fields.source, at + 12);
  writeUint32(bytes, fields.destination, at + 16);
  writeUint16(bytes, headerChecksum(bytes, at, IPV4_HEADER_BYTES), at + 10);
}

/** What an ICMP error quotes of the packet it is about. */
export interface QuotedPacket {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  /** Of the whole packet, in bytes. */
  readonly length: number;
  /** Its payload is the part of a packet that begins here, in bytes. */
  readonly fragmentOffset: number;
  /** The beginning of the payload, which may be cut off anywhere. */
  readonly payload: Buffer;
}

/**
 * Takes a quoted packet apart. Null when not even its header is there. Its check sum is not looked at: routers change
 * it.
 */
export function parseQuotedPacket(bytes: Buffer): QuotedPacket | null {
  if (bytes.length < IPV4_HEADER_BYTES) return null;
  const first = bytes.readUInt8(0);
  const headerBytes = (first & 0x0f) * 4;
  if (first >>> 4 !== VERSION || headerBytes < IPV4_HEADER_BYTES || headerBytes > bytes.length) return null;
  return {
    source: readUint32(bytes, 12),
    destination: readUint32(bytes, 16),
    protocol: bytes.readUInt8(9),
    length: readUint16(bytes, 2),
    fragmentOffset: (readUint16(bytes, 6) & OFFSET_MASK) * FRAGMENT_UNIT,
    payload: bytes.subarray(headerBytes),
  };
}
