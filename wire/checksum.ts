/**
 * The Internet check sum.
 *
 * Read: RFC 1071; the pseudo header: RFC 768 and RFC 9293, 3.1.
 */

import type { Ipv4Address } from './address.ts';

/** Adds the big-endian 16-bit words of some bytes to a sum; an odd last byte counts as followed by 0. */
export function addWords(sum: number, bytes: Uint8Array): number {
  let total = sum;
  const even = bytes.length & ~1;
  for (let at = 0; at < even; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  if (even < bytes.length) total += (bytes[even] ?? 0) << 8;
  return total;
}

/** The complement of a sum with its carries folded in. Over bytes with a right check sum in them it is 0. */
export function finishChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  return ~folded & 0xffff;
}

export function checksum(bytes: Uint8Array): number {
  return finishChecksum(addWords(0, bytes));
}

/** The check sum over the pseudo header and a UDP datagram or TCP segment. */
export function transportChecksum(
  source: Ipv4Address,
  destination: Ipv4Address,
  protocol: number,
  bytes: Uint8Array,
): number {
  const header = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  return finishChecksum(addWords(header + protocol + bytes.length, bytes));
}
