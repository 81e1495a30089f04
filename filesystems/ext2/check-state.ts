/** What the parts of a check of an ext2 share: the file system, what was found of it, and what is said and mended. */
import { BlockCache } from '../block-cache.ts';
import type { BlockDevice } from '../block-device.ts';
import { BlockAllocator } from './block-allocator.ts';
import { BlockMap } from './block-map.ts';
import { Directories } from './directory.ts';
import type { Geometry } from './geometry.ts';
import { Groups } from './groups.ts';
import { type Inode, InodeTable } from './inode.ts';
import { InodeAllocator } from './inode-allocator.ts';
import { readGeometry } from './read-geometry.ts';
import { Superblock } from './superblock.ts';

/** Problems that are listed. */
const LISTED = 50;

const CACHE_BYTES = 16 * 1024 * 1024;

/** What was found of an inode in use. */
export interface Found {
  readonly inode: Inode;
  /** Names that lead to it, '.' and '..' of directories included. */
  names: number;
  /** The directory that has it, 0: none. */
  parent: number;
  /** Where its '..' leads, 0: it has none. */
  up: number;
}

/** See the head of this file. */
export class CheckState {
  readonly problems: string[] = [];
  readonly repaired: string[] = [];
  readonly geometry: Geometry;
  readonly cache: BlockCache;
  readonly device: BlockDevice;
  readonly repair: boolean;
  readonly groups: Groups;
  readonly inodes: InodeTable;
  readonly map: BlockMap;
  readonly directories: Directories;
  readonly inodeNumbers: InodeAllocator;
  readonly superblock: Superblock;
  /** Blocks in use, by what was found. */
  readonly used: Buffer;
  readonly found = new Map<number, Found>();
  files = 0;
  directoryCount = 0;
  /** By group. */
  readonly directoriesIn = new Map<number, number>();
  /** Inodes in use that nothing leads to; lost-and-found.ts gives them names. */
  lost: number[] = [];

  constructor(device: BlockDevice, repair: boolean) {
    this.device = device;
    this.repair = repair;
    this.geometry = readGeometry(device);
    const { blockBytes, parameters } = this.geometry;
    this.cache = new BlockCache(device, blockBytes, CACHE_BYTES / blockBytes);
    // Its numbers are compared with what is found later.
    this.groups = new Groups(device, this.cache, this.geometry, () => {});
    const allocator = new BlockAllocator(this.cache, this.geometry, this.groups);
    this.inodes = new InodeTable(this.cache, this.geometry);
    this.inodeNumbers = new InodeAllocator(this.cache, this.geometry, this.groups);
    this.map = new BlockMap(this.cache, this.geometry, allocator);
    this.directories = new Directories({
      ...{ cache: this.cache, geometry: this.geometry, map: this.map, allocator, inodes: this.inodes },
    });
    this.superblock = new Superblock(this.cache, this.geometry);
    this.used = Buffer.alloc(Math.ceil((parameters.blocks - parameters.firstDataBlock) / 8));
  }

  /** Something that is wrong. */
  problem(text: string): void {
    if (this.problems.length < LISTED) this.problems.push(text);
    else if (this.problems.length === LISTED) this.problems.push('and more');
  }

  /** Something that can be mended: by `mend` if asked to. */
  mendable(text: string, mend: () => void): void {
    if (!this.repair) {
      this.problem(text);
      return;
    }
    this.cache.operation(mend);
    if (this.repaired.length < LISTED) this.repaired.push(text);
  }
}
