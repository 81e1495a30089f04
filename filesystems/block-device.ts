/**
 * What a file system stands on: sectors that can be read and written, one request after the other. Behind it are the
 * disk driver (in a service), an image file (in the tools of the host), or memory (in tests).
 */

/** Bytes of a sector. */
export const SECTOR_BYTES = 512;

/** A disk or partition. Requests block; a request of any size may be made, the device splits it as it needs to. */
export interface BlockDevice {
  readonly sectors: number;
  /** Every write is refused with EROFS. */
  readonly readOnly: boolean;
  /** Reads whole sectors. Throws SystemError: EIO, ERANGE. The bytes belong to the caller. */
  read(sector: number, count: number): Uint8Array;
  /**
   * Writes whole sectors. Throws SystemError: EIO, ERANGE, EROFS. After an error any part of it may have been written.
   */
  write(sector: number, data: Uint8Array): void;
  /**
   * Begins a write, as `write` does, and may return before it is done. It is done when the next other request has
   * returned, which throws its error as well; until then `data` must not change, and nothing else may be written to
   * these sectors. Devices that cannot do that leave it out.
   */
  beginWrite?(sector: number, data: Uint8Array): void;
  /** Returns when everything written before is on the medium. Throws SystemError: EIO. */
  flush(): void;
}

/**
 * Values that outlive the process but not the machine: the recovery store of a service. `put` takes effect at once and
 * whole, in the order of the calls. Values are what msgpack can carry.
 */
export interface Keeper {
  /** The value under a key, or undefined. */
  get(key: string): unknown;
  /** Throws SystemError: ENOSPC. */
  put(key: string, value: unknown): void;
  /** Forgets a key; one that is not there is no error. */
  delete(key: string): void;
  keys(): readonly string[];
}
