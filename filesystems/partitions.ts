/**
 * Partition tables in the master boot record, with logical partitions in an extended one. The sectors come from whoever
 * wrote the disk: entries that make no sense are left out with a line in the log, and chains that loop or run off are
 * cut.
 *
 * Read: the layout of the master boot record, UEFI Specification 2.10, clause 5.2.1; of extended boot records, the de
 * facto format of DOS 3.3: each has one logical partition, relative to itself, and a link to the next, relative to the
 * extended partition.
 */
import { SECTOR_BYTES } from './block-device.ts';

/** A partition, in sectors from the start of the disk. */
export interface Partition {
  /** 1 to 4 by place in the master boot record, from 5 on logical partitions in order. */
  readonly number: number;
  readonly type: number;
  readonly firstSector: number;
  readonly sectors: number;
}

/** What a disk's table says. */
export interface PartitionTable {
  readonly partitions: readonly Partition[];
  /** The sectors the table was read from: who writes one of them changes it. */
  readonly tableSectors: readonly number[];
}

/** Highest number of a partition: with the disk itself 64 devices a drive. */
export const MAX_PARTITION = 63;

const FIRST_LOGICAL = 5;
const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;
const SIGNATURE_OFFSET = 510;
const SIGNATURE = 0xaa55;
const BOOTABLE = 0x80;

/** Types of partitions that hold logical ones: CHS, LBA, and Linux's. */
const EXTENDED_TYPES: readonly number[] = [0x05, 0x0f, 0x85];

interface Entry {
  readonly type: number;
  readonly firstSector: number;
  readonly sectors: number;
}

/** A range of sectors. */
interface Extent {
  readonly firstSector: number;
  readonly sectors: number;
}

/** The entries of a boot record; undefined: the sector has no table, only data or code there. */
function entriesOf(bytes: Uint8Array | undefined): Entry[] | undefined {
  if (bytes?.length !== SECTOR_BYTES) return undefined;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.getUint16(SIGNATURE_OFFSET, true) !== SIGNATURE) return undefined;
  const entries: Entry[] = [];
  for (let at = TABLE_OFFSET; at < SIGNATURE_OFFSET; at += ENTRY_BYTES) {
    const indicator = data.getUint8(at);
    if (indicator !== 0 && indicator !== BOOTABLE) return undefined;
    entries.push({
      type: data.getUint8(at + 4),
      firstSector: data.getUint32(at + 8, true),
      sectors: data.getUint32(at + 12, true),
    });
  }
  return entries;
}

/** Whether `inner` has sectors and lies inside of `outer`, past its first sector, which is taken by the table. */
function fits(inner: Extent, outer: Extent): boolean {
  return (
    inner.sectors > 0 &&
    inner.firstSector > outer.firstSector &&
    inner.firstSector + inner.sectors <= outer.firstSector + outer.sectors
  );
}

/**
 * Reads the partition table of a disk of `sectors` sectors. `readSector` answers a sector of the disk or undefined when
 * it cannot be read; at most 64 are asked for. `warn` gets a line for each entry that is left out.
 */
export function readPartitionTable(
  sectors: number,
  readSector: (sector: number) => Uint8Array | undefined,
  warn: (text: string) => void,
): PartitionTable {
  const disk: Extent = { firstSector: 0, sectors };
  const partitions: Partition[] = [];
  const tableSectors = [0];
  const entries = entriesOf(readSector(0)) ?? [];
  let extended: Extent | undefined;
  for (const [index, entry] of entries.entries()) {
    const number = index + 1;
    if (entry.type === 0) continue;
    if (!fits(entry, disk)) {
      warn(`partition ${number} left out: ${range(entry)} are not on the disk`);
      continue;
    }
    partitions.push({ number, ...entry });
    if (!EXTENDED_TYPES.includes(entry.type)) continue;
    if (extended === undefined) extended = entry;
    else warn(`partition ${number} is a second extended partition: what is in it is left out`);
  }
  if (extended !== undefined) {
    const cut = readLogical(extended, readSector, partitions, tableSectors, warn);
    if (cut !== null) warn(`the rest of the extended partition is left out: ${cut}`);
  }
  return { partitions, tableSectors };
}

/** Follows the chain of extended boot records; answers why it was cut, or null when it ended by itself. */
function readLogical(
  extended: Extent,
  readSector: (sector: number) => Uint8Array | undefined,
  partitions: Partition[],
  tableSectors: number[],
  warn: (text: string) => void,
): string | null {
  let number = FIRST_LOGICAL;
  for (let record = extended.firstSector; ; ) {
    tableSectors.push(record);
    const entries = entriesOf(readSector(record));
    // A new extended partition has no record yet.
    if (entries === undefined) return record === extended.firstSector ? null : `no table in sector ${record}`;
    const [logical, link] = entries;
    if (logical !== undefined && logical.type !== 0) {
      const partition = { ...logical, number, firstSector: record + logical.firstSector };
      if (logical.firstSector > 0 && fits(partition, extended)) {
        partitions.push(partition);
        number++;
      } else {
        warn(`logical partition of sector ${record} left out: ${range(partition)} are not in the extended partition`);
      }
    }
    if (link === undefined || !EXTENDED_TYPES.includes(link.type) || link.sectors === 0) return null;
    record = extended.firstSector + link.firstSector;
    if (!fits({ firstSector: record, sectors: 1 }, extended)) return `sector ${record} is not in it`;
    if (tableSectors.includes(record)) return `the chain comes back to sector ${record}`;
    if (tableSectors.length > MAX_PARTITION || number > MAX_PARTITION) return 'the chain is too long';
  }
}

function range({ firstSector, sectors }: Extent): string {
  return `${sectors} sectors from ${firstSector} on`;
}
