/**
 * Interface `block` (4): disks and their partitions, in sectors of 512 bytes.
 *
 * `open` answers a badged right; `information`, `read`, `write` and `flush` go through it and mean that device.
 * `open_file` answers one on which the interface `file` is answered. The badge names the device, so rights outlive the
 * driver. All requests may simply be repeated: reading and writing the same sectors twice does no harm.
 */
import { defineInterface, method } from './interface.ts';
import { bool, bytes, list, nameText, nothing, record, right, text, u16, u32, u53 } from './schema.ts';

/** Bytes of a sector. */
export const SECTOR_BYTES = 512;

/** Sectors that one request may move (128 KiB). */
export const MAX_REQUEST_SECTORS = 256;

/**
 * A disk (`hda`) or one of its partitions (`hda1`). `kind`: `disk`, or the partition's type as two hexadecimal digits.
 */
export const blockDevice = record({
  name: nameText,
  kind: text(16),
  firstSector: u53,
  sectors: u53,
  readOnly: bool,
  model: text(40),
  serial: text(20),
  firmware: text(8),
  sectorsPerInterrupt: u16,
});

/** What the driver has done since its incarnation started. */
export const blockStatistics = record({
  reads: u53,
  writes: u53,
  flushes: u53,
  sectorsRead: u53,
  sectorsWritten: u53,
  interrupts: u53,
  commandRetries: u32,
  resets: u32,
  errors: u32,
});

export const block = defineInterface('block', 4, {
  /** All devices. */
  list: method(1, nothing, list(blockDevice, 256)),
  /** A right to one device. ENODEV: no such device. */
  open: method(2, nameText, record({ device: right, description: blockDevice })),
  /** The device of this right. EBADF: the right names no device. */
  information: method(3, nothing, blockDevice),
  /** Reads `count` (1 to 256) sectors. EINVAL: count; ERANGE: beyond the end; EIO: the disk reports an error. */
  read: method(4, record({ sector: u53, count: u16 }), bytes(MAX_REQUEST_SECTORS * SECTOR_BYTES)),
  /** Writes whole sectors (1 to 256). EINVAL, ERANGE, EIO; EROFS: the disk is read-only. */
  write: method(5, record({ sector: u53, data: bytes(MAX_REQUEST_SECTORS * SECTOR_BYTES) }), nothing),
  /** Returns when everything written before is on the medium. EIO. */
  flush: method(6, nothing, nothing),
  /** Counters of the driver. */
  statistics: method(7, nothing, blockStatistics),
  /**
   * A right to one device as a file (interface `file`): byte offsets, any length. `flags`: READ and WRITE of
   * protocol/vfs.ts. ENODEV; EINVAL: other flags or none; EROFS: to write to a disk that is known to be read-only.
   */
  open_file: method(8, record({ name: nameText, flags: u16 }), record({ file: right, size: u53 })),
});
