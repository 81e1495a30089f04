/**
 * How ramfs keeps itself in the recovery store. Each node and each piece of content has a key of its own. A commit puts
 * the new pieces, which nothing refers to yet, then ONE record with everything else it changes: that is the moment from
 * which it counts. The changes are then made under the keys of the nodes, and made again at the start, since the
 * process may have died in between. At the start whatever nothing refers to is deleted.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { Keeper } from '../block-device.ts';
import type { NodeNumber, RequestNumber, RequestResult } from '../file-system.ts';
import { type Chunk, fromRecord, type Node, type NodeRecord, recordBytes, toRecord } from './node.ts';

const COMMIT_KEY = 'ramfs.commit';
const PART_PREFIX = 'ramfs.part.';
const NODE_PREFIX = 'ramfs.node.';
const CHUNK_PREFIX = 'ramfs.data.';

/**
 * Bytes of changes that one value carries, so that it fits into a frame; further ones go into parts of their own, put
 * before the record.
 */
const PART_BYTES = 128 * 1024;

/** Requests of the newest commits that are remembered: at most so many can be unanswered. */
const MAX_NOTED = 64;

/** Numbers that are never given out twice. */
export interface Counters {
  node: number;
  chunk: number;
  position: number;
  commit: number;
}

/** A request that was carried out. */
interface Noted {
  readonly request: RequestNumber;
  readonly result: RequestResult;
}

/** What a commit makes permanent. */
export interface Changes {
  /** Nodes that were made or changed. */
  readonly nodes: readonly Node[];
  /** Numbers of nodes that are gone. */
  readonly removed: readonly NodeNumber[];
  /** New pieces. */
  readonly chunks: readonly Chunk[];
  /** Ids of pieces that no file has any more. */
  readonly dropped: readonly number[];
}

/** The record of a changed node, null: it is gone. */
type Change = [NodeNumber, NodeRecord | null];
type Records = Map<NodeNumber, NodeRecord | null>;

/** See the head of this file. */
export class RamStore {
  readonly counters: Counters = { node: 1, chunk: 1, position: 1, commit: 0 };
  private readonly keeper: Keeper;
  /** Committed, but not under the keys of the nodes yet. Empty unless the store is full. */
  private unapplied: Records = new Map();
  /** Keys of the parts of the record. */
  private parts: readonly string[] = [];
  private noted: Noted[] = [];
  private pending: Noted[] = [];

  constructor(keeper: Keeper) {
    this.keeper = keeper;
  }

  /** Reads what is kept: all nodes; none if nothing is. */
  load(): Node[] {
    this.pending = [];
    const record = this.keeper.get(COMMIT_KEY);
    if (Array.isArray(record)) this.takeUp(record);
    const keys = this.keeper.keys();
    const records: Records = new Map();
    for (const key of keys) {
      if (key.startsWith(NODE_PREFIX)) {
        records.set(Number(key.slice(NODE_PREFIX.length)), this.keeper.get(key) as NodeRecord);
      }
    }
    for (const [number, changed] of this.unapplied) records.set(number, changed);
    const nodes = [...records].flatMap(([number, kept]) => fromRecord(number, kept) ?? []);
    const used = new Set([...this.parts, ...nodes.flatMap(({ chunks }) => [...chunks.values()].map(chunkKey))]);
    for (const key of keys) {
      if ((key.startsWith(CHUNK_PREFIX) || key.startsWith(PART_PREFIX)) && !used.has(key)) this.keeper.delete(key);
    }
    return nodes;
  }

  private takeUp(record: readonly unknown[]): void {
    const [counters, noted, parts, changes] = record as [number[], number[][], number, Iterable<Change>];
    const [node = 1, chunk = 1, position = 1, commit = 0] = counters;
    Object.assign(this.counters, { node, chunk, position, commit });
    this.noted = noted.map(([sender = 0, sequence = 0, ...result]) => ({ request: { sender, sequence }, result }));
    this.parts = this.partKeys(parts);
    this.unapplied = new Map(changes);
    for (const key of this.parts) {
      for (const [number, kept] of this.keeper.get(key) as Iterable<Change>) this.unapplied.set(number, kept);
    }
    this.apply();
  }

  /** Notes a request for the next commit. */
  note(request: RequestNumber, result: RequestResult): void {
    this.pending.push({ request, result });
  }

  /** A request is noted for the next commit. */
  get isNoted(): boolean {
    return this.pending.length > 0;
  }

  /** The result of a request of one of the newest commits. */
  completed({ sender, sequence }: RequestNumber): RequestResult | undefined {
    return this.noted.find(({ request }) => request.sender === sender && request.sequence === sequence)?.result;
  }

  /** Content of a piece that is kept. Throws SystemError EUCLEAN. */
  read(chunk: Chunk): Buffer {
    const bytes = this.keeper.get(chunkKey(chunk));
    if (!(bytes instanceof Uint8Array)) throw new SystemError('EUCLEAN', `piece ${chunk.id} of a file is missing`);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Makes changes permanent. Throws SystemError ENOSPC: the store is full; then none of them is, and `load` has to be
   * called.
   */
  commit({ nodes, removed, chunks, dropped }: Changes): void {
    const records: Records = new Map(this.unapplied);
    for (const node of nodes) records.set(node.number, toRecord(node));
    for (const number of removed) records.set(number, null);
    for (const chunk of chunks) {
      if (chunk.bytes !== null) this.keeper.put(chunkKey(chunk), chunk.bytes.subarray(0, chunk.length));
    }
    this.counters.commit++;
    const [first = [], ...others] = inParts(records);
    const parts = this.partKeys(others.length);
    for (const [index, key] of parts.entries()) this.keeper.put(key, others[index]);
    const { node, chunk, position, commit } = this.counters;
    const noted = [...this.noted, ...this.pending].slice(-MAX_NOTED);
    const notes = noted.map(({ request, result }) => [request.sender, request.sequence, ...result]);
    this.keeper.put(COMMIT_KEY, [[node, chunk, position, commit], notes, parts.length, first]);
    for (const key of this.parts) this.keeper.delete(key);
    for (const id of dropped) this.keeper.delete(chunkKey({ id }));
    this.noted = noted;
    this.pending = [];
    this.parts = parts;
    this.unapplied = records;
    this.apply();
  }

  private partKeys(count: number): string[] {
    return Array.from({ length: count }, (_, part) => `${PART_PREFIX}${this.counters.commit}.${part}`);
  }

  /**
   * Makes the committed changes under the keys of the nodes. What finds no room stays in the record, and goes into the
   * next one.
   */
  private apply(): void {
    for (const [number, record] of this.unapplied) {
      const key = `${NODE_PREFIX}${number}`;
      try {
        if (record === null) this.keeper.delete(key);
        else this.keeper.put(key, record);
      } catch (error) {
        if (error instanceof SystemError) continue;
        throw error;
      }
      this.unapplied.delete(number);
    }
  }
}

function chunkKey({ id }: Pick<Chunk, 'id'>): string {
  return `${CHUNK_PREFIX}${id}`;
}

/** Changes in parts of which each fits into a frame. */
function inParts(records: Records): Change[][] {
  const parts: Change[][] = [[]];
  let bytes = 0;
  for (const change of records) {
    const [, record] = change;
    const size = record === null ? 0 : recordBytes(record);
    if (bytes > 0 && bytes + size > PART_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(change);
    bytes += size;
  }
  return parts;
}
