/**
 * The names of an ATA device's registers, their bits and the command codes, and the registers a host writes.
 *
 * Read: ATA/ATAPI-6, chapter 7 (registers), 8 (commands), 6 (48-bit addresses: each register keeps its previous
 * contents too).
 */

/** Offsets in the command block; 1 and 7 mean one register when read and another when written. */
export const REGISTER = {
  data: 0,
  error: 1,
  feature: 1,
  count: 2,
  lbaLow: 3,
  lbaMid: 4,
  lbaHigh: 5,
  device: 6,
  status: 7,
  command: 7,
} as const;

/** Bits of the status register. */
export const STATUS = { ERR: 0x01, DRQ: 0x08, DSC: 0x10, DRDY: 0x40, BSY: 0x80 } as const;

/** Bits of the error register. */
export const ERROR = { ABRT: 0x04, IDNF: 0x10, UNC: 0x40 } as const;

/** What the error register says after a reset or diagnostic that found nothing wrong. */
export const DIAGNOSTIC_PASSED = 0x01;

/** Bits of the device control register. */
export const CONTROL = { nIEN: 0x02, SRST: 0x04, HOB: 0x80 } as const;

/** Bits of the device register; the obsolete ones always read 1. */
export const DEVICE = { HEAD: 0x0f, DEV: 0x10, LBA: 0x40, OBSOLETE: 0xa0 } as const;

/** Command codes. */
export const COMMAND = {
  recalibrate: 0x10,
  readSectors: 0x20,
  readSectorsNoRetry: 0x21,
  readSectorsExt: 0x24,
  readNativeMaxExt: 0x27,
  readMultipleExt: 0x29,
  writeSectors: 0x30,
  writeSectorsNoRetry: 0x31,
  writeSectorsExt: 0x34,
  writeMultipleExt: 0x39,
  writeVerify: 0x3c,
  readVerify: 0x40,
  readVerifyNoRetry: 0x41,
  readVerifyExt: 0x42,
  seek: 0x70,
  diagnostic: 0x90,
  initializeParameters: 0x91,
  oldStandbyImmediate: 0x94,
  oldIdleImmediate: 0x95,
  oldStandby: 0x96,
  oldIdle: 0x97,
  oldCheckPowerMode: 0x98,
  oldSleep: 0x99,
  readMultiple: 0xc4,
  writeMultiple: 0xc5,
  setMultiple: 0xc6,
  standbyImmediate: 0xe0,
  idleImmediate: 0xe1,
  standby: 0xe2,
  idle: 0xe3,
  checkPowerMode: 0xe5,
  sleep: 0xe6,
  flushCache: 0xe7,
  flushCacheExt: 0xea,
  identify: 0xec,
  setFeatures: 0xef,
  securityFreezeLock: 0xf5,
  readNativeMax: 0xf8,
} as const;

/** The registers of one device that the host writes. Both devices of a channel hear every write. */
export class TaskFile {
  /** By offset in the command block, 1 (feature) to 6 (device). */
  readonly #current = new Uint8Array(7);
  readonly #previous = new Uint8Array(7);

  /** The register at `offset`, or with `hob` what it was before its last write. */
  read(offset: number, hob: boolean): number {
    return (hob ? this.#previous : this.#current)[offset] ?? 0;
  }

  /** A host's write: the old contents stay readable with `hob`. */
  write(offset: number, value: number): void {
    this.#previous[offset] = this.#current[offset] ?? 0;
    this.#current[offset] = value;
  }

  /** A device's own change: the previous contents stay as they are. */
  set(offset: number, value: number): void {
    this.#current[offset] = value;
  }

  get feature(): number {
    return this.read(REGISTER.feature, false);
  }

  get count(): number {
    return this.read(REGISTER.count, false);
  }

  get device(): number {
    return this.read(REGISTER.device, false);
  }

  set device(value: number) {
    this.#current[REGISTER.device] = value | DEVICE.OBSOLETE;
  }

  /** Sectors a command asks for: 1 to 256, or with a 48-bit command 1 to 65536. 0 means the largest. */
  sectorCount(ext: boolean): number {
    if (!ext) return this.count || 256;
    return this.read(REGISTER.count, true) * 256 + this.count || 65536;
  }

  /** LBA low, mid and high as one number of 24 bits. */
  address24(hob: boolean): number {
    const low = this.read(REGISTER.lbaLow, hob);
    return low | (this.read(REGISTER.lbaMid, hob) << 8) | (this.read(REGISTER.lbaHigh, hob) << 16);
  }

  /** Sets LBA low, mid and high (or what they were before, with `hob`) from the low 24 bits of a number. */
  setAddress24(value: number, hob: boolean): void {
    const file = hob ? this.#previous : this.#current;
    file[REGISTER.lbaLow] = value;
    file[REGISTER.lbaMid] = value >>> 8;
    file[REGISTER.lbaHigh] = value >>> 16;
  }

  /** After a reset: all zero, then the signature of an ATA disk, or of nothing (ATA/ATAPI-6, 9.12). */
  reset(present: boolean): void {
    this.#current.fill(0);
    this.#previous.fill(0);
    this.device = 0;
    this.signature(present);
  }

  /** Sets the registers that tell an ATA disk from a packet device. */
  signature(present: boolean): void {
    this.set(REGISTER.count, 1);
    this.setAddress24(present ? 0x000001 : 0xffff01, false);
  }
}
