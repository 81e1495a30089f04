/**
 * The Internet check sum.
 *
 * Read: RFC 1071; the pseudo header: RFC 768 and RFC 9293, 3.1.
 */

import type { Ipv4Address } from './address.ts';

/** Below this many bytes a view of 32-bit words costs more than it saves. */
const SHORT_BYTES = 160;

/** Whether this machine has the least significant byte of a word first. */
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Adds the big-endian 16-bit words of some bytes to a sum; an odd last byte counts as followed by 0. */
export function addWords(sum: number, bytes: Uint8Array): number {
  return sum + (bytes.length < SHORT_BYTES ? bytewise(bytes, 0, bytes.length) : wordwise(bytes));
}

function bytewise(bytes: Uint8Array, start: number, end: number): number {
  let total = 0;
  let at = start;
  for (; at + 1 < end; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  if (at < end) total += (bytes[at] ?? 0) << 8;
  return total;
}

/**
 * The same, folded into 16 bits, four aligned 32-bit words of the machine at a time. The sum does not depend on the
 * order of the bytes in a word except for being turned round itself (RFC 1071, 2 (B)); the same holds for words that
 * begin at odd places.
 */
function wordwise(bytes: Uint8Array): number {
  const lead = -bytes.byteOffset & 3;
  const count = (bytes.length - lead) >>> 2;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + lead, count);
  let high = 0;
  let low = 0;
  let at = 0;
  for (const end = count & ~3; at < end; at += 4) {
    const a = words[at] ?? 0;
    const b = words[at + 1] ?? 0;
    const c = words[at + 2] ?? 0;
    const d = words[at + 3] ?? 0;
    high += (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16);
    low += (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff);
  }
  for (; at < count; at++) {
    const word = words[at] ?? 0;
    high += word >>> 16;
    low += word & 0xffff;
  }
  const middle = fold(high + low);
  const inOrder = LITTLE_ENDIAN ? swap(middle) : middle;
  const rest = inOrder + bytewise(bytes, lead + 4 * count, bytes.length);
  if ((lead & 1) === 0) return fold(bytewise(bytes, 0, lead) + rest);
  // Behind an odd number of bytes every word is turned round; the first byte of all is the high half of a word whose
  // low half comes from behind.
  return fold(bytewise(bytes, 0, lead) + swap(fold(rest)));
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  return folded;
}

const swap = (word: number): number => ((word & 0xff) << 8) | (word >>> 8);

/** The complement of a sum with its carries folded in. Over bytes with a right check sum in them it is 0. */
export function finishChecksum(sum: number): number {
  return ~fold(sum) & 0xffff;
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
