/**
 * IPv4 packets.
 *
 * Read: RFC 791, 3.1 and 3.2; RFC 1122, 3.2.1.
 */

import type { Ipv4Address } from './address.ts';
import { checksum } from './checksum.ts';

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
  const length = bytes.readUInt16BE(2);
  if (first >>> 4 !== VERSION || headerBytes < IPV4_HEADER_BYTES) return null;
  if (length < headerBytes || length > bytes.length) return null;
  if (checksum(bytes.subarray(0, headerBytes)) !== 0) return null;
  const fragment = bytes.readUInt16BE(6);
  return {
    source: bytes.readUInt32BE(12),
    destination: bytes.readUInt32BE(16),
    protocol: bytes.readUInt8(9),
    timeToLive: bytes.readUInt8(8),
    identification: bytes.readUInt16BE(4),
    dontFragment: (fragment & DONT_FRAGMENT) !== 0,
    moreFragments: (fragment & MORE_FRAGMENTS) !== 0,
    fragmentOffset: (fragment & OFFSET_MASK) * FRAGMENT_UNIT,
    payload: bytes.subarray(headerBytes, length),
    bytes: bytes.subarray(0, length),
  };
}

/** What a packet to be sent needs. */
export interface Ipv4Fields {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  readonly timeToLive: number;
  readonly identification: number;
}

/**
 * Puts packets together, none larger than `mtu` bytes: one, or as many fragments as it takes. Throws a RangeError when the
 * payload is larger than any packet.
 */
export function buildIpv4(fields: Ipv4Fields, payload: Uint8Array, mtu: number): Buffer[] {
  if (IPV4_HEADER_BYTES + payload.length > IPV4_PACKET_LIMIT) {
    throw new RangeError(`${payload.length} bytes do not fit into an IPv4 packet`);
  }
  if (IPV4_HEADER_BYTES + payload.length <= mtu) return [buildPacket(fields, payload, 0)];
  const room = mtu - IPV4_HEADER_BYTES;
  const step = room - (room % FRAGMENT_UNIT);
  const packets: Buffer[] = [];
  for (let at = 0; at < payload.length; at += step) {
    const more = at + step < payload.length ? MORE_FRAGMENTS : 0;
    packets.push(buildPacket(fields, payload.subarray(at, at + step), (at / FRAGMENT_UNIT) | more));
  }
  return packets;
}

function buildPacket(fields: Ipv4Fields, payload: Uint8Array, fragment: number): Buffer {
  const bytes = Buffer.alloc(IPV4_HEADER_BYTES + payload.length);
  bytes.writeUInt8((VERSION << 4) | (IPV4_HEADER_BYTES / 4), 0);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt16BE(fields.identification, 4);
  bytes.writeUInt16BE(fragment, 6);
  bytes.writeUInt8(fields.timeToLive, 8);
  bytes.writeUInt8(fields.protocol, 9);
  bytes.writeUInt32BE(fields.source, 12);
  bytes.writeUInt32BE(fields.destination, 16);
  bytes.writeUInt16BE(checksum(bytes.subarray(0, IPV4_HEADER_BYTES)), 10);
  bytes.set(payload, IPV4_HEADER_BYTES);
  return bytes;
}
