/**
 * An inode (docs/vrfs.md, "Inodes"): a view of its 256 bytes in a block of the inode table. A view of a block that is
 * only read goes stale with the next change; one of a block that is changed is good until the operation ends.
 */
import type { FileType, NodeNumber } from '../file-system.ts';
import { damaged, readU53, writeU53 } from './metadata.ts';

/** Direct pointers, and the levels of indirect ones behind them. */
export const DIRECT = 12;
export const LEVELS = 3;

/** Pointers in an indirect block. */
export const FANOUT = 1020;

/** Blocks that a file can have, and its largest size in bytes. */
export const MAX_FILE_BLOCKS: number = DIRECT + FANOUT + FANOUT ** 2 + FANOUT ** 3;
export const MAX_FILE_BYTES: number = MAX_FILE_BLOCKS * 4096;

/** Bytes of a target that fit into the inode; it takes the place of the pointers. */
export const INLINE_TARGET_BYTES = 184;

/** Names of a file, and directories in a directory, at most. */
export const MAX_NAMES: number = 2 ** 31 - 1;

const TYPE = 0;
const MODE = 2;
const LINKS = 4;
const SIZE = 8;
const BLOCKS = 16;
const GENERATION = 20;
const NEXT_ORPHAN = 24;
const PREVIOUS_ORPHAN = 28;
const PARENT = 32;
const FLAGS = 36;
const TIMES = { accessed: 40, modified: 48, changed: 56, created: 64 } as const;
const POINTERS = 72;

/** Flag: blocks behind the end are still to be freed. */
const TRUNCATING = 1;

const TYPES: readonly (FileType | undefined)[] = [undefined, 'file', 'directory', 'symlink'];

/** Number of a type in inodes and directory entries. */
export function typeNumber(type: FileType): number {
  return TYPES.indexOf(type);
}

/** The type with a number; undefined: there is none. */
export function typeOf(number: number): FileType | undefined {
  return TYPES[number];
}

const MAX_SECONDS = 2 ** 34 - 1;

/** Times are 34 bits of seconds and 30 of nanoseconds, good until the year 2514. */
function readTime(bytes: Buffer, at: number): number {
  const rest = bytes.readUInt32LE(at + 4);
  const seconds = bytes.readUInt32LE(at) + (rest >>> 30) * 2 ** 32;
  return seconds * 1000 + (rest & 0x3fff_ffff) / 1e6;
}

function writeTime(bytes: Buffer, at: number, milliseconds: number): void {
  const bounded = Math.min(Math.max(milliseconds, 0), MAX_SECONDS * 1000);
  const seconds = Math.floor(bounded / 1000);
  const nanoseconds = Math.min(Math.round((bounded - seconds * 1000) * 1e6), 999_999_999);
  bytes.writeUInt32LE(seconds % 2 ** 32, at);
  bytes.writeUInt32LE((nanoseconds + Math.floor(seconds / 2 ** 32) * 2 ** 30) >>> 0, at + 4);
}

/** See the head of this file. */
export class Node {
  readonly number: NodeNumber;
  private readonly bytes: Buffer;
  private readonly at: number;

  constructor(number: NodeNumber, bytes: Buffer, at: number) {
    this.number = number;
    this.bytes = bytes;
    this.at = at;
  }

  /** The type; undefined: the inode is free, or damaged. */
  get type(): FileType | undefined {
    return typeOf(this.bytes.readUInt16LE(this.at + TYPE));
  }

  get isFree(): boolean {
    return this.bytes.readUInt16LE(this.at + TYPE) === 0;
  }

  get mode(): number {
    return this.bytes.readUInt16LE(this.at + MODE);
  }

  set mode(mode: number) {
    this.bytes.writeUInt16LE(mode & 0o7777, this.at + MODE);
  }

  get links(): number {
    return this.bytes.readUInt32LE(this.at + LINKS);
  }

  set links(links: number) {
    this.bytes.writeUInt32LE(links, this.at + LINKS);
  }

  get size(): number {
    return readU53(this.bytes, this.at + SIZE);
  }

  set size(size: number) {
    writeU53(this.bytes, this.at + SIZE, size);
  }

  /** Blocks that belong to it, those that hold pointers included. */
  get blocks(): number {
    return this.bytes.readUInt32LE(this.at + BLOCKS);
  }

  set blocks(blocks: number) {
    if (blocks < 0) throw damaged(`inode ${this.number} has fewer blocks than are taken from it`);
    this.bytes.writeUInt32LE(blocks, this.at + BLOCKS);
  }

  /** How often the inode has been given out. */
  get generation(): number {
    return this.bytes.readUInt32LE(this.at + GENERATION);
  }

  /** Its neighbours in the list of orphans; 0: none. */
  get nextOrphan(): NodeNumber {
    return this.bytes.readUInt32LE(this.at + NEXT_ORPHAN);
  }

  set nextOrphan(node: NodeNumber) {
    this.bytes.writeUInt32LE(node, this.at + NEXT_ORPHAN);
  }

  get previousOrphan(): NodeNumber {
    return this.bytes.readUInt32LE(this.at + PREVIOUS_ORPHAN);
  }

  set previousOrphan(node: NodeNumber) {
    this.bytes.writeUInt32LE(node, this.at + PREVIOUS_ORPHAN);
  }

  /** Of a directory: the one it is in. */
  get parent(): NodeNumber {
    return this.bytes.readUInt32LE(this.at + PARENT);
  }

  set parent(node: NodeNumber) {
    this.bytes.writeUInt32LE(node, this.at + PARENT);
  }

  /** Blocks behind the end are still to be freed; until then the file must not grow. */
  get truncating(): boolean {
    return (this.bytes.readUInt32LE(this.at + FLAGS) & TRUNCATING) !== 0;
  }

  set truncating(truncating: boolean) {
    this.bytes.writeUInt32LE(truncating ? TRUNCATING : 0, this.at + FLAGS);
  }

  time(which: keyof typeof TIMES): number {
    return readTime(this.bytes, this.at + TIMES[which]);
  }

  setTime(which: keyof typeof TIMES, milliseconds: number): void {
    writeTime(this.bytes, this.at + TIMES[which], milliseconds);
  }

  /**
   * Pointer 0 to 11 is direct; 12, 13 and 14 are the single, double and triple indirect ones. Of a directory, 0 is the
   * root of its tree. 0: no block.
   */
  pointer(index: number): number {
    return this.bytes.readUInt32LE(this.at + POINTERS + 4 * index);
  }

  setPointer(index: number, block: number): void {
    this.bytes.writeUInt32LE(block, this.at + POINTERS + 4 * index);
  }

  /** A copy of the target of a short symbolic link. */
  inlineTarget(): Buffer {
    const start = this.at + POINTERS;
    return Buffer.from(this.bytes.subarray(start, start + Math.min(this.size, INLINE_TARGET_BYTES)));
  }

  setInlineTarget(target: Buffer): void {
    target.copy(this.bytes, this.at + POINTERS);
  }

  /** Makes a new inode of it. */
  clear(type: FileType): void {
    const generation = (this.generation + 1) >>> 0;
    this.bytes.fill(0, this.at, this.at + 256);
    this.bytes.writeUInt32LE(generation, this.at + GENERATION);
    this.bytes.writeUInt16LE(typeNumber(type), this.at + TYPE);
  }

  /** Makes a free one of it; only the generation stays. */
  release(): void {
    const { generation } = this;
    this.bytes.fill(0, this.at, this.at + 256);
    this.bytes.writeUInt32LE(generation, this.at + GENERATION);
  }
}
