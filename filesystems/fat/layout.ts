/**
 * How large clusters, tables and the rest become when a FAT file system is made. Read: fatgen103, "FAT Volume
 * Initialization", whose tables of cluster sizes are followed.
 */
import { SystemError } from '../../protocol/errno.ts';
import { SECTOR_BYTES } from '../block-device.ts';
import {
  ENTRY_BYTES,
  type FatBits,
  FIRST_CLUSTER,
  MAX_CLUSTERS_12,
  MAX_CLUSTERS_16,
  MAX_CLUSTERS_32,
} from './boot-sector.ts';

/** What the boot sector will say. */
export interface Layout {
  readonly bits: FatBits;
  readonly sectors: number;
  readonly sectorsPerCluster: number;
  readonly reserved: number;
  readonly tables: number;
  readonly tableSectors: number;
  readonly rootEntries: number;
  readonly clusters: number;
  readonly media: number;
  readonly sectorsPerTrack: number;
  readonly heads: number;
}

const TABLES = 2;
const MEBIBYTE = 2048;
const GIBIBYTE = 1024 * MEBIBYTE;

/** Devices of fewer sectors get FAT12, and FAT16, unless something else is asked for. */
const FAT12_BELOW = 16 * MEBIBYTE;
const FAT16_BELOW = 512 * MEBIBYTE;

const MAX_SECTORS_PER_CLUSTER = 128;

/** Largest number of sectors that the boot sector can name. */
const MAX_SECTORS = 0xffff_ffff;

/** Sectors of a device at most, and those of a cluster up to there. */
type ClusterSizes = readonly (readonly [sectors: number, sectorsPerCluster: number])[];

const CLUSTER_SIZES: Readonly<Record<FatBits, ClusterSizes>> = {
  12: [[Number.POSITIVE_INFINITY, 1]],
  16: [
    [16 * MEBIBYTE, 2],
    [128 * MEBIBYTE, 4],
    [256 * MEBIBYTE, 8],
    [512 * MEBIBYTE, 16],
    [GIBIBYTE, 32],
    [Number.POSITIVE_INFINITY, 64],
  ],
  32: [
    [260 * MEBIBYTE, 1],
    [8 * GIBIBYTE, 8],
    [16 * GIBIBYTE, 16],
    [32 * GIBIBYTE, 32],
    [Number.POSITIVE_INFINITY, 64],
  ],
};

/** Clusters from and up to which a type has to be what it is. */
const CLUSTER_LIMITS: Readonly<Record<FatBits, readonly [least: number, most: number]>> = {
  12: [1, MAX_CLUSTERS_12],
  16: [MAX_CLUSTERS_12 + 1, MAX_CLUSTERS_16],
  32: [MAX_CLUSTERS_16 + 1, MAX_CLUSTERS_32],
};

type Floppy = Pick<Layout, 'sectorsPerCluster' | 'rootEntries' | 'media' | 'sectorsPerTrack' | 'heads'>;

/** Diskettes by their number of sectors: what every system makes of them. */
const FLOPPIES: Readonly<Record<number, Floppy>> = {
  720: { sectorsPerCluster: 2, rootEntries: 112, media: 0xfd, sectorsPerTrack: 9, heads: 2 },
  1440: { sectorsPerCluster: 2, rootEntries: 112, media: 0xf9, sectorsPerTrack: 9, heads: 2 },
  2400: { sectorsPerCluster: 1, rootEntries: 224, media: 0xf9, sectorsPerTrack: 15, heads: 2 },
  2880: { sectorsPerCluster: 1, rootEntries: 224, media: 0xf0, sectorsPerTrack: 18, heads: 2 },
  5760: { sectorsPerCluster: 2, rootEntries: 240, media: 0xf0, sectorsPerTrack: 36, heads: 2 },
};

/** Reserved sectors of FAT32: boot sectors, their copies, and room. */
const RESERVED_32 = 32;
const ROOT_ENTRIES = 512;

function refuse(text: string): never {
  throw new SystemError('EINVAL', text);
}

/** The smallest table that has an entry for each cluster that is left. */
function withTable(
  parts: Omit<Layout, 'tableSectors' | 'clusters' | 'sectorsPerCluster'>,
  sectorsPerCluster: number,
): Layout | undefined {
  const { bits, sectors, reserved, tables, rootEntries } = parts;
  const rootSectors = (rootEntries * ENTRY_BYTES) / SECTOR_BYTES;
  let tableSectors = 1;
  for (;;) {
    const left = sectors - reserved - rootSectors - tables * tableSectors;
    const clusters = Math.floor(left / sectorsPerCluster);
    if (clusters < 1) return undefined;
    const needed = Math.ceil(((clusters + FIRST_CLUSTER) * bits) / 8 / SECTOR_BYTES);
    if (needed <= tableSectors) return { ...parts, sectorsPerCluster, tableSectors, clusters };
    tableSectors = needed;
  }
}

/** Tracks such that no sector is left over: some tools insist on it. */
function sectorsPerTrack(sectors: number): number {
  return [63, 32, 18, 16, 9, 8, 4, 2].find((candidate) => sectors % candidate === 0) ?? 1;
}

/**
 * The layout for a device of so many sectors. `wantedBits` and `clusterBytes` where they are asked for. Throws
 * SystemError EINVAL: that cannot be.
 */
export function layoutFor(sectors: number, wantedBits?: FatBits, clusterBytes?: number): Layout {
  if (sectors > MAX_SECTORS) refuse(`a FAT file system has at most ${MAX_SECTORS} sectors`);
  const bits = wantedBits ?? (sectors < FAT12_BELOW ? 12 : sectors < FAT16_BELOW ? 16 : 32);
  const floppy = bits === 12 && clusterBytes === undefined ? FLOPPIES[sectors] : undefined;
  const parts = {
    ...{ bits, sectors, tables: TABLES, media: 0xf8, heads: 255 },
    reserved: bits === 32 ? RESERVED_32 : 1,
    rootEntries: bits === 32 ? 0 : ROOT_ENTRIES,
    sectorsPerTrack: sectorsPerTrack(sectors),
    ...floppy,
  };
  const [least, most] = CLUSTER_LIMITS[bits];
  const [, usual] = CLUSTER_SIZES[bits].find(([limit]) => sectors <= limit) ?? [];
  const asked = clusterBytes === undefined ? undefined : sectorsOfCluster(clusterBytes);
  let size = asked ?? floppy?.sectorsPerCluster ?? usual ?? 1;
  for (; asked === undefined && size > 1; size /= 2) {
    const layout = withTable(parts, size);
    if (layout !== undefined && layout.clusters >= least) break;
  }
  for (; ; size *= 2) {
    const layout = withTable(parts, size);
    if (layout === undefined || layout.clusters < least)
      refuse(`FAT${bits} needs at least ${least} clusters: the device, of ${sectors} sectors, is too small`);
    if (layout.clusters <= most) return layout;
    if (asked !== undefined || size >= MAX_SECTORS_PER_CLUSTER)
      refuse(`FAT${bits} has at most ${most} clusters: the device, of ${sectors} sectors, is too large`);
  }
}

function sectorsOfCluster(clusterBytes: number): number {
  const sectors = clusterBytes / SECTOR_BYTES;
  const valid = Number.isInteger(sectors) && sectors >= 1 && sectors <= MAX_SECTORS_PER_CLUSTER;
  if (!valid || (sectors & (sectors - 1)) !== 0)
    refuse(`a cluster has 512 to ${MAX_SECTORS_PER_CLUSTER * SECTOR_BYTES} bytes, a power of two`);
  return sectors;
}
