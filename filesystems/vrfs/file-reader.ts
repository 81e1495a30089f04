/**
 * Reading files: through the cache block by block, in large pieces from the disk where it does not have them. A file
 * that is read from front to back is read ahead.
 */
import type { BlockCache } from '../block-cache.ts';
import type { BlockDevice } from '../block-device.ts';
import type { NodeNumber } from '../file-system.ts';
import type { BlockMap } from './block-map.ts';
import { BLOCK_BYTES, readBlocks } from './metadata.ts';
import type { Node } from './node.ts';

/** Blocks that are read from the disk at a time at most. */
const MAX_RUN = 64;

/**
 * Blocks that the first read of a file fetches beyond what was asked for; each one that goes on where the last ended
 * doubles it.
 */
const FIRST_WINDOW = 4;

/** Files whose last read is remembered. */
const MAX_READERS = 64;

interface Reader {
  /** Where a read goes on if the file is read from front to back. */
  readonly next: number;
  /** Blocks to read ahead. */
  readonly window: number;
}

const NOTHING = Buffer.alloc(0);
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** See the head of this file. */
export class FileReader {
  private readonly cache: BlockCache;
  private readonly device: BlockDevice;
  private readonly map: BlockMap;
  private readonly readers = new Map<NodeNumber, Reader>();

  constructor(cache: BlockCache, device: BlockDevice, map: BlockMap) {
    this.cache = cache;
    this.device = device;
    this.map = map;
  }

  /** Up to `count` bytes from `offset` on. EUCLEAN, EIO. */
  read(node: Node, offset: number, count: number): Uint8Array {
    const length = Math.min(count, node.size - offset);
    if (length <= 0) return NOTHING;
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor((offset + length - 1) / BLOCK_BYTES);
    const within = offset - first * BLOCK_BYTES;
    const blocks = this.map.find(node, first, last - first + 1);
    const ahead = this.windowOf(node.number, offset, length);
    if (blocks.length === 1) return this.block(node, blocks, 0, first, ahead).subarray(within, within + length);
    const result = Buffer.allocUnsafe(length);
    for (let index = 0; index < blocks.length; index++) {
      const bytes = this.block(node, blocks, index, first, ahead);
      bytes.copy(result, index * BLOCK_BYTES - within + (index === 0 ? within : 0), index === 0 ? within : 0);
    }
    return result;
  }

  /** How far to read ahead, and notes where this read ends. */
  private windowOf(number: NodeNumber, offset: number, length: number): number {
    const reader = this.readers.get(number);
    const goesOn = offset === (reader?.next ?? 0);
    const window = goesOn ? Math.min(reader === undefined ? FIRST_WINDOW : reader.window * 2, MAX_RUN) : 0;
    this.readers.delete(number);
    this.readers.set(number, { next: offset + length, window: Math.max(window, FIRST_WINDOW / 2) });
    const [oldest] = this.readers.keys();
    if (this.readers.size > MAX_READERS && oldest !== undefined) this.readers.delete(oldest);
    return window;
  }

  /**
   * Content of blocks[index]. If it has to come from the disk, those behind it that are wanted too, or soon, come
   * along.
   */
  private block(node: Node, blocks: readonly number[], index: number, first: number, ahead: number): Buffer {
    const block = blocks[index] ?? 0;
    if (block === 0) return ZEROS;
    const known = this.cache.peek(block);
    if (known !== undefined) return known;
    let count = this.runLength(blocks, index);
    if (index + count === blocks.length && count < MAX_RUN && ahead > 0) {
      const end = first + blocks.length;
      const more = Math.min(ahead, MAX_RUN - count, Math.ceil(node.size / BLOCK_BYTES) - end);
      if (more > 0) count = this.runLength([...blocks.slice(index), ...this.map.find(node, end, more)], 0);
    }
    const bytes = readBlocks(this.device, block, count);
    for (let at = count - 1; at >= 0; at--)
      this.cache.keep(block + at, Buffer.from(bytes.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES)));
    return this.cache.peek(block) ?? bytes.subarray(0, BLOCK_BYTES);
  }

  /** How many blocks from blocks[index] on follow one another on the disk and are not in the cache. */
  private runLength(blocks: readonly number[], index: number): number {
    const start = blocks[index] ?? 0;
    let count = 1;
    while (count < MAX_RUN && blocks[index + count] === start + count && this.cache.peek(start + count) === undefined)
      count++;
    return count;
  }

  /** Forgets where a file was read: its number is free. */
  forget(number: NodeNumber): void {
    this.readers.delete(number);
  }
}
