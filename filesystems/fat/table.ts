/**
 * The file allocation table: for each cluster the one that follows it in its file, or that it is free, bad, or the
 * last. Read: fatgen103, "FAT Data Structure".
 *
 * Clusters that have been freed are not given away before the next commit: until then they belong to files that a death
 * of the process would bring back, and bytes of files are written in place without waiting for it.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { BlockCache } from '../block-cache.ts';
import { SECTOR_BYTES } from '../block-device.ts';
import type { BlockWrite } from '../redo-log.ts';
import { FIRST_CLUSTER, type Geometry, isCluster } from './boot-sector.ts';

/** Entries for which the number of free clusters is remembered together. */
const GROUP = 8192;

/** Clusters that follow one another. */
export interface Extent {
  readonly cluster: number;
  readonly count: number;
}

/** Values of an entry that are no clusters, for 28 bits; those of 12 and 16 bits are their low bits. */
const BAD = 0x0fff_fff7;
const LEAST_END = 0x0fff_fff8;
const END = 0x0fff_ffff;

/** What an entry of the table says: the next cluster, or one of these. */
export const FREE = 0;
export const LAST = -1;
export const DEFECTIVE = -2;

/** Reads and writes entries in the bytes of a table, for any of the three types. */
export class TableCode {
  readonly mask: number;
  private readonly bits: Geometry['bits'];

  constructor(bits: Geometry['bits']) {
    this.bits = bits;
    this.mask = bits === 32 ? 0x0fff_ffff : (1 << bits) - 1;
  }

  /** Offset of the first byte of an entry in the table. */
  offset(cluster: number): number {
    return this.bits === 12 ? cluster + (cluster >> 1) : (cluster * this.bits) / 8;
  }

  /** The number in an entry whose bytes `byte` answers by their offsets. */
  number(cluster: number, byte: (offset: number) => number): number {
    const at = this.offset(cluster);
    if (this.bits === 32)
      return byte(at) + (byte(at + 1) << 8) + (byte(at + 2) << 16) + (byte(at + 3) & 0x0f) * 0x100_0000;
    const word = byte(at) + (byte(at + 1) << 8);
    if (this.bits === 16) return word;
    return cluster % 2 === 0 ? word & 0xfff : word >> 4;
  }

  /** The meaning of a number: a cluster (also one that does not exist), FREE, LAST or DEFECTIVE. */
  meaning(number: number): number {
    if (number >= (LEAST_END & this.mask)) return LAST;
    return number === (BAD & this.mask) ? DEFECTIVE : number;
  }

  /** The number in an entry that says `meaning`. */
  numberOf(meaning: number): number {
    return meaning === LAST ? END & this.mask : meaning === DEFECTIVE ? BAD & this.mask : meaning;
  }

  /**
   * The bytes of an entry from `offset` on that says `meaning`; `old` are those that are there, since bits of them may
   * belong to others.
   */
  bytes(cluster: number, meaning: number, old: (offset: number) => number): number[] {
    const number = this.numberOf(meaning);
    const at = this.offset(cluster);
    if (this.bits === 32)
      return [number & 0xff, (number >> 8) & 0xff, (number >> 16) & 0xff, (number >>> 24) | (old(at + 3) & 0xf0)];
    if (this.bits === 16) return [number & 0xff, number >> 8];
    if (cluster % 2 === 0) return [number & 0xff, (number >> 8) | (old(at + 1) & 0xf0)];
    return [((number & 0xf) << 4) | (old(at) & 0x0f), number >> 4];
  }
}

/** See the head of this file. */
export class Table {
  private readonly geometry: Geometry;
  private readonly cache: BlockCache;
  private readonly code: TableCode;
  /** Clusters of each group that can be given away; -1: not counted yet. */
  private readonly groups: Int32Array;
  /** All that can be given away; null: not counted yet. */
  private available: number | null;
  /** Whether that was counted, not only read. */
  private counted = false;
  /** Freed since the last commit, and what their entries said before. */
  private readonly held = new Map<number, number>();
  private next: number;

  /**
   * `free` and `next` are figures of an earlier mount: how many are free (null: not known), and from where on to look.
   */
  constructor(geometry: Geometry, cache: BlockCache, free: number | null, next: number) {
    this.geometry = geometry;
    this.cache = cache;
    this.code = new TableCode(geometry.bits);
    this.groups = new Int32Array(Math.ceil((geometry.clusters + FIRST_CLUSTER) / GROUP)).fill(-1);
    this.available = free;
    this.next = isCluster(geometry, next) ? next : FIRST_CLUSTER;
  }

  /** Where the next search begins. */
  get hint(): number {
    return this.next;
  }

  /** Free clusters, with those freed since the last commit. */
  free(): number {
    return this.usable() + this.held.size;
  }

  /** Free clusters that can be given away before the next commit. */
  usable(): number {
    return this.available ?? this.recount();
  }

  /** Whether so many clusters can be given away. Figures that were only read are not believed when they say no. */
  canGive(clusters: number): boolean {
    return this.usable() >= clusters || (!this.counted && this.recount() >= clusters);
  }

  /** Counts the free clusters again. */
  recount(): number {
    this.groups.fill(-1);
    let sum = 0;
    for (let group = 0; group < this.groups.length; group++) sum += this.inGroup(group);
    this.available = sum;
    this.counted = true;
    return sum;
  }

  /** Whether the next commit makes more clusters usable. */
  get holds(): boolean {
    return this.held.size > 0;
  }

  /** What the entry of a cluster says. */
  get(cluster: number): number {
    if (this.geometry.bits === 12) return this.code.meaning(this.code.number(cluster, this.byte));
    const at = this.code.offset(cluster);
    const sector = this.cache.read(this.geometry.table + Math.floor(at / SECTOR_BYTES));
    const within = at % SECTOR_BYTES;
    const number =
      this.geometry.bits === 16 ? sector.readUInt16LE(within) : sector.readUInt32LE(within) & this.code.mask;
    return this.code.meaning(number);
  }

  private readonly byte = (offset: number): number =>
    this.cache.read(this.geometry.table + Math.floor(offset / SECTOR_BYTES))[offset % SECTOR_BYTES] ?? 0;

  /**
   * The cluster that follows one in its file, or LAST. Throws SystemError EUCLEAN: a free or defective one, or one that
   * does not exist.
   */
  following(cluster: number): number {
    const value = this.get(cluster);
    if (value === LAST || isCluster(this.geometry, value)) return value;
    throw new SystemError('EUCLEAN', `cluster ${cluster} of a file is followed by ${describe(value)}`);
  }

  /** Sets an entry, within an operation. */
  set(cluster: number, meaning: number): void {
    const at = this.code.offset(cluster);
    if (this.geometry.bits !== 12) {
      const sector = this.cache.change(this.geometry.table + Math.floor(at / SECTOR_BYTES));
      const within = at % SECTOR_BYTES;
      const number = this.code.numberOf(meaning);
      if (this.geometry.bits === 16) sector.writeUInt16LE(number, within);
      else sector.writeInt32LE((sector.readInt32LE(within) & ~this.code.mask) | number, within);
      return;
    }
    for (const [index, byte] of this.code.bytes(cluster, meaning, this.byte).entries()) {
      const offset = at + index;
      this.cache.change(this.geometry.table + Math.floor(offset / SECTOR_BYTES))[offset % SECTOR_BYTES] = byte;
    }
  }

  /**
   * Takes clusters, chained and ended, behind `previous` (0: they begin a file), within an operation. They follow one
   * another as far as that goes. Throws SystemError ENOSPC.
   */
  allocate(count: number, previous: number): Extent[] {
    const extents: { cluster: number; count: number }[] = [];
    let last = previous;
    this.cache.undo(() => {
      for (const extent of extents) for (let at = 0; at < extent.count; at++) this.count(extent.cluster + at, 1);
    });
    for (let taken = 0; taken < count; taken++) {
      const near = last + 1;
      const cluster = last !== 0 && this.isUsable(near) ? near : this.find(this.next);
      if (cluster === 0) throw new SystemError('ENOSPC');
      if (last !== 0) this.set(last, cluster);
      this.set(cluster, LAST);
      this.count(cluster, -1);
      const extent = extents.at(-1);
      if (extent !== undefined && extent.cluster + extent.count === cluster) extent.count++;
      else extents.push({ cluster, count: 1 });
      last = cluster;
      // What grows where it is does not move the place where others begin.
      if (cluster !== near || cluster === this.next) this.next = cluster + 1;
    }
    return extents;
  }

  /**
   * Frees a chain, within an operation, but only so much of it as lies in `sectors` sectors of the table. Answers where
   * the rest begins, or 0. A chain that is damaged is freed up to there.
   */
  release(first: number, sectors: number): number {
    const touched = new Set<number>();
    const freed: number[] = [];
    this.cache.undo(() => {
      for (const cluster of freed) this.held.delete(cluster);
    });
    for (let cluster = first; isCluster(this.geometry, cluster); ) {
      const value = this.get(cluster);
      if (value === FREE || value === DEFECTIVE) return 0;
      touched.add(Math.floor(this.code.offset(cluster) / SECTOR_BYTES));
      if (touched.size > sectors) return cluster;
      this.set(cluster, FREE);
      this.held.set(cluster, value);
      freed.push(cluster);
      cluster = value;
    }
    return 0;
  }

  /** Everything since the last commit is permanent: what was freed can be given away. */
  committed(): void {
    for (const cluster of this.held.keys()) this.count(cluster, 1);
    this.held.clear();
  }

  /**
   * The order in which changed sectors are written: clusters that are taken go into the table first, then directories
   * and everything else, then those that are freed. So a loss of power in between leaves clusters that belong to
   * nobody, and no name that leads to free ones.
   */
  readonly order = (changed: readonly BlockWrite[]): BlockWrite[] => {
    const { table, tableSectors } = this.geometry;
    const isTable = ([block]: BlockWrite): boolean => block >= table && block < table + tableSectors;
    const inTable = changed.filter(isTable);
    const others = changed.filter((write) => !isTable(write));
    if (this.held.size === 0) return [...inTable, ...others];
    const before = this.withoutFrees(new Map(inTable));
    const final = inTable.filter(([block, bytes]) => before.get(block)?.equals(bytes) !== true);
    const first = [...before].filter(([block, bytes]) => this.cache.original(block)?.equals(bytes) !== true);
    return [...first, ...others, ...final];
  };

  /** Sectors of the table as they would be if nothing had been freed. */
  private withoutFrees(sectors: ReadonlyMap<number, Buffer>): Map<number, Buffer> {
    const images = new Map([...sectors].map(([block, bytes]) => [block, Buffer.from(bytes)]));
    const byteAt = (offset: number): [Buffer | undefined, number] => [
      images.get(this.geometry.table + Math.floor(offset / SECTOR_BYTES)),
      offset % SECTOR_BYTES,
    ];
    for (const [cluster, value] of this.held) {
      const old = (offset: number): number => {
        const [image, at] = byteAt(offset);
        return image?.[at] ?? this.byte(offset);
      };
      for (const [index, byte] of this.code.bytes(cluster, value, old).entries()) {
        const [image, at] = byteAt(this.code.offset(cluster) + index);
        if (image !== undefined) image[at] = byte;
      }
    }
    return images;
  }

  /** A usable cluster, the first from `start` on, around the end; 0: there is none. */
  private find(start: number): number {
    const end = this.geometry.clusters + FIRST_CLUSTER;
    const from = start < end ? start : FIRST_CLUSTER;
    const group = Math.floor(from / GROUP);
    for (let step = 0; step <= this.groups.length; step++) {
      const at = (group + step) % this.groups.length;
      if (this.inGroup(at) === 0) continue;
      const found = this.scan(step === 0 ? from : at * GROUP, Math.min(end, (at + 1) * GROUP));
      if (found !== 0) return found;
    }
    return 0;
  }

  /** The first usable cluster in a range, or 0. */
  private scan(from: number, to: number): number {
    for (let cluster = Math.max(from, FIRST_CLUSTER); cluster < to; cluster++)
      if (this.isUsable(cluster)) return cluster;
    return 0;
  }

  private isUsable(cluster: number): boolean {
    return isCluster(this.geometry, cluster) && this.get(cluster) === FREE && !this.held.has(cluster);
  }

  private inGroup(group: number): number {
    const known = this.groups[group] ?? 0;
    if (known >= 0) return known;
    let count = 0;
    const end = Math.min((group + 1) * GROUP, this.geometry.clusters + FIRST_CLUSTER);
    for (let cluster = Math.max(group * GROUP, FIRST_CLUSTER); cluster < end; cluster++)
      if (this.isUsable(cluster)) count++;
    this.groups[group] = count;
    return count;
  }

  private count(cluster: number, change: number): void {
    const group = Math.floor(cluster / GROUP);
    const known = this.groups[group] ?? -1;
    if (known >= 0) this.groups[group] = known + change;
    if (this.available !== null) this.available += change;
  }
}

/** What an entry of the table says, in words. */
export function describe(meaning: number): string {
  if (meaning === FREE) return 'a free one';
  if (meaning === DEFECTIVE) return 'a defective one';
  return meaning === LAST ? 'none' : `cluster ${meaning}, which does not exist`;
}
