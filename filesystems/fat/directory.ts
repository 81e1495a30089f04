/**
 * A directory with an index of its names, so that looking one up does not read all of it. Read: fatgen103, "FAT
 * Directory Structure". A directory has slots of 32 bytes; a file takes one for its short entry, and before it as many
 * as its long name needs.
 */
import { SystemError } from '../../protocol/errno.ts';
import { SECTOR_BYTES } from '../block-device.ts';
import { ENTRY_BYTES, isCluster, sectorOf } from './boot-sector.ts';
import { attribute, DELETED, decodeEntry, END, nameCase } from './entry.ts';
import {
  aliases,
  fold,
  isLabel,
  isLongPart,
  LongNameReader,
  longEntries,
  plainShortName,
  SHORT_NAME_BYTES,
  shortNameText,
  UNITS_PER_ENTRY,
  withoutDots,
} from './names.ts';
import { LAST } from './table.ts';
import type { Volume } from './volume.ts';

/** Slots of a directory at most (fatgen103: 2 MiB). */
export const MAX_SLOTS = 65_536;

/** Slots in a sector. */
export const SLOTS_PER_SECTOR = SECTOR_BYTES / ENTRY_BYTES;

/** A file or directory under its name. */
export interface Name {
  readonly name: string;
  /** The slot of its short entry, and the first one that belongs to it. */
  readonly slot: number;
  readonly firstSlot: number;
  /** The short name as it is shown. */
  readonly alias: string;
  readonly isDirectory: boolean;
}

/** Short names of the entries of a directory for itself and its parent. */
const DOT = '.'.padEnd(SHORT_NAME_BYTES);
const DOT_DOT = '..'.padEnd(SHORT_NAME_BYTES);

/** Whether an entry is `.` or `..`. */
export function isDots(bytes: Buffer, offset: number): boolean {
  const name = bytes.toString('latin1', offset, offset + SHORT_NAME_BYTES);
  return name === DOT || name === DOT_DOT;
}

/** See the head of this file. */
export class Directory {
  /** First cluster; 0 is the root of FAT12 and FAT16, which has no clusters. */
  readonly first: number;
  private readonly volume: Volume;
  private readonly clusters: number[] = [];
  private readonly slotsPerCluster: number;
  private capacity: number;
  /** The first slot of which the disk says that it and all behind it are free. */
  private end = 0;
  /** By short slot. */
  private readonly names: (Name | undefined)[] = [];
  /** 1 for each slot that is taken, by a name or by what is left of one. */
  private taken: Uint8Array;
  /** No slot before this one is free. */
  private firstFree = 0;
  /** By name and by alias, both folded. */
  private readonly index = new Map<string, Name>();
  /** Two entries have the same name: then the index does not tell all. */
  private ambiguous = false;
  private count = 0;
  private directories = 0;

  /** Reads a directory. Throws SystemError: EUCLEAN, EIO. */
  constructor(volume: Volume, first: number) {
    this.volume = volume;
    this.first = first;
    const { geometry } = volume;
    this.slotsPerCluster = geometry.clusterBytes / ENTRY_BYTES;
    if (first === 0) this.capacity = geometry.rootSectors * SLOTS_PER_SECTOR;
    else {
      this.readChain();
      this.capacity = this.clusters.length * this.slotsPerCluster;
    }
    this.taken = new Uint8Array(this.capacity);
    this.readNames();
  }

  private readChain(): void {
    const { geometry, table } = this.volume;
    if (!isCluster(geometry, this.first))
      throw new SystemError('EUCLEAN', `a directory begins at cluster ${this.first}, which does not exist`);
    const most = Math.max(1, MAX_SLOTS / this.slotsPerCluster);
    for (let cluster = this.first; cluster !== LAST; cluster = table.following(cluster)) {
      if (this.clusters.length >= most)
        throw new SystemError(
          'EUCLEAN',
          `the chain of the directory at cluster ${this.first} is too long or comes back to itself`,
        );
      this.clusters.push(cluster);
    }
  }

  private readNames(): void {
    const { cache, geometry } = this.volume;
    const long = new LongNameReader();
    for (let slot = 0; slot < this.capacity; slot += SLOTS_PER_SECTOR) {
      const bytes = cache.read(this.sector(slot));
      for (let at = 0; at < SLOTS_PER_SECTOR; at++) {
        const offset = at * ENTRY_BYTES;
        const start = bytes[offset];
        this.end = slot + at;
        if (start === END) return;
        if (start === DELETED) {
          long.reset();
          continue;
        }
        this.taken[slot + at] = 1;
        if (isLongPart(bytes, offset)) {
          long.add(bytes, offset);
          continue;
        }
        const parts = long.count;
        const name = long.finish(bytes, offset);
        long.reset();
        if (isLabel(bytes, offset) || isDots(bytes, offset)) continue;
        const alias = shortNameText(bytes, offset, 0);
        const { attributes } = decodeEntry(bytes, offset, geometry.bits);
        this.enter({
          name: name ?? shortNameText(bytes, offset, nameCase(bytes, offset)),
          alias,
          slot: slot + at,
          firstSlot: slot + at - (name === undefined ? 0 : parts),
          isDirectory: (attributes & attribute.DIRECTORY) !== 0,
        });
      }
    }
    this.end = this.capacity;
  }

  private enter(name: Name): void {
    this.names[name.slot] = name;
    this.count++;
    if (name.isDirectory) this.directories++;
    for (const key of keys(name)) {
      if (this.index.has(key)) this.ambiguous = true;
      else this.index.set(key, name);
    }
  }

  /** Names in it. */
  get size(): number {
    return this.count;
  }

  /** Directories in it. */
  get subdirectories(): number {
    return this.directories;
  }

  /** Bytes it takes. */
  get bytes(): number {
    return this.capacity * ENTRY_BYTES;
  }

  /** What has a name, or has it as its alias. */
  find(name: string): Name | undefined {
    return this.index.get(fold(withoutDots(name)));
  }

  /** The first name behind a slot. */
  after(slot: number): Name | undefined {
    for (let at = slot + 1; at < this.end; at++) {
      const name = this.names[at];
      if (name !== undefined) return name;
    }
    return undefined;
  }

  /** The sector of a slot. */
  private sector(slot: number): number {
    const within = Math.floor((slot % this.slotsPerCluster) / SLOTS_PER_SECTOR);
    if (this.first === 0) return this.volume.geometry.root + Math.floor(slot / SLOTS_PER_SECTOR);
    return sectorOf(this.volume.geometry, this.clusters[Math.floor(slot / this.slotsPerCluster)] ?? 0) + within;
  }

  /** Where the entry of a slot is: number of the sector, times the slots in one, and number there. */
  position(slot: number): number {
    return this.sector(slot) * SLOTS_PER_SECTOR + (slot % SLOTS_PER_SECTOR);
  }

  private write(slot: number, entry: Uint8Array): void {
    this.volume.cache.change(this.sector(slot)).set(entry, (slot % SLOTS_PER_SECTOR) * ENTRY_BYTES);
  }

  /**
   * Enters a name that is not there, within an operation; `entry` makes the short entry for the short name that was
   * chosen. `preferred`: a slot from which on there is room perhaps. Throws SystemError ENOSPC. The caller forgets this
   * object should the operation fail.
   */
  add(name: string, entry: (shortName: Buffer) => Buffer, preferred = -1): Name {
    const plain = plainShortName(name);
    const shortName =
      plain !== undefined && !this.index.has(fold(shortNameText(plain, 0, 0))) ? plain : this.alias(name);
    const parts = shortName === plain ? Buffer.alloc(0) : longEntries(name, shortName);
    const needed = parts.length / ENTRY_BYTES + 1;
    const first = this.room(needed, preferred);
    const bytes = Buffer.concat([parts, entry(shortName)]);
    for (let at = 0; at < needed; at++)
      this.write(first + at, bytes.subarray(at * ENTRY_BYTES, (at + 1) * ENTRY_BYTES));
    this.taken.fill(1, first, first + needed);
    if (first + needed > this.end) this.moveEnd(first + needed);
    const slot = first + needed - 1;
    const isDirectory = ((bytes[(needed - 1) * ENTRY_BYTES + SHORT_NAME_BYTES] ?? 0) & attribute.DIRECTORY) !== 0;
    const added = { name, slot, firstSlot: first, alias: shortNameText(shortName, 0, 0), isDirectory };
    this.enter(added);
    return added;
  }

  /** A short name that nothing has here. */
  private alias(name: string): Buffer {
    for (const candidate of aliases(name)) if (!this.index.has(fold(shortNameText(candidate, 0, 0)))) return candidate;
    throw new SystemError('ENOSPC', 'no short name is left');
  }

  /** Whether a name finds room without making the directory larger. */
  hasRoom(name: string): boolean {
    const needed = Math.ceil(name.length / UNITS_PER_ENTRY) + 1;
    return this.search(needed) + needed <= this.capacity;
  }

  /** The first of so many free slots in a row, as many of them as there are at the end. */
  private search(needed: number): number {
    while (this.taken[this.firstFree] === 1) this.firstFree++;
    let first = this.firstFree;
    for (;;) {
      const free = this.freeFrom(first, needed);
      if (free === needed || first + free >= this.capacity) return first;
      // The slot that ended the row is taken.
      first += free + 1;
    }
  }

  /** The first of so many free slots in a row; the directory grows if need be. */
  private room(needed: number, preferred: number): number {
    if (preferred >= 0 && this.freeFrom(preferred, needed) === needed) return preferred;
    const first = this.search(needed);
    while (this.capacity - first < needed) this.grow();
    return first;
  }

  /** Free slots from one on, at most `most`. */
  private freeFrom(slot: number, most: number): number {
    let count = 0;
    while (count < most && slot + count < this.capacity && this.taken[slot + count] === 0) count++;
    return count;
  }

  private grow(): void {
    const { volume } = this;
    if (this.first === 0) throw new SystemError('ENOSPC', 'the root directory is full');
    if (this.capacity + this.slotsPerCluster > MAX_SLOTS) throw new SystemError('ENOSPC', 'the directory is full');
    const extents = volume.table.allocate(1, this.clusters.at(-1) ?? 0);
    for (const { cluster } of extents) {
      volume.writeCluster(cluster, Buffer.alloc(volume.geometry.clusterBytes));
      this.clusters.push(cluster);
    }
    this.capacity += this.slotsPerCluster;
    const taken = new Uint8Array(this.capacity);
    taken.set(this.taken);
    this.taken = taken;
  }

  /** All slots from `end` on are free; says so on the disk where it does not say it yet. */
  private moveEnd(end: number): void {
    this.end = end;
    if (end >= this.capacity) return;
    const offset = (end % SLOTS_PER_SECTOR) * ENTRY_BYTES;
    if (this.volume.cache.read(this.sector(end))[offset] === END) return;
    this.volume.cache.change(this.sector(end))[offset] = END;
  }

  /**
   * Removes a name, within an operation. The caller forgets this object should the operation fail, and if it answers
   * false: then it does not tell all any more.
   */
  remove(name: Name): boolean {
    // The short entry first: without it the others are nothing.
    for (let slot = name.slot; slot >= name.firstSlot; slot--) {
      this.volume.cache.change(this.sector(slot))[(slot % SLOTS_PER_SECTOR) * ENTRY_BYTES] = DELETED;
      this.taken[slot] = 0;
    }
    this.firstFree = Math.min(this.firstFree, name.firstSlot);
    this.names[name.slot] = undefined;
    this.count--;
    if (name.isDirectory) this.directories--;
    for (const key of keys(name)) if (this.index.get(key)?.slot === name.slot) this.index.delete(key);
    return !this.ambiguous;
  }
}

function keys({ name, alias }: Name): string[] {
  const [long, short] = [fold(withoutDots(name)), fold(alias)];
  return long === short ? [long] : [long, short];
}

/** Names that directories which are kept have all together, besides those of the last one used. */
const MAX_NAMES = 65_536;

/** Directories that are kept. */
const MAX_DIRECTORIES = 64;

/** The directories used last. */
export class Directories {
  private readonly volume: Volume;
  /** By first cluster, in the order of last use. */
  private readonly known = new Map<number, Directory>();

  constructor(volume: Volume) {
    this.volume = volume;
  }

  /** The directory that begins at a cluster; see Directory. */
  at(first: number): Directory {
    const directory = this.known.get(first) ?? new Directory(this.volume, first);
    this.known.delete(first);
    this.known.set(first, directory);
    let names = 0;
    for (const { size } of this.known.values()) names += size;
    for (const [oldest, { size }] of this.known) {
      if (oldest === first || (names <= MAX_NAMES && this.known.size <= MAX_DIRECTORIES)) break;
      names -= size;
      this.known.delete(oldest);
    }
    return directory;
  }

  /** The directory, which is about to be changed, within an operation. */
  toChange(first: number): Directory {
    const directory = this.at(first);
    this.volume.cache.undo(() => this.known.delete(first));
    return directory;
  }

  /** A directory is no more what it was. */
  forget(first: number): void {
    this.known.delete(first);
  }
}
