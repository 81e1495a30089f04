/**
 * What all metadata blocks of VRFS have in common (docs/vrfs.md, "Blocks"): 4 KiB, little endian, beginning with a
 * magic number that names their kind and a CRC-32C over everything behind it, seeded with the number of the block and
 * the identifier of the file system. So a block that is damaged, stands in the wrong place, or is left over from
 * another file system is not believed.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { Verify } from '../block-cache.ts';
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import { crc32c } from '../crc32c.ts';

export const BLOCK_BYTES = 4096;
export const SECTORS_PER_BLOCK: number = BLOCK_BYTES / SECTOR_BYTES;

/** Bytes of the identifier of a file system. */
export const IDENTITY_BYTES = 16;

/**
 * Where the parts of the common header are; the contents begin at CONTENT. Blocks that belong to one node name it at
 * OWNER.
 */
export const MAGIC = 0;
export const CHECK = 4;
export const CONTENT = 8;
export const OWNER = 8;

function magic(text: string): number {
  return Buffer.from(text, 'latin1').readUInt32LE(0);
}

/** Magic numbers by kind of block. */
export const kind = {
  SUPERBLOCK: magic('VRFS'),
  JOURNAL_HEADER: magic('VRJH'),
  RECORD: magic('VRJR'),
  BLOCK_BITMAP: magic('VRBB'),
  NODE_BITMAP: magic('VRNB'),
  NODES: magic('VRNT'),
  DIRECTORY: magic('VRDI'),
  INDIRECT: magic('VRIN'),
  SYMLINK: magic('VRSL'),
} as const;

const kindNames = new Map<number, string>([
  [kind.SUPERBLOCK, 'superblock'],
  [kind.JOURNAL_HEADER, 'journal header'],
  [kind.RECORD, 'journal record'],
  [kind.BLOCK_BITMAP, 'block bitmap'],
  [kind.NODE_BITMAP, 'inode bitmap'],
  [kind.NODES, 'inode table'],
  [kind.DIRECTORY, 'directory'],
  [kind.INDIRECT, 'indirect block'],
  [kind.SYMLINK, 'target of a symbolic link'],
]);

/** For people: the kind of a block with this magic number. */
export function kindName(magicNumber: number): string {
  return kindNames.get(magicNumber) ?? 'data';
}

/** An error that names the damaged place. */
export function damaged(what: string): SystemError {
  return new SystemError('EUCLEAN', what);
}

/** Calls `work`; answers what it found damaged, '' if nothing. Other errors of it are thrown. */
export function damageOf(work: () => void): string {
  try {
    work();
    return '';
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EUCLEAN') throw error;
    return error.message;
  }
}

/** Makes and checks the checks of one file system. */
export class Seals {
  private readonly seed: number;
  private readonly number = Buffer.alloc(4);

  constructor(identity: Uint8Array) {
    this.seed = crc32c(identity);
  }

  /** The seed of the check of a block. */
  seedOf(block: number): number {
    this.number.writeUInt32LE(block, 0);
    return crc32c(this.number, 0, 4, this.seed);
  }

  /** Writes the check of a metadata block into it, and answers it. */
  seal(bytes: Buffer, block: number): number {
    const check = crc32c(bytes, CONTENT, BLOCK_BYTES, this.seedOf(block));
    bytes.writeUInt32LE(check, CHECK);
    return check;
  }

  /** Whether a metadata block is of a kind and sound. */
  holds(bytes: Buffer, block: number, magicNumber: number): boolean {
    return (
      bytes.readUInt32LE(MAGIC) === magicNumber &&
      bytes.readUInt32LE(CHECK) === crc32c(bytes, CONTENT, BLOCK_BYTES, this.seedOf(block))
    );
  }

  /** A check of blocks of one kind; `content` checks what is behind the header. */
  verifier(magicNumber: number, content?: Verify): Verify {
    return (bytes, block) => {
      if (bytes.readUInt32LE(MAGIC) !== magicNumber)
        throw damaged(`block ${block} is not what it should be: ${kindName(magicNumber)}`);
      if (!this.holds(bytes, block, magicNumber))
        throw damaged(`the checksum of block ${block} (${kindName(magicNumber)}) is wrong`);
      content?.(bytes, block);
    };
  }
}

/** A new metadata block. */
export function newBlock(magicNumber: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES);
  bytes.writeUInt32LE(magicNumber, MAGIC);
  return bytes;
}

/** A whole number below 2^53. A larger one, which nobody has written, is Infinity. */
export function readU53(bytes: Buffer, at: number): number {
  const high = bytes.readUInt32LE(at + 4);
  return high < 0x20_0000 ? high * 2 ** 32 + bytes.readUInt32LE(at) : Number.POSITIVE_INFINITY;
}

/** Numbers of records and headers stay below this, so that all that is added to them is exact. */
export const MAX_SEQUENCE: number = 2 ** 52;

export function writeU53(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, at);
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

/** Reads blocks from the device, without a cache. */
export function readBlocks(device: BlockDevice, block: number, count: number): Buffer {
  const bytes = device.read(block * SECTORS_PER_BLOCK, count * SECTORS_PER_BLOCK);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Writes whole blocks to the device. */
export function writeBlocks(device: BlockDevice, block: number, bytes: Uint8Array): void {
  device.write(block * SECTORS_PER_BLOCK, bytes);
}

/**
 * Writes whole blocks that the device may be busy with until the next request that is no such write: see
 * BlockDevice.beginWrite.
 */
export function beginWriteBlocks(device: BlockDevice, block: number, bytes: Uint8Array): void {
  if (device.beginWrite === undefined) writeBlocks(device, block, bytes);
  else device.beginWrite(block * SECTORS_PER_BLOCK, bytes);
}
