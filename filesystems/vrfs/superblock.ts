/**
 * The superblock (docs/vrfs.md, "Superblock"): what never changes after the file system was made. It is in block 0 and
 * again in the last block.
 *
 * Three sets of features say what a reader that does not know one of them may do: go on, go on without writing, or
 * nothing.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { BlockDevice } from '../block-device.ts';
import { type Geometry, geometryOf, MAX_BLOCKS, MIN_JOURNAL_BLOCKS, NODES_PER_BLOCK } from './geometry.ts';
import {
  damaged,
  IDENTITY_BYTES,
  kind,
  MAGIC,
  newBlock,
  readBlocks,
  readU53,
  SECTORS_PER_BLOCK,
  Seals,
  writeU53,
} from './metadata.ts';

export const VERSION = 1;

/** Features of each set that are known here. */
const KNOWN_FOR_WRITING = 0;
const KNOWN_FOR_READING = 0;

/** Longest label in bytes of UTF-8. */
export const MAX_LABEL_BYTES = 64;

const at = {
  version: 8,
  forWriting: 16,
  forReading: 20,
  blocks: 24,
  journal: 28,
  nodes: 32,
  created: 40,
  identity: 48,
};
const LABEL_LENGTH = 64;
const LABEL = 68;

export interface Superblock {
  readonly geometry: Geometry;
  readonly identity: Buffer;
  readonly label: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** The device is of another opinion in block 0: this one comes from the copy. */
  readonly fromCopy: boolean;
  /** Why nothing may be written; '' if it may. */
  readonly readOnlyReason: string;
}

/** The block itself, for block number `block`. */
export function encodeSuperblock(superblock: Superblock, block: number): Buffer {
  const { geometry, identity, label, created } = superblock;
  const bytes = newBlock(kind.SUPERBLOCK);
  bytes.writeUInt32LE(VERSION, at.version);
  bytes.writeUInt32LE(geometry.blocks, at.blocks);
  bytes.writeUInt32LE(geometry.journalBlocks, at.journal);
  bytes.writeUInt32LE(geometry.nodes, at.nodes);
  writeU53(bytes, at.created, Math.floor(created));
  identity.copy(bytes, at.identity);
  const text = Buffer.from(label);
  bytes.writeUInt32LE(text.length, LABEL_LENGTH);
  text.copy(bytes, LABEL);
  new Seals(identity).seal(bytes, block);
  return bytes;
}

function identityOf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.subarray(at.identity, at.identity + IDENTITY_BYTES));
}

/** The superblock in a block; undefined: the block is damaged. EOPNOTSUPP: a version or feature that is not known. */
function decode(bytes: Buffer, block: number, deviceBlocks: number): Superblock | undefined {
  const identity = identityOf(bytes);
  if (!new Seals(identity).holds(bytes, block, kind.SUPERBLOCK)) return undefined;
  const version = bytes.readUInt32LE(at.version);
  const reading = (bytes.readUInt32LE(at.forReading) & ~KNOWN_FOR_READING) >>> 0;
  const writing = (bytes.readUInt32LE(at.forWriting) & ~KNOWN_FOR_WRITING) >>> 0;
  if (version !== VERSION) throw new SystemError('EOPNOTSUPP', `version ${version} of VRFS is not known`);
  if (reading !== 0)
    throw new SystemError('EOPNOTSUPP', `features of VRFS that are not known: 0x${reading.toString(16)}`);
  const [blocks, journal, nodes] = [at.blocks, at.journal, at.nodes].map((place) => bytes.readUInt32LE(place));
  const labelLength = bytes.readUInt32LE(LABEL_LENGTH);
  if (blocks === undefined || journal === undefined || nodes === undefined) return undefined;
  if (blocks > MAX_BLOCKS || journal < MIN_JOURNAL_BLOCKS || nodes === 0 || nodes % NODES_PER_BLOCK !== 0)
    return undefined;
  if (labelLength > MAX_LABEL_BYTES) return undefined;
  if (blocks > deviceBlocks)
    throw damaged(`the file system has ${blocks} blocks, and the device only ${deviceBlocks}: it has been cut off`);
  return {
    geometry: geometryOf(blocks, journal, nodes),
    identity,
    label: bytes.toString('utf8', LABEL, LABEL + labelLength),
    created: readU53(bytes, at.created),
    fromCopy: false,
    readOnlyReason: writing === 0 ? '' : `features of VRFS that are not known are in use: 0x${writing.toString(16)}`,
  };
}

/** Whether a block has the superblock of this file system. EIO. */
export function superblockIsSound(device: BlockDevice, block: number, identity: Buffer): boolean {
  const bytes = readBlocks(device, block, 1);
  return identityOf(bytes).equals(identity) && new Seals(identity).holds(bytes, block, kind.SUPERBLOCK);
}

/** Reads the superblock, or its copy if that is damaged. EINVAL: not VRFS; EUCLEAN: damaged; EOPNOTSUPP; EIO. */
export function readSuperblock(device: BlockDevice): Superblock {
  const deviceBlocks = Math.floor(device.sectors / SECTORS_PER_BLOCK);
  if (deviceBlocks === 0) throw new SystemError('EINVAL', 'the device is too small for VRFS');
  const first = readBlocks(device, 0, 1);
  try {
    const superblock = decode(first, 0, deviceBlocks);
    if (superblock !== undefined) return superblock;
  } catch (error) {
    if (!(error instanceof SystemError) || error.code === 'EOPNOTSUPP' || error.code === 'EUCLEAN') throw error;
  }
  const copy = decode(readBlocks(device, deviceBlocks - 1, 1), deviceBlocks - 1, deviceBlocks);
  if (copy !== undefined && copy.geometry.blocks === deviceBlocks) return { ...copy, fromCopy: true };
  if (first.readUInt32LE(MAGIC) === kind.SUPERBLOCK) throw damaged('the superblock and its copy are damaged');
  throw new SystemError('EINVAL', 'there is no VRFS file system');
}
