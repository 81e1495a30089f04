/**
 * What a drive says about itself: the 512 bytes of IDENTIFY DEVICE, read with the same distrust as any other input.
 *
 * Read: ATA/ATAPI-6 clause 8.15 (IDENTIFY DEVICE).
 */
import { SECTOR_BYTES } from '../../protocol/block.ts';

/** The parts of IDENTIFY DEVICE that the driver works with. */
export interface Identity {
  /** ASCII, at most 40 characters. */
  readonly model: string;
  /** ASCII, at most 20 characters. */
  readonly serial: string;
  /** ASCII, at most 8 characters. */
  readonly firmware: string;
  readonly sectors: number;
  /** It has 48-bit commands. */
  readonly lba48: boolean;
  /**
   * Sectors that READ and WRITE MULTIPLE move at most for each interrupt: a power of two; 1: the drive does not have
   * these commands.
   */
  readonly multiple: number;
  readonly flushCache: boolean;
  readonly flushCacheExt: boolean;
}

/** First sector that 28-bit commands cannot reach: words 60 and 61 never say more (8.15.36). */
export const LBA28_SECTORS = 0x0fffffff;

const LBA48_SECTORS = 2 ** 48;
const MAX_MULTIPLE = 128;
const INTEGRITY_SIGNATURE = 0xa5;

const LBA_SUPPORTED = 1 << 9;
const NOT_ATA = 1 << 15;
const LBA48_SUPPORTED = 1 << 10;
const FLUSH_CACHE = 1 << 12;
const FLUSH_CACHE_EXT = 1 << 13;
const VALIDITY_MASK = 0xc000;
const VALID = 0x4000;

/**
 * A field of characters, the first in the high byte of each word. What is not printable ASCII becomes a question mark.
 */
function characters(data: DataView, firstWord: number, lastWord: number): string {
  let text = '';
  for (let word = firstWord; word <= lastWord; word++) {
    const pair = data.getUint16(2 * word, true);
    text += String.fromCharCode(pair >> 8, pair & 0xff);
  }
  return text
    .replace(/[\0 ]+$/, '')
    .replace(/^ +/, '')
    .replace(/[^ -~]/g, '?');
}

/** Word 255: when its low byte is the signature, all 512 bytes add up to zero. */
function damaged(bytes: Uint8Array): boolean {
  if (bytes[510] !== INTEGRITY_SIGNATURE) return false;
  return (bytes.reduce((sum, byte) => sum + byte, 0) & 0xff) !== 0;
}

function capacity(data: DataView, lba48: boolean): number {
  if (lba48) {
    const sectors = data.getUint32(200, true) + data.getUint16(204, true) * 2 ** 32;
    if (data.getUint16(206, true) !== 0) return LBA48_SECTORS;
    if (sectors > 0) return sectors;
  }
  return Math.min(data.getUint32(120, true), LBA28_SECTORS);
}

/** Reads IDENTIFY DEVICE; a string says why the drive cannot be used. */
export function parseIdentity(bytes: Uint8Array): Identity | string {
  if (bytes.length !== SECTOR_BYTES) return `IDENTIFY DEVICE gave ${bytes.length} bytes`;
  if (damaged(bytes)) return 'IDENTIFY DEVICE has a wrong checksum';
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (index: number): number => data.getUint16(2 * index, true);
  if ((word(0) & NOT_ATA) !== 0) return 'no ATA device';
  if ((word(49) & LBA_SUPPORTED) === 0) return 'addresses cylinders, heads and sectors only';
  const features = (word(83) & VALIDITY_MASK) === VALID ? word(83) : 0;
  const lba48 = (features & LBA48_SUPPORTED) !== 0;
  const sectors = capacity(data, lba48);
  if (sectors === 0) return 'says that it has no sectors';
  const multiple = Math.min(word(47) & 0xff, MAX_MULTIPLE);
  return {
    model: characters(data, 27, 46),
    serial: characters(data, 10, 19),
    firmware: characters(data, 23, 26),
    sectors,
    lba48,
    multiple: multiple === 0 ? 1 : 2 ** Math.floor(Math.log2(multiple)),
    flushCache: (features & FLUSH_CACHE) !== 0,
    flushCacheExt: lba48 && (features & FLUSH_CACHE_EXT) !== 0,
  };
}
