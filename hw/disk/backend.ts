/**
 * What holds the sectors of a disk: the interface between the ATA devices and an image file, memory, or a test's fault
 * injector.
 *
 * Order is part of the contract. Requests take effect in the order of issue wherever they overlap: a read issued after
 * a write of the same sectors sees it, and a flush covers every write issued before it. `done` is called exactly once
 * for each request, either before the call returns or later, and the buffer belongs to the back end until then. The
 * number of requests under way is bounded by the caller.
 */

/** Bytes in a sector, of every disk here. */
export const SECTOR_BYTES = 512;

/**
 * Why a request failed: `io` the host reported an error, `truncated` the image ends before the sector, `no-space` the
 * host's file system is full, `range` beyond the last sector or not whole sectors, `read-only` a write to a disk that
 * takes none, `closed` the back end was closed.
 */
export type DiskErrorCode = 'io' | 'truncated' | 'no-space' | 'range' | 'read-only' | 'closed';

/** A failed request. */
export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly code: DiskErrorCode;
  /** The first sector that failed, where it is known. */
  readonly lba: number | null;

  constructor(code: DiskErrorCode, message: string, lba: number | null = null) {
    super(message);
    this.code = code;
    this.lba = lba;
  }
}

/** Receives the end of a request: null when all of it was done. */
export type DiskDone = (error: DiskError | null) => void;

/** A disk of `sectors` sectors of 512 bytes, numbered from 0. */
export interface DiskBackend {
  readonly sectors: number;
  /** True when every write is refused. */
  readonly readOnly: boolean;
  /** Fills `target`, whole sectors, from sector `lba` on. After an error its contents are undefined. */
  read(lba: number, target: Buffer, done: DiskDone): void;
  /** Writes `source`, whole sectors, from sector `lba` on. After an error any part of it may have been written. */
  write(lba: number, source: Buffer, done: DiskDone): void;
  /** Ends when every write issued before is on stable storage. */
  flush(done: DiskDone): void;
  /** Ends when the requests issued before have ended and the disk is given back. Later requests fail with `closed`. */
  close(): Promise<void>;
}

/**
 * The error of a request for sectors that are not there, or null when `bytes` from sector `lba` on are whole and
 * inside.
 */
export function rangeError(sectors: number, lba: number, bytes: number): DiskError | null {
  const inside = Number.isSafeInteger(lba) && lba >= 0 && lba + bytes / SECTOR_BYTES <= sectors;
  if (inside && bytes > 0 && bytes % SECTOR_BYTES === 0) return null;
  return new DiskError('range', `${bytes} bytes from sector ${lba} on are outside of a disk of ${sectors} sectors`);
}
