/**
 * A record of the journal (docs/vrfs.md, "Journal"): one transaction, valid as a whole or not at all. It holds
 * - images: blocks in full, the first time that one is changed after a checkpoint,
 * - patches: the bytes that differ from what the record before made of a block,
 * - extents: runs of data blocks that were written in place, with the CRC-32C of each block,
 * - the requests that it carries out, and the state of the volume behind it.
 *
 * Metadata blocks have their own check inside; images of data bring one along. The check of the record covers all but
 * the images.
 */
import { crc32c } from '../crc32c.ts';
import { BLOCK_BYTES, CHECK, kind, MAGIC, readU53, type Seals, writeU53 } from './metadata.ts';
import { Notes } from './notes.ts';
import { readState, STATE_BYTES, type VolumeState, writeState } from './volume-state.ts';

/** Bytes of the number that tells boots of the machine apart. */
export const BOOT_BYTES = 8;

/** Stands for `data` where a kind of metadata could stand. */
export const DATA = 0;

const SEQUENCE = 8;
const PREVIOUS = 16;
const DURABLE = 24;
const BOOT = 32;
const STATE: number = BOOT + BOOT_BYTES;
const COUNTS: number = STATE + STATE_BYTES;
const LISTS: number = COUNTS + 6 * 4;
const IMAGE_BYTES = 12;
const PATCH_BYTES = 12;
const RANGE_BYTES = 4;
const EXTENT_BYTES = 8;

/** Unchanged bytes between two ranges that are not worth a range of their own. */
const GAP_BYTES = 8;

/** A patch longer than this is replaced by an image. */
const MAX_PATCH_BYTES = 2048;

/** A whole block. `kind`: magic number, or DATA. */
export interface Image {
  readonly block: number;
  readonly kind: number;
  readonly check: number;
  readonly bytes: Buffer;
}

/** Changes of a block: ranges as {offset u16, length u16, bytes}, one after the other. */
export interface Patch {
  readonly block: number;
  readonly kind: number;
  readonly ranges: Buffer;
}

/** Data blocks in a row. */
export interface Extent {
  readonly start: number;
  readonly checks: readonly number[];
}

/** What a transaction changes. */
export interface Changes {
  readonly images: readonly Image[];
  readonly patches: readonly Patch[];
  readonly extents: readonly Extent[];
  readonly notes: Notes;
  readonly state: VolumeState;
}

/** A record as it is in the journal. */
export interface JournalRecord extends Changes {
  /** Its number; they increase. */
  readonly sequence: number;
  /** The number of the record before it. */
  readonly previous: number;
  /** All records up to this number, with the data they speak of, are known to be on the medium. */
  readonly durable: number;
  readonly boot: Buffer;
  /** Length in blocks. */
  readonly blocks: number;
}

/** What the journal adds to changes. */
export type Link = Pick<JournalRecord, 'sequence' | 'previous' | 'durable' | 'boot'>;

/** The words of a block, or an empty list if it lies in memory so that they cannot be had. */
function wordsOf(bytes: Buffer): Uint32Array {
  const { buffer, byteOffset } = bytes;
  return byteOffset % 4 === 0 ? new Uint32Array(buffer, byteOffset, BLOCK_BYTES / 4) : new Uint32Array(0);
}

/** What differs in `after`; null: so much that the whole block is better. */
export function differences(before: Buffer, after: Buffer): Buffer | null {
  const [wordsBefore, wordsAfter] = [wordsOf(before), wordsOf(after)];
  const words = Math.min(wordsBefore.length, wordsAfter.length);
  const parts: Buffer[] = [];
  let total = 0;
  for (let at = 0; at < BLOCK_BYTES; ) {
    if (at % 4 === 0) {
      let word = at / 4;
      while (word < words && wordsBefore[word] === wordsAfter[word]) word++;
      at = Math.max(at, word * 4);
    }
    if (at === BLOCK_BYTES) break;
    if (before[at] === after[at]) {
      at++;
      continue;
    }
    let end = at + 1;
    for (let same = 0, next = end; next < BLOCK_BYTES && same < GAP_BYTES; next++) {
      if (before[next] === after[next]) same++;
      else {
        same = 0;
        end = next + 1;
      }
    }
    const range = Buffer.allocUnsafe(RANGE_BYTES + end - at);
    range.writeUInt16LE(at, 0);
    range.writeUInt16LE(end - at, 2);
    after.copy(range, RANGE_BYTES, at, end);
    parts.push(range);
    total += range.length;
    if (total > MAX_PATCH_BYTES) return null;
    at = end;
  }
  return Buffer.concat(parts, total);
}

/** Applies a patch; false: it is no patch. */
export function applyPatch(bytes: Buffer, ranges: Buffer): boolean {
  for (let at = 0; at < ranges.length; ) {
    if (at + RANGE_BYTES > ranges.length) return false;
    const offset = ranges.readUInt16LE(at);
    const length = ranges.readUInt16LE(at + 2);
    at += RANGE_BYTES;
    if (offset + length > BLOCK_BYTES || at + length > ranges.length) return false;
    ranges.copy(bytes, offset, at, at + length);
    at += length;
  }
  return true;
}

function descriptorBytes({ images, patches, extents, notes }: Changes): number {
  let bytes = LISTS + IMAGE_BYTES * images.length + notes.bytes;
  for (const { ranges } of patches) bytes += PATCH_BYTES + ranges.length;
  for (const { checks } of extents) bytes += EXTENT_BYTES + 4 * checks.length;
  return bytes;
}

/** Length of the record in blocks. */
export function recordBlocks(changes: Changes): number {
  return Math.ceil(descriptorBytes(changes) / BLOCK_BYTES) + changes.images.length;
}

/** The record as it is written to block `block`. */
export function encodeRecord(changes: Changes, link: Link, block: number, seals: Seals): Buffer {
  const { images, patches, extents, notes, state } = changes;
  const length = descriptorBytes(changes);
  const imagesAt = Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES;
  const bytes = Buffer.allocUnsafe(imagesAt + images.length * BLOCK_BYTES);
  bytes.fill(0, length, imagesAt);
  bytes.writeUInt32LE(kind.RECORD, MAGIC);
  writeU53(bytes, SEQUENCE, link.sequence);
  writeU53(bytes, PREVIOUS, link.previous);
  writeU53(bytes, DURABLE, link.durable);
  link.boot.copy(bytes, BOOT);
  writeState(bytes, STATE, state);
  const counts = [bytes.length / BLOCK_BYTES, length, images.length, patches.length, extents.length, notes.size];
  let at = COUNTS;
  for (const count of counts) at = bytes.writeUInt32LE(count, at);
  let imageAt = imagesAt;
  for (const image of images) {
    at = bytes.writeUInt32LE(image.block, at);
    at = bytes.writeUInt32LE(image.kind, at);
    at = bytes.writeUInt32LE(image.check, at);
    imageAt += image.bytes.copy(bytes, imageAt);
  }
  for (const patch of patches) {
    at = bytes.writeUInt32LE(patch.block, at);
    at = bytes.writeUInt32LE(patch.kind, at);
    at = bytes.writeUInt32LE(patch.ranges.length, at);
    at += patch.ranges.copy(bytes, at);
  }
  for (const { start, checks } of extents) {
    at = bytes.writeUInt32LE(start, at);
    at = bytes.writeUInt32LE(checks.length, at);
    for (const check of checks) at = bytes.writeUInt32LE(check, at);
  }
  notes.write(bytes, at);
  bytes.writeUInt32LE(crc32c(bytes, SEQUENCE, length, seals.seedOf(block)), CHECK);
  return bytes;
}

/** Length in blocks that the record beginning in this block claims to have; 0: none begins here. */
export function claimedBlocks(first: Buffer): number {
  return first.readUInt32LE(MAGIC) === kind.RECORD ? first.readUInt32LE(COUNTS) : 0;
}

/** Reads lists whose lengths nobody has checked. */
class Lists {
  private readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Whether `count` bytes are left. */
  has(count: number): boolean {
    return this.at + count <= this.bytes.length;
  }

  u32(): number {
    const value = this.bytes.readUInt32LE(this.at);
    this.at += 4;
    return value;
  }

  take(count: number): Buffer {
    const taken = this.bytes.subarray(this.at, this.at + count);
    this.at += count;
    return taken;
  }
}

function readImages(lists: Lists, count: number, content: Buffer): Image[] | undefined {
  const images: Image[] = [];
  if (count * BLOCK_BYTES !== content.length || !lists.has(count * IMAGE_BYTES)) return undefined;
  for (let index = 0; index < count; index++) {
    const bytes = content.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);
    images.push({ block: lists.u32(), kind: lists.u32(), check: lists.u32(), bytes });
  }
  return images;
}

function readPatches(lists: Lists, count: number): Patch[] | undefined {
  const patches: Patch[] = [];
  for (let index = 0; index < count; index++) {
    if (!lists.has(PATCH_BYTES)) return undefined;
    const [block, patchKind, length] = [lists.u32(), lists.u32(), lists.u32()];
    if (!lists.has(length)) return undefined;
    patches.push({ block, kind: patchKind, ranges: lists.take(length) });
  }
  return patches;
}

function readExtents(lists: Lists, count: number): Extent[] | undefined {
  const extents: Extent[] = [];
  for (let index = 0; index < count; index++) {
    if (!lists.has(EXTENT_BYTES)) return undefined;
    const [start, length] = [lists.u32(), lists.u32()];
    if (!lists.has(4 * length)) return undefined;
    extents.push({ start, checks: Array.from({ length }, () => lists.u32()) });
  }
  return extents;
}

/** Whether an image is what its record says. */
function imageIsSound({ block, kind: imageKind, check, bytes }: Image, seals: Seals): boolean {
  if (imageKind === DATA) return crc32c(bytes) === check;
  return bytes.readUInt32LE(CHECK) === check && seals.holds(bytes, block, imageKind);
}

/** The record in `bytes` (claimedBlocks() of them), found at block `block`; undefined: it is not valid. */
export function decodeRecord(bytes: Buffer, block: number, seals: Seals): JournalRecord | undefined {
  const [blocks = 0, length = 0, imageCount = 0, patchCount = 0, extentCount = 0, noteCount = 0] = Array.from(
    { length: 6 },
    (_, index) => bytes.readUInt32LE(COUNTS + 4 * index),
  );
  const imagesAt = Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES;
  if (blocks * BLOCK_BYTES !== bytes.length || length < LISTS || imagesAt > bytes.length) return undefined;
  if (bytes.readUInt32LE(CHECK) !== crc32c(bytes, SEQUENCE, length, seals.seedOf(block))) return undefined;
  const descriptor = bytes.subarray(0, length);
  const lists = new Lists(descriptor, LISTS);
  const images = readImages(lists, imageCount, bytes.subarray(imagesAt));
  const patches = readPatches(lists, patchCount);
  const extents = readExtents(lists, extentCount);
  const read = Notes.read(descriptor, lists.at, noteCount);
  if (images === undefined || patches === undefined || extents === undefined || read === undefined) return undefined;
  if (!images.every((image) => imageIsSound(image, seals))) return undefined;
  return {
    ...{ images, patches, extents, notes: read.notes, blocks },
    sequence: readU53(bytes, SEQUENCE),
    previous: readU53(bytes, PREVIOUS),
    durable: readU53(bytes, DURABLE),
    boot: Buffer.from(bytes.subarray(BOOT, BOOT + BOOT_BYTES)),
    state: readState(bytes, STATE),
  };
}
