/**
 * The part of a check that reads the inodes: types, blocks, sizes, counts of sectors, and the list of those that wait
 * to be freed.
 */
import { SECTOR_BYTES } from '../block-device.ts';
import type { Progress } from '../file-system.ts';
import { isSet, setBits } from './bits.ts';
import type { CheckState } from './check-state.ts';
import { hasBlocks, type Inode, isDirectory, typeOf } from './inode.ts';
import { inodeType, POINTER_BYTES, POINTERS, RESIZE_INODE, ROOT_INODE } from './layout.ts';

/** See the head of this file. */
export class InodeCheck {
  private readonly state: CheckState;

  constructor(state: CheckState) {
    this.state = state;
  }

  /** Reads all inodes. Throws SystemError EIO. */
  readInodes(progress: Progress | undefined): void {
    const { inodes, firstInode } = this.state.geometry.parameters;
    const orphans = this.orphans();
    for (let number = 1; number <= inodes; number++) {
      if (number % 4096 === 0) progress?.(number / inodes);
      const inode = this.state.inodes.read(number);
      if (number !== ROOT_INODE && number < firstInode) {
        if (number !== RESIZE_INODE && inode.links > 0 && inode.mode !== 0) this.take(number, inode);
        else if (number === RESIZE_INODE) this.take(number, inode);
        continue;
      }
      if (inode.links === 0) {
        if (orphans.has(number)) this.freeOrphan(number, inode);
        else if (inode.mode !== 0 && inode.deleted === 0) this.setDeleted(number, inode, 1);
        continue;
      }
      if (inode.deleted !== 0) this.setDeleted(number, inode, 0);
      if (!Object.values(inodeType).includes(typeOf(inode) as never)) {
        this.state.problem(`inode ${number} is in use and is no file of any type`);
        continue;
      }
      this.take(number, inode);
      this.state.found.set(number, { inode, names: 0, parent: 0, up: 0 });
      if (isDirectory(inode)) this.countDirectory(number);
      else this.state.files++;
    }
    if (this.state.found.get(ROOT_INODE) === undefined || !isDirectory(this.state.inodes.read(ROOT_INODE)))
      this.state.problem('there is no root directory');
    if (orphans.size > 0) {
      this.state.mendable(`${orphans.size} inodes without a name wait for being freed`, () => {
        this.state.superblock.firstOrphan = 0;
      });
    }
  }

  private setDeleted(number: number, inode: Inode, deleted: number): void {
    const text = deleted === 0 ? 'is in use and has a time of deletion' : 'is free and has no time of deletion';
    this.state.mendable(`inode ${number} ${text}`, () => {
      inode.deleted = deleted;
      this.state.inodes.store(number, inode);
    });
  }

  private countDirectory(number: number): void {
    const group = this.state.geometry.groupOfInode(number);
    this.state.directoryCount++;
    this.state.directoriesIn.set(group, (this.state.directoriesIn.get(group) ?? 0) + 1);
  }

  private orphans(): Set<number> {
    const found = new Set<number>();
    for (
      let number = this.state.superblock.firstOrphan;
      number !== 0;
      number = this.state.inodes.read(number).deleted
    ) {
      if (found.has(number) || !this.state.geometry.isOrdinaryInode(number)) {
        this.state.problem('the list of inodes without a name is damaged');
        break;
      }
      found.add(number);
    }
    return found;
  }

  private freeOrphan(number: number, inode: Inode): void {
    if (!this.state.repair) {
      this.take(number, inode);
      this.state.found.set(number, { inode, names: 0, parent: number, up: 0 });
      if (isDirectory(inode)) this.countDirectory(number);
      return;
    }
    this.state.cache.operation(() => this.state.inodes.store(number, { ...inode, size: 0, sectors: 0, deleted: 1 }));
  }

  /** Counts the blocks of an inode as used. */
  private take(number: number, inode: Inode): void {
    const { geometry } = this.state;
    let sectors = 0;
    const use = (block: number): boolean => {
      sectors += geometry.blockBytes / SECTOR_BYTES;
      if (!geometry.exists(block)) {
        this.state.problem(`inode ${number} has block ${block}, which does not exist`);
        return false;
      }
      const bit = block - geometry.parameters.firstDataBlock;
      // The blocks that are reserved for growing belong to the groups already.
      if (number === RESIZE_INODE && geometry.isMetadata(block)) return true;
      if (isSet(this.state.used, bit)) {
        this.state.problem(`block ${block} of inode ${number} is in use twice, or belongs to a group`);
        return false;
      }
      setBits(this.state.used, bit);
      return true;
    };
    if (inode.attributeBlock !== 0 && geometry.exists(inode.attributeBlock)) {
      const bit = inode.attributeBlock - geometry.parameters.firstDataBlock;
      sectors += geometry.blockBytes / SECTOR_BYTES;
      // It may be shared by several inodes.
      setBits(this.state.used, bit);
    }
    const last = hasBlocks(inode, geometry.blockBytes) ? this.useAll(inode, use) : -1;
    if (number === ROOT_INODE || number >= geometry.parameters.firstInode) this.checkSize(number, inode, last);
    if (sectors !== inode.sectors && number !== RESIZE_INODE && typeOf(inode) !== 0) {
      this.state.mendable(`inode ${number} is said to take ${inode.sectors} sectors, and takes ${sectors}`, () => {
        inode.sectors = sectors;
        this.state.inodes.store(number, inode);
      });
    }
  }

  /** Answers the number of the last block in the file; -1: it has none. */
  private useAll(inode: Inode, use: (block: number) => boolean): number {
    let last = -1;
    for (const { block, index } of this.state.map.blocks(inode)) {
      last = Math.max(last, index);
      // A tree that is already in use is not gone through again: it could lead in circles.
      if (!use(block) && index === -1) break;
    }
    return last;
  }

  /** Whether the size goes with the blocks; `last`: number of the last one. */
  private checkSize(number: number, inode: Inode, last: number): void {
    const { blockBytes } = this.state.geometry;
    const type = typeOf(inode);
    if (type === inodeType.symlink) {
      if (!this.isTarget(inode)) this.state.problem(`the target of symbolic link ${number} is damaged`);
      return;
    }
    const whole = (last + 1) * blockBytes;
    const isWrong =
      type === inodeType.directory ? inode.size !== whole : type === inodeType.file && inode.size < last * blockBytes;
    if (!isWrong) return;
    this.state.mendable(`inode ${number} is said to have ${inode.size} bytes, and its blocks have ${whole}`, () => {
      inode.size = whole;
      this.state.inodes.store(number, inode);
    });
  }

  /** Whether a symbolic link has a target as long as it says. */
  private isTarget(inode: Inode): boolean {
    const bytes = Buffer.alloc(POINTERS * POINTER_BYTES);
    for (const [index, pointer] of inode.pointers.entries()) bytes.writeUInt32LE(pointer, index * POINTER_BYTES);
    if (!hasBlocks(inode, this.state.geometry.blockBytes)) return inode.size > 0 && bytes.indexOf(0) === inode.size;
    const [block = 0] = inode.pointers;
    return this.state.geometry.exists(block) && this.state.cache.read(block).indexOf(0) === inode.size;
  }
}
