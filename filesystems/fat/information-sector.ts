/**
 * The sector of FAT32 with the number of free clusters and where to look for one. Both are hints. Read: fatgen103,
 * "FAT32 FSInfo Sector Structure and Backup Boot Sector".
 */
import type { BlockCache } from '../block-cache.ts';
import type { Geometry } from './boot-sector.ts';

const LEAD_SIGNATURE = 0x4161_5252;
const STRUCTURE_SIGNATURE = 0x6141_7272;
const TRAIL_SIGNATURE = 0xaa55_0000;

const AT = { lead: 0, structure: 484, free: 488, next: 492, trail: 508 } as const;

/** Figures of the sector; null: not known. */
export interface Figures {
  readonly free: number | null;
  readonly next: number;
}

/** An information sector. `free` and `next` as on the disk. */
export function newInformationSector(free: number, next: number): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.writeUInt32LE(LEAD_SIGNATURE, AT.lead);
  bytes.writeUInt32LE(STRUCTURE_SIGNATURE, AT.structure);
  bytes.writeUInt32LE(free, AT.free);
  bytes.writeUInt32LE(next, AT.next);
  bytes.writeUInt32LE(TRAIL_SIGNATURE, AT.trail);
  return bytes;
}

/** Whether a sector has the signatures. */
export function isInformationSector(bytes: Buffer): boolean {
  return (
    bytes.readUInt32LE(AT.lead) === LEAD_SIGNATURE &&
    bytes.readUInt32LE(AT.structure) === STRUCTURE_SIGNATURE &&
    bytes.readUInt32LE(AT.trail) === TRAIL_SIGNATURE
  );
}

/** The figures, as far as they can be true. */
export function readInformation(cache: BlockCache, { information, clusters }: Geometry): Figures {
  if (information === 0) return { free: null, next: 0 };
  const bytes = cache.read(information);
  if (!isInformationSector(bytes)) return { free: null, next: 0 };
  const free = bytes.readUInt32LE(AT.free);
  return { free: free <= clusters ? free : null, next: bytes.readUInt32LE(AT.next) };
}

/** Writes the figures, within an operation; only if they are other ones, and the sector is what it should be. */
export function writeInformation(cache: BlockCache, { information }: Geometry, free: number, next: number): void {
  if (information === 0) return;
  const bytes = cache.read(information);
  if (!isInformationSector(bytes)) return;
  if (bytes.readUInt32LE(AT.free) === free && bytes.readUInt32LE(AT.next) === next) return;
  const changed = cache.change(information);
  changed.writeUInt32LE(free, AT.free);
  changed.writeUInt32LE(next, AT.next);
}
