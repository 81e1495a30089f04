/**
 * Writing files. A block that is written in full goes to a new place, also when it replaces another (copy on write), so
 * that nothing has to be written twice; part of a block is changed in the cache and goes through the journal. Where no
 * block is free, a block that exists is changed in its place: so overwriting never fails for want of room.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { BlockCache } from '../block-cache.ts';
import type { BlockMap } from './block-map.ts';
import { BLOCK_BYTES } from './metadata.ts';
import { MAX_FILE_BYTES, type Node } from './node.ts';
import type { Space } from './space.ts';

/** The part of a write that falls into one block. */
interface Part {
  /** Place in the data. */
  readonly at: number;
  readonly length: number;
  /** Place in the block. */
  readonly within: number;
}

/** See the head of this file. */
export class FileWriter {
  private readonly space: Space;
  private readonly cache: BlockCache;
  private readonly map: BlockMap;

  constructor(space: Space, map: BlockMap) {
    this.space = space;
    this.cache = space.cache;
    this.map = map;
  }

  /** Writes within an operation; the inode is one that is changed. ENOSPC, EFBIG, EUCLEAN, EIO. */
  write(node: Node, offset: number, data: Uint8Array): void {
    const end = offset + data.length;
    if (end > MAX_FILE_BYTES) throw new SystemError('EFBIG', `a file has at most ${MAX_FILE_BYTES} bytes`);
    const first = Math.floor(offset / BLOCK_BYTES);
    const old = this.map.find(node, first, Math.ceil(end / BLOCK_BYTES) - first);
    const blocks = [...old];
    const part = (index: number): Part => {
      const start = (first + index) * BLOCK_BYTES;
      const within = Math.max(offset - start, 0);
      const at = start + within - offset;
      return { at, within, length: Math.min(BLOCK_BYTES - within, data.length - at) };
    };
    for (let index = 0; index < blocks.length; ) {
      if (this.staysInPlace(old[index] ?? 0, part(index), node.size, offset)) {
        this.change(blocks[index] ?? 0, part(index), data);
        index++;
      } else index = this.place(node, { first, old, blocks, index, offset, data, part });
    }
    if (blocks.some((block, index) => block !== old[index])) this.map.set(node, first, blocks);
    this.giveOld(node, old, blocks);
    node.size = Math.max(node.size, end);
  }

  /** Whether a block is to be changed where it is: it is new in this transaction, or keeps some of its bytes. */
  private staysInPlace(block: number, { at, within, length }: Part, size: number, offset: number): boolean {
    if (block === 0) return false;
    if (this.space.fresh.has(block)) return true;
    const endsBehind = within + length === BLOCK_BYTES || offset + at + length >= size;
    return within !== 0 || !endsBehind;
  }

  private change(block: number, { at, within, length }: Part, data: Uint8Array): void {
    this.cache.change(block).set(data.subarray(at, at + length), within);
  }

  /** Gives new places to as many blocks from `index` on as one run has. Answers the index of the block behind them. */
  private place(
    node: Node,
    write: {
      readonly first: number;
      readonly old: readonly number[];
      readonly blocks: number[];
      readonly index: number;
      readonly offset: number;
      readonly data: Uint8Array;
      part(index: number): Part;
    },
  ): number {
    const { first, old, blocks, index, offset, data, part } = write;
    let wanted = 1;
    while (
      index + wanted < old.length &&
      !this.staysInPlace(old[index + wanted] ?? 0, part(index + wanted), node.size, offset)
    )
      wanted++;
    const before = index > 0 ? blocks[index - 1] : first > 0 ? this.map.find(node, first - 1, 1)[0] : 0;
    const run = this.space.takeData(node, wanted, (before ?? 0) === 0 ? 0 : (before ?? 0) + 1);
    if (run === undefined) {
      const block = old[index] ?? 0;
      if (block === 0) throw new SystemError('ENOSPC');
      this.change(block, part(index), data);
      return index + 1;
    }
    for (let step = 0; step < run.count; step++) {
      const { at, within, length } = part(index + step);
      const bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      bytes.fill(0, 0, within).fill(0, within + length);
      bytes.set(data.subarray(at, at + length), within);
      this.cache.replace(run.start + step, bytes);
      blocks[index + step] = run.start + step;
    }
    return index + run.count;
  }

  /** Frees the blocks that others have taken the place of. */
  private giveOld(node: Node, old: readonly number[], blocks: readonly number[]): void {
    const replaced = (index: number): boolean => old[index] !== 0 && old[index] !== blocks[index];
    for (let index = 0; index < old.length; index++) {
      if (!replaced(index)) continue;
      const start = old[index] ?? 0;
      let count = 1;
      while (index + count < old.length && replaced(index + count) && old[index + count] === start + count) count++;
      this.space.giveData(node, { start, count });
      index += count - 1;
    }
  }

  /** Clears what is behind the end of the file in its last block, within an operation. EUCLEAN, EIO. */
  clearTail(node: Node, size: number): void {
    const within = size % BLOCK_BYTES;
    if (within === 0) return;
    const [block = 0] = this.map.find(node, Math.floor(size / BLOCK_BYTES), 1);
    if (block !== 0) this.cache.change(block).fill(0, within);
  }
}
