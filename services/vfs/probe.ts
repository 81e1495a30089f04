/**
 * Finds out what is on a device without waiting for it. The formats look at a device synchronously; here they look at
 * the sectors that have been read so far, and when one is missing it is fetched, and they look again.
 */
import { type BlockDevice, SECTOR_BYTES } from '../../filesystems/block-device.ts';
import type { Format } from '../../filesystems/file-system.ts';
import { SystemError } from '../../protocol/errno.ts';
import { type Step, type Work, wait } from './work.ts';

/** Pieces that are fetched for one format at most. */
const MAX_PIECES = 64;

/** Sectors that one look may ask for at most: the most that one request moves. */
const MAX_SECTORS = 256;

/** A device that begins with so many sectors of zeros may be made a file system. */
const BLANK_SECTORS = 128;

/** A device whose sectors come later. */
export interface SlowDevice {
  readonly sectors: number;
  read(sector: number, count: number): Step<Uint8Array>;
  /** Gives it up. */
  close(): void;
}

/** Thrown out of a look at sectors that are not here yet. */
class Missing extends Error {
  readonly sector: number;
  readonly count: number;

  constructor(sector: number, count: number) {
    super(`sectors ${sector} to ${sector + count - 1} are missing`);
    this.sector = sector;
    this.count = count;
  }
}

/** What has been read of a device. */
class Known implements BlockDevice {
  readonly sectors: number;
  readonly readOnly = true;
  readonly known = new Map<number, Uint8Array>();

  constructor(sectors: number) {
    this.sectors = sectors;
  }

  read(sector: number, count: number): Uint8Array {
    if (sector < 0 || sector + count > this.sectors) throw new SystemError('ERANGE', 'behind the end of the device');
    const pieces: Uint8Array[] = [];
    for (let at = sector; at < sector + count; at++) {
      const piece = this.known.get(at);
      if (piece === undefined) throw new Missing(sector, count);
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  write(): never {
    throw new SystemError('EROFS', 'nothing is written while a device is looked at');
  }

  flush(): void {}
}

/** Answers the format that a device holds, undefined if it is none of these. Throws SystemError EIO. */
export function* probe(device: SlowDevice, formats: readonly Format[]): Work<Format | undefined> {
  const known = new Known(device.sectors);
  for (const format of formats) {
    for (let pieces = 0; pieces <= MAX_PIECES; pieces++) {
      try {
        if (format.probe(known)) return format;
        break;
      } catch (error) {
        if (!(error instanceof Missing)) throw error;
        if (error.count > MAX_SECTORS) break;
        yield* fetch(device, known, error.sector, error.count);
      }
    }
  }
  return undefined;
}

function* fetch(device: SlowDevice, known: Known, sector: number, count: number): Work<void> {
  const bytes = yield* wait(device.read(sector, count));
  for (let index = 0; index < count; index++) {
    known.known.set(sector + index, bytes.subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES));
  }
}

/** Whether a device begins with nothing but zeros. Throws SystemError EIO. */
export function* isBlank(device: SlowDevice): Work<boolean> {
  const bytes = yield* wait(device.read(0, Math.min(BLANK_SECTORS, device.sectors)));
  return bytes.every((byte) => byte === 0);
}
