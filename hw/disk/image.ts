/**
 * Raw disk images: a regular file whose bytes are the sectors of the disk, sparse or not.
 *
 * Requests run one at a time in the order of issue, each without blocking the event loop; writes that wait and continue
 * one another go to the host as one. That order is what `DiskBackend` promises, and it makes a flush cover every write
 * before it. Read: open(2), pread(2), pwritev(2), fdatasync(2).
 */
import { fdatasync, read as fsRead, writev as fsWritev } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { type DiskBackend, type DiskDone, DiskError, type DiskErrorCode, rangeError, SECTOR_BYTES } from './backend.ts';
import { lockOpenFile } from './lock.ts';

/** The largest image: 2 TiB, so that every sector number fits 32 bits. */
export const MAXIMUM_IMAGE_SECTORS = 2 ** 32;

/** Writes sent to the host as one, at most. */
const BATCH_LIMIT = 256;

/** Why an image cannot be opened. */
export type DiskImageErrorCode =
  | 'missing'
  | 'directory'
  | 'not-a-file'
  | 'permission'
  | 'read-only'
  | 'empty'
  | 'truncated'
  | 'too-large'
  | 'locked'
  | 'lock-unavailable'
  | 'not-made'
  | 'io';

/** An image that cannot be opened: `message` is a sentence for the user and names the path. */
export class DiskImageError extends Error {
  override readonly name = 'DiskImageError';
  readonly code: DiskImageErrorCode;
  readonly path: string;

  constructor(code: DiskImageErrorCode, path: string, message: string) {
    super(message);
    this.code = code;
    this.path = path;
  }
}

/** How to open an image. */
export interface DiskImageOptions {
  /** Takes no writes and shares the image with others who only read it. Default: alone, for reading and writing. */
  readonly readOnly?: boolean;
}

/**
 * Opens a raw image and locks it: a writer has it alone, readers share it. Rejects with a `DiskImageError`. The lock
 * goes with the returned disk's `close`, or with this process.
 */
export async function openDiskImage(path: string, options: DiskImageOptions = {}): Promise<DiskBackend> {
  const readOnly = options.readOnly ?? false;
  const file = await openFile(path, readOnly);
  try {
    const sectors = await measure(file, path, readOnly);
    await lock(file, path, readOnly);
    return new DiskImage(file, path, sectors, readOnly);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openFile(path: string, readOnly: boolean): Promise<FileHandle> {
  // Without O_NONBLOCK opening a FIFO waits for its other end.
  const flags = constants.O_NONBLOCK | (readOnly ? constants.O_RDONLY : constants.O_RDWR);
  try {
    return await open(path, flags);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') {
      throw new DiskImageError('missing', path, `The disk image ${path} does not exist.`);
    }
    if (errno === 'EISDIR') throw directory(path);
    if (errno === 'EROFS' || (errno === 'EACCES' && !readOnly && (await canRead(path)))) throw writeProtected(path);
    if (errno === 'EACCES' || errno === 'EPERM') {
      throw new DiskImageError('permission', path, `The disk image ${path} may not be opened by this user.`);
    }
    if (errno === 'ENXIO') throw notAFile(path);
    throw new DiskImageError('io', path, `The disk image ${path} cannot be opened: ${messageOf(error)}.`);
  }
}

async function canRead(path: string): Promise<boolean> {
  try {
    await (await open(path, constants.O_NONBLOCK | constants.O_RDONLY)).close();
    return true;
  } catch {
    return false;
  }
}

/** The number of sectors of an open image that is fit to be a disk. */
async function measure(file: FileHandle, path: string, readOnly: boolean): Promise<number> {
  const stat = await file.stat();
  if (stat.isDirectory()) throw directory(path);
  if (!stat.isFile()) throw notAFile(path);
  // The superuser gets past the permission bits, so they are looked at: a file without them is meant to stay as it is.
  if (!readOnly && (stat.mode & 0o222) === 0) throw writeProtected(path);
  if (stat.size === 0) {
    throw new DiskImageError('empty', path, `The disk image ${path} is empty; a disk has at least one sector.`);
  }
  if (stat.size % SECTOR_BYTES !== 0) {
    throw new DiskImageError(
      'truncated',
      path,
      `The disk image ${path} is truncated: its ${stat.size} bytes are not a multiple of ${SECTOR_BYTES}.`,
    );
  }
  const sectors = stat.size / SECTOR_BYTES;
  if (sectors > MAXIMUM_IMAGE_SECTORS) {
    throw new DiskImageError(
      'too-large',
      path,
      `The disk image ${path} is too large: ${sectors} sectors, where ${MAXIMUM_IMAGE_SECTORS} are the limit.`,
    );
  }
  return sectors;
}

async function lock(file: FileHandle, path: string, readOnly: boolean): Promise<void> {
  const result = await lockOpenFile(file.fd, readOnly ? 'shared' : 'exclusive');
  if (result.kind === 'conflict') {
    const others = readOnly ? 'another machine is writing to it' : 'another machine is using it';
    throw new DiskImageError('locked', path, `The disk image ${path} is locked: ${others}.`);
  }
  if (result.kind === 'unavailable') {
    throw new DiskImageError('lock-unavailable', path, `The disk image ${path} cannot be locked: ${result.reason}.`);
  }
}

function directory(path: string): DiskImageError {
  return new DiskImageError('directory', path, `The disk image ${path} is a directory.`);
}

function notAFile(path: string): DiskImageError {
  return new DiskImageError('not-a-file', path, `The disk image ${path} is not a regular file.`);
}

function writeProtected(path: string): DiskImageError {
  return new DiskImageError(
    'read-only',
    path,
    `The disk image ${path} is write-protected; it can be opened read-only.`,
  );
}

interface Operation {
  readonly kind: 'read' | 'write' | 'flush';
  readonly offset: number;
  readonly buffer: Buffer;
  readonly done: DiskDone;
}

const NO_BYTES = Buffer.alloc(0);

/** An open, locked image. */
class DiskImage implements DiskBackend {
  readonly sectors: number;
  readonly readOnly: boolean;
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #waiting: Operation[] = [];
  #busy = false;
  #closing: Promise<void> | null = null;
  #drained: (() => void) | null = null;
  /**
   * After a failed fdatasync(2) the host may have dropped the dirty pages and would call the next one a success, so the
   * failure stays.
   */
  #flushError: DiskError | null = null;

  constructor(file: FileHandle, path: string, sectors: number, readOnly: boolean) {
    this.#file = file;
    this.#path = path;
    this.sectors = sectors;
    this.readOnly = readOnly;
  }

  read(lba: number, target: Buffer, done: DiskDone): void {
    const error = rangeError(this.sectors, lba, target.length);
    if (error !== null) done(error);
    else this.#issue({ kind: 'read', offset: lba * SECTOR_BYTES, buffer: target, done });
  }

  write(lba: number, source: Buffer, done: DiskDone): void {
    const error = rangeError(this.sectors, lba, source.length);
    if (error !== null) done(error);
    else if (this.readOnly) done(new DiskError('read-only', `the disk image ${this.#path} is open read-only`, lba));
    else this.#issue({ kind: 'write', offset: lba * SECTOR_BYTES, buffer: source, done });
  }

  flush(done: DiskDone): void {
    this.#issue({ kind: 'flush', offset: 0, buffer: NO_BYTES, done });
  }

  close(): Promise<void> {
    this.#closing ??= this.#idle().then(() => this.#file.close());
    return this.#closing;
  }

  #idle(): Promise<void> {
    return this.#busy ? new Promise((resolve) => (this.#drained = resolve)) : Promise.resolve();
  }

  #issue(operation: Operation): void {
    if (this.#closing !== null) {
      operation.done(new DiskError('closed', `the disk image ${this.#path} is closed`));
      return;
    }
    this.#waiting.push(operation);
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const operation = this.#waiting.shift();
    this.#busy = operation !== undefined;
    if (operation === undefined) {
      this.#drained?.();
      return;
    }
    const end = (error: DiskError | null): void => {
      operation.done(error);
      this.#next();
    };
    if (operation.kind === 'read') this.#read(operation.buffer, operation.offset, end);
    else if (operation.kind === 'flush') this.#flush(end);
    else this.#writeBatch(operation);
  }

  /** Fills `buffer` from `offset` on; a host read may return less than was asked for. */
  #read(buffer: Buffer, offset: number, end: DiskDone): void {
    fsRead(this.#file.fd, buffer, 0, buffer.length, offset, (error, count) => {
      if (error !== null) end(this.#failed('read', error, offset));
      else if (count === buffer.length) end(null);
      else if (count > 0) this.#read(buffer.subarray(count), offset + count, end);
      else end(this.#endOfFile(offset));
    });
  }

  #flush(end: DiskDone): void {
    if (this.readOnly || this.#flushError !== null) {
      // Never ends a request inside of the call that issued it while others are in front of it: the queue stays simple.
      queueMicrotask(() => end(this.#flushError));
      return;
    }
    fdatasync(this.#file.fd, (error) => {
      if (error !== null) this.#flushError = this.#failed('flush', error, null);
      end(this.#flushError);
    });
  }

  /**
   * Writes `first` and the waiting writes that continue it. If that fails, each of them alone, to tell which are bad.
   */
  #writeBatch(first: Operation): void {
    const batch = [first];
    let offset = first.offset + first.buffer.length;
    for (let next = this.#waiting[0]; next !== undefined && batch.length < BATCH_LIMIT; next = this.#waiting[0]) {
      if (next.kind !== 'write' || next.offset !== offset) break;
      batch.push(next);
      offset += next.buffer.length;
      this.#waiting.shift();
    }
    const buffers = batch.map((operation) => operation.buffer);
    this.#write(buffers, first.offset, (error) => {
      if (error !== null && batch.length > 1) {
        this.#writeEach(batch, 0);
        return;
      }
      for (const operation of batch) operation.done(error);
      this.#next();
    });
  }

  #writeEach(batch: readonly Operation[], index: number): void {
    const operation = batch[index];
    if (operation === undefined) {
      this.#next();
      return;
    }
    this.#write([operation.buffer], operation.offset, (error) => {
      operation.done(error);
      this.#writeEach(batch, index + 1);
    });
  }

  #write(buffers: readonly Buffer[], offset: number, end: DiskDone): void {
    fsWritev(this.#file.fd, buffers, offset, (error, count) => {
      if (error !== null) {
        end(this.#failed('write', error, offset));
        return;
      }
      const rest = after(buffers, count);
      if (rest.length === 0) end(null);
      else if (count > 0) this.#write(rest, offset + count, end);
      else end(new DiskError('io', `cannot write to the disk image ${this.#path}`, Math.floor(offset / SECTOR_BYTES)));
    });
  }

  #failed(verb: string, error: NodeJS.ErrnoException, offset: number | null): DiskError {
    const full = error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EFBIG';
    const code: DiskErrorCode = full ? 'no-space' : 'io';
    const lba = offset === null ? null : Math.floor(offset / SECTOR_BYTES);
    return new DiskError(code, `cannot ${verb} the disk image ${this.#path}: ${error.message}`, lba);
  }

  #endOfFile(offset: number): DiskError {
    const lba = Math.floor(offset / SECTOR_BYTES);
    return new DiskError('truncated', `the disk image ${this.#path} has been cut off before sector ${lba}`, lba);
  }
}

/** What is left of `buffers` when their first `count` bytes are done. */
function after(buffers: readonly Buffer[], count: number): Buffer[] {
  const rest: Buffer[] = [];
  let skip = count;
  for (const buffer of buffers) {
    if (skip < buffer.length) rest.push(skip === 0 ? buffer : buffer.subarray(skip));
    skip = Math.max(0, skip - buffer.length);
  }
  return rest;
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
