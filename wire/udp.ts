/**
 * UDP datagrams.
 *
 * Read: RFC 768; RFC 1122, 4.1.
 */

import type { Ipv4Address } from './address.ts';
import { readUint16, writeUint16 } from './bytes.ts';
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
  const length = readUint16(bytes, 4);
  if (length < UDP_HEADER_BYTES || length > bytes.length) return null;
  const datagram = bytes.subarray(0, length);
  if (readUint16(bytes, 6) !== 0 && transportChecksum(source, destination, PROTOCOL.UDP, datagram) !== 0) return null;
  return {
    sourcePort: readUint16(bytes, 0),
    destinationPort: readUint16(bytes, 2),
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
  writeUint16(datagram, sourcePort, 0);
  writeUint16(datagram, destinationPort, 2);
  writeUint16(datagram, datagram.length, 4);
  writeUint16(datagram, 0, 6);
  // A sum of 0 would mean that there is none; all ones is the same number.
  writeUint16(datagram, transportChecksum(source, destination, PROTOCOL.UDP, datagram) || 0xffff, 6);
}
