/** `vros mkfs` and `vros fsck`. */
import fs from 'node:fs';
import { SECTOR_BYTES } from '../filesystems/block-device.ts';
import type { Format } from '../filesystems/file-system.ts';
import { formatNamed, formats } from '../filesystems/formats.ts';
import { about, CommandError, UsageError } from './errors.ts';
import { formatOfImage, openImage, parseImageName, random } from './image.ts';
import { ProgressLine } from './progress.ts';
import { formatSize } from './sizes.ts';

/** How to make a file system. */
export interface MakeOptions {
  readonly type: string;
  readonly label: string | undefined;
  /** Bytes of an image that is made; undefined: the image is there. */
  readonly size: number | undefined;
}

/** Names of formats of FAT that fix the bits of a table entry. */
const FAT_BITS = { fat12: 12, fat16: 16, fat32: 32 } as const;

function isFatName(type: string): type is keyof typeof FAT_BITS {
  return Object.hasOwn(FAT_BITS, type);
}

/** Makes an image of zeros. Throws CommandError: it is there already. */
function makeImage(file: string, size: number): void {
  if (size % SECTOR_BYTES !== 0) throw new UsageError(`the size of an image is a multiple of ${SECTOR_BYTES} bytes`);
  if (fs.existsSync(file)) throw new CommandError(`${file}: is there already; -s makes a new image`);
  about(file, () => {
    const descriptor = fs.openSync(file, 'wx');
    fs.ftruncateSync(descriptor, size);
    fs.closeSync(descriptor);
  });
}

function knownType(type: string): Format {
  try {
    return formatNamed(isFatName(type) ? 'fat' : type);
  } catch {
    const names = formats.flatMap(({ name }) => (name === 'fat' ? [name, ...Object.keys(FAT_BITS)] : [name]));
    throw new UsageError(`-t: there is no format ${type}: ${names.join(', ')}`);
  }
}

/** Makes an empty file system in an image. Throws CommandError, UsageError. */
export async function makeFileSystem(name: string, { type, label, size }: MakeOptions): Promise<void> {
  const format = knownType(type);
  const { file } = parseImageName(name);
  if (size !== undefined) makeImage(file, size);
  try {
    await fill(name, format, type, label);
  } catch (error) {
    // What could not be made is not left behind.
    if (size !== undefined) fs.rmSync(file);
    throw error;
  }
}

async function fill(name: string, format: Format, type: string, label: string | undefined): Promise<void> {
  const image = await openImage(name, false, 'whole');
  const progress = new ProgressLine(name);
  try {
    about(name, () => {
      format.format(image.device, {
        ...(label === undefined ? {} : { label }),
        ...(isFatName(type) ? { fatBits: FAT_BITS[type] } : {}),
        now: () => Date.now(),
        random,
        progress: progress.fraction,
      });
      image.device.flush();
    });
    progress.end();
    const bytes = formatSize(image.device.sectors * SECTOR_BYTES);
    process.stdout.write(`${name}: ${type}, ${bytes}${label === undefined ? '' : `, label ${label}`}\n`);
  } finally {
    progress.end();
    await image.close();
  }
}

/** Exit statuses of `vros fsck`, as those of fsck(8). */
export const fsckStatus = { SOUND: 0, REPAIRED: 1, PROBLEMS: 4, FAILED: 8 } as const;

/** Checks the file system of an image; with `repair` mends it. Answers the exit status. Throws CommandError FAILED. */
export async function checkFileSystem(name: string, repair: boolean): Promise<number> {
  try {
    return await checkImage(name, repair);
  } catch (error) {
    throw error instanceof CommandError ? new CommandError(error.message, fsckStatus.FAILED) : error;
  }
}

async function checkImage(name: string, repair: boolean): Promise<number> {
  const image = await openImage(name, !repair, 'file-system');
  const progress = new ProgressLine(name);
  try {
    const format = formatOfImage(image);
    const report = about(name, () => format.check(image.device, repair, progress.fraction));
    progress.end();
    for (const line of report.repaired) process.stdout.write(`repaired: ${line}\n`);
    for (const line of report.problems) process.stdout.write(`${line}\n`);
    const problems = report.problems.length;
    const verdict = problems === 0 ? 'sound' : `${problems} problem${problems === 1 ? '' : 's'}`;
    process.stdout.write(`${name}: ${format.name}, ${report.summary}: ${verdict}\n`);
    if (problems > 0) return fsckStatus.PROBLEMS;
    return report.repaired.length > 0 ? fsckStatus.REPAIRED : fsckStatus.SOUND;
  } finally {
    progress.end();
    await image.close();
  }
}
