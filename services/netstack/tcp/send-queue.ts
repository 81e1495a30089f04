/**
 * The send buffer: bytes that were written and not acknowledged yet, all of them in the recovery store too. Positions
 * are those of the stream.
 */
import { COALESCED_BYTES, type KeptChunks } from './kept-chunks.ts';

/** A piece of the stream, in a buffer that may have room for more. */
interface Piece {
  readonly start: number;
  readonly buffer: Buffer;
  length: number;
}

/** Pieces below this get a buffer of COALESCED_BYTES, so that more can be added in place. */
const SMALL_BYTES = COALESCED_BYTES / 2;

/** See the head of this file. */
export class SendQueue {
  private readonly kept: KeptChunks;
  private pieces: Piece[] = [];
  /** Position behind the last byte written. */
  end = 0;

  constructor(kept: KeptChunks) {
    this.kept = kept;
  }

  /** Adds bytes at the end and keeps them. The bytes are copied. */
  append(data: Uint8Array): void {
    const start = this.kept.startFor(this.end, data.length);
    const last = this.pieces.at(-1);
    if (start !== this.end && last !== undefined && last.start === start) {
      const longer = extended(last, data);
      this.pieces[this.pieces.length - 1] = longer;
      this.kept.put(start, longer.buffer.subarray(0, longer.length));
    } else {
      const buffer = Buffer.allocUnsafe(data.length < SMALL_BYTES ? COALESCED_BYTES : data.length);
      buffer.set(data);
      this.pieces.push({ start: this.end, buffer, length: data.length });
      this.kept.put(this.end, buffer.subarray(0, data.length));
    }
    this.end += data.length;
  }

  /** The bytes from `start` up to `end`: a view where they lie together, else a copy. */
  view(start: number, end: number): Buffer {
    let index = this.indexOf(start);
    const first = this.pieces[index];
    if (first === undefined || start >= end) return EMPTY;
    if (end <= first.start + first.length) return first.buffer.subarray(start - first.start, end - first.start);
    const copy = Buffer.allocUnsafe(end - start);
    for (let at = start; at < end; index++) {
      const piece = this.pieces[index];
      if (piece === undefined) return copy.subarray(0, at - start);
      const part = piece.buffer.subarray(at - piece.start, Math.min(piece.length, end - piece.start));
      copy.set(part, at - start);
      at += part.length;
    }
    return copy;
  }

  /** The piece that has the byte at a position. */
  private indexOf(position: number): number {
    let low = 0;
    let high = this.pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.pieces[middle]?.start ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Whether nothing would be kept any more after `release`. */
  wouldBeEmpty(position: number): boolean {
    return this.kept.wouldBeEmpty(position);
  }

  /** Everything before a position was acknowledged. */
  release(position: number): void {
    let count = 0;
    for (const piece of this.pieces) {
      if (piece.start + piece.length > position) break;
      count++;
    }
    if (count === 0) return;
    this.pieces.splice(0, count);
    this.kept.discard(position);
  }

  /** Nothing is kept any more. */
  forget(): void {
    this.pieces = [];
    this.kept.discard(Number.POSITIVE_INFINITY);
  }

  /** Takes over kept chunks. `end`: the end of the stream, where there are none. */
  adopt(chunks: readonly { readonly start: number; readonly data: Uint8Array }[], end: number): void {
    this.kept.adopt(chunks);
    this.pieces = chunks.map(({ start, data }) => ({ start, buffer: Buffer.from(data), length: data.length }));
    const last = this.pieces.at(-1);
    this.end = last === undefined ? end : last.start + last.length;
  }
}

const EMPTY = Buffer.alloc(0);

function extended(piece: Piece, data: Uint8Array): Piece {
  const length = piece.length + data.length;
  const buffer = length <= piece.buffer.length ? piece.buffer : Buffer.allocUnsafe(COALESCED_BYTES);
  if (buffer !== piece.buffer) buffer.set(piece.buffer.subarray(0, piece.length));
  buffer.set(data, piece.length);
  return { start: piece.start, buffer, length };
}
