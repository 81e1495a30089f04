/**
 * The group descriptors: how many blocks and inodes are free in each group, and how many directories are in it. The
 * numbers are kept in memory and in the first copy of the descriptors; changes belong to the operation under way and
 * are taken back with it.
 */
import type { BlockCache } from '../block-cache.ts';
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import { damaged } from './errors.ts';
import type { Geometry } from './geometry.ts';
import { DESCRIPTOR_BYTES, descriptorField } from './layout.ts';

/** Blocks of descriptors that are read in one request. */
const BLOCKS_PER_READ = 64;

/** By how much the numbers of a group change. */
export interface GroupChange {
  readonly blocks?: number;
  readonly inodes?: number;
  readonly directories?: number;
}

/** See the head of this file. */
export class Groups {
  freeBlocks = 0;
  freeInodes = 0;
  private readonly cache: BlockCache;
  private readonly geometry: Geometry;
  private readonly blocksOf: Uint16Array;
  private readonly inodesOf: Uint16Array;
  private readonly directoriesOf: Uint16Array;

  /**
   * Reads the descriptors and places the metadata of the geometry. Throws SystemError: EUCLEAN: a place that cannot be;
   * EIO. Numbers that cannot be are reported to `wrong` and taken as none.
   */
  constructor(device: BlockDevice, cache: BlockCache, geometry: Geometry, wrong: (text: string) => void) {
    this.cache = cache;
    this.geometry = geometry;
    this.blocksOf = new Uint16Array(geometry.groups);
    this.inodesOf = new Uint16Array(geometry.groups);
    this.directoriesOf = new Uint16Array(geometry.groups);
    readDescriptors(device, geometry, (group, bytes, at) => {
      const problem = geometry.place(group, bytes, at);
      if (problem !== null) damaged(`group ${group}: ${problem}`);
      this.take(group, bytes, at, wrong);
    });
  }

  private take(group: number, bytes: Buffer, at: number, wrong: (text: string) => void): void {
    const { parameters } = this.geometry;
    const inodes = bytes.readUInt16LE(at + descriptorField.freeInodes);
    const blocks = bytes.readUInt16LE(at + descriptorField.freeBlocks);
    if (inodes > parameters.inodesPerGroup) wrong(`group ${group} is said to have ${inodes} free inodes`);
    else this.inodesOf[group] = inodes;
    if (blocks > this.geometry.blocksInGroup(group)) wrong(`group ${group} is said to have ${blocks} free blocks`);
    else this.blocksOf[group] = blocks;
    this.directoriesOf[group] = bytes.readUInt16LE(at + descriptorField.usedDirectories);
    this.freeInodes += this.freeInodesIn(group);
    this.freeBlocks += this.freeBlocksIn(group);
  }

  freeBlocksIn(group: number): number {
    return this.blocksOf[group] ?? 0;
  }

  freeInodesIn(group: number): number {
    return this.inodesOf[group] ?? 0;
  }

  directoriesIn(group: number): number {
    return this.directoriesOf[group] ?? 0;
  }

  /**
   * Changes the numbers of a group, within an operation. Throws SystemError EUCLEAN: a number would become negative or
   * too large.
   */
  adjust(group: number, { blocks = 0, inodes = 0, directories = 0 }: GroupChange): void {
    const free = this.freeBlocksIn(group) + blocks;
    const freeInodes = this.freeInodesIn(group) + inodes;
    // That of directories is only a hint for placing them; nothing depends on it.
    const used = Math.min(0xffff, Math.max(0, this.directoriesIn(group) + directories));
    if (free < 0 || free > this.geometry.blocksInGroup(group))
      damaged(`group ${group}: its number of free blocks is wrong`);
    if (freeInodes < 0 || freeInodes > this.geometry.parameters.inodesPerGroup) {
      damaged(`group ${group}: its number of free inodes is wrong`);
    }
    const bytes = this.cache.change(this.geometry.descriptorBlock(group));
    const at = this.geometry.descriptorOffset(group);
    bytes.writeUInt16LE(free, at + descriptorField.freeBlocks);
    bytes.writeUInt16LE(freeInodes, at + descriptorField.freeInodes);
    bytes.writeUInt16LE(used, at + descriptorField.usedDirectories);
    const before = [this.freeBlocksIn(group), this.freeInodesIn(group), this.directoriesIn(group)] as const;
    this.cache.undo(() => this.set(group, ...before));
    this.set(group, free, freeInodes, used);
  }

  private set(group: number, blocks: number, inodes: number, directories: number): void {
    this.freeBlocks += blocks - this.freeBlocksIn(group);
    this.freeInodes += inodes - this.freeInodesIn(group);
    this.blocksOf[group] = blocks;
    this.inodesOf[group] = inodes;
    this.directoriesOf[group] = directories;
  }
}

/** Reads the first copy of the descriptors. Throws SystemError EIO, and what `each` throws. */
export function readDescriptors(
  device: BlockDevice,
  geometry: Geometry,
  each: (group: number, bytes: Buffer, at: number) => void,
): void {
  const { blockBytes, groups, descriptorBlocks } = geometry;
  const sectorsPerBlock = blockBytes / SECTOR_BYTES;
  const descriptorsPerBlock = blockBytes / DESCRIPTOR_BYTES;
  for (let first = 0; first < descriptorBlocks; first += BLOCKS_PER_READ) {
    const count = Math.min(BLOCKS_PER_READ, descriptorBlocks - first);
    const block = geometry.parameters.firstDataBlock + 1 + first;
    const read = device.read(block * sectorsPerBlock, count * sectorsPerBlock);
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
    const from = first * descriptorsPerBlock;
    const to = Math.min(groups, from + count * descriptorsPerBlock);
    for (let group = from; group < to; group++) each(group, bytes, (group - from) * DESCRIPTOR_BYTES);
  }
}
