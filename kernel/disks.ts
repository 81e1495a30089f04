/** Opens the disk images of the command line, and makes the default image on the first start. */
import fs from 'node:fs';
import path from 'node:path';
import type { DiskBackend } from '../hw/disk/backend.ts';
import { DISK_NAMES, type DiskFault } from '../hw/disk/fault-options.ts';
import { FaultyDisk } from '../hw/disk/faulty.ts';
import { DiskImageError, openDiskImage } from '../hw/disk/image.ts';
import { type Options, UsageError } from './options.ts';

/** The image that is used when none is named, in the current folder. */
export const DEFAULT_IMAGE = path.join('.vros', 'hda.img');

const SECTOR_BYTES = 512;
const DEFAULT_SECTORS = (64 * 1024 * 1024) / SECTOR_BYTES;
/** First sector of the one partition of the default image, aligned to 1 MiB. */
const PARTITION_START = 2048;
/** Partition type 7Fh: reserved for individual experiments. */
const PARTITION_TYPE = 0x7f;

/** The disks hda to hdd, null where there is none. Throws DiskImageError with a sentence for the user. */
export async function openDisks(options: Options): Promise<(DiskBackend | null)[]> {
  const files = options.disks.some((file) => file !== undefined) || options.noDisk ? options.disks : [defaultImage()];
  const disks: (DiskBackend | null)[] = [];
  if (!options.readOnly) refuseTwice(files);
  try {
    for (const file of files) {
      disks.push(file === undefined ? null : await openDiskImage(file, { readOnly: options.readOnly }));
    }
    for (const { disk, rule } of options.faults) {
      const sectors = disks[disk]?.sectors ?? 0;
      if (sectors === 0) throw new UsageError(`--fault: there is no disk ${DISK_NAMES[disk]}`);
      if ((rule.first ?? 0) >= sectors)
        throw new UsageError(`--fault: sector ${rule.first} of ${DISK_NAMES[disk]}: the last one is ${sectors - 1}`);
    }
    return disks.map((disk, index) => withFaults(disk, index, options.faults));
  } catch (error) {
    for (const disk of disks) disk?.close();
    throw error;
  }
}

/** Throws UsageError when two disks are the same file: each would change it under the other. */
function refuseTwice(files: readonly (string | undefined)[]): void {
  const seen = new Map<string, number>();
  for (const [index, file] of files.entries()) {
    const stat = file === undefined ? undefined : fs.statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const key = `${stat.dev}:${stat.ino}`;
    const before = seen.get(key);
    if (before !== undefined)
      throw new UsageError(`${DISK_NAMES[before]} and ${DISK_NAMES[index]} are the same disk image: ${file}`);
    seen.set(key, index);
  }
}

/** A disk that fails by the rules for it. */
function withFaults(disk: DiskBackend | null, index: number, faults: readonly DiskFault[]): DiskBackend | null {
  const rules = faults.filter((fault) => fault.disk === index);
  if (rules.length === 0 || disk === null) return disk;
  const faulty = new FaultyDisk(disk, (nanoseconds, callback) => setTimeout(callback, nanoseconds / 1e6));
  for (const { rule } of rules) faulty.add(rule);
  return faulty;
}

/** Makes the default image where there is none. Throws DiskImageError. */
function defaultImage(): string {
  if (fs.existsSync(DEFAULT_IMAGE)) return DEFAULT_IMAGE;
  const unfinished = `${DEFAULT_IMAGE}.${process.pid}`;
  try {
    fs.mkdirSync(path.dirname(DEFAULT_IMAGE), { recursive: true });
    makeImage(unfinished);
    // Should two machines start at once, the image of the first one stays.
    if (!fs.existsSync(DEFAULT_IMAGE)) fs.linkSync(unfinished, DEFAULT_IMAGE);
  } catch (error) {
    if (!fs.existsSync(DEFAULT_IMAGE)) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new DiskImageError('not-made', DEFAULT_IMAGE, `The disk image ${DEFAULT_IMAGE} cannot be made: ${reason}.`);
    }
  } finally {
    if (fs.existsSync(unfinished)) fs.rmSync(unfinished);
  }
  return DEFAULT_IMAGE;
}

function makeImage(file: string): void {
  const descriptor = fs.openSync(file, 'w');
  try {
    fs.ftruncateSync(descriptor, DEFAULT_SECTORS * SECTOR_BYTES);
    fs.writeSync(descriptor, masterBootRecord(PARTITION_START, DEFAULT_SECTORS - PARTITION_START), 0, SECTOR_BYTES, 0);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** A boot sector with one partition; its text says what the image is. */
function masterBootRecord(start: number, sectors: number): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.write('VROS disk image', 3, 'latin1');
  const entry = 446;
  sector.writeUInt8(PARTITION_TYPE, entry + 4);
  sector.fill(0xff, entry + 5, entry + 8);
  sector.writeUInt32LE(start, entry + 8);
  sector.writeUInt32LE(sectors, entry + 12);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** Writes everything to the images and closes them. Errors are returned as sentences. */
export async function closeDisks(disks: readonly (DiskBackend | null)[]): Promise<string[]> {
  const errors: string[] = [];
  for (const disk of disks) {
    if (disk === null) continue;
    await new Promise<void>((resolve) => {
      disk.flush((error) => {
        if (error !== null && !disk.readOnly) errors.push(error.message);
        resolve();
      });
    });
    disk.close();
  }
  return errors;
}
