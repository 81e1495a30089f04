/**
 * What all parts of a mounted FAT file system share: the device with its caches, the table, and the commit.
 *
 * Layers from below: the device; TableCopies writes changes of the table to its copies, too; CachedDevice keeps small
 * pieces; BlockCache has the sectors of the table and of directories with transactions. Contents of files go straight
 * to CachedDevice.
 */
import { SystemError } from '../../protocol/errno.ts';
import { BlockCache } from '../block-cache.ts';
import { type BlockDevice, type Keeper, SECTOR_BYTES } from '../block-device.ts';
import { CachedDevice } from '../cached-device.ts';
import { RedoLog } from '../redo-log.ts';
import { FIELDS, type Geometry, sectorOf } from './boot-sector.ts';
import { Chains } from './chains.ts';
import { readInformation, writeInformation } from './information-sector.ts';
import { Table } from './table.ts';
import { TableCopies } from './table-copies.ts';

/** Bytes of contents and of sectors that are kept. */
const CONTENT_CACHE_BYTES = 4 * 1024 * 1024;
const CACHED_SECTORS = 4096;

/**
 * With more bytes of changes than this waiting, an operation commits those before it first. With all it changes itself
 * they still fit into the recovery store.
 */
const EARLY_COMMIT_BYTES = 96 * 1024;

/** A long operation commits what it has done so far when there are so many bytes of changes. */
const LATE_COMMIT_BYTES = 256 * 1024;

/**
 * Sectors of the table in which an operation frees clusters at once; what lies beyond is freed by the commit, piece by
 * piece.
 */
const FREED_SECTORS = 64;

/** Prefix of kept values: first clusters of chains that still have to be freed. */
const DOOMED_PREFIX = 'doomed.';

/** What to mount with, of the options of a format. */
export interface VolumeOptions {
  readonly readOnly: boolean;
  readonly keeper: Keeper | null;
  now(): number;
}

/** See the head of this file. */
export class Volume {
  readonly geometry: Geometry;
  readonly device: BlockDevice;
  readonly cache: BlockCache;
  readonly log: RedoLog;
  readonly table: Table;
  readonly chains: Chains;
  readonly now: () => number;
  readonly readOnly: boolean;
  /** Why nothing can be changed any more; empty if it can. */
  reason = '';
  /** Whether the disk says that it is in use. */
  private marked: boolean;
  private readonly doomed = new Set<number>();

  /** Throws SystemError EIO. */
  constructor(device: BlockDevice, geometry: Geometry, { readOnly, keeper, now }: VolumeOptions) {
    this.geometry = geometry;
    this.now = now;
    this.readOnly = readOnly || device.readOnly;
    this.device = new CachedDevice(new TableCopies(device, geometry), CONTENT_CACHE_BYTES);
    this.cache = new BlockCache(this.device, SECTOR_BYTES, CACHED_SECTORS);
    const store = this.readOnly ? null : keeper;
    this.log = new RedoLog({ device: this.device, cache: this.cache, keeper: store, volume: volumeName(geometry) });
    this.marked = isMarkedDirty((sector) => this.cache.read(sector), geometry);
    const { free, next } = readInformation(this.cache, geometry);
    this.table = new Table(geometry, this.cache, this.marked ? null : free, next);
    this.chains = new Chains(this.table);
    for (const key of this.log.keptValues().keys())
      if (key.startsWith(DOOMED_PREFIX)) this.doomed.add(Number(key.slice(DOOMED_PREFIX.length)));
  }

  /** Whether the file system was not closed by whoever used it last; also while it is in use and has been changed. */
  get dirty(): boolean {
    return this.marked;
  }

  /** Whether anything can be changed. */
  get writable(): boolean {
    return !this.readOnly && this.reason === '';
  }

  /**
   * Runs an operation that changes something, whole or not at all, and needs so many free clusters at most. Throws
   * SystemError: EROFS, ENOSPC, and what `work` throws.
   */
  change<T>(clusters: number, work: () => T): T {
    if (!this.writable) throw new SystemError('EROFS', this.reason === '' ? undefined : this.reason);
    this.mark(true);
    if (this.log.pendingBytes > EARLY_COMMIT_BYTES || !this.hasRoom(clusters)) this.commit();
    return this.cache.operation(work);
  }

  /** Whether a commit would change nothing about there being so many clusters that can be given away. */
  private hasRoom(clusters: number): boolean {
    return !(this.table.holds || this.doomed.size > 0) || this.table.canGive(clusters);
  }

  /** Whether there are so many clusters, if need be after a commit. Throws SystemError as `commit`. */
  canGive(clusters: number): boolean {
    if (!this.hasRoom(clusters)) this.commit();
    return this.table.canGive(clusters);
  }

  /** To be called between the parts of a long operation: commits them if they are many. */
  pause(): void {
    if (this.log.pendingBytes > LATE_COMMIT_BYTES) this.commit();
  }

  /** Frees a chain, or has the commit free what is too much for one operation. Within an operation. */
  free(first: number): void {
    const rest = this.table.release(first, FREED_SECTORS);
    this.chains.forget(first);
    if (rest !== 0) this.doom(rest, true);
  }

  private doom(first: number, doomed: boolean): void {
    if (doomed) this.doomed.add(first);
    else this.doomed.delete(first);
    this.cache.undo(() => {
      if (doomed) this.doomed.delete(first);
      else this.doomed.add(first);
    });
    this.log.keep(DOOMED_PREFIX + first, doomed ? true : undefined);
  }

  /** Makes an empty cluster of a directory. It is written at once, since nothing leads to it yet. */
  writeCluster(cluster: number, content: Buffer): void {
    const sector = sectorOf(this.geometry, cluster);
    this.device.write(sector, content);
    for (let at = 0; at < this.geometry.sectorsPerCluster; at++)
      this.cache.keep(sector + at, content.subarray(at * SECTOR_BYTES, (at + 1) * SECTOR_BYTES));
  }

  /** See FileSystem.commit. Throws SystemError: EIO; ENOSPC: the recovery store is full. */
  commit(): void {
    this.commitOnce();
    for (const first of this.doomed) {
      this.cache.operation(() => {
        this.doom(first, false);
        this.free(first);
      });
      this.commitOnce();
    }
  }

  private commitOnce(): void {
    try {
      this.log.commit(this.table.order);
    } catch (error) {
      if (this.log.failed) this.reason = 'the disk has refused a write';
      throw error;
    }
    this.table.committed();
  }

  /** Commits, writes the figures of free clusters, and flushes. Throws SystemError EIO. */
  sync(): void {
    this.commit();
    if (!this.writable || !this.marked) {
      this.device.flush();
      return;
    }
    this.cache.operation(() => writeInformation(this.cache, this.geometry, this.table.free(), this.table.hint));
    this.commitOnce();
    this.device.flush();
  }

  /** Syncs, and says on the disk that it has been closed. Throws SystemError EIO. */
  close(): void {
    this.sync();
    // What could not be written is left to the next incarnation.
    if (this.reason !== '') return;
    if (!this.readOnly) this.mark(false);
    this.log.close();
  }

  /** Sets or clears the marks that say that the file system is in use, and sees to it that they are on the medium. */
  private mark(dirty: boolean): void {
    if (this.marked === dirty) return;
    this.cache.operation(() => markDirty(this.cache, this.geometry, dirty));
    this.commitOnce();
    this.device.flush();
    this.marked = dirty;
  }
}

/**
 * Place of the mark in the table: entry 1 has a bit that is set when all is well (fatgen103, "ClnShutBitMask"). FAT12
 * has none.
 */
function markInTable({ bits }: Geometry): { offset: number; bit: number } | undefined {
  if (bits === 12) return undefined;
  return bits === 16 ? { offset: 3, bit: 0x80 } : { offset: 7, bit: 0x08 };
}

function stateOffset({ bits }: Geometry): number {
  return FIELDS.state[bits === 32 ? 'long' : 'short'];
}

/** What tells a file system apart from others in the recovery store. */
export function volumeName({ serial, sectors, clusters }: Geometry): string {
  return `fat ${serial} ${sectors} ${clusters}`;
}

/** Whether the disk says that the file system was not closed. `read` reads a sector. */
export function isMarkedDirty(read: (sector: number) => Uint8Array, geometry: Geometry): boolean {
  const inTable = markInTable(geometry);
  if (((read(0)[stateOffset(geometry)] ?? 0) & 1) !== 0) return true;
  return inTable !== undefined && ((read(geometry.table)[inTable.offset] ?? 0xff) & inTable.bit) === 0;
}

/** Sets or clears the marks, within an operation. */
function markDirty(cache: BlockCache, geometry: Geometry, dirty: boolean): void {
  const boot = cache.change(0);
  const at = stateOffset(geometry);
  boot[at] = dirty ? (boot[at] ?? 0) | 1 : (boot[at] ?? 0) & ~1;
  const inTable = markInTable(geometry);
  if (inTable === undefined) return;
  const sector = cache.change(geometry.table);
  const old = sector[inTable.offset] ?? 0;
  sector[inTable.offset] = dirty ? old & ~inTable.bit : old | inTable.bit;
}
