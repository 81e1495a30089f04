/**
 * The part of a check that walks through all directories: entries, names, and the chains of clusters, of which each
 * cluster may belong to one only.
 */
import { SECTOR_BYTES } from '../block-device.ts';
import { ENTRY_BYTES, FIRST_CLUSTER, isCluster, sectorOf } from './boot-sector.ts';
import { isDots, MAX_SLOTS, SLOTS_PER_SECTOR } from './directory.ts';
import { attribute, DELETED, decodeEntry, END, type EntryFields, encodeEntry, nameCase, newEntry } from './entry.ts';
import type { Findings } from './findings.ts';
import {
  checksum,
  fold,
  isLabel,
  isLongPart,
  LongNameReader,
  SHORT_NAME_BYTES,
  shortNameText,
  withoutDots,
} from './names.ts';
import { DEFECTIVE, describe, FREE, LAST } from './table.ts';
import type { Volume } from './volume.ts';

/** A directory that is still to be walked through. */
interface Pending {
  readonly path: string;
  /** 0: the root of FAT12 and FAT16. */
  readonly first: number;
  /** What its entry for its parent has to say; null: it has none. */
  readonly parent: number | null;
  readonly sectors: readonly number[];
}

/** Clusters of a chain that belong to nobody else. */
interface Claim {
  readonly clusters: readonly number[];
  /** Why it does not end where it ends; undefined: it does. */
  readonly stop: string | undefined;
}

/** Where an entry is. */
interface Slot {
  readonly sector: number;
  readonly offset: number;
}

/**
 * Characters that a short name cannot have, besides control characters (fatgen103, "Name Limits and Character Sets").
 */
const FORBIDDEN = new Set([...'"*+,./:;<=>?[\\]|'].map((character) => character.charCodeAt(0)));

/** Names that were mended: their beginning and extension, as other tools for FAT use them. */
const MENDED_NAME = 'FSCK';
const MENDED_EXTENSION = 'REC';

/** See the head of this file. */
export class TreeCheck {
  files = 0;
  directories = 0;
  private readonly findings: Findings;
  private readonly volume: Volume;
  private readonly owned: Uint8Array;
  private ownedCount = 0;
  private readonly progress: (owned: number) => void;
  private readonly pending: Pending[] = [];

  constructor(findings: Findings, progress: (owned: number) => void) {
    this.findings = findings;
    this.volume = findings.volume;
    this.owned = new Uint8Array(Math.ceil((this.volume.geometry.clusters + FIRST_CLUSTER) / 8));
    this.progress = progress;
  }

  /** Whether a cluster belongs to something in the tree. */
  isOwned(cluster: number): boolean {
    return ((this.owned[cluster >> 3] ?? 0) & (1 << (cluster & 7))) !== 0;
  }

  private setOwned(cluster: number, owned: boolean): void {
    const bit = 1 << (cluster & 7);
    const byte = this.owned[cluster >> 3] ?? 0;
    this.owned[cluster >> 3] = owned ? byte | bit : byte & ~bit;
    this.ownedCount += owned ? 1 : -1;
  }

  run(): void {
    const { geometry } = this.volume;
    if (geometry.rootCluster === 0) {
      const sectors = Array.from({ length: geometry.rootSectors }, (_, at) => geometry.root + at);
      this.pending.push({ path: '/', first: 0, parent: null, sectors });
    } else {
      const clusters = this.claimDirectory(geometry.rootCluster, 'the root directory');
      if (clusters.length > 0) this.push('/', geometry.rootCluster, null, clusters);
      else this.findings.found('the root directory has no clusters of its own');
    }
    for (let next = this.pending.pop(); next !== undefined; next = this.pending.pop()) {
      this.directories++;
      new DirectoryCheck(this, this.findings, next).run();
      this.progress(this.ownedCount);
    }
  }

  private push(path: string, first: number, parent: number | null, clusters: readonly number[]): void {
    const { geometry } = this.volume;
    const { sectorsPerCluster } = geometry;
    const sectors = clusters.flatMap((cluster) =>
      Array.from({ length: sectorsPerCluster }, (_, at) => sectorOf(geometry, cluster) + at),
    );
    this.pending.push({ path, first, parent, sectors });
  }

  /** Takes the clusters of a chain for its owner, as far as they are sound and belong to nobody yet. */
  private claim(first: number, most: number): Claim {
    const { geometry, table } = this.volume;
    const clusters: number[] = [];
    for (let cluster = first; ; ) {
      if (!isCluster(geometry, cluster)) return { clusters, stop: `cluster ${cluster}, which does not exist` };
      if (this.isOwned(cluster))
        return { clusters, stop: `cluster ${cluster}, which belongs to something else or came before` };
      const value = table.get(cluster);
      if (value === FREE || value === DEFECTIVE) return { clusters, stop: `cluster ${cluster}, ${describe(value)}` };
      if (clusters.length >= most) return { clusters, stop: `cluster ${cluster}, one more than it can have` };
      this.setOwned(cluster, true);
      clusters.push(cluster);
      if (value === LAST) return { clusters, stop: undefined };
      cluster = value;
    }
  }

  /** The clusters of a directory; a chain that goes wrong is cut. */
  private claimDirectory(first: number, what: string): readonly number[] {
    const most = Math.max(1, (MAX_SLOTS * ENTRY_BYTES) / this.volume.geometry.clusterBytes);
    const { clusters, stop } = this.claim(first, most);
    const last = clusters.at(-1);
    if (stop !== undefined && last !== undefined) this.cut(what, last, stop);
    return clusters;
  }

  private cut(what: string, last: number, stop: string): void {
    this.findings.found(`${what}: its chain leads to ${stop}`, () => this.volume.table.set(last, LAST));
  }

  /** Checks the chain and the fields of a file; `store` writes the fields. */
  file(path: string, fields: EntryFields, store: (fields: EntryFields) => void): void {
    this.files++;
    const { clusterBytes } = this.volume.geometry;
    const { first, size } = fields;
    if (first === 0) {
      if (size > 0)
        this.findings.found(`${path}: has ${size} bytes, but no clusters`, () => store({ ...fields, size: 0 }));
      return;
    }
    const { clusters, stop } = this.claim(first, Number.POSITIVE_INFINITY);
    const last = clusters.at(-1);
    if (last === undefined) {
      this.findings.found(`${path}: begins at ${stop}`, () => store({ ...fields, first: 0, size: 0 }));
      return;
    }
    if (stop !== undefined) this.cut(path, last, stop);
    const needed = Math.ceil(size / clusterBytes);
    if (needed > clusters.length) {
      const room = clusters.length * clusterBytes;
      this.findings.found(`${path}: has ${size} bytes, but clusters for ${room} only`, () =>
        store({ ...fields, size: room }),
      );
    } else if (needed < clusters.length) {
      const surplus = clusters.slice(needed);
      const text = `${path}: has ${surplus.length} clusters more than its ${size} bytes need`;
      const mended = this.findings.found(text, () => {
        const end = clusters[needed - 1];
        if (end === undefined) store({ ...fields, first: 0 });
        else this.volume.table.set(end, LAST);
      });
      // They are freed with those that belong to nobody.
      if (mended) this.release(surplus);
    }
  }

  private release(clusters: readonly number[]): void {
    const { table } = this.volume;
    for (let at = 0; at < clusters.length; at += SLOTS_PER_SECTOR) {
      const some = clusters.slice(at, at + SLOTS_PER_SECTOR);
      this.volume.change(0, () => {
        for (const cluster of some) table.set(cluster, FREE);
      });
      this.volume.pause();
      for (const cluster of some) this.setOwned(cluster, false);
    }
  }

  /** Checks a directory's chain, and queues it. `remove` removes its entry. */
  directory(
    path: string,
    fields: EntryFields,
    parent: number,
    remove: () => void,
    store: (fields: EntryFields) => void,
  ): void {
    const clusters = this.claimDirectory(fields.first, path);
    if (clusters.length === 0) {
      const text = `${path}: a directory at cluster ${fields.first}, which is none of its own; what was in it is lost`;
      this.findings.found(text, remove);
      return;
    }
    if (fields.size !== 0)
      this.findings.found(`${path}: a directory whose size is not 0`, () => store({ ...fields, size: 0 }));
    this.push(`${path}/`, fields.first, parent, clusters);
  }
}

/** Checks the entries of one directory. */
class DirectoryCheck {
  private readonly tree: TreeCheck;
  private readonly findings: Findings;
  private readonly volume: Volume;
  private readonly directory: Pending;
  private readonly names = new Set<string>();
  private readonly long = new LongNameReader();
  /** Entries with parts of a long name that have come since the last short one. */
  private parts: Slot[] = [];

  constructor(tree: TreeCheck, findings: Findings, directory: Pending) {
    this.tree = tree;
    this.findings = findings;
    this.volume = findings.volume;
    this.directory = directory;
  }

  run(): void {
    if (this.directory.parent !== null) this.checkDots(this.directory.parent);
    for (const sector of this.directory.sectors) {
      for (let offset = 0; offset < SECTOR_BYTES; offset += ENTRY_BYTES) {
        const bytes = this.volume.cache.read(sector);
        if (bytes[offset] === END) {
          this.dropParts(this.parts);
          return;
        }
        this.entry(bytes, { sector, offset });
      }
    }
    this.dropParts(this.parts);
  }

  private entry(bytes: Buffer, slot: Slot): void {
    const { offset } = slot;
    if (bytes[offset] === DELETED) {
      this.dropParts(this.parts);
      return;
    }
    if (isLongPart(bytes, offset)) {
      this.long.add(bytes, offset);
      this.parts.push(slot);
      return;
    }
    const count = this.long.belongsTo(bytes, offset) ? this.long.count : 0;
    const name = this.long.finish(bytes, offset);
    const own = this.parts.slice(this.parts.length - count);
    this.dropParts(this.parts.slice(0, this.parts.length - count));
    if (isLabel(bytes, offset) || isDots(bytes, offset)) return;
    this.named(bytes, slot, own, name);
  }

  /** Parts of long names that belong to nothing. */
  private dropParts(parts: readonly Slot[]): void {
    this.parts = [];
    this.long.reset();
    if (parts.length === 0) return;
    this.findings.found(`${this.directory.path}: ${parts.length} parts of a long name without a file`, () =>
      this.erase(parts),
    );
  }

  private erase(slots: readonly Slot[]): void {
    for (const { sector, offset } of slots) this.volume.cache.change(sector)[offset] = DELETED;
  }

  private named(bytes: Buffer, slot: Slot, own: readonly Slot[], longName: string | undefined): void {
    const alias = shortNameText(bytes, slot.offset, 0);
    const name = longName ?? shortNameText(bytes, slot.offset, nameCase(bytes, slot.offset));
    const path = this.directory.path + name;
    const fields = decodeEntry(bytes, slot.offset, this.volume.geometry.bits);
    if (!isGoodShortName(bytes, slot.offset))
      this.findings.found(`${path}: the short name has characters that it cannot have`, () =>
        this.rename(slot, own, true),
      );
    const keys = new Set([fold(withoutDots(name)), fold(alias)]);
    if ([...keys].some((key) => this.names.has(key)))
      this.findings.found(`${path}: the directory has this name, or its alias, twice`, () =>
        this.rename(slot, own, false),
      );
    else for (const key of keys) this.names.add(key);
    const store = (changed: EntryFields): void => {
      encodeEntry(this.volume.cache.change(slot.sector), slot.offset, changed, this.volume.geometry.bits);
    };
    if ((fields.attributes & attribute.DIRECTORY) === 0) this.tree.file(path, fields, store);
    else this.tree.directory(path, fields, this.asParent, () => this.erase([slot, ...own]), store);
  }

  /** What the entry for the parent says in directories in this one. */
  private get asParent(): number {
    return this.directory.parent === null ? 0 : this.directory.first;
  }

  /** Gives an entry a short name that nothing has here; its long name stays or goes. */
  private rename(slot: Slot, own: readonly Slot[], keepLong: boolean): void {
    let number = 0;
    const candidate = (): Buffer => Buffer.from(`${MENDED_NAME}${String(number).padStart(4, '0')}${MENDED_EXTENSION}`);
    // Names that come later in the directory are not known yet; a clash with one of them is found, and mended, then.
    while (this.names.has(fold(shortNameText(candidate(), 0, 0)))) number++;
    const shortName = candidate();
    this.volume.cache.change(slot.sector).set(shortName, slot.offset);
    this.names.add(fold(shortNameText(shortName, 0, 0)));
    if (!keepLong) this.erase(own);
    else for (const { sector, offset } of own) this.volume.cache.change(sector)[offset + 13] = checksum(shortName);
  }

  /** The entries of a directory for itself and its parent, which are its first two. */
  private checkDots(parent: number): void {
    const { first, path, sectors } = this.directory;
    const [sector] = sectors;
    if (sector === undefined) return;
    const { bits, rootCluster } = this.volume.geometry;
    for (const [index, [name, expected]] of [['.', first] as const, ['..', parent] as const].entries()) {
      const offset = index * ENTRY_BYTES;
      const bytes = this.volume.cache.read(sector);
      const isThere = bytes.toString('latin1', offset, offset + SHORT_NAME_BYTES) === name.padEnd(SHORT_NAME_BYTES);
      const fields = decodeEntry(bytes, offset, bits);
      const mend = (): void => {
        const entry = newEntry(
          Buffer.from(name.padEnd(SHORT_NAME_BYTES)),
          { ...fields, attributes: attribute.DIRECTORY, first: expected, size: 0 },
          bits,
        );
        this.volume.cache.change(sector).set(entry, offset);
      };
      const isFree = bytes[offset] === DELETED || bytes[offset] === END;
      if (!isThere)
        this.findings.found(`${path}: has no entry '${name}' where it has to be`, isFree ? mend : undefined);
      else if (fields.first !== expected && !(expected === 0 && fields.first === rootCluster))
        this.findings.found(
          `${path}: its entry '${name}' leads to cluster ${fields.first} instead of ${expected}`,
          mend,
        );
    }
  }
}

function isGoodShortName(bytes: Buffer, offset: number): boolean {
  if (bytes[offset] === 0x20) return false;
  for (let at = 0; at < SHORT_NAME_BYTES; at++) {
    const byte = bytes[offset + at] ?? 0;
    const isSmall = byte >= 0x61 && byte <= 0x7a;
    if ((byte < 0x20 && !(at === 0 && byte === 0x05)) || isSmall || FORBIDDEN.has(byte)) return false;
  }
  return true;
}
