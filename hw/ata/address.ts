/**
 * Sector addresses: cylinder, head and sector, 28-bit and 48-bit logical block addresses, in and out of the registers.
 *
 * Read: ATA/ATAPI-6, chapter 6 (addressing, 48-bit address feature set), ATA/ATAPI-5, chapter 6 (CHS translation).
 */
import { DEVICE, REGISTER, type TaskFile } from './registers.ts';

/** A way to number the sectors of a disk by cylinder, head and sector. */
export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  /** Sectors on a track, numbered from 1. */
  readonly sectors: number;
}

/** The largest capacity a 28-bit address can report. */
export const LBA28_LIMIT = 0x0fff_ffff;

const TWO_24 = 0x100_0000;

/** The geometry of a disk fresh from power-on: 16 heads, 63 sectors, 2 to 16383 cylinders. */
export function defaultGeometry(capacity: number): Geometry {
  const cylinders = Math.floor(capacity / (16 * 63));
  return { cylinders: Math.min(16383, Math.max(2, cylinders)), heads: 16, sectors: 63 };
}

/** The geometry of a disk told by INITIALIZE DEVICE PARAMETERS how many heads and sectors to use. */
export function translatedGeometry(capacity: number, heads: number, sectors: number): Geometry {
  return { cylinders: Math.min(65535, Math.floor(capacity / (heads * sectors))), heads, sectors };
}

/**
 * The sector the registers address, or null for a head or sector the geometry does not have. It may be off the disk.
 */
export function readAddress(file: TaskFile, ext: boolean, geometry: Geometry): number | null {
  const head = file.device & DEVICE.HEAD;
  if ((file.device & DEVICE.LBA) !== 0) {
    return (ext ? file.address24(true) : head) * TWO_24 + file.address24(false);
  }
  const sector = file.read(REGISTER.lbaLow, false);
  if (sector === 0 || sector > geometry.sectors || head >= geometry.heads) return null;
  const cylinder = file.address24(false) >>> 8;
  return (cylinder * geometry.heads + head) * geometry.sectors + sector - 1;
}

/** Sets the registers to address sector `lba`, in the way the device register asks for. */
export function writeAddress(file: TaskFile, ext: boolean, geometry: Geometry, lba: number): void {
  if ((file.device & DEVICE.LBA) === 0) {
    const track = Math.floor(lba / geometry.sectors);
    const cylinder = Math.floor(track / geometry.heads);
    file.setAddress24(((cylinder & 0xffff) << 8) | ((lba % geometry.sectors) + 1), false);
    setHead(file, track % geometry.heads);
    return;
  }
  file.setAddress24(lba % TWO_24, false);
  const upper = Math.floor(lba / TWO_24);
  if (ext) file.setAddress24(upper, true);
  else setHead(file, upper & DEVICE.HEAD);
}

function setHead(file: TaskFile, head: number): void {
  file.device = (file.device & ~DEVICE.HEAD) | head;
}
