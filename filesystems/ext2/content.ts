/**
 * Contents of files. Bytes go straight to their blocks, without the log: those of new blocks before anything refers to
 * them. Blocks that follow one another are moved with one request.
 */
import { SystemError } from '../../protocol/errno.ts';
import { SECTOR_BYTES } from '../block-device.ts';
import { damaged, refuse } from './errors.ts';
import { type Inode, isDirectory, typeOf } from './inode.ts';
import { inodeType } from './layout.ts';
import type { Volume } from './volume.ts';

/** Blocks asked for from the allocator at once, at most. */
const ALLOCATED_AT_ONCE = 1024;

/** From this size on a file needs a feature of the superblock. */
const LARGE_FILE_BYTES = 2 ** 31;

/** See the head of this file. */
export class Content {
  private readonly volume: Volume;
  private readonly sectorsPerBlock: number;

  constructor(volume: Volume) {
    this.volume = volume;
    this.sectorsPerBlock = volume.geometry.blockBytes / SECTOR_BYTES;
  }

  /** Longest file in bytes: what the pointers reach, and what the count of its sectors can hold. */
  get mostBytes(): number {
    const { blockBytes } = this.volume.geometry;
    return Math.min(this.volume.map.mostBlocks * blockBytes, (2 ** 32 - 1) * SECTOR_BYTES - blockBytes * 2 ** 12);
  }

  private checkFile(inode: Inode): void {
    if (isDirectory(inode)) refuse('EISDIR');
    if (typeOf(inode) !== inodeType.file) refuse('EINVAL', 'no file with content');
  }

  /** See FileSystem.read. */
  read(number: number, offset: number, count: number): Uint8Array {
    const inode = this.volume.inodes.load(number);
    this.checkFile(inode);
    const length = Math.min(count, Math.max(0, inode.size - offset));
    const result = Buffer.allocUnsafe(Math.max(0, length));
    const { blockBytes } = this.volume.geometry;
    for (let done = 0; done < length; ) {
      const at = offset + done;
      const index = Math.floor(at / blockBytes);
      const within = at - index * blockBytes;
      const wanted = Math.ceil((within + length - done) / blockBytes);
      const run = this.volume.map.run(inode, index, wanted);
      const bytes = Math.min(length - done, run.count * blockBytes - within);
      if (run.start === 0) result.fill(0, done, done + bytes);
      else result.set(this.readBytes(run.start, within, bytes), done);
      done += bytes;
    }
    return result;
  }

  private readBytes(block: number, within: number, count: number): Uint8Array {
    const first = Math.floor(within / SECTOR_BYTES);
    const end = Math.ceil((within + count) / SECTOR_BYTES);
    const read = this.volume.device.read(block * this.sectorsPerBlock + first, end - first);
    return read.subarray(within - first * SECTOR_BYTES, within - first * SECTOR_BYTES + count);
  }

  /** See FileSystem.write. */
  write(number: number, offset: number, data: Uint8Array): void {
    this.checkFile(this.volume.inodes.load(number));
    const end = offset + data.length;
    if (end > this.mostBytes) refuse('EFBIG');
    this.volume.change(() => {
      const inode = this.volume.inodes.load(number);
      if (data.length > 0) {
        this.zeroTail(inode, offset);
        this.put(number, inode, offset, data);
        if (end > inode.size) inode.size = end;
        if (inode.size >= LARGE_FILE_BYTES) this.volume.superblock.needLargeFiles();
      }
      inode.modified = this.volume.now();
      inode.changed = inode.modified;
      this.volume.inodes.store(number, inode);
    });
  }

  /** What lies in the last block behind the end becomes part of the file when it grows, and has to read as zeros. */
  private zeroTail(inode: Inode, newEnd: number): void {
    const { blockBytes } = this.volume.geometry;
    const within = inode.size % blockBytes;
    if (within === 0 || newEnd <= inode.size) return;
    const block = this.volume.map.lookup(inode, Math.floor(inode.size / blockBytes));
    if (block === 0) return;
    const bytes = Buffer.from(this.readBytes(block, 0, blockBytes));
    bytes.fill(0, within);
    this.volume.device.write(block * this.sectorsPerBlock, bytes);
  }

  private put(number: number, inode: Inode, offset: number, data: Uint8Array): void {
    const { geometry, map } = this.volume;
    const { blockBytes } = geometry;
    for (let done = 0; done < data.length; ) {
      const at = offset + done;
      const index = Math.floor(at / blockBytes);
      const within = at - index * blockBytes;
      const wanted = Math.ceil((within + data.length - done) / blockBytes);
      const there = map.run(inode, index, Math.min(wanted, ALLOCATED_AT_ONCE));
      const fresh = there.start === 0;
      const run = fresh ? this.allocate(number, inode, index, there.count) : there;
      const bytes = Math.min(data.length - done, run.count * blockBytes - within);
      this.putRun(run.start, within, data.subarray(done, done + bytes), fresh);
      done += bytes;
    }
  }

  private allocate(number: number, inode: Inode, index: number, wanted: number): { start: number; count: number } {
    const { blocks, geometry, map } = this.volume;
    const before = index === 0 ? 0 : map.lookup(inode, index - 1);
    const goal = before === 0 ? geometry.firstBlock(geometry.groupOfInode(number)) : before + 1;
    const run = blocks.allocate(goal, wanted);
    for (let done = 0; done < run.count; done++)
      map.assign(inode, index + done, run.start + done, run.start + run.count);
    inode.sectors += run.count * this.sectorsPerBlock;
    if (inode.sectors >= 2 ** 32) damaged('a file takes more sectors than can be counted');
    return run;
  }

  /**
   * Writes bytes into blocks that follow one another; what they do not cover is zeros in fresh ones, and stays in
   * others.
   */
  private putRun(block: number, within: number, data: Uint8Array, fresh: boolean): void {
    const { blockBytes } = this.volume.geometry;
    const unit = fresh ? blockBytes : SECTOR_BYTES;
    const first = within - (within % unit);
    const end = Math.ceil((within + data.length) / unit) * unit;
    let bytes = data;
    const sector = block * this.sectorsPerBlock + first / SECTOR_BYTES;
    const old = fresh ? Buffer.alloc(end - first) : Buffer.from(this.readBytes(block, first, end - first));
    if (!fresh) this.bringBack(sector, old);
    if (first !== within || end !== within + data.length) {
      bytes = Buffer.from(old);
      bytes.set(data, within - first);
    }
    this.volume.device.write(sector, bytes);
  }

  /** Writes what was there before if the operation or its commit fails: it is about to be overwritten in place. */
  private bringBack(sector: number, old: Uint8Array): void {
    const { cache, device } = this.volume;
    cache.undo(() => {
      try {
        device.write(sector, old);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        this.volume.reason = 'the disk has refused a write';
        this.volume.report(`content from sector ${sector} on could not be brought back: ${error.message}`, 'error');
      }
    });
  }

  /** See FileSystem.truncate. */
  truncate(number: number, size: number): void {
    this.checkFile(this.volume.inodes.load(number));
    if (size > this.mostBytes) refuse('EFBIG');
    for (let done = false; !done; ) {
      done = this.volume.change(() => this.resize(number, size));
      if (!done) this.volume.commit();
    }
  }

  /** One step: the length, and as many blocks as one commit can carry. Answers whether all is done. */
  private resize(number: number, size: number): boolean {
    const { blockBytes } = this.volume.geometry;
    const inode = this.volume.inodes.load(number);
    this.zeroTail(inode, size);
    const kept = Math.ceil(size / blockBytes);
    const done = size >= inode.size || this.volume.map.cut(inode, kept, false, 16);
    // Until all is done the file ends where blocks are still to be given back: so they are not forgotten.
    if (done) inode.size = size;
    if (inode.size >= LARGE_FILE_BYTES) this.volume.superblock.needLargeFiles();
    inode.modified = this.volume.now();
    inode.changed = inode.modified;
    this.volume.inodes.store(number, inode);
    return done;
  }
}
