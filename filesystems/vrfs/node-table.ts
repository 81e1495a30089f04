/**
 * The inode table with its bitmap (docs/vrfs.md, "Inodes"). Blocks of the table are initialised when the first inode in
 * them is given out; `state.tableBlocks` says how far that is.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { BlockCache, Verify } from '../block-cache.ts';
import type { FileType, NodeNumber } from '../file-system.ts';
import { BITS_PER_BLOCK, type Geometry, NODE_BYTES, NODES_PER_BLOCK } from './geometry.ts';
import { CONTENT, damaged, kind, MAGIC } from './metadata.ts';
import { MAX_FILE_BYTES, Node } from './node.ts';
import type { VolumeState } from './volume-state.ts';

/** See the head of this file. */
export class NodeTable {
  private readonly cache: BlockCache;
  private readonly geometry: Geometry;
  private readonly verify: { readonly nodes: Verify; readonly bitmap: Verify };
  private readonly state: VolumeState;
  /** No inode below this one is free. */
  private hint = 0;

  /** `state`: the numbers to keep up to date. */
  constructor(
    cache: BlockCache,
    geometry: Geometry,
    verify: { readonly nodes: Verify; readonly bitmap: Verify },
    state: VolumeState,
  ) {
    this.cache = cache;
    this.geometry = geometry;
    this.verify = verify;
    this.state = state;
  }

  private block(number: NodeNumber): number {
    return this.geometry.tableStart + Math.floor(number / NODES_PER_BLOCK);
  }

  private view(number: NodeNumber, bytes: Buffer): Node {
    return new Node(number, bytes, ((number % NODES_PER_BLOCK) + 1) * NODE_BYTES);
  }

  private exists(number: NodeNumber): boolean {
    return Number.isSafeInteger(number) && number > 0 && number < this.state.tableBlocks * NODES_PER_BLOCK;
  }

  private checked(node: Node): Node {
    if (node.isFree) throw new SystemError('ENOENT', `there is no node ${node.number}`);
    if (node.type === undefined) throw damaged(`inode ${node.number} has no known type`);
    if (node.size > MAX_FILE_BYTES) throw damaged(`inode ${node.number} says that it is too long for any file`);
    return node;
  }

  /** An inode in use, to be read. ENOENT, EUCLEAN, EIO. */
  read(number: NodeNumber): Node {
    if (!this.exists(number)) throw new SystemError('ENOENT', `there is no node ${number}`);
    return this.checked(this.view(number, this.cache.read(this.block(number), this.verify.nodes)));
  }

  /** An inode in use, to be changed. ENOENT, EUCLEAN, EIO. */
  change(number: NodeNumber): Node {
    this.read(number);
    return this.view(number, this.cache.change(this.block(number), this.verify.nodes));
  }

  /** Whether the bitmap says that an inode is in use. */
  isUsed(number: NodeNumber): boolean {
    const index = Math.floor(number / BITS_PER_BLOCK);
    const bit = number - index * BITS_PER_BLOCK;
    const bytes = this.cache.read(this.geometry.nodeBitmapStart + index, this.verify.bitmap);
    return ((bytes[CONTENT + (bit >> 3)] ?? 0) & (1 << (bit & 7))) !== 0;
  }

  /** Gives out an inode. ENOSPC, EUCLEAN, EIO. */
  allocate(type: FileType): Node {
    const number = this.findFree();
    const index = Math.floor(number / NODES_PER_BLOCK);
    if (index > this.state.tableBlocks)
      throw damaged(`the inode bitmap says that inode ${number - 1} is in use, which does not exist yet`);
    if (index === this.state.tableBlocks) {
      this.cache.zero(this.block(number), this.verify.nodes).writeUInt32LE(kind.NODES, MAGIC);
      this.state.tableBlocks++;
    }
    const node = this.view(number, this.cache.change(this.block(number), this.verify.nodes));
    if (!node.isFree) throw damaged(`inode ${number} is in use, and its bitmap says that it is free`);
    node.clear(type);
    this.setBit(number, true);
    this.state.freeNodes--;
    this.hint = number + 1;
    return node;
  }

  /** Lowest number that the bitmap says is free. */
  private findFree(): NodeNumber {
    if (this.state.freeNodes > 0) {
      for (let index = Math.floor(this.hint / BITS_PER_BLOCK); index < this.geometry.nodeBitmapBlocks; index++) {
        const bytes = this.cache.read(this.geometry.nodeBitmapStart + index, this.verify.bitmap);
        const first = index * BITS_PER_BLOCK;
        for (let at = Math.max(this.hint - first, 0) >> 3; at < BITS_PER_BLOCK >> 3; at++) {
          const byte = bytes[CONTENT + at] ?? 0xff;
          if (byte === 0xff) continue;
          const number = first + at * 8 + Math.log2(~byte & -~byte);
          if (number < this.geometry.nodes) return number;
        }
      }
    }
    throw new SystemError('ENOSPC', 'no inode is free');
  }

  /** Frees an inode. EUCLEAN, EIO. */
  free(number: NodeNumber): void {
    this.change(number).release();
    this.setBit(number, false);
    this.state.freeNodes++;
    this.hint = Math.min(this.hint, number);
  }

  private setBit(number: NodeNumber, used: boolean): void {
    const index = Math.floor(number / BITS_PER_BLOCK);
    const bit = number - index * BITS_PER_BLOCK;
    const bytes = this.cache.change(this.geometry.nodeBitmapStart + index, this.verify.bitmap);
    const at = CONTENT + (bit >> 3);
    const byte = bytes[at] ?? 0;
    const mask = 1 << (bit & 7);
    if (((byte & mask) !== 0) === used) throw damaged(`inode ${number} is ${used ? 'used' : 'free'} already`);
    bytes[at] = byte ^ mask;
  }

  /** Marks the present for `rollBack`. */
  get marker(): number {
    return this.hint;
  }

  /** Takes back everything since the marker; the blocks are taken back by the cache. */
  rollBack(marker: number): void {
    this.hint = Math.min(this.hint, marker);
  }
}
