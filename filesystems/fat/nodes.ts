/**
 * Numbers of nodes. FAT has none, so the number of a node is the place of its short entry: sector times 16, plus the
 * number in the sector. An entry that is moved by a rename keeps its number, and so does a file without a name that is
 * still retained; what then gets the place of such a one has a number beyond all places.
 *
 * Retained nodes whose number is not their place are kept in the recovery store.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { NodeNumber } from '../file-system.ts';
import { ENTRY_BYTES } from './boot-sector.ts';
import { SLOTS_PER_SECTOR } from './directory.ts';
import { attribute, DELETED, decodeEntry, END, type EntryFields, encodeEntry } from './entry.ts';
import { isLabel, isLongPart } from './names.ts';
import type { Volume } from './volume.ts';

/** The root directory. No entry is at this place: it is in the boot sector. */
export const ROOT: NodeNumber = 1;

/** Numbers from here on are no places. */
const FIRST_FREE_NUMBER = 2 ** 48;

/** Nodes that are remembered to have another number than their place, although they are not retained. */
const MAX_MOVED = 65_536;

const MOVED_PREFIX = 'moved.';
const ORPHAN_PREFIX = 'orphan.';

/** See the head of this file. */
export class Nodes {
  private readonly volume: Volume;
  /** Places of nodes whose number is another, and back. */
  private readonly places = new Map<NodeNumber, number>();
  private readonly numbers = new Map<number, NodeNumber>();
  /** What is known of retained nodes without a name. */
  private readonly orphans = new Map<NodeNumber, EntryFields>();
  private readonly retained = new Map<NodeNumber, number>();
  private next = FIRST_FREE_NUMBER;

  constructor(volume: Volume) {
    this.volume = volume;
    for (const [key, value] of volume.log.keptValues()) {
      if (key.startsWith(MOVED_PREFIX)) this.place(Number(key.slice(MOVED_PREFIX.length)), Number(value));
      if (key.startsWith(ORPHAN_PREFIX)) {
        const number = Number(key.slice(ORPHAN_PREFIX.length));
        this.orphans.set(number, fromKept(value));
        this.next = Math.max(this.next, number + 1);
      }
    }
  }

  private place(number: NodeNumber, place: number): void {
    this.places.set(number, place);
    this.numbers.set(place, number);
    this.next = Math.max(this.next, number + 1);
  }

  /** The number of the node whose entry is at a place. */
  numberAt(place: number): NodeNumber {
    const known = this.numbers.get(place);
    if (known !== undefined) return known;
    if (!this.places.has(place) && !this.orphans.has(place)) return place;
    const number = this.next;
    this.place(number, place);
    this.trim();
    return number;
  }

  /** Forgets the numbers of moved nodes that nobody retains, if there are too many. */
  private trim(): void {
    if (this.places.size <= MAX_MOVED + this.retained.size) return;
    for (const [number, place] of this.places) {
      if (this.retained.has(number)) continue;
      this.places.delete(number);
      this.numbers.delete(place);
      return;
    }
  }

  /** What a node is. Throws SystemError ENOENT. */
  load(number: NodeNumber): EntryFields {
    const { geometry } = this.volume;
    if (number === ROOT) {
      const first = geometry.rootCluster;
      return { attributes: attribute.DIRECTORY, first, size: 0, created: 0, accessed: 0, modified: 0 };
    }
    const orphan = this.orphans.get(number);
    if (orphan !== undefined) return orphan;
    const { bytes, offset } = this.entry(number);
    return decodeEntry(bytes, offset, geometry.bits);
  }

  /** Whether a node has a name. */
  isNamed(number: NodeNumber): boolean {
    return !this.orphans.has(number);
  }

  private entry(number: NodeNumber): { sector: number; bytes: Buffer; offset: number } {
    const { geometry, cache } = this.volume;
    const place = this.places.get(number) ?? number;
    const sector = Math.floor(place / SLOTS_PER_SECTOR);
    const inRoot = sector >= geometry.root && sector < geometry.root + geometry.rootSectors;
    const dataEnd = geometry.data + geometry.clusters * geometry.sectorsPerCluster;
    if (!Number.isSafeInteger(place) || !(inRoot || (sector >= geometry.data && sector < dataEnd)))
      throw new SystemError('ENOENT', `there is no node ${number}`);
    const bytes = cache.read(sector);
    const offset = (place % SLOTS_PER_SECTOR) * ENTRY_BYTES;
    const start = bytes[offset];
    if (start === END || start === DELETED || isLongPart(bytes, offset) || isLabel(bytes, offset))
      throw new SystemError('ENOENT', `there is no node ${number}`);
    return { sector, bytes, offset };
  }

  /** Changes what a node is, within an operation. Of the root nothing can be changed. */
  store(number: NodeNumber, fields: EntryFields): void {
    if (number === ROOT) return;
    if (this.orphans.has(number)) {
      this.setOrphan(number, fields);
      return;
    }
    const { sector, bytes, offset } = this.entry(number);
    const changed = Buffer.from(bytes.subarray(offset, offset + ENTRY_BYTES));
    encodeEntry(changed, 0, fields, this.volume.geometry.bits);
    if (changed.compare(bytes, offset, offset + ENTRY_BYTES) !== 0)
      this.volume.cache.change(sector).set(changed, offset);
  }

  /** The entry of a node has been moved, within an operation. */
  moved(from: number, to: number): void {
    const number = this.numberAt(from);
    this.setPlace(number, to === number ? undefined : to);
  }

  /**
   * The entry of a node is gone, within an operation. Answers whether its clusters are to be freed: nobody retains it.
   */
  removed(place: number, fields: EntryFields): boolean {
    const number = this.numberAt(place);
    this.setPlace(number, undefined);
    if (!this.retained.has(number)) return true;
    this.setOrphan(number, fields);
    return false;
  }

  /** Notes where a node is whose number is not its place, or that it is there again (undefined). */
  private setPlace(number: NodeNumber, place: number | undefined): void {
    const old = this.places.get(number);
    if (old === place) return;
    this.change(this.places, number, place);
    if (old !== undefined && this.numbers.get(old) === number) this.change(this.numbers, old, undefined);
    if (place !== undefined) this.change(this.numbers, place, number);
    if (this.retained.has(number)) this.volume.log.keep(MOVED_PREFIX + number, place);
    this.trim();
  }

  private setOrphan(number: NodeNumber, fields: EntryFields | undefined): void {
    this.change(this.orphans, number, fields);
    this.volume.log.keep(ORPHAN_PREFIX + number, fields === undefined ? undefined : toKept(fields));
  }

  /** Sets or deletes a value, so that the operation can be taken back. */
  private change<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    const old = map.get(key);
    set(map, key, value);
    this.volume.cache.undo(() => set(map, key, old));
  }

  /** See FileSystem.retain. */
  retain(number: NodeNumber): void {
    const count = this.retained.get(number) ?? 0;
    this.retained.set(number, count + 1);
    const place = this.places.get(number);
    if (count === 0 && place !== undefined)
      this.volume.cache.operation(() => this.volume.log.keep(MOVED_PREFIX + number, place));
  }

  /** See FileSystem.release. */
  release(number: NodeNumber): void {
    const count = this.retained.get(number) ?? 0;
    if (count > 1) this.retained.set(number, count - 1);
    else if (count === 1) {
      this.retained.delete(number);
      this.letGo(number);
    }
  }

  /** Nobody retains a node any more. */
  private letGo(number: NodeNumber): void {
    const { volume } = this;
    if (this.places.has(number)) volume.cache.operation(() => volume.log.keep(MOVED_PREFIX + number, undefined));
    const orphan = this.orphans.get(number);
    if (orphan === undefined || !volume.writable) return;
    volume.change(0, () => {
      this.setOrphan(number, undefined);
      if (orphan.first !== 0) volume.free(orphan.first);
    });
  }

  /** See FileSystem.restoreRetained. */
  restore(numbers: readonly NodeNumber[]): void {
    for (const number of numbers) this.retained.set(number, (this.retained.get(number) ?? 0) + 1);
    for (const number of [...this.orphans.keys(), ...this.places.keys()])
      if (!this.retained.has(number)) this.letGo(number);
  }

  /** Frees what has no name, whoever retains it: the file system is being closed. */
  close(): void {
    this.retained.clear();
    for (const number of [...this.orphans.keys()]) this.letGo(number);
  }
}

function set<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function toKept({ attributes, first, size, created, accessed, modified }: EntryFields): number[] {
  return [attributes, first, size, created, accessed, modified];
}

function fromKept(value: unknown): EntryFields {
  const [attributes = 0, first = 0, size = 0, created = 0, accessed = 0, modified = 0] = Array.isArray(value)
    ? value.map(Number)
    : [];
  return { attributes, first, size, created, accessed, modified };
}
