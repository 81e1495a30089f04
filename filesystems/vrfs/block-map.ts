/**
 * Which block holds which part of a file (docs/vrfs.md, "Block map"): 12 direct pointers, and trees of one, two and
 * three levels of indirect blocks behind them. A pointer of 0 is a hole. Indirect blocks name the inode and the level
 * that they belong to, so damaged pointers cannot lead in circles.
 */
import type { Verify } from '../block-cache.ts';
import { damaged, kind } from './metadata.ts';
import { DIRECT, FANOUT, LEVELS, type Node } from './node.ts';
import type { Space } from './space.ts';

/** Place of the level in an indirect block. */
export const LEVEL = 12;
const POINTERS = 16;

/** Where the pointer to a block of a file is. */
interface Place {
  /** Pointer of the inode: 12 to 14. */
  readonly slot: number;
  readonly level: number;
  /** Index among the data blocks of that tree. */
  readonly offset: number;
}

/** Data blocks under an indirect block of each level. */
const SPANS: readonly number[] = [1, FANOUT, FANOUT ** 2, FANOUT ** 3];

function span(level: number): number {
  return SPANS[level] ?? 1;
}

/** The place of a block behind the direct ones. */
function locate(index: number): Place {
  let offset = index - DIRECT;
  let level = 1;
  for (; level < LEVELS && offset >= span(level); level++) offset -= span(level);
  return { slot: DIRECT + level - 1, level, offset };
}

/** A pointer in an indirect block. */
export function readPointer(bytes: Buffer, index: number): number {
  return bytes.readUInt32LE(POINTERS + 4 * index);
}

export function writePointer(bytes: Buffer, index: number, block: number): void {
  bytes.writeUInt32LE(block, POINTERS + 4 * index);
}

/** What became of a tree whose end was to be released. */
type Released = 'gone' | 'kept' | 'stopped';

/** See the head of this file. */
export class BlockMap {
  private readonly space: Space;
  private readonly verify: Verify;

  constructor(space: Space, verify: Verify) {
    this.space = space;
    this.verify = verify;
  }

  private checkLevel(bytes: Buffer, block: number, level: number): Buffer {
    if (bytes.readUInt32LE(LEVEL) !== level) throw damaged(`indirect block ${block} is not of level ${level}`);
    return bytes;
  }

  private read(node: Node, block: number, level: number): Buffer {
    return this.checkLevel(this.space.read(block, this.verify, node.number), block, level);
  }

  private change(node: Node, block: number, level: number): Buffer {
    return this.checkLevel(this.space.change(block, this.verify, node.number), block, level);
  }

  /** The blocks from index `first` on; 0 where there is a hole. EUCLEAN, EIO. */
  find(node: Node, first: number, count: number): number[] {
    const blocks: number[] = [];
    while (blocks.length < count) {
      const index = first + blocks.length;
      if (index < DIRECT) {
        blocks.push(this.checked(node.pointer(index)));
        continue;
      }
      const { slot, level, offset } = locate(index);
      const within = offset % FANOUT;
      const end = Math.min(FANOUT, within + count - blocks.length);
      const leaf = this.leaf(node, slot, level, offset);
      for (let at = within; at < end; at++) blocks.push(leaf === undefined ? 0 : this.checked(readPointer(leaf, at)));
    }
    return blocks;
  }

  private checked(block: number): number {
    if (block !== 0) this.space.allocator.check(block);
    return block;
  }

  /** The indirect block of level 1 for an offset in a tree; undefined: it lies in a hole. */
  private leaf(node: Node, slot: number, level: number, offset: number): Buffer | undefined {
    let block = node.pointer(slot);
    for (let at = level; block !== 0; at--) {
      const bytes = this.read(node, block, at);
      if (at === 1) return bytes;
      block = readPointer(bytes, Math.floor(offset / span(at - 1)) % FANOUT);
    }
    return undefined;
  }

  /** Sets the blocks from index `first` on. The inode is one that is changed. ENOSPC, EUCLEAN, EIO. */
  set(node: Node, first: number, blocks: readonly number[]): void {
    for (let done = 0; done < blocks.length; ) {
      const index = first + done;
      if (index < DIRECT) {
        node.setPointer(index, blocks[done] ?? 0);
        done++;
        continue;
      }
      const { slot, level, offset } = locate(index);
      const within = offset % FANOUT;
      const end = Math.min(FANOUT, within + blocks.length - done);
      const leaf = this.leafForChange(node, slot, level, offset);
      for (let at = within; at < end; at++) writePointer(leaf, at, blocks[done++] ?? 0);
    }
  }

  private leafForChange(node: Node, slot: number, level: number, offset: number): Buffer {
    let block = node.pointer(slot);
    if (block === 0) {
      block = this.create(node, level);
      node.setPointer(slot, block);
    }
    for (let at = level; at > 1; at--) {
      const index = Math.floor(offset / span(at - 1)) % FANOUT;
      let child = readPointer(this.read(node, block, at), index);
      if (child === 0) {
        child = this.create(node, at - 1);
        writePointer(this.change(node, block, at), index, child);
      }
      block = child;
    }
    return this.change(node, block, 1);
  }

  private create(node: Node, level: number): number {
    const { block, bytes } = this.space.create(node, kind.INDIRECT, this.verify);
    bytes.writeUInt32LE(level, LEVEL);
    return block;
  }

  /**
   * Frees all blocks from index `from` on, the last ones first, as long as `goOn` says so. True: none is left. Stopped
   * in the middle, the map is sound, and a further call goes on. EUCLEAN, EIO.
   */
  release(node: Node, from: number, goOn: () => boolean): boolean {
    let start = DIRECT + span(1) + span(2);
    for (let level = LEVELS; level >= 1; level--) {
      const slot = DIRECT + level - 1;
      const block = node.pointer(slot);
      if (block !== 0 && from < start + span(level)) {
        const released = this.releaseTree(node, block, level, Math.max(0, from - start), goOn);
        if (released === 'stopped') return false;
        if (released === 'gone') node.setPointer(slot, 0);
      }
      start -= span(level - 1);
    }
    for (let index = DIRECT - 1; index >= from; index--) {
      const block = node.pointer(index);
      if (block === 0) continue;
      this.space.giveData(node, { start: block, count: 1 });
      node.setPointer(index, 0);
    }
    return true;
  }

  private releaseTree(node: Node, block: number, level: number, from: number, goOn: () => boolean): Released {
    const bytes = this.read(node, block, level);
    const child = span(level - 1);
    const first = Math.floor(from / child);
    let at = FANOUT;
    let stopped = false;
    while (at > first && !stopped) {
      const pointer = readPointer(bytes, at - 1);
      if (pointer === 0) at--;
      else if (!goOn()) stopped = true;
      else if (level === 1) at = this.giveRun(node, bytes, at, first);
      else {
        const released = this.releaseTree(node, pointer, level - 1, at - 1 === first ? from % child : 0, goOn);
        if (released === 'gone') at--;
        else if (released === 'stopped') stopped = true;
        else break;
      }
    }
    if (at === 0) {
      this.space.destroy(node, block);
      return 'gone';
    }
    this.clear(node, block, level, at);
    return stopped ? 'stopped' : 'kept';
  }

  /**
   * Frees the longest run of data blocks that ends before pointer `end` and does not begin before `first`. Answers
   * where it begins.
   */
  private giveRun(node: Node, bytes: Buffer, end: number, first: number): number {
    let at = end - 1;
    while (at > first && readPointer(bytes, at - 1) !== 0 && readPointer(bytes, at - 1) + 1 === readPointer(bytes, at))
      at--;
    this.space.giveData(node, { start: readPointer(bytes, at), count: end - at });
    return at;
  }

  /** Clears the pointers from `from` on. */
  private clear(node: Node, block: number, level: number, from: number): void {
    const bytes = this.read(node, block, level);
    if (bytes.subarray(POINTERS + 4 * from).every((byte) => byte === 0)) return;
    this.change(node, block, level).fill(0, POINTERS + 4 * from);
  }
}
