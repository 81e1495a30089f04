/**
 * Which blocks a file has: twelve pointers in the inode, then trees of one, two and three levels of indirect blocks.
 * Read D. Poirier, "The Second Extended File System", "Inode Table", i_block. Pointers that lead out of the device or
 * into the metadata of a group are damage, never followed.
 */
import type { BlockCache, Verify } from '../block-cache.ts';
import type { BlockAllocator, Run } from './block-allocator.ts';
import { damaged, refuse } from './errors.ts';
import type { Geometry } from './geometry.ts';
import type { Inode } from './inode.ts';
import { DIRECT_POINTERS, POINTER_BYTES } from './layout.ts';

/**
 * Where the pointer to a block of a file stands: which of the inode's, and the place in each indirect block on the way.
 */
interface Way {
  readonly root: number;
  readonly places: readonly number[];
}

/** See the head of this file. */
export class BlockMap {
  private readonly cache: BlockCache;
  private readonly geometry: Geometry;
  private readonly allocator: BlockAllocator;

  constructor(cache: BlockCache, geometry: Geometry, allocator: BlockAllocator) {
    this.cache = cache;
    this.geometry = geometry;
    this.allocator = allocator;
  }

  /** Blocks that a file can have. */
  get mostBlocks(): number {
    const n = this.geometry.pointersPerBlock;
    return DIRECT_POINTERS + n + n * n + n * n * n;
  }

  private way(index: number): Way {
    const n = this.geometry.pointersPerBlock;
    if (index < DIRECT_POINTERS) return { root: index, places: [] };
    let rest = index - DIRECT_POINTERS;
    for (let depth = 1, span = n; depth <= 3; depth++, span *= n) {
      if (rest < span) {
        const places: number[] = [];
        for (let unit = span / n; places.length < depth; unit /= n) {
          places.push(Math.floor(rest / unit) % n);
        }
        return { root: DIRECT_POINTERS + depth - 1, places };
      }
      rest -= span;
    }
    return refuse('EFBIG');
  }

  /** Refuses a pointer that cannot be one. Throws SystemError EUCLEAN. */
  checked(block: number, what: string): number {
    if (block !== 0 && (!this.geometry.exists(block) || this.geometry.isMetadata(block)))
      damaged(`${what} points to block ${block}, which cannot be part of a file`);
    return block;
  }

  private readonly verifyIndirect: Verify = (bytes, block) => {
    for (let at = 0; at < bytes.length; at += POINTER_BYTES)
      this.checked(bytes.readUInt32LE(at), `indirect block ${block}`);
  };

  private indirect(block: number): Buffer {
    return this.cache.read(block, this.verifyIndirect);
  }

  /** The block at `index` of a file, 0 where there is a hole. */
  lookup(inode: Inode, index: number): number {
    const { root, places } = this.way(index);
    let block = this.checked(inode.pointers[root] ?? 0, 'an inode');
    for (const place of places) {
      if (block === 0) return 0;
      block = this.indirect(block).readUInt32LE(place * POINTER_BYTES);
    }
    return block;
  }

  /** The blocks from `index` on that follow one another on the disk, or a hole (start 0), at most `most`. */
  run(inode: Inode, index: number, most: number): Run {
    const start = this.lookup(inode, index);
    let count = 1;
    while (count < most) {
      const next = this.lookup(inode, index + count);
      if (start === 0 ? next !== 0 : next !== start + count) break;
      count++;
    }
    return { start, count };
  }

  /**
   * Makes `block` the one at `index`, within an operation; indirect blocks that are missing are made near `goal`.
   * Throws SystemError: ENOSPC, EFBIG.
   */
  assign(inode: Inode, index: number, block: number, goal: number): void {
    const { root, places } = this.way(index);
    if (places.length === 0) {
      inode.pointers[root] = block;
      return;
    }
    let at = this.checked(inode.pointers[root] ?? 0, 'an inode');
    if (at === 0) {
      at = this.newIndirect(inode, goal);
      inode.pointers[root] = at;
    }
    for (const [level, place] of places.entries()) {
      const offset = place * POINTER_BYTES;
      if (level === places.length - 1) {
        this.cache.change(at, this.verifyIndirect).writeUInt32LE(block, offset);
        return;
      }
      let next = this.indirect(at).readUInt32LE(offset);
      if (next === 0) {
        next = this.newIndirect(inode, goal);
        this.cache.change(at, this.verifyIndirect).writeUInt32LE(next, offset);
      }
      at = next;
    }
  }

  private newIndirect(inode: Inode, goal: number): number {
    const { start } = this.allocator.allocate(goal, 1);
    this.cache.zero(start, this.verifyIndirect);
    inode.sectors += this.geometry.blockBytes / 512;
    return start;
  }

  /**
   * Takes all blocks from `first` on out of a file and gives them back, within an operation. `metadata`: they are in
   * the cache as well. Stops when so many groups have blocks that wait for being freed; answers whether all is done.
   */
  cut(inode: Inode, first: number, metadata: boolean, mostGroups: number): boolean {
    const n = this.geometry.pointersPerBlock;
    const levels = [n * n * n, n * n, n];
    let end = this.mostBlocks;
    for (const [index, span] of levels.entries()) {
      const root = DIRECT_POINTERS + 2 - index;
      end -= span;
      const pointer = this.checked(inode.pointers[root] ?? 0, 'an inode');
      if (pointer === 0 || first >= end + span) continue;
      const left = this.cutTree(inode, pointer, 3 - index, Math.max(0, first - end), span, metadata, mostGroups);
      if (left === 'cut') inode.pointers[root] = 0;
      if (left === 'stopped') return false;
    }
    for (let index = DIRECT_POINTERS - 1; index >= first; index--) {
      const pointer = this.checked(inode.pointers[index] ?? 0, 'an inode');
      if (pointer === 0) continue;
      this.release(inode, pointer, metadata);
      inode.pointers[index] = 0;
    }
    return true;
  }

  /**
   * Cuts a tree of `span` blocks below an indirect block, from `first` on. `cut`: it is gone as a whole; `kept`: part
   * of it stays; `stopped`: there is more to do.
   */
  private cutTree(
    inode: Inode,
    block: number,
    depth: number,
    first: number,
    span: number,
    metadata: boolean,
    mostGroups: number,
  ): 'cut' | 'kept' | 'stopped' {
    const n = this.geometry.pointersPerBlock;
    const unit = span / n;
    for (let place = n - 1; place >= Math.floor(first / unit); place--) {
      const pointer = this.indirect(block).readUInt32LE(place * POINTER_BYTES);
      if (pointer === 0) continue;
      if (this.allocator.pendingGroups >= mostGroups) return 'stopped';
      if (depth === 1) this.release(inode, pointer, metadata);
      else {
        const inner = Math.max(0, first - place * unit);
        const left = this.cutTree(inode, pointer, depth - 1, inner, unit, metadata, mostGroups);
        if (left === 'stopped') return left;
        if (left === 'kept') continue;
      }
      this.cache.change(block, this.verifyIndirect).writeUInt32LE(0, place * POINTER_BYTES);
    }
    if (first > 0) return 'kept';
    this.release(inode, block, true);
    return 'cut';
  }

  private release(inode: Inode, block: number, metadata: boolean): void {
    this.allocator.free({ start: block, count: 1 });
    if (metadata) this.cache.discard(block);
    inode.sectors = Math.max(0, inode.sectors - this.geometry.blockBytes / 512);
  }

  /**
   * Every block of a file in no particular order: indirect ones (`index` -1) and those with content. Bounded by what a
   * file can have.
   */
  *blocks(inode: Inode): Generator<{ block: number; index: number }> {
    const n = this.geometry.pointersPerBlock;
    for (let index = 0; index < DIRECT_POINTERS; index++) {
      const block = inode.pointers[index] ?? 0;
      if (block !== 0) yield { block, index };
    }
    let first = DIRECT_POINTERS;
    for (let depth = 1, span = n; depth <= 3; depth++, span *= n) {
      const block = inode.pointers[DIRECT_POINTERS + depth - 1] ?? 0;
      if (block !== 0) yield* this.below(block, depth, first, span);
      first += span;
    }
  }

  private *below(
    block: number,
    depth: number,
    first: number,
    span: number,
  ): Generator<{ block: number; index: number }> {
    yield { block, index: -1 };
    if (!this.geometry.exists(block)) return;
    const n = this.geometry.pointersPerBlock;
    const bytes = Buffer.from(this.cache.read(block));
    for (let place = 0; place < n; place++) {
      const pointer = bytes.readUInt32LE(place * POINTER_BYTES);
      if (pointer === 0) continue;
      if (depth === 1) yield { block: pointer, index: first + place };
      else yield* this.below(pointer, depth - 1, first + place * (span / n), span / n);
    }
  }
}
