/**
 * Little-endian numbers in byte strings, as Buffer has them. V8 before version 12 (Node 20) looks a method of a byte
 * string up at every call, which costs more than what the method does: on the way of each message these are functions.
 */

/** Two bytes at `at`. Throws RangeError: they do not lie in the byte string. */
export function readUint16(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  const last = bytes[at + 1];
  if (first === undefined || last === undefined) return outside(at);
  return first | (last << 8);
}

/** Four bytes at `at`. Throws RangeError: they do not lie in the byte string. */
export function readUint32(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  const last = bytes[at + 3];
  if (first === undefined || last === undefined) return outside(at);
  return (first | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)) + last * 0x1000000;
}

/**
 * Writes two bytes; answers the offset behind them. Throws RangeError: no number of two bytes, or no place in the byte
 * string.
 */
export function writeUint16(bytes: Uint8Array, value: number, at: number): number {
  if ((value & 0xffff) !== value) tooLarge(value);
  if (bytes[at] === undefined || bytes[at + 1] === undefined) outside(at);
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  return at + 2;
}

/**
 * Writes four bytes; answers the offset behind them. Throws RangeError: no number of four bytes, or no place in the
 * byte string.
 */
export function writeUint32(bytes: Uint8Array, value: number, at: number): number {
  if (value >>> 0 !== value) tooLarge(value);
  if (bytes[at] === undefined || bytes[at + 3] === undefined) outside(at);
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
  return at + 4;
}

const { copy } = Buffer.prototype;

/** Copies the bytes `start` to `end`, as far as there is room for them. Answers how many. */
export function copyBytes(source: Uint8Array, target: Uint8Array, at: number, start: number, end: number): number {
  return copy.call(source, target, at, start, end);
}

function outside(at: number): never {
  throw new RangeError(`offset ${at} is outside of the byte string`);
}

function tooLarge(value: number): never {
  throw new RangeError(`${value} is no whole number that fits`);
}
