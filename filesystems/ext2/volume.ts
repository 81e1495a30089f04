/**
 * What all parts of a mounted ext2 share: the device with its caches, allocation, inodes, block maps, and the commit.
 * Layers from below: the device; CachedDevice keeps small pieces; BlockCache has metadata with transactions. Contents
 * of files go straight to CachedDevice.
 *
 * An inode without a name is in the list of orphans that ext3 has, in the superblock and the field for the time of
 * deletion of each, until its blocks are given back: so a loss of power leaves it to be found, by e2fsck too.
 */
import { SystemError } from '../../protocol/errno.ts';
import { BlockCache } from '../block-cache.ts';
import { type BlockDevice, type Keeper, SECTOR_BYTES } from '../block-device.ts';
import { CachedDevice } from '../cached-device.ts';
import { type BlockWrite, RedoLog } from '../redo-log.ts';
import { BlockAllocator } from './block-allocator.ts';
import { BlockMap } from './block-map.ts';
import { Directories } from './directory.ts';
import { damaged } from './errors.ts';
import type { Geometry } from './geometry.ts';
import { Groups } from './groups.ts';
import { hasBlocks, type Inode, InodeTable, isDirectory, typeOf } from './inode.ts';
import { InodeAllocator } from './inode-allocator.ts';
import { inodeType } from './layout.ts';
import { Superblock } from './superblock.ts';

/** Bytes of contents and of metadata that are kept. */
const CONTENT_CACHE_BYTES = 4 * 1024 * 1024;
const METADATA_CACHE_BYTES = 8 * 1024 * 1024;

/** With more bytes of changes than this waiting, an operation commits those before it first. */
const EARLY_COMMIT_BYTES = 128 * 1024;

/** Groups in which one commit frees blocks: so many bitmaps it has to carry. */
const FREED_GROUPS = 16;

/** Blocks of a file that an operation gives back at once; a larger one is freed piece by piece, by the commit. */
const FREED_BLOCKS = 65_536;

/** What to mount with, of the options of a format. */
export interface VolumeOptions {
  readonly readOnly: boolean;
  readonly keeper: Keeper | null;
  now(): number;
  log(text: string, level: 'info' | 'warning' | 'error'): void;
}

/** What tells a file system apart from others in the recovery store. */
export const volumeName = ({ parameters }: Geometry): string => `ext2 ${parameters.uuid} ${parameters.blocks}`;

/** See the head of this file. */
export class Volume {
  readonly geometry: Geometry;
  readonly device: BlockDevice;
  readonly cache: BlockCache;
  readonly log: RedoLog;
  readonly superblock: Superblock;
  readonly groups: Groups;
  readonly blocks: BlockAllocator;
  readonly inodeNumbers: InodeAllocator;
  readonly inodes: InodeTable;
  readonly map: BlockMap;
  readonly directories: Directories;
  readonly readOnly: boolean;
  readonly now: () => number;
  readonly report: VolumeOptions['log'];
  /** Why nothing can be changed any more; empty if it can. */
  reason = '';
  private marked = false;
  private readonly retained = new Map<number, number>();
  /** Inodes without a name that nobody retains: to be freed by the commit. */
  private readonly doomed = new Set<number>();

  /** Throws SystemError: EUCLEAN, EIO. */
  constructor(device: BlockDevice, geometry: Geometry, { readOnly, keeper, now, log }: VolumeOptions) {
    this.geometry = geometry;
    this.now = now;
    this.report = log;
    this.readOnly = readOnly || device.readOnly;
    this.device = new CachedDevice(device, CONTENT_CACHE_BYTES);
    const { blockBytes } = geometry;
    this.cache = new BlockCache(this.device, blockBytes, METADATA_CACHE_BYTES / blockBytes);
    const store = this.readOnly ? null : keeper;
    this.log = new RedoLog({ device: this.device, cache: this.cache, keeper: store, volume: volumeName(geometry) });
    this.superblock = new Superblock(this.cache, geometry);
    this.groups = new Groups(this.device, this.cache, geometry, (text) => log(text, 'warning'));
    this.blocks = new BlockAllocator(this.cache, geometry, this.groups);
    this.inodeNumbers = new InodeAllocator(this.cache, geometry, this.groups);
    this.inodes = new InodeTable(this.cache, geometry);
    this.map = new BlockMap(this.cache, geometry, this.blocks);
    this.directories = new Directories({
      ...{ cache: this.cache, geometry, map: this.map, allocator: this.blocks, inodes: this.inodes },
    });
    this.marked = !this.superblock.clean;
  }

  /** Whether anything can be changed. */
  get writable(): boolean {
    return !this.readOnly && this.reason === '';
  }

  /**
   * Runs an operation that changes something, whole or not at all. Throws SystemError: EROFS, ENOSPC, and what `work`
   * throws.
   */
  change<T>(work: () => T): T {
    if (!this.writable) throw new SystemError('EROFS', this.reason === '' ? undefined : this.reason);
    if (!this.marked) this.mark(true);
    if (this.log.pendingBytes > EARLY_COMMIT_BYTES) this.commit();
    try {
      return this.cache.operation(work);
    } catch (error) {
      if (error instanceof SystemError && error.code === 'EUCLEAN') this.damageFound(error.message);
      const full = error instanceof SystemError && error.code === 'ENOSPC';
      if (!full || (this.blocks.pendingBlocks === 0 && this.doomed.size === 0)) throw error;
      // What was given back since the last commit can be used after it.
      this.commit();
      return this.cache.operation(work);
    }
  }

  /** Notes on the disk that it is damaged, with the next commit, and does what its superblock wants done then. */
  private damageFound(text: string): void {
    this.cache.operation(() => this.superblock.markDamaged());
    if (this.superblock.stopsAtDamage && this.reason === '') {
      this.reason = `it is damaged: ${text}`;
      this.report(`is read-only from now on: ${this.reason}`, 'error');
    }
  }

  /** See FileSystem.commit. Throws SystemError: EIO; ENOSPC: the recovery store is full. */
  commit(): void {
    this.commitOnce();
    for (const number of [...this.doomed]) this.free(number);
  }

  /**
   * Frees an inode without a name, in as many commits as it takes. What was asked for is done already: should this
   * fail, the inode waits for the next mount or for a check.
   */
  private free(number: number): void {
    try {
      for (let done = false; !done; ) {
        done = this.cache.operation(() => this.destroy(number));
        this.commitOnce();
      }
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.doomed.delete(number);
      if (error.code === 'EUCLEAN') this.damageFound(error.message);
      this.report(`inode ${number}, which has no name any more, could not be freed: ${error.message}`, 'error');
    }
  }

  private commitOnce(): void {
    try {
      if (this.blocks.pendingGroups > 0) this.cache.operation(() => this.blocks.applyFrees());
      this.log.commit((changed) => this.inOrder(changed));
    } catch (error) {
      // Anything else is the end of this process: what counts then is what the recovery store says.
      if (!(error instanceof SystemError)) throw error;
      this.log.abandon();
      if (this.log.failed) this.reason = 'the disk has refused a write';
      throw error;
    } finally {
      this.blocks.settled();
    }
  }

  /**
   * The order in which a commit writes: new blocks, to which nothing refers yet; bitmaps and descriptors; inodes; at
   * last what was there before, mostly directories, in the order in which it was changed, so that a file that moves has
   * its new name before it loses the old one. After a loss of power in between, blocks and inodes can be marked as used
   * that are not, and names can lead to inodes that are free, which a check mends without loss.
   */
  private inOrder(changed: readonly BlockWrite[]): BlockWrite[] {
    const { geometry } = this;
    const isMetadata = ([block]: BlockWrite): boolean => !geometry.exists(block) || geometry.isMetadata(block);
    const isTable = ([block]: BlockWrite): boolean => {
      const table = geometry.inodeTable(geometry.groupOfBlock(block));
      return block >= table && block < table + geometry.tableBlocks;
    };
    const byNumber = (a: BlockWrite, b: BlockWrite): number => a[0] - b[0];
    const bitmaps = changed.filter((write) => isMetadata(write) && !isTable(write)).sort(byNumber);
    const tables = changed.filter((write) => isMetadata(write) && isTable(write)).sort(byNumber);
    const contents = changed.filter((write) => !isMetadata(write));
    const fresh = contents.filter(([block]) => this.blocks.isFresh(block)).sort(byNumber);
    const others = contents.filter(([block]) => !this.blocks.isFresh(block));
    return [...fresh, ...bitmaps, ...tables, ...others];
  }

  /** Commits, writes the totals, and flushes. Throws SystemError EIO. */
  sync(): void {
    this.commit();
    if (this.writable && this.marked) {
      this.cache.operation(() => this.superblock.setFree(this.groups.freeBlocks, this.groups.freeInodes));
      this.commitOnce();
    }
    this.device.flush();
  }

  /** Syncs, and says on the disk that it was unmounted. Throws SystemError EIO. */
  close(): void {
    this.retained.clear();
    if (this.writable) for (const number of this.orphans()) this.doomed.add(number);
    this.sync();
    if (this.reason !== '') return;
    if (!this.readOnly && this.marked) this.mark(false);
    this.log.close();
  }

  /** Marks it as in use or as unmounted, and sees to it that this is on the medium. */
  private mark(inUse: boolean): void {
    this.cache.operation(() => this.superblock.mark(inUse, this.now()));
    this.commitOnce();
    this.device.flush();
    this.marked = inUse;
  }

  // Inodes without a name

  /** Whether a node without a name is still there for somebody. */
  isRetained(number: number): boolean {
    return this.retained.has(number);
  }

  /** See FileSystem.retain. */
  retain(number: number): void {
    this.retained.set(number, (this.retained.get(number) ?? 0) + 1);
  }

  /** See FileSystem.release. */
  release(number: number): void {
    const count = this.retained.get(number) ?? 0;
    if (count > 1) {
      this.retained.set(number, count - 1);
      return;
    }
    if (!this.retained.delete(number) || !this.writable) return;
    if (this.inodes.read(number).links === 0) this.doomed.add(number);
  }

  /** See FileSystem.restoreRetained. */
  restore(numbers: readonly number[]): void {
    for (const number of numbers) this.retain(number);
    if (!this.writable) return;
    for (const number of this.orphans()) if (!this.retained.has(number)) this.doomed.add(number);
    this.commit();
  }

  /** The list of orphans. Throws SystemError EUCLEAN: it is damaged. */
  orphans(): number[] {
    const found = new Set<number>();
    for (let number = this.superblock.firstOrphan; number !== 0; number = this.inodes.read(number).deleted) {
      if (found.has(number) || !this.geometry.isOrdinaryInode(number))
        damaged('the list of inodes without a name is damaged');
      found.add(number);
    }
    return [...found];
  }

  /** An inode has lost its last name, within an operation. It is freed at once if it is small and nobody retains it. */
  unnamed(number: number, inode: Inode): void {
    inode.links = 0;
    if (!this.retained.has(number) && inode.sectors <= (FREED_BLOCKS * this.geometry.blockBytes) / SECTOR_BYTES) {
      if (this.empty(number, inode)) {
        this.forgetInode(number, inode);
        return;
      }
    }
    inode.deleted = this.superblock.firstOrphan;
    this.superblock.firstOrphan = number;
    this.inodes.store(number, inode);
    if (this.retained.has(number)) return;
    this.doomed.add(number);
    this.cache.undo(() => this.doomed.delete(number));
  }

  /** Gives the blocks of an inode back, as far as one commit can carry that. Answers whether all are. */
  private empty(number: number, inode: Inode): boolean {
    if (!hasBlocks(inode, this.geometry.blockBytes)) return true;
    const directory = isDirectory(inode);
    if (directory) this.directories.forget(number);
    const metadata = directory || typeOf(inode) === inodeType.symlink;
    return this.map.cut(inode, 0, metadata, FREED_GROUPS);
  }

  private forgetInode(number: number, inode: Inode): void {
    const directory = isDirectory(inode);
    this.dropAttributes(inode);
    this.inodes.store(number, {
      ...inode,
      ...{ size: 0, sectors: 0, links: 0, flags: 0, attributeBlock: 0 },
      deleted: Math.max(1, Math.floor(this.now() / 1000)) % 2 ** 32,
    });
    this.inodeNumbers.free(number, directory);
  }

  /** A block of extended attributes may be shared: it counts those who do. */
  private dropAttributes({ attributeBlock }: Inode): void {
    if (attributeBlock === 0) return;
    const block = this.map.checked(attributeBlock, 'an inode');
    const references = this.cache.read(block).readUInt32LE(4);
    if (references > 1) this.cache.change(block).writeUInt32LE(references - 1, 4);
    else {
      this.blocks.free({ start: block, count: 1 });
      this.cache.discard(block);
    }
  }

  /**
   * Frees an inode without a name, or as much of it as one commit can carry. Answers whether it is gone. Within an
   * operation.
   */
  private destroy(number: number): boolean {
    const inode = this.inodes.read(number);
    const isNamed = inode.links > 0;
    if (isNamed ? !this.shorten(inode) : !this.empty(number, inode)) {
      this.inodes.store(number, inode);
      return false;
    }
    this.unlist(number, inode.deleted);
    if (isNamed) this.inodes.store(number, { ...inode, deleted: 0 });
    else this.forgetInode(number, inode);
    this.doomed.delete(number);
    this.cache.undo(() => this.doomed.add(number));
    return true;
  }

  /**
   * A file with a name is in the list when ext3 was about to cut it to its size: gives back what lies behind. Answers
   * whether all is done.
   */
  private shorten(inode: Inode): boolean {
    if (typeOf(inode) !== inodeType.file) return true;
    return this.map.cut(inode, Math.ceil(inode.size / this.geometry.blockBytes), false, FREED_GROUPS);
  }

  /** Takes an inode off the list of orphans; `next` is the one behind it. */
  private unlist(number: number, next: number): void {
    const all = this.orphans();
    const index = all.indexOf(number);
    if (index === -1) return;
    const before = all[index - 1];
    if (before === undefined) this.superblock.firstOrphan = next;
    else this.inodes.store(before, { ...this.inodes.read(before), deleted: next });
  }
}
