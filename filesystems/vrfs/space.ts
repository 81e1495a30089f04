/**
 * Blocks of a volume as files and directories use them: allocation, metadata blocks that belong to an inode, and data
 * blocks that are new in this transaction.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { BlockCache, Verify } from '../block-cache.ts';
import type { NodeNumber } from '../file-system.ts';
import type { BlockAllocator, Run } from './block-allocator.ts';
import { damaged, newBlock, OWNER } from './metadata.ts';
import type { Node } from './node.ts';

/** See the head of this file. */
export class Space {
  readonly cache: BlockCache;
  readonly allocator: BlockAllocator;
  /** Data blocks allocated since the last commit: they are written in place, before the record that speaks of them. */
  readonly fresh = new Set<number>();
  /**
   * What happened to `fresh`, for taking it back: a block that was added, or the complement of one that was removed.
   */
  private log: number[] = [];

  constructor(cache: BlockCache, allocator: BlockAllocator) {
    this.cache = cache;
    this.allocator = allocator;
  }

  /** A metadata block of a node, to be read. EUCLEAN: it belongs to another, or is damaged; EIO. */
  read(block: number, verify: Verify, owner: NodeNumber): Buffer {
    this.allocator.check(block);
    return checkOwner(this.cache.read(block, verify), block, owner);
  }

  /** A metadata block of a node, to be changed. EUCLEAN, EIO. */
  change(block: number, verify: Verify, owner: NodeNumber): Buffer {
    this.allocator.check(block);
    return checkOwner(this.cache.change(block, verify), block, owner);
  }

  /** A new metadata block of a node. ENOSPC, EUCLEAN, EIO. */
  create(node: Node, magicNumber: number, verify: Verify, goal = 0): { block: number; bytes: Buffer } {
    const run = this.allocator.allocate(1, goal);
    if (run === undefined) throw new SystemError('ENOSPC');
    const bytes = newBlock(magicNumber);
    bytes.writeUInt32LE(node.number, OWNER);
    this.cache.replace(run.start, bytes, verify);
    node.blocks++;
    return { block: run.start, bytes };
  }

  /** Gives up a metadata block of a node. EUCLEAN, EIO. */
  destroy(node: Node, block: number): void {
    this.allocator.free({ start: block, count: 1 });
    this.cache.discard(block);
    node.blocks--;
  }

  /**
   * Up to `most` new data blocks in a row for a node; undefined: there are none. The content is given with
   * `cache.replace`.
   */
  takeData(node: Node, most: number, goal: number): Run | undefined {
    const run = this.allocator.allocate(most, goal);
    if (run === undefined) return undefined;
    for (let block = run.start; block < run.start + run.count; block++) {
      this.fresh.add(block);
      this.log.push(block);
    }
    node.blocks += run.count;
    return run;
  }

  /** Gives up data blocks of a node. EUCLEAN. */
  giveData(node: Node, run: Run): void {
    this.allocator.free(run);
    for (let block = run.start; block < run.start + run.count; block++) {
      if (this.cache.isPinned(block)) this.cache.discard(block);
      if (this.fresh.delete(block)) this.log.push(~block);
    }
    node.blocks -= run.count;
  }

  /** Marks the present for `rollBack`. */
  get marker(): number {
    return this.log.length;
  }

  /** Takes back everything since the marker. */
  rollBack(marker: number): void {
    for (const entry of this.log.splice(marker).reverse()) {
      if (entry >= 0) this.fresh.delete(entry);
      else this.fresh.add(~entry);
    }
  }

  /** What was new is committed. */
  committed(): void {
    this.fresh.clear();
    this.log = [];
  }
}

function checkOwner(bytes: Buffer, block: number, owner: NodeNumber): Buffer {
  const found = bytes.readUInt32LE(OWNER);
  if (found !== owner) throw damaged(`block ${block} belongs to inode ${found}, and inode ${owner} refers to it`);
  return bytes;
}
