/**
 * Checks an ext2, and mends what can be mended without a guess: bitmaps, counts, link counts, inodes that nothing leads
 * to. What it cannot mend it names: blocks in two files, pointers out of the device, damaged directories. Works through
 * the inode table in order, so that its time is bounded by what the file system has.
 */

import { SystemError } from '../../protocol/errno.ts';
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import type { CheckReport, Progress } from '../file-system.ts';
import { countZeros, isSet, setBits } from './bits.ts';
import { InodeCheck } from './check-inodes.ts';
import { CheckState } from './check-state.ts';
import { TreeCheck } from './check-tree.ts';
import { descriptorField, stateFlag, superblockField } from './layout.ts';
import { LostAndFound } from './lost-and-found.ts';

/** See the head of this file. */
class Check {
  readonly state: CheckState;
  private freeBlocks = 0;
  private freeInodes = 0;

  constructor(device: BlockDevice, repair: boolean) {
    this.state = new CheckState(device, repair);
  }

  /** Throws SystemError EIO, and what ends the check. */
  run(progress: Progress | undefined): CheckReport {
    this.markMetadata();
    new InodeCheck(this.state).readInodes(progress);
    const tree = new TreeCheck(this.state);
    tree.readDirectories();
    tree.checkTree();
    tree.checkLinks();
    this.checkBitmaps();
    this.checkCounts();
    this.checkMark();
    if (this.state.repair) this.finish();
    const summary = `${this.state.files} files, ${this.state.directoryCount} directories, ${this.freeBlocks} of ${this.state.geometry.parameters.blocks} blocks free`;
    return { problems: this.state.problems, repaired: this.state.repaired, summary };
  }

  private markMetadata(): void {
    const { geometry } = this.state;
    const { firstDataBlock } = geometry.parameters;
    for (let group = 0; group < geometry.groups; group++) {
      setBits(this.state.used, geometry.firstBlock(group) - firstDataBlock, geometry.headBlocks(group));
      setBits(this.state.used, geometry.blockBitmap(group) - firstDataBlock);
      setBits(this.state.used, geometry.inodeBitmap(group) - firstDataBlock);
      setBits(this.state.used, geometry.inodeTable(group) - firstDataBlock, geometry.tableBlocks);
    }
  }

  private bitmapHas(number: number): boolean {
    const { inodesPerGroup } = this.state.geometry.parameters;
    const bitmap = this.state.cache.read(this.state.geometry.inodeBitmap(this.state.geometry.groupOfInode(number)));
    return isSet(bitmap, (number - 1) % inodesPerGroup);
  }

  private checkBitmaps(): void {
    const { geometry } = this.state;
    const { firstDataBlock, inodesPerGroup, firstInode } = geometry.parameters;
    for (let group = 0; group < geometry.groups; group++) {
      const blocks = geometry.blocksInGroup(group);
      const first = geometry.firstBlock(group) - firstDataBlock;
      const wanted = Buffer.alloc(geometry.blockBytes);
      for (let bit = 0; bit < blocks; bit++) if (isSet(this.state.used, first + bit)) setBits(wanted, bit);
      setBits(wanted, blocks, 8 * geometry.blockBytes - blocks);
      this.compare(geometry.blockBitmap(group), wanted, blocks, `the block bitmap of group ${group}`);
      const inodeMap = Buffer.alloc(geometry.blockBytes);
      for (let bit = 0; bit < inodesPerGroup; bit++) {
        const number = group * inodesPerGroup + bit + 1;
        if (number < firstInode ? number <= 10 || this.bitmapHas(number) : this.state.found.has(number))
          setBits(inodeMap, bit);
      }
      setBits(inodeMap, inodesPerGroup, 8 * geometry.blockBytes - inodesPerGroup);
      this.compare(geometry.inodeBitmap(group), inodeMap, inodesPerGroup, `the inode bitmap of group ${group}`);
      this.checkGroup(group, countZeros(wanted, blocks), countZeros(inodeMap, inodesPerGroup));
    }
  }

  private compare(block: number, wanted: Buffer, bits: number, what: string): void {
    const there = this.state.cache.read(block);
    let different = 0;
    for (let bit = 0; bit < bits; bit++) if (isSet(there, bit) !== isSet(wanted, bit)) different++;
    if (different === 0) return;
    this.state.mendable(`${what} is wrong in ${different} places`, () => {
      wanted.copy(this.state.cache.change(block));
    });
  }

  private checkGroup(group: number, blocks: number, inodes: number): void {
    const { geometry } = this.state;
    this.freeBlocks += blocks;
    this.freeInodes += inodes;
    const directories = this.state.directoriesIn.get(group) ?? 0;
    const block = geometry.descriptorBlock(group);
    const at = geometry.descriptorOffset(group);
    const bytes = this.state.cache.read(block);
    const there = [descriptorField.freeBlocks, descriptorField.freeInodes, descriptorField.usedDirectories];
    const wanted = [blocks, inodes, directories];
    if (there.every((field, index) => bytes.readUInt16LE(at + field) === wanted[index])) return;
    this.state.mendable(`the counts of group ${group} are wrong`, () => {
      const changed = this.state.cache.change(block);
      for (const [index, field] of there.entries()) changed.writeUInt16LE(wanted[index] ?? 0, at + field);
    });
  }

  private checkCounts(): void {
    const { bytes } = this.state.superblock;
    const blocks = bytes.readUInt32LE(superblockField.freeBlocksCount);
    const inodes = bytes.readUInt32LE(superblockField.freeInodesCount);
    if (blocks === this.freeBlocks && inodes === this.freeInodes) return;
    this.state.mendable('the counts in the superblock are wrong', () =>
      this.state.superblock.setFree(this.freeBlocks, this.freeInodes),
    );
  }

  /** The mark that it is in use or damaged. It stays as long as something is wrong that is not mended. */
  private checkMark(): void {
    const { superblock, problems } = this.state;
    if (superblock.clean) return;
    const damaged = (superblock.state & stateFlag.errors) !== 0;
    const text = damaged ? 'damage was met in it and noted' : 'the file system was not unmounted';
    if (problems.length > 0) this.state.problem(text);
    else
      this.state.mendable(text, () => {
        superblock.change().writeUInt16LE(stateFlag.clean, superblockField.state);
      });
  }

  /** Writes what was mended. Throws SystemError EIO. */
  finish(): void {
    const { blockBytes } = this.state.geometry;
    for (const [block, bytes] of this.state.cache.changed()) {
      this.state.device.write((block * blockBytes) / SECTOR_BYTES, bytes);
      this.state.cache.written(block);
    }
    this.state.device.flush();
  }
}

/**
 * Gives names to what nothing leads to, once everything else is mended as far as it can be, and puts the link counts
 * right.
 */
function attachLost(device: BlockDevice, lost: readonly number[], report: CheckReport): CheckReport {
  if (report.problems.length > 0)
    return {
      ...report,
      problems: [...report.problems, `nothing leads to ${lost.length} inodes: the first is ${lost[0]}`],
    };
  const attaching = new Check(device, true);
  new LostAndFound(attaching.state).attach(lost);
  attaching.finish();
  const { problems, repaired, summary } = new Check(device, true).run(undefined);
  return { problems, repaired: [...report.repaired, ...attaching.state.repaired, ...repaired], summary };
}

/** See Format.check. What contradicts itself so far that nothing can be read is the only finding then. */
export function checkExt2(device: BlockDevice, repair: boolean, progress?: Progress): CheckReport {
  try {
    const check = new Check(device, repair && !device.readOnly);
    const report = check.run(progress);
    return repair && !device.readOnly && check.state.lost.length > 0
      ? attachLost(device, check.state.lost, report)
      : report;
  } catch (error) {
    if (error instanceof SystemError && (error.code === 'EIO' || error.code === 'EOPNOTSUPP')) throw error;
    if (!(error instanceof SystemError || error instanceof RangeError)) throw error;
    return {
      problems: [error instanceof SystemError ? error.reason : error.message],
      repaired: [],
      summary: 'could not be read to its end',
    };
  }
}
