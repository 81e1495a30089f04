/**
 * The journal of a mounted volume: where records go, what is live, and the header in force. A record is contiguous; one
 * that does not fit behind the last goes to the start of the area. It never reaches into live records, those from the
 * tail on.
 */
import type { BlockDevice } from '../block-device.ts';
import type { Geometry } from './geometry.ts';
import { areaBlocks, areaStart, type JournalHeader, writeHeader } from './journal-header.ts';
import { type Changes, claimedBlocks, encodeRecord, recordBlocks } from './journal-record.ts';
import { BLOCK_BYTES, readBlocks, type Seals, writeBlocks } from './metadata.ts';
import type { Notes } from './notes.ts';
import type { VolumeState } from './volume-state.ts';

/** Where the journal stands. */
export interface JournalPosition {
  /** Number of the last record, and how far records are known to be on the medium. */
  readonly last: number;
  readonly durable: number;
  /** Places in the area: the first live record, and behind the last one. They are equal when there is none. */
  readonly tail: number;
  readonly head: number;
  readonly live: number;
}

/** See the head of this file. */
export class Journal {
  private readonly device: BlockDevice;
  private readonly geometry: Geometry;
  private readonly seals: Seals;
  private readonly boot: Buffer;
  private header: JournalHeader;
  private tail: number;
  private head: number;
  /** Live records. */
  private live: number;
  /** Number of the last record. */
  last: number;
  /** Number that the next record gets. */
  private next: number;
  /** Records up to this number are on the medium. */
  durable: number;

  constructor(
    device: BlockDevice,
    geometry: Geometry,
    seals: Seals,
    boot: Buffer,
    header: JournalHeader,
    position: JournalPosition,
  ) {
    this.device = device;
    this.geometry = geometry;
    this.seals = seals;
    this.boot = boot;
    this.header = header;
    this.tail = position.tail;
    this.head = position.head;
    this.live = position.live;
    this.last = position.last;
    this.durable = position.durable;
    // There may be records that were not accepted. Since the last header at most as many were written as there is room
    // for.
    this.next = Math.max(position.last, header.next + this.capacity) + 1;
  }

  /** Blocks of the longest record that fits into an empty journal. */
  get capacity(): number {
    return areaBlocks(this.geometry);
  }

  get isEmpty(): boolean {
    return this.live === 0;
  }

  /** Where a record of so many blocks can go; undefined: there is no room before the next checkpoint. */
  private place(blocks: number): number | undefined {
    const { head, tail, capacity } = this;
    if (this.live === 0) {
      if (head + blocks <= capacity) return head;
      return blocks <= capacity ? 0 : undefined;
    }
    if (head > tail) {
      if (head + blocks <= capacity) return head;
      return blocks <= tail ? 0 : undefined;
    }
    return head + blocks <= tail ? head : undefined;
  }

  /** Whether a record of these changes has room. */
  hasRoom(changes: Changes): boolean {
    return this.place(recordBlocks(changes)) !== undefined;
  }

  /** Writes a record. EIO: it may or may not be there; `invalidate` sees to it that it is not. */
  append(changes: Changes): void {
    const place = this.place(recordBlocks(changes));
    if (place === undefined) throw new Error('the journal has no room');
    const { next: sequence, last: previous, durable, boot } = this;
    const block = areaStart(this.geometry) + place;
    const bytes = encodeRecord(changes, { sequence, previous, durable, boot }, block, this.seals);
    writeBlocks(this.device, block, bytes);
    this.last = sequence;
    this.next = sequence + 1;
    if (this.live === 0) this.tail = place;
    this.head = place + bytes.length / BLOCK_BYTES;
    this.live++;
  }

  /**
   * Before the first record of this mount: makes sure that nothing recovery has not accepted is ever taken for a record
   * behind the last one, and that what it has accepted cannot be lost any more. EIO.
   */
  begin(): void {
    this.invalidate();
    this.flush();
    this.writeDurable();
    this.device.flush();
  }

  /**
   * Makes sure that no record follows the last one, by overwriting what begins where the next one could. Not on the
   * medium before a flush. EIO.
   */
  invalidate(): void {
    const { head, tail, capacity } = this;
    const wrapped = this.live > 0 && head <= tail;
    if (head < capacity && !(wrapped && head === tail)) this.erase(head);
    if (head !== 0 && (this.live === 0 || (!wrapped && tail > 0))) this.erase(0);
  }

  private erase(place: number): void {
    const block = areaStart(this.geometry) + place;
    if (claimedBlocks(readBlocks(this.device, block, 1)) > 0)
      writeBlocks(this.device, block, Buffer.alloc(BLOCK_BYTES));
  }

  /** Returns when all that was written is on the medium. EIO. */
  flush(): void {
    this.device.flush();
    this.durable = this.last;
  }

  /** Notes in a header that all records up to `durable` are on the medium. EIO. */
  writeDurable(): void {
    this.write({ durable: this.durable, clean: false });
  }

  /**
   * Lets all records go: what they say is in its place and on the medium. `notes` and `state` are those of the last
   * record. Their room is used again after the next flush only, for which the caller has to see. EIO.
   */
  restart(state: VolumeState, notes: Notes, clean: boolean): void {
    const { head: tail, last: previous, durable } = this;
    this.write({ tail, previous, durable, clean, state: { ...state }, notes, boot: this.boot });
    this.tail = tail;
    this.live = 0;
  }

  private write(change: Partial<JournalHeader>): void {
    const { next } = this;
    const header = { ...this.header, next, ...change, generation: this.header.generation + 1 };
    writeHeader(this.device, this.geometry, this.seals, header);
    this.header = header;
  }
}
