/** Bits in a bitmap: bit n is bit n mod 8, from the lowest, of byte n / 8. */

export function isSet(bytes: Uint8Array, bit: number): boolean {
  return (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;
}

/** Sets `count` bits. */
export function setBits(bytes: Uint8Array, from: number, count = 1): void {
  for (let bit = from; bit < from + count; ) {
    if ((bit & 7) === 0 && from + count - bit >= 8) {
      bytes[bit >> 3] = 0xff;
      bit += 8;
    } else {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
      bit++;
    }
  }
}

/** Clears a bit. */
export function clearBit(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) & ~(1 << (bit & 7));
}

/** The first bit that is not set, from `from` up to `end`; -1: there is none. */
export function firstZero(bytes: Uint8Array, from: number, end: number): number {
  for (let bit = from; bit < end; ) {
    if ((bit & 7) === 0 && bytes[bit >> 3] === 0xff) bit += 8;
    else if (!isSet(bytes, bit)) return bit;
    else bit++;
  }
  return -1;
}

/** The first bit of the first whole byte of zeros, from `from` up to `end`; -1: there is none. */
export function firstZeroByte(bytes: Uint8Array, from: number, end: number): number {
  const at = bytes.indexOf(0, (from + 7) >> 3);
  return at !== -1 && at * 8 + 8 <= end ? at * 8 : -1;
}

/** How many bits from `from` on are not set, up to `end` and at most `most`. */
export function zerosFrom(bytes: Uint8Array, from: number, end: number, most: number): number {
  const limit = Math.min(end, from + most);
  let bit = from;
  while (bit < limit) {
    if ((bit & 7) === 0 && bit + 8 <= limit && bytes[bit >> 3] === 0) bit += 8;
    else if (isSet(bytes, bit)) break;
    else bit++;
  }
  return bit - from;
}

/** How many of the bits from 0 up to `end` are not set. */
export function countZeros(bytes: Uint8Array, end: number): number {
  let count = 0;
  for (let bit = 0; bit < end; ) {
    const byte = (bit & 7) === 0 && bit + 8 <= end ? bytes[bit >> 3] : undefined;
    if (byte === 0xff) bit += 8;
    else if (byte === 0) {
      count += 8;
      bit += 8;
    } else {
      if (!isSet(bytes, bit)) count++;
      bit++;
    }
  }
  return count;
}
