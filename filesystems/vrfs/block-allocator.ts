/**
 * Free and used blocks (docs/vrfs.md, "Bitmaps"). A freed block is in quarantine until the next checkpoint: until then
 * a crash can bring back a state in which it is used, and the journal may hold an older image of it. So nothing may be
 * written there.
 */
import type { BlockCache, Verify } from '../block-cache.ts';
import { BITS_PER_BLOCK, type Geometry } from './geometry.ts';
import { BLOCK_BYTES, CONTENT, damaged } from './metadata.ts';
import type { VolumeState } from './volume-state.ts';

/** Blocks in a row. */
export interface Run {
  readonly start: number;
  readonly count: number;
}

/** See the head of this file. */
export class BlockAllocator {
  private readonly cache: BlockCache;
  private readonly geometry: Geometry;
  private readonly verify: Verify;
  private readonly state: VolumeState;
  /** Where the search goes on. */
  private hint: number;
  /** Blocks in quarantine, as bitmaps of the same shape, by index of the bitmap block. */
  private quarantine = new Map<number, Buffer>();
  private quarantined = 0;
  /** Runs freed since the last commit. */
  private recent: Run[] = [];
  /** Bitmap blocks in which the last search found nothing. */
  private readonly full: Uint8Array;

  /** `state`: the numbers to keep up to date. */
  constructor(cache: BlockCache, geometry: Geometry, verify: Verify, state: VolumeState) {
    this.cache = cache;
    this.geometry = geometry;
    this.verify = verify;
    this.state = state;
    this.hint = geometry.dataStart;
    this.full = new Uint8Array(geometry.blockBitmapBlocks);
  }

  /** Blocks that can be used after a checkpoint and not before. */
  get waiting(): number {
    return this.quarantined;
  }

  /** Blocks freed since the last commit: they stay in quarantine over the next checkpoint. */
  get hasRecent(): boolean {
    return this.recent.length > 0;
  }

  /** EUCLEAN: no block of the data area. */
  check(block: number): void {
    if (block < this.geometry.dataStart || block >= this.geometry.dataEnd)
      throw damaged(`block ${block}, which something refers to, is not in the data area`);
  }

  private bitmapBlock(index: number): number {
    return this.geometry.blockBitmapStart + index;
  }

  /** Whether a block is free. */
  isFree(block: number): boolean {
    const index = Math.floor(block / BITS_PER_BLOCK);
    const bit = block - index * BITS_PER_BLOCK;
    const bytes = this.cache.read(this.bitmapBlock(index), this.verify);
    return ((bytes[CONTENT + (bit >> 3)] ?? 0xff) & (1 << (bit & 7))) === 0;
  }

  /** Up to `most` free blocks in a row, at `goal` if that can be; undefined: there is none (before a checkpoint). */
  allocate(most: number, goal: number): Run | undefined {
    if (this.state.freeBlocks <= this.quarantined) return undefined;
    const { dataStart, dataEnd, blockBitmapBlocks } = this.geometry;
    const start = goal >= dataStart && goal < dataEnd ? goal : this.hint;
    const first = Math.floor(start / BITS_PER_BLOCK);
    for (let step = 0; step <= blockBitmapBlocks; step++) {
      const index = (first + step) % blockBitmapBlocks;
      if (this.full[index] === 1) continue;
      const from = step === 0 ? start - index * BITS_PER_BLOCK : 0;
      const found = this.search(index, from, most);
      if (found !== undefined) return this.use(found);
      if (from === 0) this.full[index] = 1;
    }
    return undefined;
  }

  /** The first free run in one bitmap block from a bit on. */
  private search(index: number, from: number, most: number): Run | undefined {
    const bytes = this.cache.read(this.bitmapBlock(index), this.verify);
    const held = this.quarantine.get(index);
    const taken = (at: number): number => (bytes[at] ?? 0xff) | (held === undefined ? 0 : (held[at] ?? 0));
    let bit = from;
    while (bit < BITS_PER_BLOCK) {
      const byte = taken(CONTENT + (bit >> 3));
      if (byte === 0xff) bit = (bit | 7) + 1;
      else if ((byte & (1 << (bit & 7))) !== 0) bit++;
      else break;
    }
    let end = bit;
    const limit = Math.min(BITS_PER_BLOCK, bit + most);
    while (end < limit) {
      const byte = taken(CONTENT + (end >> 3));
      if (byte === 0 && (end & 7) === 0) end += 8;
      else if ((byte & (1 << (end & 7))) === 0) end++;
      else break;
    }
    const count = Math.min(end, limit) - bit;
    return count <= 0 ? undefined : { start: index * BITS_PER_BLOCK + bit, count };
  }

  private use(run: Run): Run {
    this.check(run.start);
    this.check(run.start + run.count - 1);
    this.mark(run, true);
    this.state.freeBlocks -= run.count;
    this.hint = run.start + run.count;
    return run;
  }

  /** Sets or clears the bits of a run that lies in one bitmap block. EUCLEAN: one of them is so already. */
  private mark({ start, count }: Run, used: boolean): void {
    const index = Math.floor(start / BITS_PER_BLOCK);
    const bytes = this.cache.change(this.bitmapBlock(index), this.verify);
    const from = start - index * BITS_PER_BLOCK;
    for (let bit = from; bit < from + count; bit++) {
      const at = CONTENT + (bit >> 3);
      const mask = 1 << (bit & 7);
      const byte = bytes[at] ?? 0;
      if (((byte & mask) !== 0) === used)
        throw damaged(`block ${index * BITS_PER_BLOCK + bit} is ${used ? 'used' : 'free'} already`);
      bytes[at] = byte ^ mask;
    }
  }

  /** Frees a run. EUCLEAN: part of it is free already, or not in the data area. */
  free({ start, count }: Run): void {
    this.check(start);
    this.check(start + count - 1);
    for (let done = 0; done < count; ) {
      const at = start + done;
      const part = { start: at, count: Math.min(count - done, BITS_PER_BLOCK - (at % BITS_PER_BLOCK)) };
      this.mark(part, false);
      this.hold(part);
      this.recent.push(part);
      this.state.freeBlocks += part.count;
      done += part.count;
    }
  }

  /** Puts a free run that lies in one bitmap block into quarantine. */
  hold({ start, count }: Run): void {
    const index = Math.floor(start / BITS_PER_BLOCK);
    let held = this.quarantine.get(index);
    if (held === undefined) {
      held = Buffer.alloc(BLOCK_BYTES);
      this.quarantine.set(index, held);
    }
    const from = start - index * BITS_PER_BLOCK;
    for (let bit = from; bit < from + count; bit++) {
      const at = CONTENT + (bit >> 3);
      const byte = held[at] ?? 0;
      const after = byte | (1 << (bit & 7));
      if (after !== byte) this.quarantined++;
      held[at] = after;
    }
  }

  private letGo({ start, count }: Run): void {
    const index = Math.floor(start / BITS_PER_BLOCK);
    const held = this.quarantine.get(index);
    if (held === undefined) return;
    const from = start - index * BITS_PER_BLOCK;
    for (let bit = from; bit < from + count; bit++) {
      const at = CONTENT + (bit >> 3);
      held[at] = (held[at] ?? 0) & ~(1 << (bit & 7));
    }
    this.quarantined -= count;
  }

  /** Marks the present for `rollBack`. */
  get marker(): number {
    return this.recent.length;
  }

  /** Takes back everything since the mark; the bitmaps are taken back by the cache. */
  rollBack(mark: number): void {
    for (const run of this.recent.splice(mark)) this.letGo(run);
    this.full.fill(0);
  }

  /** What was freed is committed. */
  committed(): void {
    this.recent = [];
  }

  /** A checkpoint has been made: what was freed before the last commit may be used. */
  checkpointed(): void {
    this.quarantine = new Map();
    this.quarantined = 0;
    for (const run of this.recent) this.hold(run);
    this.full.fill(0);
  }
}
