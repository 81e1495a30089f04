/**
 * Makes an empty ext2: revision 1 with the features filetype, sparse_super and large_file. Read "ext4 Disk Layout",
 * "Layout" and "Special inodes"; mke2fs(8) for the usual numbers.
 */
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import type { FormatOptions } from '../file-system.ts';
import { setBits } from './bits.ts';
import { refuse } from './errors.ts';
import { Geometry, type Parameters } from './geometry.ts';
import {
  DESCRIPTOR_BYTES,
  descriptorField,
  EXTRA_INODE_BYTES,
  entryType,
  errorBehaviour,
  FIRST_ORDINARY_INODE,
  superblockField as field,
  incompatibleFeature,
  inodeField,
  inodeType,
  MAGIC,
  ROOT_INODE,
  readOnlyCompatibleFeature,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
  stateFlag,
  UUID_BYTES,
  VOLUME_NAME_BYTES,
} from './layout.ts';

const SMALL_DEVICE_BYTES = 512 * 2 ** 20;
const INODE_BYTES = 256;
const BYTES_PER_INODE = { small: 4096, large: 16_384 };
const MAX_COUNT_NEVER = 0xffff;
const NO_OWNER = 0;

/** Blocks of a last group that are too few to be one. */
const SPARE_BLOCKS = 50;

/** Most blocks written in one request. */
const ZEROS_AT_ONCE = 64;

const LOST_AND_FOUND_BLOCKS = 4;

function blockBytesFor(bytes: number, wanted: number | undefined): number {
  const blockBytes = wanted ?? (bytes < SMALL_DEVICE_BYTES ? 1024 : 4096);
  if (![1024, 2048, 4096].includes(blockBytes))
    refuse('EINVAL', `blocks have 1024, 2048 or 4096 bytes, not ${blockBytes}`);
  return blockBytes;
}

/** Chooses the numbers for a device. Throws SystemError EINVAL: it is too small, or there are too many inodes. */
function parametersFor(bytes: number, options: FormatOptions, uuid: string): Parameters {
  const blockBytes = blockBytesFor(bytes, options.blockBytes);
  const firstDataBlock = blockBytes === 1024 ? 1 : 0;
  const blocksPerGroup = 8 * blockBytes;
  let blocks = Math.min(Math.floor(bytes / blockBytes), 2 ** 32 - 1);
  const ratio = bytes < SMALL_DEVICE_BYTES ? BYTES_PER_INODE.small : BYTES_PER_INODE.large;
  const wanted = Math.max(options.nodes ?? Math.floor(bytes / ratio), FIRST_ORDINARY_INODE + 1);
  for (let tries = 0; tries < 2; tries++) {
    const groups = Math.max(1, Math.ceil((blocks - firstDataBlock) / blocksPerGroup));
    const perBlock = blockBytes / INODE_BYTES;
    const inodesPerGroup = Math.ceil(Math.ceil(wanted / groups) / Math.max(8, perBlock)) * Math.max(8, perBlock);
    if (inodesPerGroup > 8 * blockBytes) refuse('EINVAL', `${wanted} inodes are too many`);
    const parameters: Parameters = {
      ...{ blockBytes, blocks, inodes: groups * inodesPerGroup, firstDataBlock, blocksPerGroup, inodesPerGroup },
      ...{ inodeBytes: INODE_BYTES, firstInode: FIRST_ORDINARY_INODE, revision: 1, compatible: 0 },
      incompatible: incompatibleFeature.fileType,
      readOnlyCompatible:
        readOnlyCompatibleFeature.sparseSuper |
        readOnlyCompatibleFeature.largeFile |
        readOnlyCompatibleFeature.extraInodeSize,
      ...{ reservedDescriptorBlocks: 0, backupGroups: [], uuid },
    };
    const last = (blocks - firstDataBlock) % blocksPerGroup;
    const tableBlocks = Math.ceil((inodesPerGroup * INODE_BYTES) / blockBytes);
    const needed = tableBlocks + 3 + Math.ceil((groups * DESCRIPTOR_BYTES) / blockBytes) + SPARE_BLOCKS;
    if (groups === 1 || last === 0 || last >= needed) {
      if (blocks - firstDataBlock < needed) refuse('EINVAL', `the device is too small for ext2 with ${wanted} inodes`);
      return parameters;
    }
    // The last group would be too short for its own metadata.
    blocks -= last;
  }
  return refuse('EINVAL', 'the device is too small for ext2');
}

/** The descriptors of all groups, with the places of their metadata. */
function describe(geometry: Geometry): Buffer {
  const descriptors = Buffer.alloc(geometry.descriptorBlocks * geometry.blockBytes);
  for (let group = 0; group < geometry.groups; group++) {
    const at = group * DESCRIPTOR_BYTES;
    const start = geometry.firstBlock(group) + geometry.headBlocks(group);
    descriptors.writeUInt32LE(start, at + descriptorField.blockBitmap);
    descriptors.writeUInt32LE(start + 1, at + descriptorField.inodeBitmap);
    descriptors.writeUInt32LE(start + 2, at + descriptorField.inodeTable);
    const problem = geometry.place(group, descriptors, at);
    if (problem !== null) refuse('EINVAL', `the device is too small for ext2: group ${group}: ${problem}`);
  }
  return descriptors;
}

function superblockFor(geometry: Geometry, options: FormatOptions, uuid: Buffer, seed: Buffer): Buffer {
  const { parameters } = geometry;
  const bytes = Buffer.alloc(SUPERBLOCK_BYTES);
  const seconds = Math.floor(options.now() / 1000);
  const logBlockSize = Math.log2(parameters.blockBytes / 1024);
  const words: [number, number][] = [
    [field.inodesCount, parameters.inodes],
    [field.blocksCount, parameters.blocks],
    [field.firstDataBlock, parameters.firstDataBlock],
    [field.logBlockSize, logBlockSize],
    [field.logFragmentSize, logBlockSize],
    [field.blocksPerGroup, parameters.blocksPerGroup],
    [field.fragmentsPerGroup, parameters.blocksPerGroup],
    [field.inodesPerGroup, parameters.inodesPerGroup],
    [field.writeTime, seconds],
    [field.lastCheck, seconds],
    [field.makeTime, seconds],
    [field.revision, parameters.revision],
    [field.firstInode, parameters.firstInode],
    [field.incompatible, parameters.incompatible],
    [field.readOnlyCompatible, parameters.readOnlyCompatible],
  ];
  for (const [at, value] of words) bytes.writeUInt32LE(value >>> 0, at);
  const halves: [number, number][] = [
    [field.maxMountCount, MAX_COUNT_NEVER],
    [field.magic, MAGIC],
    [field.state, stateFlag.clean],
    [field.errors, errorBehaviour.goOn],
    [field.inodeSize, parameters.inodeBytes],
    [field.minExtraSize, EXTRA_INODE_BYTES],
    [field.wantExtraSize, EXTRA_INODE_BYTES],
  ];
  for (const [at, value] of halves) bytes.writeUInt16LE(value, at);
  uuid.copy(bytes, field.uuid);
  seed.copy(bytes, field.hashSeed);
  bytes.writeUInt8(1, field.defaultHashVersion);
  const label = Buffer.from(options.label ?? '');
  if (label.length > VOLUME_NAME_BYTES) refuse('EINVAL', `a label has at most ${VOLUME_NAME_BYTES} bytes`);
  label.copy(bytes, field.volumeName);
  return bytes;
}

/** A directory record. */
function record(bytes: Buffer, at: number, inode: number, length: number, name: string): void {
  bytes.writeUInt32LE(inode, at);
  bytes.writeUInt16LE(length, at + 4);
  bytes.writeUInt8(name.length, at + 6);
  bytes.writeUInt8(name === '' ? 0 : (entryType[inodeType.directory] ?? 0), at + 7);
  bytes.write(name, at + 8, 'latin1');
}

/** The block of a directory with '.', '..' and perhaps another name. */
function directoryBlock(blockBytes: number, self: number, parent: number, child?: readonly [number, string]): Buffer {
  const bytes = Buffer.alloc(blockBytes);
  record(bytes, 0, self, 12, '.');
  record(bytes, 12, parent, child === undefined ? blockBytes - 12 : 12, '..');
  if (child !== undefined) record(bytes, 24, child[0], blockBytes - 24, child[1]);
  return bytes;
}

function emptyBlock(blockBytes: number): Buffer {
  const bytes = Buffer.alloc(blockBytes);
  record(bytes, 0, 0, blockBytes, '');
  return bytes;
}

function directoryInode(
  bytes: Buffer,
  at: number,
  mode: number,
  links: number,
  blocks: readonly number[],
  blockBytes: number,
  now: number,
): void {
  const seconds = Math.floor(now / 1000) | 0;
  bytes.writeUInt16LE(inodeType.directory | mode, at + inodeField.mode);
  bytes.writeUInt16LE(NO_OWNER, at + inodeField.uid);
  bytes.writeUInt32LE(blocks.length * blockBytes, at + inodeField.size);
  for (const time of [inodeField.accessed, inodeField.changed, inodeField.modified, inodeField.created])
    bytes.writeInt32LE(seconds, at + time);
  bytes.writeUInt16LE(links, at + inodeField.links);
  bytes.writeUInt32LE((blocks.length * blockBytes) / SECTOR_BYTES, at + inodeField.sectors);
  for (const [index, block] of blocks.entries()) bytes.writeUInt32LE(block, at + inodeField.blocks + 4 * index);
  bytes.writeUInt16LE(EXTRA_INODE_BYTES, at + inodeField.extraSize);
}

/** Makes an empty ext2. Throws SystemError: EINVAL, EIO, EROFS. */
export function makeExt2(device: BlockDevice, options: FormatOptions): void {
  const uuid = Buffer.from(options.random(UUID_BYTES));
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x40;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  const parameters = parametersFor(device.sectors * SECTOR_BYTES, options, uuid.toString('hex'));
  const geometry = new Geometry(parameters);
  const { blockBytes } = geometry;
  const descriptors = describe(geometry);
  const superblock = superblockFor(geometry, options, uuid, Buffer.from(options.random(UUID_BYTES)));
  const write = (block: number, bytes: Uint8Array): void => device.write((block * blockBytes) / SECTOR_BYTES, bytes);
  const zeros = Buffer.alloc(ZEROS_AT_ONCE * blockBytes);
  // Whatever was there is not to be found any more while this is under way.
  device.write(0, Buffer.alloc(SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES));
  const firstData = geometry.inodeTable(0) + geometry.tableBlocks;
  const rootBlock = firstData;
  const lostBlocks = Array.from({ length: LOST_AND_FOUND_BLOCKS }, (_, index) => firstData + 1 + index);
  let freeBlocks = 0;
  let freeInodes = 0;
  for (let group = 0; group < geometry.groups; group++) {
    const blocks = geometry.blocksInGroup(group);
    const used = geometry.headBlocks(group) + 2 + geometry.tableBlocks + (group === 0 ? 1 + LOST_AND_FOUND_BLOCKS : 0);
    const usedInodes = group === 0 ? FIRST_ORDINARY_INODE : 0;
    const bitmap = Buffer.alloc(blockBytes);
    setBits(bitmap, 0, used);
    setBits(bitmap, blocks, 8 * blockBytes - blocks);
    write(geometry.blockBitmap(group), bitmap);
    const inodeBitmap = Buffer.alloc(blockBytes);
    setBits(inodeBitmap, 0, usedInodes);
    setBits(inodeBitmap, parameters.inodesPerGroup, 8 * blockBytes - parameters.inodesPerGroup);
    write(geometry.inodeBitmap(group), inodeBitmap);
    for (let at = 0; at < geometry.tableBlocks; at += ZEROS_AT_ONCE)
      write(
        geometry.inodeTable(group) + at,
        zeros.subarray(0, Math.min(ZEROS_AT_ONCE, geometry.tableBlocks - at) * blockBytes),
      );
    const descriptor = group * DESCRIPTOR_BYTES;
    descriptors.writeUInt16LE(blocks - used, descriptor + descriptorField.freeBlocks);
    descriptors.writeUInt16LE(parameters.inodesPerGroup - usedInodes, descriptor + descriptorField.freeInodes);
    descriptors.writeUInt16LE(group === 0 ? 2 : 0, descriptor + descriptorField.usedDirectories);
    freeBlocks += blocks - used;
    freeInodes += parameters.inodesPerGroup - usedInodes;
    options.progress?.((group + 1) / geometry.groups);
  }
  const table = Buffer.alloc(Math.ceil((FIRST_ORDINARY_INODE * INODE_BYTES) / blockBytes) * blockBytes);
  const now = options.now();
  directoryInode(table, (ROOT_INODE - 1) * INODE_BYTES, 0o755, 3, [rootBlock], blockBytes, now);
  directoryInode(table, (FIRST_ORDINARY_INODE - 1) * INODE_BYTES, 0o700, 2, lostBlocks, blockBytes, now);
  write(geometry.inodeTable(0), table);
  write(rootBlock, directoryBlock(blockBytes, ROOT_INODE, ROOT_INODE, [FIRST_ORDINARY_INODE, 'lost+found']));
  for (const [index, block] of lostBlocks.entries())
    write(block, index === 0 ? directoryBlock(blockBytes, FIRST_ORDINARY_INODE, ROOT_INODE) : emptyBlock(blockBytes));
  superblock.writeUInt32LE(freeBlocks, field.freeBlocksCount);
  superblock.writeUInt32LE(freeInodes, field.freeInodesCount);
  for (let group = geometry.groups - 1; group >= 0; group--) {
    if (!geometry.hasSuperblock(group)) continue;
    superblock.writeUInt16LE(group, field.groupNumber);
    const first = geometry.firstBlock(group);
    write(first + 1, descriptors);
    const offset = group === 0 ? SUPERBLOCK_OFFSET : first * blockBytes;
    device.write(offset / SECTOR_BYTES, superblock);
  }
  device.flush();
}
