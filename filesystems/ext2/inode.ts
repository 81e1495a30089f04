/**
 * Inodes: their fields in the table, times with and without the extra bits, and what of them is checked when they are
 * read. Read "ext4 Disk Layout", "Inode Table" and "Inode Timestamps".
 */
import type { BlockCache } from '../block-cache.ts';
import { damaged } from './errors.ts';
import type { Geometry } from './geometry.ts';
import {
  EXTRA_INODE_BYTES,
  inodeField as field,
  GOOD_OLD_INODE_BYTES,
  inodeFlag,
  inodeType,
  POINTERS,
  TYPE_MASK,
} from './layout.ts';

/** An inode, taken apart. Times are milliseconds since 1970. */
export interface Inode {
  mode: number;
  links: number;
  size: number;
  /** Units of 512 bytes that it takes, its indirect blocks included. */
  sectors: number;
  flags: number;
  pointers: number[];
  accessed: number;
  modified: number;
  changed: number;
  /** 0 where the inode has no room for it. */
  created: number;
  deleted: number;
  /** Block of extended attributes, 0 for none. */
  attributeBlock: number;
}

const NANOSECONDS_PER_MILLISECOND = 1e6;
const EPOCH_BITS = 3;

/** The time at `at`; `extra`: place of the further bits, 0 where there are none. */
function readTime(bytes: Buffer, at: number, extra: number): number {
  const seconds = bytes.readInt32LE(at);
  if (extra === 0) return seconds * 1000;
  const more = bytes.readUInt32LE(extra);
  return (seconds + (more & EPOCH_BITS) * 2 ** 32) * 1000 + (more >>> 2) / NANOSECONDS_PER_MILLISECOND;
}

function writeTime(bytes: Buffer, at: number, extra: number, time: number): void {
  const most = extra === 0 ? 0x7fffffff : 0x7fffffff + 3 * 2 ** 32;
  const seconds = Math.min(Math.max(Math.floor(time / 1000), -0x80000000), most);
  bytes.writeInt32LE(seconds | 0, at);
  if (extra === 0) return;
  const nanoseconds = Math.floor(Math.max(0, time - seconds * 1000) * NANOSECONDS_PER_MILLISECOND) % 1e9;
  const epoch = Math.floor((seconds - (seconds | 0)) / 2 ** 32) & EPOCH_BITS;
  bytes.writeUInt32LE(((nanoseconds << 2) | epoch) >>> 0, extra);
}

/** The type in a mode. */
export const typeOf = ({ mode }: Pick<Inode, 'mode'>): number => mode & TYPE_MASK;
export const isDirectory = (inode: Pick<Inode, 'mode'>): boolean => typeOf(inode) === inodeType.directory;

/**
 * Whether the pointers of an inode are numbers of blocks. A symbolic link without blocks of its own has its target
 * there; devices have their number.
 */
export function hasBlocks(inode: Inode, blockBytes: number): boolean {
  const type = typeOf(inode);
  if (type === inodeType.file || type === inodeType.directory) return true;
  return type === inodeType.symlink && inode.sectors > (inode.attributeBlock === 0 ? 0 : blockBytes / 512);
}

/** The inode table. */
export class InodeTable {
  private readonly cache: BlockCache;
  private readonly geometry: Geometry;

  constructor(cache: BlockCache, geometry: Geometry) {
    this.cache = cache;
    this.geometry = geometry;
  }

  private place(number: number): { block: number; offset: number } {
    const { inodesPerGroup, inodeBytes } = this.geometry.parameters;
    const at = ((number - 1) % inodesPerGroup) * inodeBytes;
    const block =
      this.geometry.inodeTable(this.geometry.groupOfInode(number)) + Math.floor(at / this.geometry.blockBytes);
    return { block, offset: at % this.geometry.blockBytes };
  }

  /** Places of the extra fields, 0 for those that this inode does not have. */
  private extras(bytes: Buffer): {
    changed: number;
    modified: number;
    accessed: number;
    created: number;
    createdExtra: number;
  } {
    const { inodeBytes } = this.geometry.parameters;
    const size = inodeBytes > GOOD_OLD_INODE_BYTES ? bytes.readUInt16LE(field.extraSize) : 0;
    const end = size > inodeBytes - GOOD_OLD_INODE_BYTES ? 0 : GOOD_OLD_INODE_BYTES + size;
    const at = (place: number): number => (place + 4 <= end ? place : 0);
    return {
      changed: at(field.changedExtra),
      modified: at(field.modifiedExtra),
      accessed: at(field.accessedExtra),
      created: at(field.created),
      createdExtra: at(field.createdExtra),
    };
  }

  /** Reads an inode. EIO. */
  read(number: number): Inode {
    const { block, offset } = this.place(number);
    const bytes = this.cache.read(block).subarray(offset, offset + this.geometry.parameters.inodeBytes);
    const extras = this.extras(bytes);
    const mode = bytes.readUInt16LE(field.mode);
    const file = (mode & TYPE_MASK) === inodeType.file;
    return {
      mode,
      links: bytes.readUInt16LE(field.links),
      size: bytes.readUInt32LE(field.size) + (file ? bytes.readUInt32LE(field.sizeHigh) * 2 ** 32 : 0),
      sectors: bytes.readUInt32LE(field.sectors),
      flags: bytes.readUInt32LE(field.flags),
      pointers: Array.from({ length: POINTERS }, (_, index) => bytes.readUInt32LE(field.blocks + 4 * index)),
      accessed: readTime(bytes, field.accessed, extras.accessed),
      modified: readTime(bytes, field.modified, extras.modified),
      changed: readTime(bytes, field.changed, extras.changed),
      created: extras.created === 0 ? 0 : readTime(bytes, extras.created, extras.createdExtra),
      deleted: bytes.readUInt32LE(field.deleted),
      attributeBlock: bytes.readUInt32LE(field.attributeBlock),
    };
  }

  /** Reads an inode that is in use. Throws SystemError: EUCLEAN: it cannot be that of a file; EIO. */
  load(number: number): Inode {
    return this.checked(number, this.read(number));
  }

  /** The inode if it can be that of a file. Throws SystemError EUCLEAN. */
  checked(number: number, inode: Inode): Inode {
    if (!Object.values(inodeType).includes(typeOf(inode) as never)) damaged(`inode ${number} is no file of any type`);
    if ((inode.flags & (inodeFlag.extents | inodeFlag.inlineData)) !== 0)
      damaged(`inode ${number} uses extents or inline data, which ext2 does not have`);
    if (!Number.isSafeInteger(inode.size)) damaged(`inode ${number} is said to have ${inode.size} bytes`);
    return inode;
  }

  /** Writes an inode, within an operation. `fresh`: whatever was there is of no interest. */
  store(number: number, inode: Inode, fresh = false): void {
    if (inode.sectors > 0xffffffff || inode.links > 0xffff) damaged(`a count of inode ${number} is wrong`);
    const { block, offset } = this.place(number);
    const { inodeBytes } = this.geometry.parameters;
    const bytes = this.cache.change(block).subarray(offset, offset + inodeBytes);
    if (fresh) {
      const generation = bytes.readUInt32LE(field.generation);
      bytes.fill(0);
      bytes.writeUInt32LE((generation + 1) >>> 0, field.generation);
      if (inodeBytes > GOOD_OLD_INODE_BYTES) bytes.writeUInt16LE(EXTRA_INODE_BYTES, field.extraSize);
    }
    const extras = this.extras(bytes);
    bytes.writeUInt16LE(inode.mode, field.mode);
    bytes.writeUInt16LE(inode.links, field.links);
    bytes.writeUInt32LE(inode.size % 2 ** 32, field.size);
    if (typeOf(inode) === inodeType.file) bytes.writeUInt32LE(Math.floor(inode.size / 2 ** 32), field.sizeHigh);
    bytes.writeUInt32LE(inode.sectors, field.sectors);
    bytes.writeUInt32LE(inode.flags, field.flags);
    for (const [index, pointer] of inode.pointers.entries()) bytes.writeUInt32LE(pointer, field.blocks + 4 * index);
    writeTime(bytes, field.accessed, extras.accessed, inode.accessed);
    writeTime(bytes, field.modified, extras.modified, inode.modified);
    writeTime(bytes, field.changed, extras.changed, inode.changed);
    if (extras.created !== 0) writeTime(bytes, extras.created, extras.createdExtra, inode.created);
    bytes.writeUInt32LE(inode.deleted, field.deleted);
    bytes.writeUInt32LE(inode.attributeBlock, field.attributeBlock);
  }
}

/** A new inode. */
export function newInode(mode: number, links: number, now: number): Inode {
  return {
    ...{ mode, links, size: 0, sectors: 0, flags: 0, pointers: new Array<number>(POINTERS).fill(0) },
    ...{ accessed: now, modified: now, changed: now, created: now, deleted: 0, attributeBlock: 0 },
  };
}
