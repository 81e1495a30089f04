/**
 * What the journal says at mount (docs/vrfs.md, "Recovery"). Recovery finds the longest sound series of records from
 * the tail on and applies it in memory; it writes nothing.
 *
 * A record is part of the series when it is whole and names the one before it. The data that it speaks of has to be on
 * the disk as well, unless it is known from a header or a later record that it is: else the series ends before it. What
 * was known to be on the medium and is not there is damage.
 */
import type { BlockDevice } from '../block-device.ts';
import type { Geometry } from './geometry.ts';
import type { JournalPosition } from './journal.ts';
import { areaBlocks, areaStart, type JournalHeader } from './journal-header.ts';
import { applyPatch, claimedBlocks, DATA, decodeRecord, type JournalRecord } from './journal-record.ts';
import { BLOCK_BYTES, MAX_SEQUENCE, readBlocks, type Seals } from './metadata.ts';
import { Notes } from './notes.ts';
import { RecoveryData } from './recovery-data.ts';
import { stateIsSound, type VolumeState } from './volume-state.ts';

/** Blocks read from the journal at a time. */
const CHUNK_BLOCKS = 160;

/** A block as the records leave it. */
export interface RecoveredBlock {
  readonly kind: number;
  readonly bytes: Buffer;
}

export interface Recovery {
  readonly position: JournalPosition;
  readonly state: VolumeState;
  /** Those of this boot. */
  readonly notes: Notes;
  /** Content that is newer than that on the disk. */
  readonly blocks: ReadonlyMap<number, RecoveredBlock>;
  /** Runs [start, count] of data blocks that live records speak of. */
  readonly extents: readonly (readonly [number, number])[];
  /** There were records that were not accepted, and must not be by anybody later. */
  readonly dropped: boolean;
  /** Why the series is shorter than it should be; '' if it is not. */
  readonly problem: string;
}

/** Reads the area of the journal in large pieces, as far as it is wanted. */
class AreaReader {
  private readonly device: BlockDevice;
  private readonly geometry: Geometry;
  private readonly chunks = new Map<number, Buffer>();

  constructor(device: BlockDevice, geometry: Geometry) {
    this.device = device;
    this.geometry = geometry;
  }

  private chunk(index: number): Buffer {
    let chunk = this.chunks.get(index);
    if (chunk === undefined) {
      const first = index * CHUNK_BLOCKS;
      const count = Math.min(CHUNK_BLOCKS, areaBlocks(this.geometry) - first);
      chunk = readBlocks(this.device, areaStart(this.geometry) + first, count);
      this.chunks.set(index, chunk);
    }
    return chunk;
  }

  read(place: number, count: number): Buffer {
    const parts: Buffer[] = [];
    for (let at = place; at < place + count; ) {
      const index = Math.floor(at / CHUNK_BLOCKS);
      const within = at - index * CHUNK_BLOCKS;
      const end = Math.min(within + place + count - at, CHUNK_BLOCKS);
      parts.push(this.chunk(index).subarray(within * BLOCK_BYTES, end * BLOCK_BYTES));
      at += end - within;
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }
}

interface Series {
  readonly records: JournalRecord[];
  /** Where each record ends, and the first entry where the series begins. */
  readonly ends: number[];
}

/** The records that are whole and follow one another. */
function readSeries(device: BlockDevice, geometry: Geometry, seals: Seals, header: JournalHeader): Series {
  const area = areaBlocks(geometry);
  const reader = new AreaReader(device, geometry);
  const records: JournalRecord[] = [];
  const ends = [header.tail];
  let previous = header.previous;
  let wrapped = false;
  const candidate = (place: number, limit: number): JournalRecord | undefined => {
    if (place >= limit) return undefined;
    const blocks = claimedBlocks(reader.read(place, 1));
    if (blocks === 0 || place + blocks > limit) return undefined;
    const record = decodeRecord(reader.read(place, blocks), areaStart(geometry) + place, seals);
    return record !== undefined &&
      record.previous === previous &&
      record.sequence > previous &&
      record.sequence < MAX_SEQUENCE
      ? record
      : undefined;
  };
  for (;;) {
    const at = ends.at(-1) ?? 0;
    const [tail = 0] = ends;
    const next = candidate(at, wrapped ? tail : area);
    const first = wrapped || at === 0 ? undefined : candidate(0, records.length === 0 ? area : tail);
    const record = (first?.sequence ?? -1) > (next?.sequence ?? -1) ? first : next;
    if (record === undefined) return { records, ends };
    if (record === first) {
      wrapped = records.length > 0;
      if (!wrapped) ends[0] = 0;
    }
    ends.push((record === first ? 0 : at) + record.blocks);
    records.push(record);
    previous = record.sequence;
  }
}

/** Applies the images and patches of a record; a sentence if that cannot be. */
function apply(blocks: Map<number, RecoveredBlock>, record: JournalRecord, geometry: Geometry): string {
  if (!stateIsSound(record.state, geometry)) return 'its state cannot be';
  for (const { block, kind, bytes } of record.images) {
    if (block < geometry.blockBitmapStart || block >= geometry.dataEnd) return `it changes block ${block}`;
    blocks.set(block, { kind, bytes: Buffer.from(bytes) });
  }
  for (const { block, kind, ranges } of record.patches) {
    const base = blocks.get(block);
    if (base === undefined || base.kind !== kind || !applyPatch(base.bytes, ranges))
      return `its patch of block ${block} does not fit`;
  }
  return '';
}

/**
 * Reads the journal. `boot`: of this boot of the machine. Throws SystemError EIO; what is wrong otherwise is in
 * `problem`.
 */
export function readJournal(
  device: BlockDevice,
  geometry: Geometry,
  seals: Seals,
  header: JournalHeader,
  boot: Buffer,
): Recovery {
  const { records, ends } = readSeries(device, geometry, seals, header);
  const found = records.length;
  const durable = Math.max(header.durable, ...records.map((record) => record.durable));
  const unverified = records.filter((record) => record.sequence > durable);
  const data = new RecoveryData(device, geometry, unverified);
  const missing = unverified.find((record) => !data.holds(record));
  if (missing !== undefined) records.length = records.indexOf(missing);
  const notes = new Notes();
  if (header.boot.equals(boot)) notes.addAll(header.notes);
  const blocks = new Map<number, RecoveredBlock>();
  const extents: [number, number][] = [];
  let problem = '';
  for (const [index, record] of records.entries()) {
    const wrong = apply(blocks, record, geometry);
    if (wrong !== '') {
      problem = `record ${record.sequence} of the journal is damaged: ${wrong}`;
      records.length = index;
      break;
    }
    for (const { start, checks } of record.extents) extents.push([start, checks.length]);
    if (record.boot.equals(boot)) notes.addAll(record.notes);
  }
  const newest = records.at(-1);
  const last = newest?.sequence ?? header.previous;
  if (last < durable && problem === '')
    problem = `the journal ends with record ${last}, and record ${durable} was on the disk before`;
  for (const [block, { kind, bytes }] of blocks) {
    if (kind !== DATA && !seals.holds(bytes, block, kind) && problem === '')
      problem = `block ${block} is damaged in the journal`;
  }
  const live = records.length;
  const [tail = 0] = ends;
  return {
    position: { last, durable: Math.min(durable, last), tail, head: ends[live] ?? tail, live },
    ...{ state: { ...(newest?.state ?? header.state) }, notes, blocks, extents, problem },
    dropped: live < found,
  };
}
