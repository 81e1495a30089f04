/**
 * Bytes of a stream in the recovery store: chunks, each under a key with the position of its first byte. Small ones are
 * put again, longer, so that the number of keys is bounded: of two chunks that follow each other one at least has half
 * of COALESCED_BYTES.
 */
import type { Keeper } from './environment.ts';

/** A chunk below this is made longer rather than followed by another one. */
export const COALESCED_BYTES = 8 * 1024;

interface Chunk {
  readonly start: number;
  end: number;
}

/** See the head of this file. */
export class KeptChunks {
  private readonly keeper: Keeper;
  private readonly prefix: string;
  private chunks: Chunk[] = [];

  /** `prefix`: the keys without their positions. */
  constructor(keeper: Keeper, prefix: string) {
    this.keeper = keeper;
    this.prefix = prefix;
  }

  get count(): number {
    return this.chunks.length;
  }

  /** The end of the last chunk; undefined when there is none. */
  get end(): number | undefined {
    return this.chunks.at(-1)?.end;
  }

  /**
   * Where a chunk has to begin that gets `count` bytes from `position` on: there, or at the beginning of the last
   * chunk, which then is to be put again.
   */
  startFor(position: number, count: number): number {
    const last = this.chunks.at(-1);
    if (last === undefined || last.end !== position || position + count - last.start > COALESCED_BYTES) return position;
    return last.start;
  }

  /** Keeps bytes from `start` on, which `startFor` has answered. */
  put(start: number, data: Uint8Array): void {
    const last = this.chunks.at(-1);
    if (last !== undefined && last.start === start) last.end = start + data.length;
    else this.chunks.push({ start, end: start + data.length });
    this.keeper.put(`${this.prefix}${start}`, data);
  }

  /** Whether `discard` would leave nothing. */
  wouldBeEmpty(position: number): boolean {
    const last = this.chunks.at(-1);
    return last !== undefined && last.end <= position;
  }

  /** Forgets the chunks that lie before a position as a whole. */
  discard(position: number): void {
    let count = 0;
    for (const { start, end } of this.chunks) {
      if (end > position) break;
      this.keeper.delete(`${this.prefix}${start}`);
      count++;
    }
    if (count > 0) this.chunks.splice(0, count);
  }

  /**
   * Takes over what an earlier incarnation has kept: chunks in the order of their positions, each beginning where the
   * one before ends.
   */
  adopt(chunks: readonly { readonly start: number; readonly data: Uint8Array }[]): void {
    this.chunks = chunks.map(({ start, data }) => ({ start, end: start + data.length }));
  }
}
