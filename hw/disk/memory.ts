/**
 * A disk in memory: the back end of tests, and of anything else that needs no file.
 */
import { type DiskBackend, type DiskDone, DiskError, rangeError, SECTOR_BYTES } from './backend.ts';

/** What a memory disk may be told. */
export interface MemoryDiskOptions {
  readonly readOnly?: boolean;
  /** Runs each completion later, in order; without it requests end before the call returns. */
  readonly defer?: (completion: () => void) => void;
}

/** A disk whose sectors are the bytes of one buffer. */
export class MemoryDisk implements DiskBackend {
  readonly sectors: number;
  readonly readOnly: boolean;
  /** The contents, sector after sector. */
  readonly bytes: Buffer;
  readonly #defer: ((completion: () => void) => void) | null;
  #closed = false;

  /** `contents` is a number of zeroed sectors, or a buffer of whole sectors that becomes the disk. */
  constructor(contents: number | Buffer, options: MemoryDiskOptions = {}) {
    this.bytes = typeof contents === 'number' ? Buffer.alloc(contents * SECTOR_BYTES) : contents;
    this.sectors = Math.floor(this.bytes.length / SECTOR_BYTES);
    this.readOnly = options.readOnly ?? false;
    this.#defer = options.defer ?? null;
  }

  read(lba: number, target: Buffer, done: DiskDone): void {
    const error = this.#check(lba, target.length);
    if (error === null) this.bytes.copy(target, 0, lba * SECTOR_BYTES, lba * SECTOR_BYTES + target.length);
    this.#end(error, done);
  }

  write(lba: number, source: Buffer, done: DiskDone): void {
    let error = this.#check(lba, source.length);
    if (error === null && this.readOnly) error = new DiskError('read-only', 'the disk is read-only', lba);
    if (error === null) source.copy(this.bytes, lba * SECTOR_BYTES);
    this.#end(error, done);
  }

  flush(done: DiskDone): void {
    this.#end(this.#closed ? closedError() : null, done);
  }

  close(): Promise<void> {
    this.#closed = true;
    const defer = this.#defer;
    return defer === null ? Promise.resolve() : new Promise((resolve) => defer(resolve));
  }

  #check(lba: number, bytes: number): DiskError | null {
    return this.#closed ? closedError() : rangeError(this.sectors, lba, bytes);
  }

  #end(error: DiskError | null, done: DiskDone): void {
    if (this.#defer === null) done(error);
    else this.#defer(() => done(error));
  }
}

function closedError(): DiskError {
  return new DiskError('closed', 'the disk is closed');
}
