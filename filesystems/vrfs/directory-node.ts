/**
 * One block of a directory's tree (docs/vrfs.md, "Directories"): entries in the order of their keys, reached through
 * slots. A key is the hash of a name and the name itself. In a leaf (level 0) an entry is a name with its inode; above,
 * the lowest key that a child may hold, with the child's block.
 */
import { crc32c } from '../crc32c.ts';
import { BLOCK_BYTES, damaged } from './metadata.ts';

const LEVEL = 12;
const COUNT = 14;
/** Lowest place that an entry takes; entries are put in from the end of the block. */
const HEAP = 16;
/** Bytes behind HEAP that belong to no entry any more. */
const DEAD = 18;
const SLOTS = 20;
const SLOT_BYTES = 2;
const ENTRY_BYTES = 10;

/** Levels above the leaves at most: enough for more names than there can be inodes. */
const MAX_LEVEL = 8;

/** Where an entry stands in the order: by hash, then by the bytes of the name. */
export interface Key {
  readonly hash: number;
  readonly name: Buffer;
}

export interface Entry extends Key {
  /** Inode number in a leaf, block above. */
  readonly pointer: number;
  /** Number of the file's type in a leaf, 0 above. */
  readonly type: number;
}

/** The key of a name. */
export function keyOf(name: Buffer): Key {
  return { hash: crc32c(name), name };
}

export function compareKeys(a: Key, b: Key): number {
  return a.hash === b.hash ? a.name.compare(b.name) : a.hash - b.hash;
}

export function levelOf(bytes: Buffer): number {
  return bytes.readUInt16LE(LEVEL);
}

export function countOf(bytes: Buffer): number {
  return bytes.readUInt16LE(COUNT);
}

/** Makes an empty block of it. */
export function clearNode(bytes: Buffer, level: number): void {
  bytes.fill(0, LEVEL);
  bytes.writeUInt16LE(level, LEVEL);
  bytes.writeUInt16LE(BLOCK_BYTES, HEAP);
}

function slot(bytes: Buffer, index: number): number {
  return bytes.readUInt16LE(SLOTS + SLOT_BYTES * index);
}

function nameLength(bytes: Buffer, at: number): number {
  return bytes[at + 9] ?? 0;
}

export function pointerOf(bytes: Buffer, index: number): number {
  return bytes.readUInt32LE(slot(bytes, index) + 4);
}

/** An entry; its name is part of the block. */
export function entryAt(bytes: Buffer, index: number): Entry {
  const at = slot(bytes, index);
  const start = at + ENTRY_BYTES;
  return {
    hash: bytes.readUInt32LE(at),
    pointer: bytes.readUInt32LE(at + 4),
    type: bytes[at + 8] ?? 0,
    name: bytes.subarray(start, start + nameLength(bytes, at)),
  };
}

function compare(bytes: Buffer, index: number, key: Key): number {
  const at = slot(bytes, index);
  const hash = bytes.readUInt32LE(at);
  if (hash !== key.hash) return hash - key.hash;
  const start = at + ENTRY_BYTES;
  return bytes.compare(key.name, 0, key.name.length, start, start + nameLength(bytes, at));
}

/** Index of the first entry that is not before a key, and whether it has this very key. */
export function search(bytes: Buffer, key: Key): { index: number; found: boolean } {
  let low = 0;
  let high = countOf(bytes);
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compare(bytes, middle, key);
    if (order === 0) return { index: middle, found: true };
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return { index: low, found: false };
}

/** Above the leaves: index of the child that a key belongs to. */
export function childFor(bytes: Buffer, key: Key): number {
  const { index, found } = search(bytes, key);
  return found ? index : Math.max(0, index - 1);
}

/** Points an entry to something else. */
export function setPointerAt(bytes: Buffer, index: number, pointer: number, type: number): void {
  const at = slot(bytes, index);
  bytes.writeUInt32LE(pointer, at + 4);
  bytes[at + 8] = type;
}

/** Inserts an entry; false: there is no room. */
export function insertAt(bytes: Buffer, index: number, entry: Entry): boolean {
  const count = countOf(bytes);
  const needed = ENTRY_BYTES + entry.name.length;
  const slotsEnd = SLOTS + SLOT_BYTES * (count + 1);
  if (bytes.readUInt16LE(HEAP) - slotsEnd < needed) {
    if (bytes.readUInt16LE(HEAP) - slotsEnd + bytes.readUInt16LE(DEAD) < needed) return false;
    fillNode(bytes, entriesOf(bytes));
  }
  const at = bytes.readUInt16LE(HEAP) - needed;
  bytes.writeUInt32LE(entry.hash, at);
  bytes.writeUInt32LE(entry.pointer, at + 4);
  bytes[at + 8] = entry.type;
  bytes[at + 9] = entry.name.length;
  entry.name.copy(bytes, at + ENTRY_BYTES);
  bytes.writeUInt16LE(at, HEAP);
  const place = SLOTS + SLOT_BYTES * index;
  bytes.copyWithin(place + SLOT_BYTES, place, SLOTS + SLOT_BYTES * count);
  bytes.writeUInt16LE(at, place);
  bytes.writeUInt16LE(count + 1, COUNT);
  return true;
}

/** Removes an entry. */
export function removeAt(bytes: Buffer, index: number): void {
  const count = countOf(bytes);
  const dead = ENTRY_BYTES + nameLength(bytes, slot(bytes, index));
  const place = SLOTS + SLOT_BYTES * index;
  bytes.copyWithin(place, place + SLOT_BYTES, SLOTS + SLOT_BYTES * count);
  bytes.writeUInt16LE(count - 1, COUNT);
  bytes.writeUInt16LE(bytes.readUInt16LE(DEAD) + dead, DEAD);
}

/** All entries, with names of their own. */
export function entriesOf(bytes: Buffer): Entry[] {
  return Array.from({ length: countOf(bytes) }, (_, index) => {
    const entry = entryAt(bytes, index);
    return { ...entry, name: Buffer.from(entry.name) };
  });
}

/** Replaces the entries of a block; they are in order, have names of their own, and fit. */
export function fillNode(bytes: Buffer, entries: readonly Entry[]): void {
  clearNode(bytes, levelOf(bytes));
  for (const [index, entry] of entries.entries()) insertAt(bytes, index, entry);
}

/** Where to divide entries so that both parts are about as long. */
export function middleOf(entries: readonly Entry[]): number {
  const bytes = entries.map(({ name }) => ENTRY_BYTES + SLOT_BYTES + name.length);
  const half = bytes.reduce((sum, length) => sum + length, 0) / 2;
  let sum = 0;
  let index = 0;
  while (index < entries.length - 1 && (index === 0 || sum + (bytes[index] ?? 0) <= half)) {
    sum += bytes[index] ?? 0;
    index++;
  }
  return index;
}

/** Checks what a block read from the disk says of itself, so that everything above need not. EUCLEAN. */
export function checkNode(bytes: Buffer, block: number): void {
  const wrong = (what: string): never => {
    throw damaged(`directory block ${block}: ${what}`);
  };
  const count = countOf(bytes);
  const slotsEnd = SLOTS + SLOT_BYTES * count;
  const heap = bytes.readUInt16LE(HEAP);
  if (levelOf(bytes) > MAX_LEVEL) wrong('its level is too high');
  if (count === 0 || heap < slotsEnd || heap > BLOCK_BYTES) wrong('it has no entries, or too many');
  let used = 0;
  for (let index = 0; index < count; index++) {
    const at = slot(bytes, index);
    if (at < heap || at + ENTRY_BYTES > BLOCK_BYTES || at + ENTRY_BYTES + nameLength(bytes, at) > BLOCK_BYTES)
      wrong('an entry is outside of the block');
    used += ENTRY_BYTES + nameLength(bytes, at);
    if (index > 0 && compare(bytes, index - 1, entryAt(bytes, index)) >= 0) wrong('its entries are not in order');
  }
  if (used + bytes.readUInt16LE(DEAD) !== BLOCK_BYTES - heap) wrong('its entries overlap');
}
