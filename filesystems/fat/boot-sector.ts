/**
 * The boot sector of FAT: where everything is. Read: Microsoft, "FAT: General Overview of On-Disk Format", version 1.03
 * (fatgen103 below), sections "Boot Sector and BPB" and "FAT Type Determination". Number fields are little endian and
 * not aligned.
 */
import { type ErrorName, SystemError } from '../../protocol/errno.ts';
import { SECTOR_BYTES } from '../block-device.ts';
import { decodeText } from './code-page.ts';

/** Bits of an entry of the table: the type of the file system. */
export type FatBits = 12 | 16 | 32;

/** Most clusters of FAT12, and of FAT16. One more is the next type. */
export const MAX_CLUSTERS_12 = 4084;
export const MAX_CLUSTERS_16 = 65_524;
/** Numbers from 0x0ffffff7 on have another meaning. */
export const MAX_CLUSTERS_32 = 0x0fff_fff5;

/** Number of the first cluster. */
export const FIRST_CLUSTER = 2;

/** Bytes of an entry of a directory. */
export const ENTRY_BYTES = 32;

/** Where things are; sectors count from the beginning of the device. */
export interface Geometry {
  readonly bits: FatBits;
  readonly sectors: number;
  readonly sectorsPerCluster: number;
  readonly clusterBytes: number;
  /** Data clusters; they are numbered from 2. */
  readonly clusters: number;
  /** First sector of the table in use. */
  readonly table: number;
  readonly tableSectors: number;
  /** First sectors of the other copies that are kept equal. */
  readonly copies: readonly number[];
  /** The root directory of FAT12 and FAT16: first sector and number of sectors; 0 sectors on FAT32. */
  readonly root: number;
  readonly rootSectors: number;
  /** The root directory of FAT32; 0 elsewhere. */
  readonly rootCluster: number;
  /** First sector of cluster 2. */
  readonly data: number;
  /** The sector of free cluster figures; 0: none. */
  readonly information: number;
  /** Copy of the boot sector; 0: none. */
  readonly backup: number;
  readonly media: number;
  readonly serial: number;
  /** Label in the boot sector, without blanks at its end. */
  readonly label: string;
}

/** Offsets of fields that only some types have, by the layout: FAT32 puts its own fields before those that all have. */
export const FIELDS = {
  /** Bit 0: not cleanly unmounted. */
  state: { short: 37, long: 65 },
  signature: { short: 38, long: 66 },
  serial: { short: 39, long: 67 },
  label: { short: 43, long: 71 },
  type: { short: 54, long: 82 },
  code: { short: 62, long: 90 },
} as const;

/** Value of `signature` when serial number, label and type are there. */
export const EXTENDED_SIGNATURE = 0x29;

/** `BPB_ExtFlags`: only one table is in use, the one in the low bits. */
const NOT_MIRRORED = 0x80;

function refuse(code: ErrorName, text: string): never {
  throw new SystemError(code, text);
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

/**
 * Whether a sector looks like the boot sector of a FAT file system: not that of NTFS or exFAT, nor a table of
 * partitions.
 */
export function looksLikeBootSector(bytes: Uint8Array): boolean {
  if (bytes.length < SECTOR_BYTES) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const jump = view.getUint8(0);
  const sectorBytes = view.getUint16(11, true);
  const media = view.getUint8(21);
  return (
    view.getUint16(510, true) === 0xaa55 &&
    (jump === 0xeb || jump === 0xe9) &&
    isPowerOfTwo(sectorBytes) &&
    sectorBytes >= 128 &&
    sectorBytes <= 4096 &&
    isPowerOfTwo(view.getUint8(13)) &&
    view.getUint16(14, true) > 0 &&
    view.getUint8(16) > 0 &&
    (media === 0xf0 || media >= 0xf8)
  );
}

/**
 * Reads a boot sector. The number of clusters decides between FAT12 and FAT16; FAT32 is told by its layout (no 16-bit
 * table size), as Linux and dosfstools do.
 *
 * Throws SystemError: EINVAL: not FAT; EOPNOTSUPP: sectors of another size than 512 bytes; EUCLEAN: fields that
 * contradict one another or the size of the device.
 */
export function readBootSector(bytes: Uint8Array, deviceSectors: number): Geometry {
  if (!looksLikeBootSector(bytes)) refuse('EINVAL', 'not a FAT file system');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sectorBytes = view.getUint16(11, true);
  if (sectorBytes !== SECTOR_BYTES)
    refuse('EOPNOTSUPP', `FAT with sectors of ${sectorBytes} bytes; only 512 can be used`);
  const sectorsPerCluster = view.getUint8(13);
  const reserved = view.getUint16(14, true);
  const tables = view.getUint8(16);
  const rootEntries = view.getUint16(17, true);
  const sectors = view.getUint16(19, true) || view.getUint32(32, true);
  const shortTable = view.getUint16(22, true);
  const long = shortTable === 0;
  const tableSectors = shortTable || view.getUint32(36, true);
  if (tableSectors === 0) refuse('EUCLEAN', 'the boot sector names a table of no sectors');
  if (long && rootEntries !== 0) refuse('EUCLEAN', `the boot sector of FAT32 names ${rootEntries} root entries`);
  if (!long && rootEntries === 0) refuse('EUCLEAN', 'the boot sector names a root directory of no entries');
  const rootSectors = Math.ceil((rootEntries * ENTRY_BYTES) / SECTOR_BYTES);
  const root = reserved + tables * tableSectors;
  const data = root + rootSectors;
  if (sectors > deviceSectors)
    refuse('EUCLEAN', `the file system has ${sectors} sectors, the device only ${deviceSectors}`);
  if (data + sectorsPerCluster > sectors) refuse('EUCLEAN', 'the boot sector leaves no room for data');
  const inData = Math.floor((sectors - data) / sectorsPerCluster);
  const bits: FatBits = long ? 32 : inData <= MAX_CLUSTERS_12 ? 12 : 16;
  const inTable = Math.floor((tableSectors * SECTOR_BYTES * 8) / bits) - FIRST_CLUSTER;
  const clusters = Math.min(inData, inTable);
  const most = bits === 32 ? MAX_CLUSTERS_32 : bits === 16 ? MAX_CLUSTERS_16 : MAX_CLUSTERS_12;
  if (clusters > most || clusters < 1) refuse('EUCLEAN', `${clusters} clusters cannot be on FAT${bits}`);
  return {
    ...{ bits, sectors, sectorsPerCluster, clusters, tableSectors, root, rootSectors, data },
    ...tablesInUse(reserved, tables, tableSectors, long ? view.getUint16(40, true) : 0),
    ...(long ? longFields(view, reserved, clusters) : { rootCluster: 0, information: 0, backup: 0 }),
    ...extendedFields(view, bytes, long ? 'long' : 'short'),
    clusterBytes: sectorsPerCluster * SECTOR_BYTES,
    media: view.getUint8(21),
  };
}

/** The table in use and the copies of it, by the flags of FAT32. */
function tablesInUse(
  reserved: number,
  tables: number,
  tableSectors: number,
  flags: number,
): Pick<Geometry, 'table' | 'copies'> {
  const starts = Array.from({ length: tables }, (_, index) => reserved + index * tableSectors);
  const active = (flags & NOT_MIRRORED) === 0 ? 0 : flags & 0xf;
  const table = starts[active] ?? refuse('EUCLEAN', `table ${active} is in use, but there are only ${tables}`);
  return { table, copies: (flags & NOT_MIRRORED) === 0 ? starts.slice(1) : [] };
}

function longFields(
  view: DataView,
  reserved: number,
  clusters: number,
): Pick<Geometry, 'rootCluster' | 'information' | 'backup'> {
  const version = view.getUint16(42, true);
  if (version !== 0) refuse('EOPNOTSUPP', `FAT32 of version ${version >> 8}.${version & 0xff}; only 0.0 is known`);
  const rootCluster = view.getUint32(44, true);
  if (rootCluster < FIRST_CLUSTER || rootCluster >= clusters + FIRST_CLUSTER)
    refuse('EUCLEAN', `the root directory begins at cluster ${rootCluster}, which does not exist`);
  const inside = (sector: number): number => (sector > 0 && sector < reserved ? sector : 0);
  return { rootCluster, information: inside(view.getUint16(48, true)), backup: inside(view.getUint16(50, true)) };
}

function extendedFields(
  view: DataView,
  bytes: Uint8Array,
  layout: 'short' | 'long',
): Pick<Geometry, 'serial' | 'label'> {
  if (view.getUint8(FIELDS.signature[layout]) !== EXTENDED_SIGNATURE) return { serial: 0, label: '' };
  const at = FIELDS.label[layout];
  const label = decodeText(bytes.subarray(at, at + 11)).trimEnd();
  return { serial: view.getUint32(FIELDS.serial[layout], true), label: label === 'NO NAME' ? '' : label };
}

/** Name of the type, as `information` and the boot sector have it. */
export function typeName(bits: FatBits): string {
  return `fat${bits}`;
}

/** First sector of a cluster. */
export function sectorOf(geometry: Geometry, cluster: number): number {
  return geometry.data + (cluster - FIRST_CLUSTER) * geometry.sectorsPerCluster;
}

/** Whether a number is that of a data cluster. */
export function isCluster(geometry: Geometry, cluster: number): boolean {
  return cluster >= FIRST_CLUSTER && cluster < geometry.clusters + FIRST_CLUSTER;
}
