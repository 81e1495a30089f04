/**
 * Big-endian numbers in byte strings, as Buffer has them. V8 before version 12 (Node 20) looks a method of a byte
 * string up at every call, which costs more than what the method does: on the way of each packet these are functions.
 */

/** Two bytes at `at`. Throws RangeError: they do not lie in the byte string. */
export function readUint16(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  const last = bytes[at + 1];
  if (first === undefined || last === undefined) return outside(at);
  return (first << 8) | last;
}

/** Four bytes at `at`. Throws RangeError: they do not lie in the byte string. */
export function readUint32(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  const last = bytes[at + 3];
  if (first === undefined || last === undefined) return outside(at);
  return first * 0x1000000 + (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | last);
}

/**
 * Writes two bytes; answers the offset behind them. Throws RangeError: no number of two bytes, or no place in the byte
 * string.
 */
export function writeUint16(bytes: Uint8Array, value: number, at: number): number {
  if ((value & 0xffff) !== value) tooLarge(value);
  if (bytes[at] === undefined || bytes[at + 1] === undefined) outside(at);
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
  return at + 2;
}

/**
 * Writes four bytes; answers the offset behind them. Throws RangeError: no number of four bytes, or no place in the
 * byte string.
 */
export function writeUint32(bytes: Uint8Array, value: number, at: number): number {
  if (value >>> 0 !== value) tooLarge(value);
  if (bytes[at] === undefined || bytes[at + 3] === undefined) outside(at);
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

function outside(at: number): never {
  throw new RangeError(`offset ${at} is outside of the byte string`);
}

function tooLarge(value: number): never {
  throw new RangeError(`${value} is no whole number that fits`);
}
