/**
 * The receive buffer: bytes that came in order wait for their reader, bytes behind a gap wait for what is missing. Read
 * RFC 9293, 3.10.7.4, and RFC 2018 for the ranges that are reported. Positions are those of the stream. Bounded in
 * bytes by who gives the window, in the number of gaps by MAX_RANGES.
 */
import { MAX_RANGES } from './limits.ts';
import type { Range } from './scoreboard.ts';

const FIRST_BYTES = 4096;
const NOTHING = Buffer.alloc(0);

/** See the head of this file. */
export class Assembler {
  /** Position of the first byte that is there: before it everything was given up. */
  base = 0;
  /** Position of the next byte that is missing. */
  next = 0;
  /** A ring, in which the byte at `base` is at `first`. */
  private ring: Buffer = NOTHING;
  private first = 0;
  /** Ranges behind gaps, the one changed last first, as SACK wants them (RFC 2018, 4). */
  ranges: readonly Range[] = [];

  /**
   * Takes bytes that begin at `start`, as far as they lie before `limit`. Ranges that would be too many are dropped:
   * they come again.
   */
  insert(start: number, bytes: Uint8Array, limit: number): void {
    const from = Math.max(start, this.next);
    const end = Math.min(start + bytes.length, limit);
    if (from >= end) return;
    const data = bytes.subarray(from - start, end - start);
    if (from === this.next && this.ranges.length === 0) {
      this.write(from, data);
      this.next = end;
      return;
    }
    const joined = this.join(from, end);
    if (joined === null) return;
    this.write(from, data);
    if (joined.start > this.next) return;
    this.next = joined.end;
    this.ranges = this.ranges.filter((range) => range !== joined);
  }

  /** The range joined with those it touches, put in front. Null: there are too many. */
  private join(from: number, to: number): Range | null {
    let start = from;
    let end = to;
    const others: Range[] = [];
    for (const range of this.ranges) {
      if (range.start <= end && start <= range.end) {
        start = Math.min(start, range.start);
        end = Math.max(end, range.end);
      } else others.push(range);
    }
    if (others.length >= MAX_RANGES && from > this.next) return null;
    const joined = { start, end };
    this.ranges = [joined, ...others];
    return joined;
  }

  /** The first stretch between two positions that has come already; null: none. */
  firstIn(start: number, end: number): Range | null {
    if (start < this.next) return { start, end: Math.min(end, this.next) };
    let first: Range | null = null;
    for (const range of this.ranges) {
      const overlaps = range.start < end && start < range.end;
      if (overlaps && (first === null || range.start < first.start)) first = range;
    }
    return first && { start: Math.max(start, first.start), end: Math.min(end, first.end) };
  }

  private write(position: number, data: Uint8Array): void {
    const offset = position - this.base;
    this.reserve(offset + data.length);
    const place = (this.first + offset) % this.ring.length;
    const head = this.ring.length - place;
    if (data.length <= head) {
      this.ring.set(data, place);
      return;
    }
    this.ring.set(data.subarray(0, head), place);
    this.ring.set(data.subarray(head), 0);
  }

  private reserve(bytes: number): void {
    if (bytes <= this.ring.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.ring.length, FIRST_BYTES));
    const head = this.ring.subarray(this.first);
    grown.set(head, 0);
    grown.set(this.ring.subarray(0, this.first), head.length);
    this.ring = grown;
    this.first = 0;
  }

  /** A copy of the bytes from `start` up to `end`, which are there. */
  copy(start: number, end: number): Buffer {
    const count = end - start;
    const data = Buffer.allocUnsafe(count);
    const place = this.ring.length === 0 ? 0 : (this.first + start - this.base) % this.ring.length;
    const head = Math.min(count, this.ring.length - place);
    this.ring.copy(data, 0, place, place + head);
    this.ring.copy(data, head, 0, count - head);
    return data;
  }

  /** Gives up what lies before a position, which is not behind `next`. */
  giveUp(position: number): void {
    if (position <= this.base) return;
    if (this.ring.length > 0) this.first = (this.first + position - this.base) % this.ring.length;
    this.base = position;
  }

  /** Whether the ring is empty and has memory. */
  get canRelease(): boolean {
    return this.base === this.next && this.ranges.length === 0 && this.ring.length > 0;
  }

  /** Gives the memory of the ring back, which is empty. */
  release(): void {
    if (this.canRelease) this.drop();
  }

  private drop(): void {
    this.ring = NOTHING;
    this.first = 0;
  }

  /** Everything before a position is known to have been read, whether or not it is here. */
  skip(position: number): void {
    if (position <= this.next) {
      this.giveUp(position);
      return;
    }
    const kept = this.ranges.filter(({ end }) => end > position);
    const touching = kept.find(({ start }) => start <= position);
    const offset = position - this.base;
    // What the ring has behind the position stays where it is.
    if (kept.length === 0 || offset >= this.ring.length) this.drop();
    else this.first = (this.first + offset) % this.ring.length;
    this.base = position;
    this.next = touching === undefined ? position : touching.end;
    this.ranges = kept.filter((range) => range !== touching);
  }

  /** Begins at a position, with bytes that had been kept from there on. */
  adopt(position: number, chunks: readonly Uint8Array[]): void {
    this.base = position;
    this.next = position;
    this.reserve(chunks.reduce((sum, { length }) => sum + length, 0));
    for (const chunk of chunks) this.insert(this.next, chunk, Number.POSITIVE_INFINITY);
  }
}
