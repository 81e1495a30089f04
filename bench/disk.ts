/** Disk images for the measurements. */
import fs from 'node:fs';
import path from 'node:path';
import type { BlockDevice } from '../filesystems/block-device.ts';
import type { FileSystem } from '../filesystems/file-system.ts';
import { vrfs } from '../filesystems/vrfs/index.ts';

const SECTOR_BYTES = 512;

/** Makes an image of `bytes` in which every sector begins with its own number, and answers its path. */
export function makeImage(folder: string, name: string, bytes: number): string {
  const file = path.join(folder, name);
  const content = Buffer.alloc(bytes, 0xa5);
  for (let sector = 0; sector < bytes / SECTOR_BYTES; sector++) content.writeUInt32LE(sector, sector * SECTOR_BYTES);
  fs.writeFileSync(file, content);
  return file;
}

/** A file of the host as a block device; counts what is written and flushed. */
class FileDevice implements BlockDevice {
  readonly sectors: number;
  readonly readOnly = false;
  flushes = 0;
  bytesWritten = 0;
  private readonly descriptor: number;

  constructor(file: string, bytes: number) {
    fs.rmSync(file, { force: true });
    this.descriptor = fs.openSync(file, 'wx+');
    fs.ftruncateSync(this.descriptor, bytes);
    this.sectors = bytes / SECTOR_BYTES;
  }

  read(sector: number, count: number): Uint8Array {
    const bytes = Buffer.alloc(count * SECTOR_BYTES);
    fs.readSync(this.descriptor, bytes, 0, bytes.length, sector * SECTOR_BYTES);
    return bytes;
  }

  write(sector: number, data: Uint8Array): void {
    this.bytesWritten += data.length;
    fs.writeSync(this.descriptor, data, 0, data.length, sector * SECTOR_BYTES);
  }

  flush(): void {
    this.flushes++;
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }
}

const fixed = { now: () => 1.7e12, random: (count: number) => new Uint8Array(count).fill(7) };
const mountOptions = { ...fixed, readOnly: false, keeper: null, log: () => {} };

/**
 * Makes files in directories of a hundred; stops after `files`, or when the journal has been emptied, which takes a
 * flush. Answers how many it made and the bytes written meanwhile.
 */
function makeFiles(device: FileDevice, fileSystem: FileSystem, files: number): { made: number; bytes: number } {
  // The first change of a mounted file system takes a flush of its own.
  fileSystem.makeDirectory(fileSystem.root, 'before', 0o755);
  fileSystem.commit();
  const before = device.bytesWritten;
  let { root: directory } = fileSystem;
  const { flushes } = device;
  let made = 0;
  for (; made < files; made++) {
    if (made % 100 === 0) directory = fileSystem.makeDirectory(fileSystem.root, `directory-${made / 100}`, 0o755);
    const node = fileSystem.create(directory, `file-${made}`, 0o644);
    fileSystem.write(node, 0, Buffer.from(`${made}\n`));
    fileSystem.commit();
    if (device.flushes > flushes) break;
  }
  return { made, bytes: device.bytesWritten - before };
}

/**
 * An image whose machine lost its power with a full journal. Answers how many directories its root has, and the bytes
 * that were written since the last checkpoint.
 */
export function makeCrashedImage(file: string): { directories: number; bytes: number } {
  const work = (most: number): { made: number; bytes: number } => {
    const device = new FileDevice(file, 256 * 1024 * 1024);
    vrfs.format(device, fixed);
    const result = makeFiles(device, vrfs.mount(device, mountOptions), most);
    device.close();
    return result;
  };
  // The first try finds out how many files the journal holds, the second stops before it is emptied.
  const { made, bytes } = work(work(Number.POSITIVE_INFINITY).made);
  if (made < 100) throw new Error(`the journal was emptied after ${made} files already`);
  return { directories: 1 + Math.ceil(made / 100), bytes };
}

/** An image of `bytes` with so many files, cleanly unmounted. */
export function makeFilledImage(file: string, bytes: number, files: number): void {
  const device = new FileDevice(file, bytes);
  vrfs.format(device, fixed);
  const fileSystem = vrfs.mount(device, mountOptions);
  for (let made = 0; made < files; ) made += makeBatch(fileSystem, made, Math.min(files - made, 500));
  fileSystem.close();
  device.close();
}

function makeBatch(fileSystem: FileSystem, first: number, count: number): number {
  const directory = fileSystem.makeDirectory(fileSystem.root, `batch-${first}`, 0o755);
  for (let index = 0; index < count; index++) {
    const node = fileSystem.create(directory, `file-${first + index}`, 0o644);
    fileSystem.write(node, 0, Buffer.from(`file ${first + index}\n`));
    fileSystem.commit();
  }
  return count;
}
