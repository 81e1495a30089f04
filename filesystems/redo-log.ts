/**
 * How a format without a journal (FAT, ext2) survives the death of its process: a commit puts a redo record into the
 * recovery store with ONE put: the blocks it changes, the requests it carried out, and values that have to last as long
 * as the record. From then on it counts. The blocks are then written in place, and the record is reduced to what has to
 * be remembered. A record that is found with blocks is written again when the next incarnation opens it; writing twice
 * does no harm.
 *
 * The blocks come from a BlockCache: what has changed since `taken`. Without a store (a tool of the host) a commit only
 * writes them, in their order.
 *
 * Bytes of files need not go through the log: write them straight to blocks that no committed structure uses. So blocks
 * that were freed since the last commit must not be used again before it (see `commit`).
 */
import { SystemError } from '../protocol/errno.ts';
import type { BlockCache } from './block-cache.ts';
import { type BlockDevice, type Keeper, SECTOR_BYTES } from './block-device.ts';
import type { RequestNumber, RequestResult } from './file-system.ts';

const HEAD_KEY = 'redo';
/** Followed by the number of the record and that of the part. */
const PART_PREFIX = 'redo.part.';
const VALUE_PREFIX = 'redo.value.';

/** Of the record's form. */
const VERSION = 1;

/** Requests that are remembered: at most so many can be unanswered. */
const MAX_NOTED = 64;

/**
 * Bytes of blocks in one value, so that it fits into a frame; further ones go into parts, which are put before the
 * record.
 */
const PART_BYTES = 256 * 1024;

/** Bytes written to the device in one request at most. */
const RUN_BYTES = 64 * 1024;

/** A block and what it shall contain. */
export type BlockWrite = readonly [block: number, bytes: Buffer];

/** Blocks that follow one another. */
type Run = readonly [block: number, bytes: Uint8Array];

/** A request that was carried out. */
interface Noted {
  readonly request: RequestNumber;
  readonly result: RequestResult;
}

/** A value, or undefined: the key is forgotten. */
type Values = Map<string, unknown>;
type Change = [key: string, value?: unknown];

/** What is put under the key of the record. */
type Head = [
  version: number,
  volume: string,
  serial: number,
  noted: number[][],
  changes: Change[],
  parts: number,
  runs: readonly Run[],
];

/** What a redo log stands on. */
export interface RedoLogOptions {
  readonly device: BlockDevice;
  readonly cache: BlockCache;
  readonly keeper: Keeper | null;
  /** Tells file systems apart (a serial number, say), so that a record is never written to another one. */
  readonly volume: string;
}

/** Whether an earlier incarnation of this process had a file system open, and did not close it. */
export function isResumable(keeper: Keeper, volume: string): boolean {
  const head = keeper.get(HEAD_KEY);
  return Array.isArray(head) && head[0] === VERSION && head[1] === volume;
}

/** See the head of this file. */
export class RedoLog {
  /** Whether an earlier incarnation of this process had the same file system open, and did not close it. */
  readonly resumed: boolean;
  private readonly device: BlockDevice;
  private readonly cache: BlockCache;
  private readonly keeper: Keeper | null;
  private readonly volume: string;
  private readonly sectorsPerBlock: number;
  private noted: Noted[] = [];
  private readonly values: Values = new Map();
  /**
   * Committed, but not under keys of their own yet: the store was full. They go into each record until there is room.
   */
  private unapplied: Values = new Map();
  // Since the last commit.
  private pendingNotes: Noted[] = [];
  private pendingValues: Values = new Map();
  private refused = false;
  /** Counts records. */
  private serial = 0;
  /** Keys of parts, of this record and of earlier ones. */
  private parts: string[] = [];

  /**
   * Takes up what an earlier incarnation left, and writes its record again. Throws SystemError: EIO. Has to be called
   * before anything is read through the cache.
   */
  constructor({ device, cache, keeper, volume }: RedoLogOptions) {
    this.device = device;
    this.cache = cache;
    this.keeper = keeper;
    this.volume = volume;
    this.sectorsPerBlock = cache.blockBytes / SECTOR_BYTES;
    this.resumed = keeper !== null && this.takeUp(keeper);
    if (keeper === null || this.resumed) return;
    this.forget(keeper);
    this.putHead([], 0, this.noted, this.unapplied);
  }

  /** Whether the disk has refused a write. Every commit fails from then on. */
  get failed(): boolean {
    return this.refused;
  }

  private takeUp(keeper: Keeper): boolean {
    if (!isResumable(keeper, this.volume)) return false;
    const [, , serial, noted, changes, parts, runs] = keeper.get(HEAD_KEY) as Head;
    this.serial = serial;
    this.parts = keeper.keys().filter((key) => key.startsWith(PART_PREFIX));
    this.noted = noted.map(([sender = 0, sequence = 0, ...result]) => ({ request: { sender, sequence }, result }));
    for (const key of keeper.keys()) {
      if (key.startsWith(VALUE_PREFIX)) this.values.set(key.slice(VALUE_PREFIX.length), keeper.get(key));
    }
    this.unapplied = new Map(changes.map(([key, value]) => [key, value]));
    for (const [key, value] of this.unapplied) setValue(this.values, key, value);
    this.writeRuns(runs);
    for (let part = 0; part < parts; part++) this.writeRuns(keeper.get(this.partKey(part)) as Run[]);
    this.finish();
    return true;
  }

  /** A value that was kept with `keep`, as of the last commit. */
  kept(key: string): unknown {
    return this.values.get(key);
  }

  /** All values of which `kept` tells. */
  keptValues(): ReadonlyMap<string, unknown> {
    return this.values;
  }

  /**
   * Keeps a small value (what msgpack can carry) under a key of at most 40 characters, or forgets it (undefined), with
   * the next commit. Only within an operation of the cache: when that is taken back, so is this.
   */
  keep(key: string, value: unknown): void {
    const had = this.pendingValues.has(key);
    const old = this.pendingValues.get(key);
    this.cache.undo(() => {
      if (had) this.pendingValues.set(key, old);
      else this.pendingValues.delete(key);
    });
    this.pendingValues.set(key, value);
  }

  /** Notes a request for the next commit. */
  note(request: RequestNumber, result: RequestResult): void {
    this.pendingNotes.push({ request, result });
  }

  /** The result of a committed request, of the newest 64. */
  completed({ sender, sequence }: RequestNumber): RequestResult | undefined {
    return this.noted.find(({ request }) => request.sender === sender && request.sequence === sequence)?.result;
  }

  /**
   * Bytes of blocks that the next commit has to carry. Whoever changes a lot commits in between, wherever that leaves a
   * sound file system.
   */
  get pendingBytes(): number {
    return this.cache.changedCount * this.cache.blockBytes;
  }

  /**
   * Makes everything since the last commit permanent. `order` says what to write, and in which order, given the changed
   * blocks in the order in which they were changed first: a block may be written several times, the last time as it is
   * in the cache.
   *
   * Throws SystemError, and then everything since the last commit is taken back, in the cache, too: EIO: the disk
   * refuses, and `failed` is set; ENOSPC: the recovery store is full.
   */
  commit(order: (changed: readonly BlockWrite[]) => readonly BlockWrite[] = (changed) => changed): void {
    const changed = this.cache.changed();
    if (changed.length === 0 && this.pendingNotes.length === 0 && this.pendingValues.size === 0) return;
    if (this.refused) {
      this.abandon();
      throw new SystemError('EIO', 'the disk has refused a write before');
    }
    const runs = inRuns(order(changed), this.cache.blockBytes);
    const noted = [...this.noted, ...this.pendingNotes].slice(-MAX_NOTED);
    const values: Values = new Map([...this.unapplied, ...this.pendingValues]);
    try {
      this.putRecord(runs, noted, values);
    } catch (error) {
      // Anything else is the end of this process, and perhaps the record counts already.
      if (error instanceof SystemError) this.abandon();
      throw error;
    }
    this.write(runs, changed);
    this.cache.taken();
    for (const [block] of changed) this.cache.written(block);
    for (const [key, value] of this.pendingValues) setValue(this.values, key, value);
    this.noted = noted;
    this.unapplied = values;
    this.pendingNotes = [];
    this.pendingValues = new Map();
    if (runs.length > 0 || values.size > 0) this.finish();
  }

  /** Forgets everything: the file system is closed, and nothing of this is to be taken up again. */
  close(): void {
    if (this.keeper !== null) this.forget(this.keeper);
  }

  private forget(keeper: Keeper): void {
    // The head first: without it the others are nothing.
    keeper.delete(HEAD_KEY);
    for (const key of keeper.keys()) {
      if (key.startsWith(PART_PREFIX) || key.startsWith(VALUE_PREFIX)) keeper.delete(key);
    }
  }

  /** Takes back everything since the last commit, in the cache, too. */
  abandon(): void {
    this.cache.abandon();
    this.pendingNotes = [];
    this.pendingValues = new Map();
  }

  /** Writes in place; if the disk refuses, takes everything back, in place as well as that goes, and throws EIO. */
  private write(runs: readonly Run[], changed: readonly BlockWrite[]): void {
    try {
      this.writeRuns(runs);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.refused = true;
      const originals = changed.flatMap(([block]): BlockWrite[] => {
        const bytes = this.cache.original(block);
        return bytes === null ? [] : [[block, bytes]];
      });
      this.abandon();
      this.restore(originals);
      throw new SystemError('EIO', `the disk refused a write: ${error.message}`);
    }
  }

  /**
   * Brings back what was on the disk. Should that fail too, the next incarnation tries again, and the cache keeps the
   * true content.
   */
  private restore(originals: readonly BlockWrite[]): void {
    const runs = inRuns(originals, this.cache.blockBytes);
    try {
      this.putRecord(runs, this.noted, this.unapplied);
      this.writeRuns(runs);
      this.finish();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      for (const [block, bytes] of originals) this.cache.pin(block, bytes);
    }
  }

  /** Puts a record, which counts from then on. */
  private putRecord(runs: readonly Run[], noted: readonly Noted[], values: Values): void {
    if (this.keeper === null) return;
    this.serial++;
    const [first = [], ...others] = inParts(runs);
    for (const [part, content] of others.entries()) {
      const key = this.partKey(part);
      this.parts.push(key);
      this.keeper.put(key, content);
    }
    this.putHead(first, others.length, noted, values);
  }

  private putHead(runs: readonly Run[], parts: number, noted: readonly Noted[], values: Values): void {
    const notes = noted.map(({ request, result }) => [request.sender, request.sequence, ...result]);
    const changes = [...values].map(([key, value]): Change => (value === undefined ? [key] : [key, value]));
    const head: Head = [VERSION, this.volume, this.serial, notes, changes, parts, runs];
    this.keeper?.put(HEAD_KEY, head);
  }

  private partKey(part: number): string {
    return `${PART_PREFIX}${this.serial}.${part}`;
  }

  /** The blocks are in place: puts the values under keys of their own and reduces the record. */
  private finish(): void {
    if (this.keeper === null) {
      this.unapplied.clear();
      return;
    }
    for (const [key, value] of this.unapplied) {
      try {
        if (value === undefined) this.keeper.delete(VALUE_PREFIX + key);
        else this.keeper.put(VALUE_PREFIX + key, value);
      } catch (error) {
        if (error instanceof SystemError) continue;
        throw error;
      }
      this.unapplied.delete(key);
    }
    this.putHead([], 0, this.noted, this.unapplied);
    for (const key of this.parts) this.keeper.delete(key);
    this.parts = [];
  }

  private writeRuns(runs: readonly Run[]): void {
    for (const [block, bytes] of runs) this.device.write(block * this.sectorsPerBlock, bytes);
  }
}

function setValue(values: Values, key: string, value: unknown): void {
  if (value === undefined) values.delete(key);
  else values.set(key, value);
}

/** Joins blocks that follow one another, in the list and on the disk. */
function inRuns(writes: readonly BlockWrite[], blockBytes: number): Run[] {
  const runs: [block: number, pieces: Buffer[]][] = [];
  for (const [block, bytes] of writes) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1].length === block && last[1].length * blockBytes < RUN_BYTES) {
      last[1].push(bytes);
    } else {
      runs.push([block, [bytes]]);
    }
  }
  return runs.map(([block, pieces]) => [block, Buffer.concat(pieces)]);
}

function inParts(runs: readonly Run[]): Run[][] {
  const parts: Run[][] = [[]];
  let bytes = 0;
  for (const run of runs) {
    if (bytes > 0 && bytes + run[1].length > PART_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(run);
    bytes += run[1].length;
  }
  return parts;
}
