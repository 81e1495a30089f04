/**
 * Gives blocks out and takes them back. Blocks that follow one another are given out together, as near as possible to
 * where the caller wants them.
 *
 * A block that is given back stays marked as used until `applyFrees`, just before a commit: so nothing overwrites what
 * the committed state still refers to.
 */
import type { BlockCache } from '../block-cache.ts';
import { clearBit, firstZero, firstZeroByte, isSet, setBits, zerosFrom } from './bits.ts';
import { damaged, refuse } from './errors.ts';
import type { Geometry } from './geometry.ts';
import type { Groups } from './groups.ts';

/** Blocks that follow one another. */
export interface Run {
  readonly start: number;
  readonly count: number;
}

/** From so many blocks on a place with room for more is preferred to the nearest one. */
const LARGE_RUN = 8;

/** Blocks of a group that wait for being marked as free. */
interface Freeing {
  readonly bits: Buffer;
  count: number;
}

/** See the head of this file. */
export class BlockAllocator {
  private readonly cache: BlockCache;
  private readonly geometry: Geometry;
  private readonly groups: Groups;
  private readonly freeing = new Map<number, Freeing>();
  /** Of each group: no bit before it is clear. */
  private readonly hints: Uint16Array;
  /** Blocks given out since the last commit: nothing on the disk refers to them. */
  private readonly fresh = new Set<number>();
  /** A group that had no room a while ago is not asked first. */
  private rotor = 0;

  constructor(cache: BlockCache, geometry: Geometry, groups: Groups) {
    this.cache = cache;
    this.geometry = geometry;
    this.groups = groups;
    this.hints = new Uint16Array(geometry.groups);
  }

  /** Groups with blocks that wait for being marked as free: so many bitmaps the next commit has to change for them. */
  get pendingGroups(): number {
    return this.freeing.size;
  }

  /** Blocks that wait for being marked as free. */
  get pendingBlocks(): number {
    let blocks = 0;
    for (const { count } of this.freeing.values()) blocks += count;
    return blocks;
  }

  /** Blocks given out since the last commit. */
  isFresh(block: number): boolean {
    return this.fresh.has(block);
  }

  /** Checks a bitmap that comes from the disk: what belongs to the group itself must be marked as used. */
  private readonly verify = (bytes: Buffer, block: number): void => {
    const group = this.geometry.groupOfBlock(block);
    const first = this.geometry.firstBlock(group);
    const table = this.geometry.inodeTable(group) - first;
    const check = (from: number, count: number) => {
      if (zerosIn(bytes, from, count))
        damaged(`the block bitmap of group ${group} calls blocks of the group itself free`);
    };
    check(0, this.geometry.headBlocks(group));
    check(block - first, 1);
    check(this.geometry.inodeBitmap(group) - first, 1);
    check(table, this.geometry.tableBlocks);
  };

  /**
   * Gives out up to `wanted` blocks (one at least) that follow one another, at `goal` or near it. Throws SystemError:
   * ENOSPC, EUCLEAN, EIO.
   */
  allocate(goal: number, wanted: number): Run {
    const { groups } = this.geometry;
    const near = this.geometry.exists(goal) ? this.geometry.groupOfBlock(goal) : 0;
    const found = this.allocateIn(near, goal - this.geometry.firstBlock(near), wanted);
    if (found !== null) return found;
    for (let step = 0; step < groups; step++) {
      const group = (Math.max(this.rotor, near + 1) + step) % groups;
      const other = this.allocateIn(group, 0, wanted);
      if (other === null) continue;
      this.rotor = near < group ? group : 0;
      return other;
    }
    if (this.groups.freeBlocks > 0) damaged('the group descriptors tell of free blocks that the bitmaps do not have');
    return refuse('ENOSPC');
  }

  private allocateIn(group: number, from: number, wanted: number): Run | null {
    const most = Math.min(wanted, this.groups.freeBlocksIn(group));
    if (most === 0) return null;
    const bitmap = this.geometry.blockBitmap(group);
    const bytes = this.cache.read(bitmap, this.verify);
    const end = this.geometry.blocksInGroup(group);
    const bit = this.find(group, bytes, Math.max(0, from), end, wanted);
    if (bit === -1) return null;
    const count = zerosFrom(bytes, bit, end, most);
    setBits(this.cache.change(bitmap, this.verify), bit, count);
    this.groups.adjust(group, { blocks: -count });
    const start = this.geometry.firstBlock(group) + bit;
    for (let block = start; block < start + count; block++) this.fresh.add(block);
    return { start, count };
  }

  private find(group: number, bytes: Buffer, from: number, end: number, wanted: number): number {
    if (from < end && !isSet(bytes, from)) return from;
    if (wanted >= LARGE_RUN || from > 0) {
      const whole = firstZeroByte(bytes, from, end);
      if (whole !== -1) return whole;
    }
    const after = from > 0 ? firstZero(bytes, from, end) : -1;
    if (after !== -1) return after;
    const hint = this.hints[group] ?? 0;
    const first = firstZero(bytes, hint, end);
    if (first === -1) return -1;
    this.cache.undo(() => {
      this.hints[group] = hint;
    });
    this.hints[group] = first;
    return first;
  }

  /**
   * Takes blocks back, within an operation. Throws SystemError EUCLEAN: one is not in use, or was taken back before.
   */
  free({ start, count }: Run): void {
    for (let done = 0; done < count; ) {
      const group = this.geometry.groupOfBlock(start + done);
      const bit = start + done - this.geometry.firstBlock(group);
      const part = Math.min(count - done, this.geometry.blocksInGroup(group) - bit);
      this.freeIn(group, bit, part);
      done += part;
    }
  }

  private freeIn(group: number, from: number, count: number): void {
    const used = this.cache.read(this.geometry.blockBitmap(group), this.verify);
    const end = this.geometry.blocksInGroup(group);
    const freeing = this.freeing.get(group) ?? { bits: Buffer.alloc((end + 7) >> 3), count: 0 };
    for (let bit = from; bit < from + count; bit++) {
      const block = this.geometry.firstBlock(group) + bit;
      if (!isSet(used, bit)) damaged(`block ${block} is in a file and marked as free`);
      if (isSet(freeing.bits, bit)) damaged(`block ${block} is in use twice`);
    }
    if (this.groups.freeBlocksIn(group) + freeing.count + count > end) {
      damaged(`group ${group}: its number of free blocks is wrong`);
    }
    this.cache.undo(() => {
      for (let bit = from; bit < from + count; bit++) clearBit(freeing.bits, bit);
      freeing.count -= count;
      if (freeing.count === 0) this.freeing.delete(group);
    });
    setBits(freeing.bits, from, count);
    freeing.count += count;
    this.freeing.set(group, freeing);
  }

  /** Marks as free what was taken back since the last commit, within an operation. Throws SystemError EIO. */
  applyFrees(): void {
    for (const [group, { bits, count }] of this.freeing) {
      const bitmap = this.cache.change(this.geometry.blockBitmap(group), this.verify);
      for (const [index, byte] of bits.entries()) if (byte !== 0) bitmap[index] = (bitmap[index] ?? 0) & ~byte;
      this.groups.adjust(group, { blocks: count });
    }
  }

  /** A commit has been made, or everything since the last one has been taken back. */
  settled(): void {
    for (const group of this.freeing.keys()) {
      this.hints[group] = 0;
      this.rotor = 0;
    }
    this.freeing.clear();
    this.fresh.clear();
  }
}

function zerosIn(bytes: Buffer, from: number, count: number): boolean {
  return firstZero(bytes, from, from + count) !== -1;
}
