/**
 * The two headers of the journal (docs/vrfs.md, "Journal"): where its valid part begins, and what was so at that point.
 * They are written in turn, so one is always whole.
 */
import type { BlockDevice } from '../block-device.ts';
import type { Geometry } from './geometry.ts';
import { BOOT_BYTES } from './journal-record.ts';
import {
  damaged,
  kind,
  MAX_SEQUENCE,
  newBlock,
  readBlocks,
  readU53,
  type Seals,
  writeBlocks,
  writeU53,
} from './metadata.ts';
import { MAX_NOTES, Notes } from './notes.ts';
import { readState, STATE_BYTES, stateIsSound, type VolumeState, writeState } from './volume-state.ts';

const GENERATION = 8;
const TAIL = 16;
const CLEAN = 20;
const PREVIOUS = 24;
const DURABLE = 32;
const NEXT = 40;
const BOOT = 48;
const STATE: number = BOOT + BOOT_BYTES;
const NOTE_COUNT: number = STATE + STATE_BYTES;
const NOTES: number = NOTE_COUNT + 4;

export interface JournalHeader {
  /** How many headers have been written before this one. */
  readonly generation: number;
  /** Where in the area the first valid record begins. */
  readonly tail: number;
  /** The file system was unmounted, and nothing has been written since. */
  readonly clean: boolean;
  /** Number of the last record before the tail: all up to it is in its place. */
  readonly previous: number;
  /** See JournalRecord. */
  readonly durable: number;
  /** Records written after this header have this number or a higher one; all others in the area have lower ones. */
  readonly next: number;
  readonly boot: Buffer;
  /** As it was at the tail. */
  readonly state: VolumeState;
  readonly notes: Notes;
}

/** Block of the header with this generation. */
function headerBlock(geometry: Geometry, generation: number): number {
  return geometry.journalStart + (generation % 2 === 0 ? 0 : geometry.journalBlocks - 1);
}

/** Writes a header in its turn. EIO. */
export function writeHeader(device: BlockDevice, geometry: Geometry, seals: Seals, header: JournalHeader): void {
  const bytes = newBlock(kind.JOURNAL_HEADER);
  writeU53(bytes, GENERATION, header.generation);
  bytes.writeUInt32LE(header.tail, TAIL);
  bytes.writeUInt32LE(header.clean ? 1 : 0, CLEAN);
  writeU53(bytes, PREVIOUS, header.previous);
  writeU53(bytes, DURABLE, header.durable);
  writeU53(bytes, NEXT, header.next);
  header.boot.copy(bytes, BOOT);
  writeState(bytes, STATE, header.state);
  bytes.writeUInt32LE(header.notes.size, NOTE_COUNT);
  header.notes.write(bytes, NOTES);
  const block = headerBlock(geometry, header.generation);
  seals.seal(bytes, block);
  writeBlocks(device, block, bytes);
}

function decode(bytes: Buffer, block: number, geometry: Geometry, seals: Seals): JournalHeader | undefined {
  if (!seals.holds(bytes, block, kind.JOURNAL_HEADER)) return undefined;
  const generation = readU53(bytes, GENERATION);
  const tail = bytes.readUInt32LE(TAIL);
  const count = bytes.readUInt32LE(NOTE_COUNT);
  const read = count <= MAX_NOTES ? Notes.read(bytes, NOTES, count) : undefined;
  if (read === undefined || headerBlock(geometry, generation) !== block || tail > areaBlocks(geometry))
    return undefined;
  const header = {
    ...{ generation, tail, notes: read.notes },
    clean: bytes.readUInt32LE(CLEAN) === 1,
    previous: readU53(bytes, PREVIOUS),
    durable: readU53(bytes, DURABLE),
    next: readU53(bytes, NEXT),
    boot: Buffer.from(bytes.subarray(BOOT, BOOT + BOOT_BYTES)),
    state: readState(bytes, STATE),
  };
  const highest = Math.max(generation, header.previous, header.durable, header.next);
  return highest < MAX_SEQUENCE && stateIsSound(header.state, geometry) ? header : undefined;
}

/** The header that is in force, and whether the other one is whole. EUCLEAN: both are damaged; EIO. */
export function readHeader(
  device: BlockDevice,
  geometry: Geometry,
  seals: Seals,
): { header: JournalHeader; other: JournalHeader | undefined } {
  const both = [0, 1].map((generation) => {
    const block = headerBlock(geometry, generation);
    return decode(readBlocks(device, block, 1), block, geometry, seals);
  });
  const [newest, other] = both.sort((a, b) => (b?.generation ?? -1) - (a?.generation ?? -1));
  if (newest === undefined) throw damaged('both headers of the journal are damaged');
  return { header: newest, other };
}

/** First block of the area of records. */
export function areaStart(geometry: Geometry): number {
  return geometry.journalStart + 1;
}

/** Blocks of the area of records. */
export function areaBlocks(geometry: Geometry): number {
  return geometry.journalBlocks - 2;
}
