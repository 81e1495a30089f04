/**
 * Where things are on the device (docs/vrfs.md, "Layout"): superblock, journal, block bitmap, inode bitmap, inode
 * table, data, and a copy of the superblock in the last block. All follows from three numbers, so nothing in it can
 * contradict itself.
 */
import { SystemError } from '../../protocol/errno.ts';
import { BLOCK_BYTES, CONTENT } from './metadata.ts';

/** Bits of a bitmap that one block holds. */
export const BITS_PER_BLOCK: number = (BLOCK_BYTES - CONTENT) * 8;

export const NODE_BYTES = 256;

/** Inodes in a block of the table; the place of a sixteenth is taken by the header. */
export const NODES_PER_BLOCK: number = BLOCK_BYTES / NODE_BYTES - 1;

/** Blocks that block numbers reach. */
export const MAX_BLOCKS: number = 2 ** 29;

/**
 * Fewest and most blocks of the journal, its two headers included. The fewest are enough for a write of 256 KiB that
 * finds no free block.
 */
export const MIN_JOURNAL_BLOCKS = 80;
export const MAX_JOURNAL_BLOCKS = 512;

const BLOCKS_PER_NODE = 4;
const JOURNAL_SHARE = 16;
const MIN_DATA_BLOCKS = 16;

/** The root directory. Inode 0 does not exist. */
export const ROOT = 1;

export interface Geometry {
  /** Blocks of the file system; the last is the copy of the superblock. */
  readonly blocks: number;
  /** The journal's first block is header A, its last header B. */
  readonly journalStart: number;
  readonly journalBlocks: number;
  readonly blockBitmapStart: number;
  readonly blockBitmapBlocks: number;
  readonly nodeBitmapStart: number;
  readonly nodeBitmapBlocks: number;
  readonly tableStart: number;
  readonly tableBlocks: number;
  /** Inode numbers are below this. */
  readonly nodes: number;
  readonly dataStart: number;
  /** The first block behind the data. */
  readonly dataEnd: number;
}

/** The layout for three numbers. `nodes` is a multiple of NODES_PER_BLOCK. EINVAL: there is not enough room. */
export function geometryOf(blocks: number, journalBlocks: number, nodes: number): Geometry {
  const journalStart = 1;
  const blockBitmapStart = journalStart + journalBlocks;
  const blockBitmapBlocks = Math.ceil(blocks / BITS_PER_BLOCK);
  const nodeBitmapStart = blockBitmapStart + blockBitmapBlocks;
  const nodeBitmapBlocks = Math.ceil(nodes / BITS_PER_BLOCK);
  const tableStart = nodeBitmapStart + nodeBitmapBlocks;
  const tableBlocks = nodes / NODES_PER_BLOCK;
  const dataStart = tableStart + tableBlocks;
  const dataEnd = blocks - 1;
  if (dataEnd - dataStart < MIN_DATA_BLOCKS)
    throw new SystemError('EINVAL', `${blocks} blocks of ${BLOCK_BYTES} bytes are too few for ${nodes} inodes`);
  return {
    ...{ blocks, journalStart, journalBlocks, blockBitmapStart, blockBitmapBlocks, nodeBitmapStart, nodeBitmapBlocks },
    ...{ tableStart, tableBlocks, nodes, dataStart, dataEnd },
  };
}

/** The layout for a device of so many blocks. `nodes`: how many are wanted. EINVAL. */
export function chooseGeometry(deviceBlocks: number, nodes?: number): Geometry {
  const blocks = Math.min(deviceBlocks, MAX_BLOCKS);
  const journalBlocks = Math.min(Math.max(Math.floor(blocks / JOURNAL_SHARE), MIN_JOURNAL_BLOCKS), MAX_JOURNAL_BLOCKS);
  const wanted = nodes ?? Math.floor(blocks / BLOCKS_PER_NODE);
  if (nodes === undefined && wanted < 1)
    throw new SystemError('EINVAL', `${blocks} blocks of ${BLOCK_BYTES} bytes are too few for a file system`);
  if (!Number.isSafeInteger(wanted) || wanted < 1 || wanted >= MAX_BLOCKS)
    throw new SystemError('EINVAL', `${wanted} is no number of inodes`);
  return geometryOf(blocks, journalBlocks, Math.ceil((wanted + 1) / NODES_PER_BLOCK) * NODES_PER_BLOCK);
}
