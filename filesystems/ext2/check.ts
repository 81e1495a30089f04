/**
 * Checks an ext2, and mends what can be mended without a guess: bitmaps, counts, link counts, inodes that nothing leads to. What it cannot mend it names: blocks in two files, pointers out of the
 * device, damaged directories. Works through the inode table in order, so that its time is bounded by what the file system has.
 */

import { SystemError } from '../../protocol/errno.ts';
import { BlockCache } from '../block-cache.ts';
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import type { CheckReport, Progress } from '../file-system.ts';
import { countZeros, isSet, setBits } from './bits.ts';
import { BlockAllocator } from './block-allocator.ts';
import { BlockMap } from './block-map.ts';
import { Directories } from './directory.ts';
import type { Geometry } from './geometry.ts';
import { Groups } from './groups.ts';
import { hasBlocks, type Inode, InodeTable, isDirectory, typeOf } from './inode.ts';
import { descriptorField, inodeType, RESIZE_INODE, ROOT_INODE, superblockField } from './layout.ts';
import { readGeometry } from './read-geometry.ts';
import { Superblock } from './superblock.ts';

/** Problems of one kind that are listed; the others are counted. */
const LISTED = 50;

const CACHE_BYTES = 16 * 1024 * 1024;

const LOST_AND_FOUND = 'lost+found';

/** What was found of an inode in use. */
interface Found {
  readonly inode: Inode;
  /** Names that lead to it, '.' and '..' of directories included. */
  names: number;
  /** The directory that has it, 0: none. */
  parent: number;
}

/** See the head of this file. */
class Check {
  readonly problems: string[] = [];
  readonly repaired: string[] = [];
  private readonly geometry: Geometry;
  private readonly cache: BlockCache;
  private readonly device: BlockDevice;
  private readonly repair: boolean;
  private readonly groups: Groups;
  private readonly inodes: InodeTable;
  private readonly map: BlockMap;
  private readonly directories: Directories;
  private readonly superblock: Superblock;
  /** Blocks in use, by what was found. */
  private readonly used: Buffer;
  private readonly found = new Map<number, Found>();
  private freeBlocks = 0;
  private freeInodes = 0;
  private files = 0;
  private directoryCount = 0;

  constructor(device: BlockDevice, repair: boolean) {
    this.device = device;
    this.repair = repair;
    this.geometry = readGeometry(device);
    const { blockBytes, parameters } = this.geometry;
    this.cache = new BlockCache(device, blockBytes, CACHE_BYTES / blockBytes);
    this.groups = new Groups(device, this.cache, this.geometry, (text) => this.problem(text));
    const allocator = new BlockAllocator(this.cache, this.geometry, this.groups);
    this.inodes = new InodeTable(this.cache, this.geometry);
    this.map = new BlockMap(this.cache, this.geometry, allocator);
    this.directories = new Directories({
      ...{ cache: this.cache, geometry: this.geometry, map: this.map, allocator, inodes: this.inodes },
    });
    this.superblock = new Superblock(this.cache, this.geometry);
    this.used = Buffer.alloc(Math.ceil((parameters.blocks - parameters.firstDataBlock) / 8));
  }

  private problem(text: string): void {
    if (this.problems.length < LISTED) this.problems.push(text);
    else if (this.problems.length === LISTED) this.problems.push('and more');
  }

  /** Something that can be mended: by `mend` if asked to. */
  private mendable(text: string, mend: () => void): void {
    if (!this.repair) {
      this.problem(text);
      return;
    }
    this.cache.operation(mend);
    if (this.repaired.length < LISTED) this.repaired.push(text);
  }

  run(progress: Progress | undefined): CheckReport {
    this.markMetadata();
    this.readInodes(progress);
    this.readDirectories();
    this.attach();
    this.checkLinks();
    this.checkBitmaps();
    this.checkCounts();
    if (this.repair) this.finish();
    const summary = `${this.files} files, ${this.directoryCount} directories, ${this.freeBlocks} of ${this.geometry.parameters.blocks} blocks free`;
    return { problems: this.problems, repaired: this.repaired, summary };
  }

  private markMetadata(): void {
    const { geometry } = this;
    const { firstDataBlock } = geometry.parameters;
    for (let group = 0; group < geometry.groups; group++) {
      setBits(this.used, geometry.firstBlock(group) - firstDataBlock, geometry.headBlocks(group));
      setBits(this.used, geometry.blockBitmap(group) - firstDataBlock);
      setBits(this.used, geometry.inodeBitmap(group) - firstDataBlock);
      setBits(this.used, geometry.inodeTable(group) - firstDataBlock, geometry.tableBlocks);
    }
  }

  private bitmapHas(number: number): boolean {
    const { inodesPerGroup } = this.geometry.parameters;
    const bitmap = this.cache.read(this.geometry.inodeBitmap(this.geometry.groupOfInode(number)));
    return isSet(bitmap, (number - 1) % inodesPerGroup);
  }

  private readInodes(progress: Progress | undefined): void {
    const { inodes, firstInode } = this.geometry.parameters;
    const orphans = this.orphans();
    for (let number = 1; number <= inodes; number++) {
      if (number % 4096 === 0) progress?.(number / inodes);
      const inode = this.inodes.read(number);
      if (number !== ROOT_INODE && number < firstInode) {
        if (number !== RESIZE_INODE && inode.links > 0 && inode.mode !== 0) this.take(number, inode);
        else if (number === RESIZE_INODE) this.take(number, inode);
        continue;
      }
      if (inode.links === 0) {
        if (orphans.has(number)) this.freeOrphan(number, inode);
        continue;
      }
      if (!Object.values(inodeType).includes(typeOf(inode) as never)) {
        this.problem(`inode ${number} is in use and is no file of any type`);
        continue;
      }
      this.take(number, inode);
      this.found.set(number, { inode, names: 0, parent: 0 });
      if (isDirectory(inode)) this.directoryCount++;
      else this.files++;
    }
    if (this.found.get(ROOT_INODE) === undefined || !isDirectory(this.inodes.read(ROOT_INODE)))
      this.problem('there is no root directory');
    if (orphans.size > 0) {
      this.mendable(`${orphans.size} inodes without a name wait for being freed`, () => {
        this.superblock.firstOrphan = 0;
      });
    }
  }

  private orphans(): Set<number> {
    const found = new Set<number>();
    for (let number = this.superblock.firstOrphan; number !== 0; number = this.inodes.read(number).deleted) {
      if (found.has(number) || !this.geometry.isOrdinaryInode(number)) {
        this.problem('the list of inodes without a name is damaged');
        break;
      }
      found.add(number);
    }
    return found;
  }

  private freeOrphan(number: number, inode: Inode): void {
    if (!this.repair) {
      this.take(number, inode);
      this.found.set(number, { inode, names: 0, parent: number });
      return;
    }
    this.cache.operation(() => this.inodes.store(number, { ...inode, size: 0, sectors: 0, deleted: 1 }));
  }

  /** Counts the blocks of an inode as used. */
  private take(number: number, inode: Inode): void {
    const { geometry } = this;
    let sectors = 0;
    const use = (block: number): boolean => {
      sectors += geometry.blockBytes / SECTOR_BYTES;
      if (!geometry.exists(block)) {
        this.problem(`inode ${number} has block ${block}, which does not exist`);
        return false;
      }
      const bit = block - geometry.parameters.firstDataBlock;
      // The blocks that are reserved for growing belong to the groups already.
      if (number === RESIZE_INODE && geometry.isMetadata(block)) return true;
      if (isSet(this.used, bit)) {
        this.problem(`block ${block} of inode ${number} is in use twice, or belongs to a group`);
        return false;
      }
      setBits(this.used, bit);
      return true;
    };
    if (inode.attributeBlock !== 0 && geometry.exists(inode.attributeBlock)) {
      const bit = inode.attributeBlock - geometry.parameters.firstDataBlock;
      sectors += geometry.blockBytes / SECTOR_BYTES;
      // It may be shared by several inodes.
      setBits(this.used, bit);
    }
    if (hasBlocks(inode, geometry.blockBytes)) this.useAll(inode, use);
    if (sectors !== inode.sectors && number !== RESIZE_INODE && typeOf(inode) !== 0) {
      this.mendable(`inode ${number} is said to take ${inode.sectors} sectors, and takes ${sectors}`, () => {
        inode.sectors = sectors;
        this.inodes.store(number, inode);
      });
    }
  }

  private useAll(inode: Inode, use: (block: number) => boolean): void {
    for (const { block, index } of this.map.blocks(inode)) {
      // A tree that is already in use is not gone through again: it could lead in circles.
      if (!use(block) && index === -1) return;
    }
  }

  private readDirectories(): void {
    const root = this.found.get(ROOT_INODE);
    if (root !== undefined) root.parent = ROOT_INODE;
    for (const [number, { inode }] of this.found) {
      if (!isDirectory(inode) || inode.links === 0) continue;
      try {
        this.readDirectory(number, inode);
      } catch (error) {
        if (!(error instanceof SystemError) || error.code === 'EIO') throw error;
        this.problem(`directory ${number}: ${error.message}`);
      }
    }
  }

  private readDirectory(number: number, inode: Inode): void {
    let dots = 0;
    for (const { name, inode: target } of this.directories.entries(inode)) {
      const child = this.found.get(target);
      if (name === '.') {
        dots++;
        if (target !== number) this.problem(`directory ${number}: '.' leads to inode ${target}`);
        const own = this.found.get(number);
        if (own !== undefined) own.names++;
        continue;
      }
      if (child === undefined) {
        this.problem(`directory ${number}: ${JSON.stringify(name)} leads to inode ${target}, which is not in use`);
        continue;
      }
      child.names++;
      if (name === '..') {
        dots++;
        continue;
      }
      if (/[/\0]/.test(name)) this.problem(`directory ${number}: the name ${JSON.stringify(name)} cannot be`);
      if (!isDirectory(child.inode)) child.parent = number;
      else if (child.parent === 0) child.parent = number;
      else this.problem(`directory ${target} has two names`);
    }
    if (dots !== 2) this.problem(`directory ${number} has ${dots} of '.' and '..'`);
  }

  /** Gives inodes that nothing leads to a name in lost+found. */
  private attach(): void {
    const lost = [...this.found].filter(([number, { parent }]) => parent === 0 && number !== ROOT_INODE);
    for (const [number, item] of lost) {
      this.mendable(`nothing leads to inode ${number}`, () => this.name(number, item));
    }
    this.checkCircles();
  }

  /** A directory that is only in itself, or in one below it, is reached from nowhere. */
  private checkCircles(): void {
    const good = new Set<number>([ROOT_INODE]);
    for (const [number, { inode }] of this.found) {
      if (!isDirectory(inode)) continue;
      const way: number[] = [];
      let at = number;
      while (!good.has(at) && !way.includes(at)) {
        way.push(at);
        at = this.found.get(at)?.parent ?? 0;
      }
      if (good.has(at) || at === 0) for (const step of way) good.add(step);
      else this.problem(`directory ${number} is in itself`);
    }
  }

  private name(number: number, item: Found): void {
    const root = this.inodes.read(ROOT_INODE);
    const entry = this.directories.find(ROOT_INODE, root, LOST_AND_FOUND);
    if (entry === undefined) throw new SystemError('ENOSPC', 'there is no lost+found');
    const lost = this.found.get(entry.inode);
    if (lost === undefined || !isDirectory(lost.inode)) throw new SystemError('EUCLEAN', 'lost+found is no directory');
    const { inode } = lost;
    this.directories.add(entry.inode, inode, `#${number}`, number, item.inode.mode);
    if (isDirectory(item.inode)) {
      this.directories.setParent(number, item.inode, entry.inode);
      lost.names++;
    }
    this.inodes.store(entry.inode, inode);
    item.names++;
    item.parent = entry.inode;
  }

  private checkLinks(): void {
    for (const [number, { inode, names }] of this.found) {
      if (names === inode.links) continue;
      this.mendable(`inode ${number} is said to have ${inode.links} names, and has ${names}`, () => {
        inode.links = names;
        this.inodes.store(number, inode);
      });
    }
  }

  private checkBitmaps(): void {
    const { geometry } = this;
    const { firstDataBlock, inodesPerGroup, firstInode } = geometry.parameters;
    for (let group = 0; group < geometry.groups; group++) {
      const blocks = geometry.blocksInGroup(group);
      const first = geometry.firstBlock(group) - firstDataBlock;
      const wanted = Buffer.alloc(geometry.blockBytes);
      for (let bit = 0; bit < blocks; bit++) if (isSet(this.used, first + bit)) setBits(wanted, bit);
      setBits(wanted, blocks, 8 * geometry.blockBytes - blocks);
      this.compare(geometry.blockBitmap(group), wanted, blocks, `the block bitmap of group ${group}`);
      const inodeMap = Buffer.alloc(geometry.blockBytes);
      for (let bit = 0; bit < inodesPerGroup; bit++) {
        const number = group * inodesPerGroup + bit + 1;
        if (number < firstInode ? number <= 10 || this.bitmapHas(number) : this.found.has(number))
          setBits(inodeMap, bit);
      }
      setBits(inodeMap, inodesPerGroup, 8 * geometry.blockBytes - inodesPerGroup);
      this.compare(geometry.inodeBitmap(group), inodeMap, inodesPerGroup, `the inode bitmap of group ${group}`);
      this.checkGroup(group, countZeros(wanted, blocks), countZeros(inodeMap, inodesPerGroup));
    }
  }

  private compare(block: number, wanted: Buffer, bits: number, what: string): void {
    const there = this.cache.read(block);
    let different = 0;
    for (let bit = 0; bit < bits; bit++) if (isSet(there, bit) !== isSet(wanted, bit)) different++;
    if (different === 0) return;
    this.mendable(`${what} is wrong in ${different} places`, () => {
      wanted.copy(this.cache.change(block));
    });
  }

  private checkGroup(group: number, blocks: number, inodes: number): void {
    const { geometry } = this;
    this.freeBlocks += blocks;
    this.freeInodes += inodes;
    let directories = 0;
    for (const [number, { inode }] of this.found)
      if (isDirectory(inode) && geometry.groupOfInode(number) === group) directories++;
    const block = geometry.descriptorBlock(group);
    const at = geometry.descriptorOffset(group);
    const bytes = this.cache.read(block);
    const there = [descriptorField.freeBlocks, descriptorField.freeInodes, descriptorField.usedDirectories];
    const wanted = [blocks, inodes, directories];
    if (there.every((field, index) => bytes.readUInt16LE(at + field) === wanted[index])) return;
    this.mendable(`the counts of group ${group} are wrong`, () => {
      const changed = this.cache.change(block);
      for (const [index, field] of there.entries()) changed.writeUInt16LE(wanted[index] ?? 0, at + field);
    });
  }

  private checkCounts(): void {
    const { bytes } = this.superblock;
    const blocks = bytes.readUInt32LE(superblockField.freeBlocksCount);
    const inodes = bytes.readUInt32LE(superblockField.freeInodesCount);
    if (blocks === this.freeBlocks && inodes === this.freeInodes) return;
    // While it is mounted these are not kept up to date.
    if (!this.repair && !this.superblock.clean) return;
    this.mendable('the counts in the superblock are wrong', () =>
      this.superblock.setFree(this.freeBlocks, this.freeInodes),
    );
  }

  private finish(): void {
    const { blockBytes } = this.geometry;
    if (this.problems.length === 0 && !this.superblock.clean) {
      this.cache.operation(() => {
        const bytes = this.superblock.change();
        bytes.writeUInt16LE(1, superblockField.state);
      });
    }
    for (const [block, bytes] of this.cache.changed()) {
      this.device.write((block * blockBytes) / SECTOR_BYTES, bytes);
      this.cache.written(block);
    }
    this.device.flush();
  }
}

/** See Format.check. What contradicts itself so far that nothing can be read is the only finding then. */
export function checkExt2(device: BlockDevice, repair: boolean, progress?: Progress): CheckReport {
  try {
    return new Check(device, repair && !device.readOnly).run(progress);
  } catch (error) {
    const damage = error instanceof RangeError || (error instanceof SystemError && error.code !== 'EIO');
    if (!damage) throw error;
    return { problems: [error.message], repaired: [], summary: 'could not be read to its end' };
  }
}
