/**
 * Directories: records of variable length in the blocks of a file, none across the end of a block. Read D. Poirier,
 * "Linked List Directory" and "Indexed Directory Format": an index hides in records that are empty for whoever does not
 * know it; when such a directory is changed its flag is cleared.
 *
 * Names of directories in use are remembered, so that filling one is not quadratic; what an operation that is taken
 * back has changed is forgotten.
 */
import type { BlockCache, Verify } from '../block-cache.ts';
import type { BlockAllocator } from './block-allocator.ts';
import type { BlockMap } from './block-map.ts';
import { damaged, refuse } from './errors.ts';
import type { Geometry } from './geometry.ts';
import { type Inode, type InodeTable, typeOf } from './inode.ts';
import { entryType, incompatibleFeature, inodeFlag, inodeType } from './layout.ts';
import { decodeName } from './names.ts';

const HEAD_BYTES = 8;
const MAX_NAME_BYTES = 255;

/** Directories whose names are remembered, and names in all of them. */
const REMEMBERED_DIRECTORIES = 64;
const REMEMBERED_NAMES = 200_000;

/** A record with a name. */
export interface Entry {
  readonly name: string;
  readonly inode: number;
  /** Type as the record has it, 0: it does not say. */
  readonly type: number;
  /** Where the record is, in bytes from the start of the directory. */
  readonly position: number;
}

/** Bytes that a record with a name takes. */
const recordBytes = (nameBytes: number): number => (HEAD_BYTES + nameBytes + 3) & ~3;

/** A record in a block. */
interface RawRecord {
  readonly offset: number;
  readonly length: number;
  readonly inode: number;
  readonly nameLength: number;
  readonly type: number;
}

interface Remembered {
  readonly names: Map<string, Entry>;
  readonly room: RoomIndex;
}

/** How much room each block of a directory has, and where to look for room: filling a directory is not quadratic. */
class RoomIndex {
  private readonly room: number[] = [];
  /** For a record of so many units of 4 bytes: no block before this one has room. */
  private readonly from = new Uint32Array(recordBytes(MAX_NAME_BYTES) / 4 + 1);

  /** Sets the bytes of the largest record that a block has room for. */
  set(block: number, bytes: number): void {
    this.room[block] = bytes;
    const most = Math.min(this.from.length - 1, bytes >> 2);
    for (let units = 0; units <= most; units++) if ((this.from[units] ?? 0) > block) this.from[units] = block;
  }

  /** The first block with room for a record; -1: none has. */
  find(bytes: number): number {
    let block = this.from[bytes >> 2] ?? 0;
    while (block < this.room.length && (this.room[block] ?? 0) < bytes) block++;
    this.from[bytes >> 2] = block;
    return block < this.room.length ? block : -1;
  }
}

/** What directories work with. */
export interface DirectoryParts {
  readonly cache: BlockCache;
  readonly geometry: Geometry;
  readonly map: BlockMap;
  readonly allocator: BlockAllocator;
  readonly inodes: InodeTable;
}

/** See the head of this file. */
export class Directories {
  private readonly parts: DirectoryParts;
  private readonly remembered = new Map<number, Remembered>();
  private names = 0;

  constructor(parts: DirectoryParts) {
    this.parts = parts;
  }

  /** Checks a block of a directory: records follow one another up to its end. Throws SystemError EUCLEAN. */
  private readonly verify: Verify = (bytes, block) => {
    for (let at = 0; at < bytes.length; ) {
      const length = this.lengthAt(bytes, at);
      const inode = bytes.readUInt32LE(at);
      const nameLength = bytes.readUInt8(at + 6);
      if (length < HEAD_BYTES || length % 4 !== 0 || at + length > bytes.length)
        damaged(`directory block ${block}: a record of ${length} bytes`);
      if (inode !== 0 && recordBytes(nameLength) > length)
        damaged(`directory block ${block}: a name longer than its record`);
      if (inode > this.parts.geometry.parameters.inodes)
        damaged(`directory block ${block}: there is no inode ${inode}`);
      at += length;
    }
  };

  /** A length of 2^16 would not fit: with blocks of that size it is written as 0 or 65535; ours are smaller. */
  private lengthAt(bytes: Buffer, at: number): number {
    return at + HEAD_BYTES > bytes.length ? 0 : bytes.readUInt16LE(at + 4);
  }

  private *records(bytes: Buffer): Generator<RawRecord> {
    for (let offset = 0; offset < bytes.length; ) {
      const length = this.lengthAt(bytes, offset);
      // Checked again: on a damaged disk two directories can share a block, and change it under each other.
      if (length < HEAD_BYTES || offset + length > bytes.length) damaged(`a directory has a record of ${length} bytes`);
      const type = this.knowsTypes ? bytes.readUInt8(offset + 7) : 0;
      yield { offset, length, inode: bytes.readUInt32LE(offset), nameLength: bytes.readUInt8(offset + 6), type };
      offset += length;
    }
  }

  private get knowsTypes(): boolean {
    return (this.parts.geometry.parameters.incompatible & incompatibleFeature.fileType) !== 0;
  }

  /** What a record says about an inode. */
  recordType(inode: Pick<Inode, 'mode'>): number {
    return this.knowsTypes ? (entryType[typeOf(inode)] ?? 0) : 0;
  }

  private blocksOf(inode: Inode): number {
    const { blockBytes } = this.parts.geometry;
    if (inode.size % blockBytes !== 0) damaged(`a directory has ${inode.size} bytes, no whole number of blocks`);
    return inode.size / blockBytes;
  }

  /** The content of a block of a directory; undefined where there is a hole. */
  private content(inode: Inode, index: number): { block: number; bytes: Buffer } | undefined {
    const block = this.parts.map.lookup(inode, index);
    return block === 0 ? undefined : { block, bytes: this.parts.cache.read(block, this.verify) };
  }

  /** The names from a position on, '.' and '..' among them. */
  *entries(inode: Inode, from = 0): Generator<Entry> {
    const { blockBytes } = this.parts.geometry;
    const blocks = this.blocksOf(inode);
    for (let index = Math.floor(from / blockBytes); index < blocks; index++) {
      const content = this.content(inode, index);
      if (content === undefined) continue;
      for (const { offset, inode: number, nameLength, type } of this.records(content.bytes)) {
        const position = index * blockBytes + offset;
        if (number === 0 || position < from || nameLength === 0) continue;
        const name = decodeName(content.bytes, offset + HEAD_BYTES, offset + HEAD_BYTES + nameLength);
        yield { name, inode: number, type, position };
      }
    }
  }

  private know(number: number, inode: Inode): Remembered {
    const known = this.remembered.get(number);
    if (known !== undefined) {
      this.remembered.delete(number);
      this.remembered.set(number, known);
      return known;
    }
    const names = new Map<string, Entry>();
    for (const entry of this.entries(inode)) {
      if (entry.name !== '.' && entry.name !== '..') names.set(entry.name, entry);
    }
    const room = new RoomIndex();
    const blocks = this.blocksOf(inode);
    for (let index = 0; index < blocks; index++) {
      const content = this.content(inode, index);
      room.set(index, content === undefined ? 0 : this.roomIn(content.bytes));
    }
    const made = { names, room };
    this.remembered.set(number, made);
    this.names += names.size;
    for (const [oldest] of this.remembered) {
      if (oldest === number || (this.remembered.size <= REMEMBERED_DIRECTORIES && this.names <= REMEMBERED_NAMES))
        break;
      this.forget(oldest);
    }
    return made;
  }

  /** What is remembered of a directory may be wrong from now on. */
  forget(number: number): void {
    this.names -= this.remembered.get(number)?.names.size ?? 0;
    this.remembered.delete(number);
  }

  /** The entry of a name, not of '.' or '..'. */
  find(number: number, inode: Inode, name: string): Entry | undefined {
    return this.know(number, inode).names.get(name);
  }

  /** Whether there are no names but '.' and '..'. */
  isEmpty(number: number, inode: Inode): boolean {
    return this.know(number, inode).names.size === 0;
  }

  /** The directory that one is in. Throws SystemError EUCLEAN. */
  parentOf(number: number, inode: Inode): number {
    for (const { name, inode: parent } of this.entries(inode)) if (name === '..') return parent;
    return damaged(`directory ${number} has no parent`);
  }

  /** Enters a name, within an operation; the inode of the directory may grow. Throws SystemError ENOSPC. */
  add(number: number, inode: Inode, name: string, target: number, mode: number): void {
    const { cache, geometry } = this.parts;
    const bytes = Buffer.from(name);
    if (bytes.length > MAX_NAME_BYTES) refuse('ENAMETOOLONG');
    const needed = recordBytes(bytes.length);
    const known = this.know(number, inode);
    cache.undo(() => this.forget(number));
    inode.flags &= ~inodeFlag.indexed;
    const type = this.recordType({ mode });
    const blocks = this.blocksOf(inode);
    const found = known.room.find(needed);
    const index = found === -1 ? blocks : found;
    const content = found === -1 ? this.growEmpty(number, inode, blocks) : this.changed(number, inode, index);
    const gap = this.gapIn(content, needed) ?? damaged(`the blocks of directory ${number} have two uses`);
    const offset = this.split(content, gap, bytes, target, type);
    known.names.set(name, { name, inode: target, type, position: index * geometry.blockBytes + offset });
    known.room.set(index, this.roomIn(content));
    this.names++;
  }

  /** A new block at the end, with nothing in it. */
  private growEmpty(number: number, inode: Inode, index: number): Buffer {
    const content = this.grow(number, inode, index);
    content.writeUInt16LE(content.length, 4);
    return content;
  }

  /** A block of a directory, to be changed. */
  private changed(number: number, inode: Inode, index: number): Buffer {
    const content = this.content(inode, index) ?? damaged(`directory ${number} has lost a block`);
    return this.parts.cache.change(content.block, this.verify);
  }

  /** Bytes of the largest record that finds room. */
  private roomIn(bytes: Buffer): number {
    let room = 0;
    for (const { inode, length, nameLength } of this.records(bytes))
      room = Math.max(room, inode === 0 ? length : length - recordBytes(nameLength));
    return room;
  }

  private gapIn(bytes: Buffer, needed: number): RawRecord | undefined {
    for (const record of this.records(bytes)) {
      const used = record.inode === 0 ? 0 : recordBytes(record.nameLength);
      if (record.length - used >= needed) return record;
    }
    return undefined;
  }

  /** Puts a record into the free part of another one; answers its offset. */
  private split(bytes: Buffer, gap: RawRecord, name: Buffer, target: number, type: number): number {
    const used = gap.inode === 0 ? 0 : recordBytes(gap.nameLength);
    const offset = gap.offset + used;
    if (used > 0) bytes.writeUInt16LE(used, gap.offset + 4);
    bytes.writeUInt32LE(target, offset);
    bytes.writeUInt16LE(gap.length - used, offset + 4);
    bytes.writeUInt8(name.length, offset + 6);
    bytes.writeUInt8(type, offset + 7);
    name.copy(bytes, offset + HEAD_BYTES);
    return offset;
  }

  private grow(number: number, inode: Inode, index: number): Buffer {
    const { allocator, cache, geometry, map } = this.parts;
    const last = index === 0 ? 0 : map.lookup(inode, index - 1);
    const goal = last === 0 ? geometry.firstBlock(geometry.groupOfInode(number)) : last + 1;
    const { start } = allocator.allocate(goal, 1);
    const bytes = cache.zero(start, this.verify);
    map.assign(inode, index, start, start + 1);
    inode.sectors += geometry.blockBytes / 512;
    inode.size += geometry.blockBytes;
    return bytes;
  }

  /** Makes the first block of a new directory, within an operation. */
  begin(number: number, inode: Inode, parent: number): void {
    const { blockBytes } = this.parts.geometry;
    const bytes = this.grow(number, inode, 0);
    const type = this.knowsTypes ? (entryType[inodeType.directory] ?? 0) : 0;
    bytes.writeUInt16LE(blockBytes, 4);
    const whole = { offset: 0, length: blockBytes, inode: 0, nameLength: 0, type: 0 };
    this.split(bytes, whole, Buffer.from('.'), number, type);
    this.split(bytes, { ...whole, inode: number, nameLength: 1 }, Buffer.from('..'), parent, type);
  }

  /** Takes a name out, within an operation. */
  remove(number: number, inode: Inode, entry: Entry): void {
    const { cache, geometry } = this.parts;
    const index = Math.floor(entry.position / geometry.blockBytes);
    cache.undo(() => this.forget(number));
    inode.flags &= ~inodeFlag.indexed;
    const bytes = this.changed(number, inode, index);
    const { record, before } = this.recordOf(number, bytes, entry);
    if (before === undefined) bytes.writeUInt32LE(0, record.offset);
    else bytes.writeUInt16LE(before.length + record.length, before.offset + 4);
    const known = this.know(number, inode);
    if (known.names.delete(entry.name)) this.names--;
    known.room.set(index, this.roomIn(bytes));
  }

  /**
   * The record of an entry and the one before it. Throws SystemError EUCLEAN: it is not there any more, as the block
   * belongs to something else as well.
   */
  private recordOf(
    number: number,
    bytes: Buffer,
    { name, position }: Pick<Entry, 'name' | 'position'>,
  ): { record: RawRecord; before: RawRecord | undefined } {
    const target = position % this.parts.geometry.blockBytes;
    let before: RawRecord | undefined;
    for (const record of this.records(bytes)) {
      const end = record.offset + HEAD_BYTES + record.nameLength;
      if (record.offset === target && record.inode !== 0 && decodeName(bytes, target + HEAD_BYTES, end) === name)
        return { record, before };
      before = record;
    }
    return damaged(`the blocks of directory ${number} have two uses`);
  }

  /** Lets a name lead to another inode, within an operation. */
  redirect(number: number, inode: Inode, entry: Pick<Entry, 'name' | 'position'>, target: number, mode: number): void {
    const { cache, geometry } = this.parts;
    cache.undo(() => this.forget(number));
    const bytes = this.changed(number, inode, Math.floor(entry.position / geometry.blockBytes));
    const { offset } = this.recordOf(number, bytes, entry).record;
    const type = this.recordType({ mode });
    bytes.writeUInt32LE(target, offset);
    if (this.knowsTypes) bytes.writeUInt8(type, offset + 7);
    if (entry.name !== '..')
      this.know(number, inode).names.set(entry.name, {
        name: entry.name,
        position: entry.position,
        inode: target,
        type,
      });
  }

  /** Lets '..' lead to another directory, within an operation. */
  setParent(number: number, inode: Inode, parent: number): void {
    for (const entry of this.entries(inode)) {
      if (entry.name !== '..') continue;
      this.redirect(number, inode, entry, parent, inodeType.directory);
      return;
    }
    damaged(`directory ${number} has no parent`);
  }
}
