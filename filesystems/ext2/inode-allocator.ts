/**
 * Gives inodes out and takes them back: files near their directory, directories of the root spread over the groups,
 * others near their parent.
 */
import type { BlockCache } from '../block-cache.ts';
import { clearBit, firstZero, isSet, setBits } from './bits.ts';
import { damaged, refuse } from './errors.ts';
import type { Geometry } from './geometry.ts';
import type { Groups } from './groups.ts';
import { ROOT_INODE } from './layout.ts';

/** See the head of this file. */
export class InodeAllocator {
  private readonly cache: BlockCache;
  private readonly geometry: Geometry;
  private readonly groups: Groups;
  /** Of each group: no bit before it is clear. */
  private readonly hints: Uint16Array;

  constructor(cache: BlockCache, geometry: Geometry, groups: Groups) {
    this.cache = cache;
    this.geometry = geometry;
    this.groups = groups;
    this.hints = new Uint16Array(geometry.groups);
  }

  /** Gives out an inode, within an operation. Throws SystemError: ENOSPC, EUCLEAN, EIO. */
  allocate(parent: number, isDirectory: boolean): number {
    const { groups } = this.geometry;
    const near = this.geometry.groupOfInode(parent);
    const first = isDirectory && parent === ROOT_INODE ? this.emptiest() : near;
    // A group without room for the content is taken only if all others are full.
    for (const blocksWanted of [1, 0]) {
      for (let step = 0; step < groups; step++) {
        const group = (first + step) % groups;
        if (this.groups.freeBlocksIn(group) < blocksWanted) continue;
        const inode = this.allocateIn(group, isDirectory);
        if (inode !== null) return inode;
      }
    }
    if (this.groups.freeInodes > 0) damaged('the group descriptors tell of free inodes that the bitmaps do not have');
    return refuse('ENOSPC', 'no inode is free');
  }

  /** The group with the most free blocks of those that have at least the average number of free inodes. */
  private emptiest(): number {
    const average = Math.floor(this.groups.freeInodes / this.geometry.groups);
    let best = 0;
    let blocks = -1;
    for (let group = 0; group < this.geometry.groups; group++) {
      const free = this.groups.freeInodesIn(group);
      if (free === 0 || free < average || this.groups.freeBlocksIn(group) <= blocks) continue;
      best = group;
      blocks = this.groups.freeBlocksIn(group);
    }
    return best;
  }

  private allocateIn(group: number, isDirectory: boolean): number | null {
    if (this.groups.freeInodesIn(group) === 0) return null;
    const { inodesPerGroup, firstInode } = this.geometry.parameters;
    const bitmap = this.geometry.inodeBitmap(group);
    const hint = this.hints[group] ?? 0;
    const from = Math.max(hint, firstInode - 1 - group * inodesPerGroup);
    const bit = firstZero(this.cache.read(bitmap), from, inodesPerGroup);
    if (bit === -1) return null;
    this.cache.undo(() => {
      this.hints[group] = hint;
    });
    this.hints[group] = bit;
    setBits(this.cache.change(bitmap), bit);
    this.groups.adjust(group, { inodes: -1, directories: isDirectory ? 1 : 0 });
    return group * inodesPerGroup + bit + 1;
  }

  /** Takes an inode back, within an operation. Throws SystemError EUCLEAN: it is not in use. */
  free(inode: number, isDirectory: boolean): void {
    const group = this.geometry.groupOfInode(inode);
    const bit = (inode - 1) % this.geometry.parameters.inodesPerGroup;
    const bitmap = this.geometry.inodeBitmap(group);
    if (!isSet(this.cache.read(bitmap), bit)) damaged(`inode ${inode} is in use and marked as free`);
    clearBit(this.cache.change(bitmap), bit);
    const hint = this.hints[group] ?? 0;
    this.cache.undo(() => {
      this.hints[group] = hint;
    });
    this.hints[group] = Math.min(hint, bit);
    this.groups.adjust(group, { inodes: 1, directories: isDirectory ? -1 : 0 });
  }
}
