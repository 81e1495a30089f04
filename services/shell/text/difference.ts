/** Where two sequences of bytes begin to differ. */
import { countNewlines } from './lines.ts';

/**
 * The offset of the first difference and the number of its line, from 1. `ended`: which one ended there, null when a
 * byte differs.
 */
export interface Difference {
  readonly at: number;
  readonly line: number;
  readonly ended: 'first' | 'second' | null;
}

const nothing: Uint8Array = new Uint8Array(0);

/** The next piece that has bytes; none at the end. */
function nextPiece(pieces: Iterator<Uint8Array>): Uint8Array {
  for (let next = pieces.next(); next.done !== true; next = pieces.next()) if (next.value.length > 0) return next.value;
  return nothing;
}

/** Compares pieces, however they are cut. Null: all is the same. */
export function firstDifference(first: Iterable<Uint8Array>, second: Iterable<Uint8Array>): Difference | null {
  const [left, right] = [first[Symbol.iterator](), second[Symbol.iterator]()];
  let a = nothing;
  let b = nothing;
  let at = 0;
  let line = 1;
  for (;;) {
    if (a.length === 0) a = nextPiece(left);
    if (b.length === 0) b = nextPiece(right);
    if (a.length === 0 || b.length === 0) {
      if (a.length === b.length) return null;
      return { at, line, ended: a.length === 0 ? 'first' : 'second' };
    }
    const count = Math.min(a.length, b.length);
    if (Buffer.compare(a.subarray(0, count), b.subarray(0, count)) !== 0) {
      let same = 0;
      while (a[same] === b[same]) same += 1;
      return { at: at + same, line: line + countNewlines(a.subarray(0, same)), ended: null };
    }
    line += countNewlines(a.subarray(0, count));
    at += count;
    a = a.subarray(count);
    b = b.subarray(count);
  }
}
