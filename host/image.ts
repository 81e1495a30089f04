/**
 * Disk images and the partitions in them, as the commands name them: `disk.img` is the file system of the image, or
 * that of its first partition with one; `disk.img@2` is its second partition; `disk.img@0` is the image as a whole.
 *
 * An image is locked as the machine locks it: one that a machine uses is refused.
 */
import fs from 'node:fs';
import type { BlockDevice } from '../filesystems/block-device.ts';
import { SECTOR_BYTES } from '../filesystems/block-device.ts';
import type { FileSystem, Format } from '../filesystems/file-system.ts';
import { formatOf } from '../filesystems/formats.ts';
import { readPartitionTable } from '../filesystems/partitions.ts';
import { DiskImageError, openDiskImage } from '../hw/disk/image.ts';
import { SystemError } from '../protocol/errno.ts';
import { about, CommandError } from './errors.ts';

/** A range of sectors of an open image. */
class ImageDevice implements BlockDevice {
  readonly sectors: number;
  readonly readOnly: boolean;
  private readonly descriptor: number;
  private readonly firstSector: number;

  constructor(descriptor: number, firstSector: number, sectors: number, readOnly: boolean) {
    this.descriptor = descriptor;
    this.firstSector = firstSector;
    this.sectors = sectors;
    this.readOnly = readOnly;
  }

  read(sector: number, count: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(count * SECTOR_BYTES);
    this.move(sector, bytes, fs.readSync);
    return bytes;
  }

  write(sector: number, data: Uint8Array): void {
    if (this.readOnly) throw new SystemError('EROFS', 'the image is open for reading only');
    this.move(sector, data, fs.writeSync);
  }

  flush(): void {
    if (!this.readOnly) this.attempt(() => fs.fdatasyncSync(this.descriptor));
  }

  private move(
    sector: number,
    bytes: Uint8Array,
    move: (descriptor: number, bytes: Uint8Array, offset: number, length: number, position: number) => number,
  ): void {
    if (sector < 0 || sector + bytes.length / SECTOR_BYTES > this.sectors)
      throw new SystemError('ERANGE', `sector ${sector}: there are ${this.sectors}`);
    const position = (this.firstSector + sector) * SECTOR_BYTES;
    for (let at = 0; at < bytes.length; ) {
      const moved = this.attempt(() => move(this.descriptor, bytes, at, bytes.length - at, position + at));
      if (moved === 0) throw new SystemError('EIO', `the image ends before sector ${sector}`);
      at += moved;
    }
  }

  private attempt<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new SystemError('code' in error && error.code === 'ENOSPC' ? 'ENOSPC' : 'EIO', error.message);
    }
  }
}

/** An image with the part of it that was named. */
export interface OpenImage {
  /** As the user named it. */
  readonly name: string;
  readonly device: BlockDevice;
  close(): Promise<void>;
}

/** Splits `disk.img@2` into file and partition number; null: none was named. */
export function parseImageName(name: string): { file: string; partition: number | null } {
  const found = /^(.+)@(\d{1,2})$/.exec(name);
  // A file may have such a name itself.
  if (found === null || fs.existsSync(name)) return { file: name, partition: null };
  return { file: found[1] ?? name, partition: Number(found[2]) };
}

/**
 * Opens an image, or a partition of it. `choose` picks the part where the name does not say: that which holds a file
 * system, or the whole image, which must have no partitions then. Throws CommandError.
 */
export async function openImage(name: string, readOnly: boolean, choose: 'file-system' | 'whole'): Promise<OpenImage> {
  const { file, partition } = parseImageName(name);
  const backend = await openDiskImage(file, { readOnly }).catch((error: unknown) => {
    throw error instanceof DiskImageError ? new CommandError(error.message) : error;
  });
  const descriptor = fs.openSync(file, readOnly ? 'r' : 'r+');
  const close = async (): Promise<void> => {
    fs.closeSync(descriptor);
    await backend.close();
  };
  try {
    const part = (first: number, sectors: number): BlockDevice => new ImageDevice(descriptor, first, sectors, readOnly);
    const whole = part(0, backend.sectors);
    const device = about(name, () => pick(name, whole, part, partition, choose));
    return { name, device, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function pick(
  name: string,
  whole: BlockDevice,
  part: (first: number, sectors: number) => BlockDevice,
  partition: number | null,
  choose: 'file-system' | 'whole',
): BlockDevice {
  if (partition === 0) return whole;
  if (partition === null && formatOf(whole) !== undefined) return whole;
  const { partitions } = readPartitionTable(
    whole.sectors,
    (sector) => whole.read(sector, 1),
    () => {},
  );
  const { file } = parseImageName(name);
  const numbers = partitions.map(({ number }) => `${file}@${number}`).join(', ');
  if (partition === null && choose === 'whole') {
    if (partitions.length === 0) return whole;
    throw new CommandError(`${name} has partitions: name one of them (${numbers}), or ${name}@0 for the whole image`);
  }
  const candidates = partitions.filter(({ number }) => partition === null || number === partition);
  if (partition !== null && candidates.length === 0)
    throw new CommandError(`${name}: there is no such partition${numbers === '' ? '' : `, but ${numbers}`}`);
  const devices = candidates.map(({ firstSector, sectors }) => part(firstSector, sectors));
  const found = devices.find((device) => partition !== null || formatOf(device) !== undefined);
  if (found === undefined) throw new CommandError(`${name}: no known file system, neither in it nor in a partition`);
  return found;
}

/** The format of an open image. Throws CommandError: it holds none that is known. */
export function formatOfImage({ name, device }: OpenImage): Format {
  const format = about(name, () => formatOf(device));
  if (format === undefined) throw new CommandError(`${name}: no known file system`);
  return format;
}

/** Mounts the file system of an image, works with it and closes it again. Throws CommandError. */
export async function withFileSystem<T>(
  name: string,
  readOnly: boolean,
  work: (fileSystem: FileSystem) => T | Promise<T>,
): Promise<T> {
  const image = await openImage(name, readOnly, 'file-system');
  try {
    const format = formatOfImage(image);
    const fileSystem = about(name, () => format.mount(image.device, mountOptions(name, readOnly)));
    const { readOnlyReason } = fileSystem.information();
    if (!readOnly && readOnlyReason !== '') throw new CommandError(`${name}: read-only: ${readOnlyReason}`);
    const result = await work(fileSystem);
    about(name, () => fileSystem.close());
    return result;
  } finally {
    await image.close();
  }
}

/** Random bytes of the host. */
export const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));

function mountOptions(name: string, readOnly: boolean) {
  return {
    readOnly,
    now: () => Date.now(),
    keeper: null,
    log: (text: string, level: 'info' | 'warning' | 'error') => {
      if (level !== 'info') process.stderr.write(`${name}: ${text}\n`);
    },
    random,
  };
}
