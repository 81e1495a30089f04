/**
 * The nodes of ramfs, and the form in which each is kept. A node knows its own names; the entries of a directory are
 * put together from them. So a name made, moved or removed changes one small record, however many entries the directory
 * has.
 */
import { SECTOR_BYTES } from '../block-device.ts';
import type { FileType, NodeNumber } from '../file-system.ts';

/** Bytes of a piece of content that is kept under one key. */
export const CHUNK_BYTES = 16 * 1024;

/** A piece of a file. What lies behind `length` in it reads as zeros. */
export interface Chunk {
  /** Names its key. Content is never changed under a key: a changed piece gets another one. */
  readonly id: number;
  length: number;
  /** The content, at least `length` bytes; null: it has not been read yet. */
  bytes: Buffer | null;
}

/** A name of a node. `position` is the entry's place in a listing. */
export interface Name {
  readonly directory: NodeNumber;
  readonly name: string;
  readonly position: number;
}

/** An entry of a directory. */
export interface Entry {
  node: Node;
  readonly position: number;
}

/** A file, directory or symbolic link. */
export interface Node {
  readonly number: NodeNumber;
  readonly type: FileType;
  mode: number;
  size: number;
  accessed: number;
  modified: number;
  changed: number;
  readonly created: number;
  /** The root has none, nor has what was removed and is retained. */
  names: Name[];
  /** Of a symbolic link, else ''. */
  readonly target: string;
  /** By number of the piece; what is not there is a hole. */
  readonly chunks: Map<number, Chunk>;
  /** Of a directory: in the order of their positions. */
  readonly entries: Map<string, Entry>;
  /** Directories in this one. */
  directories: number;
}

/**
 * Bytes of the store that are counted for a node, a name and a piece, besides text and content: never less than what
 * msgpack and the keys take.
 */
export const NODE_COST = 128;
export const NAME_COST = 24;
export const CHUNK_COST = 48;

/** Bytes that are counted for a name. */
export const nameCost = (name: string): number => NAME_COST + Buffer.byteLength(name);

/** Bytes that are counted for a node with all it has. */
export function nodeCost(node: Node): number {
  let cost = NODE_COST + Buffer.byteLength(node.target);
  for (const { name } of node.names) cost += nameCost(name);
  for (const { length } of node.chunks.values()) cost += CHUNK_COST + length;
  return cost;
}

/** Bytes that `stat` says a node takes: whole sectors of content. */
export function allocatedBytes(node: Node): number {
  let bytes = 0;
  for (const { length } of node.chunks.values()) bytes += Math.ceil(length / SECTOR_BYTES) * SECTOR_BYTES;
  return bytes;
}

const types: readonly FileType[] = ['file', 'directory', 'symlink'];

/** A new node. */
export function newNode(number: NodeNumber, type: FileType, mode: number, now: number, target = ''): Node {
  const times = { accessed: now, modified: now, changed: now, created: now };
  const content = { names: [], target, chunks: new Map(), entries: new Map(), directories: 0 };
  return { number, type, mode: mode & 0o7777, size: Buffer.byteLength(target), ...times, ...content };
}

/** The form in which a node is kept: names and pieces as flat lists of three values each. */
export type NodeRecord = readonly [
  type: number,
  mode: number,
  size: number,
  times: readonly number[],
  target: string,
  names: readonly (string | number)[],
  chunks: readonly number[],
];

/** See NodeRecord. */
export function toRecord(node: Node): NodeRecord {
  const { type, mode, size, accessed, modified, changed, created, target } = node;
  const names = node.names.flatMap(({ directory, name, position }) => [directory, name, position]);
  const chunks = [...node.chunks].flatMap(([index, { id, length }]) => [index, id, length]);
  return [types.indexOf(type), mode, size, [accessed, modified, changed, created], target, names, chunks];
}

/** Bytes of a record in msgpack at most. */
export function recordBytes([, , , , target, names, chunks]: NodeRecord): number {
  let bytes = NODE_COST + Buffer.byteLength(target) + 9 * chunks.length;
  for (const value of names) bytes += typeof value === 'string' ? NAME_COST + Buffer.byteLength(value) : 0;
  return bytes;
}

/** The node of a record; undefined: it is gone, or the value is no record. */
export function fromRecord(number: NodeNumber, record: unknown): Node | undefined {
  if (!Array.isArray(record)) return undefined;
  const [typeIndex, mode, size, times, target, names, chunks] = record as unknown as NodeRecord;
  const type = types[typeIndex];
  if (type === undefined) return undefined;
  const [accessed = 0, modified = 0, changed = 0, created = 0] = times;
  const node = newNode(number, type, mode, created, target);
  Object.assign(node, { size, accessed, modified, changed });
  for (let at = 0; at < names.length; at += 3) {
    node.names.push({ directory: Number(names[at]), name: String(names[at + 1]), position: Number(names[at + 2]) });
  }
  for (let at = 0; at < chunks.length; at += 3) {
    const [index = 0, id = 0, length = 0] = chunks.slice(at, at + 3);
    node.chunks.set(index, { id, length, bytes: null });
  }
  return node;
}
