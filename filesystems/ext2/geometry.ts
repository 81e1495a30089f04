/**
 * Where everything is: the unchanging part of the superblock, checked, and the places of bitmaps and inode tables from
 * the group descriptors, checked too. What passes can be used without further care: every group lies on the device, and
 * its metadata lies in it without overlap.
 */
import { refuse, damaged as refuseDamaged } from './errors.ts';
import {
  compatibleFeature,
  DESCRIPTOR_BYTES,
  descriptorField,
  FIRST_ORDINARY_INODE,
  featureNames,
  superblockField as field,
  GOOD_OLD_INODE_BYTES,
  incompatibleFeature,
  KNOWN_INCOMPATIBLE,
  MAGIC,
  MAX_BLOCK_BYTES,
  MIN_BLOCK_BYTES,
  POINTER_BYTES,
  readOnlyCompatibleFeature,
  UUID_BYTES,
} from './layout.ts';

/** What of the superblock never changes, or only when a feature is added. */
export interface Parameters {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly inodes: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly inodeBytes: number;
  readonly firstInode: number;
  readonly revision: number;
  readonly compatible: number;
  readonly incompatible: number;
  readonly readOnlyCompatible: number;
  readonly reservedDescriptorBlocks: number;
  /** Groups with a copy of the superblock, where the feature `sparse_super2` names them. */
  readonly backupGroups: readonly number[];
  /** 32 hexadecimal digits. */
  readonly uuid: string;
}

function damaged(text: string): never {
  refuseDamaged(`superblock: ${text}`);
}

function unsupported(text: string): never {
  refuse('EOPNOTSUPP', text);
}

/** Refuses features that have to be known. Throws SystemError EOPNOTSUPP naming them. */
function checkFeatures(incompatible: number): void {
  if ((incompatible & incompatibleFeature.journalDevice) !== 0) unsupported('this is a journal, not a file system');
  if ((incompatible & incompatibleFeature.recover) !== 0) {
    unsupported(
      'its journal (ext3, ext4) has changes that are not in place yet; mount it once where ext3 or ext4 is known, or run e2fsck on it',
    );
  }
  const unknown = incompatible & ~KNOWN_INCOMPATIBLE;
  if (unknown !== 0) unsupported(`features that are not known: ${featureNames('incompatible', unknown)}`);
}

/**
 * Reads a superblock (1,024 bytes). Throws SystemError: EINVAL: it is none; EOPNOTSUPP: a feature or revision that is
 * not known; EUCLEAN: it contradicts itself or the size of the device.
 */
export function parseSuperblock(bytes: Buffer, deviceBytes: number): Parameters {
  if (bytes.readUInt16LE(field.magic) !== MAGIC) refuse('EINVAL', 'no ext2 file system');
  const revision = bytes.readUInt32LE(field.revision);
  if (revision > 1) unsupported(`revision ${revision} of ext2 is not known`);
  const incompatible = revision === 0 ? 0 : bytes.readUInt32LE(field.incompatible);
  checkFeatures(incompatible);
  const logBlockSize = bytes.readUInt32LE(field.logBlockSize);
  if (logBlockSize > 6) damaged(`the size of a block is 2^${logBlockSize} KiB`);
  const blockBytes = MIN_BLOCK_BYTES << logBlockSize;
  if (blockBytes > MAX_BLOCK_BYTES) unsupported(`blocks of ${blockBytes} bytes are not supported`);
  const compatible = revision === 0 ? 0 : bytes.readUInt32LE(field.compatible);
  const sparse2 = (compatible & compatibleFeature.sparseSuper2) !== 0;
  const parameters: Parameters = {
    blockBytes,
    blocks: bytes.readUInt32LE(field.blocksCount),
    inodes: bytes.readUInt32LE(field.inodesCount),
    firstDataBlock: bytes.readUInt32LE(field.firstDataBlock),
    blocksPerGroup: bytes.readUInt32LE(field.blocksPerGroup),
    inodesPerGroup: bytes.readUInt32LE(field.inodesPerGroup),
    inodeBytes: revision === 0 ? GOOD_OLD_INODE_BYTES : bytes.readUInt16LE(field.inodeSize),
    firstInode: revision === 0 ? FIRST_ORDINARY_INODE : bytes.readUInt32LE(field.firstInode),
    revision,
    compatible,
    incompatible,
    readOnlyCompatible: revision === 0 ? 0 : bytes.readUInt32LE(field.readOnlyCompatible),
    reservedDescriptorBlocks:
      (compatible & compatibleFeature.resizeInode) === 0 ? 0 : bytes.readUInt16LE(field.reservedDescriptorBlocks),
    backupGroups: sparse2 ? [0, 4].map((at) => bytes.readUInt32LE(field.backupGroups + at)) : [],
    uuid: bytes.toString('hex', field.uuid, field.uuid + UUID_BYTES),
  };
  if (bytes.readUInt32LE(field.logFragmentSize) !== logBlockSize) damaged('fragments differ from blocks in size');
  checkParameters(parameters, deviceBytes);
  return parameters;
}

function checkParameters(parameters: Parameters, deviceBytes: number): void {
  const { blockBytes, blocks, inodes, firstDataBlock, blocksPerGroup, inodesPerGroup, inodeBytes } = parameters;
  if (firstDataBlock !== (blockBytes === MIN_BLOCK_BYTES ? 1 : 0)) damaged(`the first block is ${firstDataBlock}`);
  if (blocks <= firstDataBlock + 1) damaged(`it has ${blocks} blocks`);
  if (blocks * blockBytes > deviceBytes) {
    damaged(`the file system has ${blocks * blockBytes} bytes, and the device only ${deviceBytes}`);
  }
  if (blocksPerGroup < 8 || blocksPerGroup > 8 * blockBytes) damaged(`a group has ${blocksPerGroup} blocks`);
  if (inodeBytes < GOOD_OLD_INODE_BYTES || inodeBytes > blockBytes || (inodeBytes & (inodeBytes - 1)) !== 0) {
    damaged(`an inode has ${inodeBytes} bytes`);
  }
  if (inodesPerGroup < 1 || inodesPerGroup > 8 * blockBytes) damaged(`a group has ${inodesPerGroup} inodes`);
  const groups = Math.ceil((blocks - firstDataBlock) / blocksPerGroup);
  if (inodes !== groups * inodesPerGroup) {
    damaged(`it has ${inodes} inodes, which are not ${groups} groups of ${inodesPerGroup}`);
  }
  if (parameters.firstInode < FIRST_ORDINARY_INODE || parameters.firstInode > inodes) {
    damaged(`the first ordinary inode is ${parameters.firstInode}`);
  }
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

/** See the head of this file. */
export class Geometry {
  readonly parameters: Parameters;
  readonly blockBytes: number;
  readonly groups: number;
  /** Blocks of a copy of the group descriptors. */
  readonly descriptorBlocks: number;
  /** Blocks of the inode table of a group. */
  readonly tableBlocks: number;
  /** Pointers in an indirect block. */
  readonly pointersPerBlock: number;
  private readonly blockBitmaps: Uint32Array;
  private readonly inodeBitmaps: Uint32Array;
  private readonly inodeTables: Uint32Array;

  /** Throws SystemError EUCLEAN: the descriptors do not fit into the first group. */
  constructor(parameters: Parameters) {
    const { blockBytes, blocks, firstDataBlock, blocksPerGroup, inodesPerGroup, inodeBytes } = parameters;
    this.parameters = parameters;
    this.blockBytes = blockBytes;
    this.groups = Math.ceil((blocks - firstDataBlock) / blocksPerGroup);
    this.descriptorBlocks = Math.ceil((this.groups * DESCRIPTOR_BYTES) / blockBytes);
    this.tableBlocks = Math.ceil((inodesPerGroup * inodeBytes) / blockBytes);
    this.pointersPerBlock = blockBytes / POINTER_BYTES;
    if (1 + this.descriptorBlocks + parameters.reservedDescriptorBlocks > this.blocksInGroup(0)) {
      damaged('the group descriptors do not fit into the first group');
    }
    this.blockBitmaps = new Uint32Array(this.groups);
    this.inodeBitmaps = new Uint32Array(this.groups);
    this.inodeTables = new Uint32Array(this.groups);
  }

  firstBlock(group: number): number {
    return this.parameters.firstDataBlock + group * this.parameters.blocksPerGroup;
  }

  /** Blocks in a group; the last one may be shorter. */
  blocksInGroup(group: number): number {
    return Math.min(this.parameters.blocksPerGroup, this.parameters.blocks - this.firstBlock(group));
  }

  groupOfBlock(block: number): number {
    return Math.floor((block - this.parameters.firstDataBlock) / this.parameters.blocksPerGroup);
  }

  groupOfInode(inode: number): number {
    return Math.floor((inode - 1) / this.parameters.inodesPerGroup);
  }

  /** Whether a group has a copy of the superblock and the descriptors. */
  hasSuperblock(group: number): boolean {
    if (group === 0) return true;
    const { compatible, readOnlyCompatible, backupGroups } = this.parameters;
    if ((compatible & compatibleFeature.sparseSuper2) !== 0) return backupGroups.includes(group);
    if ((readOnlyCompatible & readOnlyCompatibleFeature.sparseSuper) === 0 || group === 1) return true;
    return isPowerOf(3, group) || isPowerOf(5, group) || isPowerOf(7, group);
  }

  /** Blocks at the beginning of a group that hold the superblock, the descriptors, and room for more of them. */
  headBlocks(group: number): number {
    return this.hasSuperblock(group) ? 1 + this.descriptorBlocks + this.parameters.reservedDescriptorBlocks : 0;
  }

  /** The block with the descriptor of a group, in the first copy. */
  descriptorBlock(group: number): number {
    return this.parameters.firstDataBlock + 1 + Math.floor((group * DESCRIPTOR_BYTES) / this.blockBytes);
  }

  /** Where in that block the descriptor is. */
  descriptorOffset(group: number): number {
    return (group * DESCRIPTOR_BYTES) % this.blockBytes;
  }

  blockBitmap(group: number): number {
    return this.blockBitmaps[group] ?? 0;
  }

  inodeBitmap(group: number): number {
    return this.inodeBitmaps[group] ?? 0;
  }

  inodeTable(group: number): number {
    return this.inodeTables[group] ?? 0;
  }

  /** Takes the places of a group's metadata; answers what is wrong with them, or null. */
  place(group: number, descriptor: Buffer, at = 0): string | null {
    const blockBitmap = descriptor.readUInt32LE(at + descriptorField.blockBitmap);
    const inodeBitmap = descriptor.readUInt32LE(at + descriptorField.inodeBitmap);
    const inodeTable = descriptor.readUInt32LE(at + descriptorField.inodeTable);
    this.blockBitmaps[group] = blockBitmap;
    this.inodeBitmaps[group] = inodeBitmap;
    this.inodeTables[group] = inodeTable;
    const start = this.firstBlock(group) + this.headBlocks(group);
    const end = this.firstBlock(group) + this.blocksInGroup(group);
    if (blockBitmap < start || blockBitmap >= end) return `its block bitmap is said to be block ${blockBitmap}`;
    if (inodeBitmap < start || inodeBitmap >= end) return `its inode bitmap is said to be block ${inodeBitmap}`;
    if (inodeTable < start || inodeTable + this.tableBlocks > end) {
      return `its inode table is said to begin in block ${inodeTable}`;
    }
    const inTable = (block: number) => block >= inodeTable && block < inodeTable + this.tableBlocks;
    if (blockBitmap === inodeBitmap || inTable(blockBitmap) || inTable(inodeBitmap)) return 'its metadata overlap';
    return null;
  }

  /** Whether a block exists. */
  exists(block: number): boolean {
    return block >= this.parameters.firstDataBlock && block < this.parameters.blocks;
  }

  /** Whether an existing block belongs to a group itself and so never to a file. */
  isMetadata(block: number): boolean {
    const group = this.groupOfBlock(block);
    const table = this.inodeTable(group);
    return (
      block === this.blockBitmap(group) ||
      block === this.inodeBitmap(group) ||
      (block >= table && block < table + this.tableBlocks) ||
      block < this.firstBlock(group) + this.headBlocks(group)
    );
  }

  /** Blocks that belong to the groups themselves. */
  get overheadBlocks(): number {
    let blocks = this.groups * (2 + this.tableBlocks);
    for (let group = 0; group < this.groups; group++) blocks += this.headBlocks(group);
    return blocks;
  }

  /** Whether something is an inode that a directory may name. */
  isOrdinaryInode(inode: number): boolean {
    return inode === 2 || (inode >= this.parameters.firstInode && inode <= this.parameters.inodes);
  }
}
