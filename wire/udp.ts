/**
 * UDP datagrams.
 *
 * Read: RFC 768; RFC 1122, 4.1.
 */

import type { Ipv4Address } from './address.ts';
import { transportChecksum } from './checksum.ts';
import { PROTOCOL } from './ipv4.ts';

export const UDP_HEADER_BYTES = 8;
/** The most data that an IPv4 packet without options can carry. */
export const UDP_DATA_LIMIT = 65_507;

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly data: Buffer;
}

/** Takes a datagram apart. Null when its length is wrong or its check sum, which may be left out as 0. */
export function parseUdp(bytes: Buffer, source: Ipv4Address, destination: Ipv4Address): UdpDatagram | null {
  if (bytes.length < UDP_HEADER_BYTES) return null;
  const length = bytes.readUInt16BE(4);
  if (length < UDP_HEADER_BYTES || length > bytes.length) return null;
  const datagram = bytes.subarray(0, length);
  if (bytes.readUInt16BE(6) !== 0 && transportChecksum(source, destination, PROTOCOL.UDP, datagram) !== 0) return null;
  return {
    sourcePort: bytes.readUInt16BE(0),
    destinationPort: bytes.readUInt16BE(2),
    data: datagram.subarray(UDP_HEADER_BYTES),
  };
}

/** Puts a datagram together. `data` has at most `UDP_DATA_LIMIT` bytes. */
export function buildUdp(
  source: Ipv4Address,
  sourcePort: number,
  destination: Ipv4Address,
  destinationPort: number,
  data: Uint8Array,
): Buffer {
  const bytes = Buffer.alloc(UDP_HEADER_BYTES + data.length);
  bytes.set(data, UDP_HEADER_BYTES);
  writeUdpHeader(bytes, source, sourcePort, destination, destinationPort);
  return bytes;
}

/** Writes the header of a datagram whose data is in its place already. */
export function writeUdpHeader(
  datagram: Buffer,
  source: Ipv4Address,
  sourcePort: number,
  destination: Ipv4Address,
  destinationPort: number,
): void {
  datagram.writeUInt16BE(sourcePort, 0);
  datagram.writeUInt16BE(destinationPort, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  datagram.writeUInt16BE(0, 6);
  // A sum of 0 would mean that there is none; all ones is the same number.
  datagram.writeUInt16BE(transportChecksum(source, destination, PROTOCOL.UDP, datagram) || 0xffff, 6);
}
