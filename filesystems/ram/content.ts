/**
 * The bytes of a file in pieces. A piece that is kept already is never changed: the change goes into a copy with a key
 * of its own, so that a commit only has to say which pieces a file has.
 */
import { CHUNK_BYTES, CHUNK_COST, type Chunk, type Node } from './node.ts';

/** Where pieces come from and go to. */
export interface Chunks {
  /** Content of a piece. Throws SystemError EUCLEAN: it is not in the store. */
  bytes(chunk: Chunk): Buffer;
  /** A piece, not kept yet, with room for `capacity` bytes and the content of `old`, which is dropped. */
  replace(old: Chunk | undefined, capacity: number): Chunk;
  /** Whether a piece has not been kept yet. */
  isNew(chunk: Chunk): boolean;
  /** No file has this piece any more. */
  drop(chunk: Chunk): void;
}

/** Calls `visit` with each part of a range that lies in one piece. */
function eachPart(
  offset: number,
  count: number,
  visit: (index: number, within: number, at: number, length: number) => void,
): void {
  for (let at = 0; at < count; ) {
    const position = offset + at;
    const index = Math.floor(position / CHUNK_BYTES);
    const within = position - index * CHUNK_BYTES;
    const length = Math.min(count - at, CHUNK_BYTES - within);
    visit(index, within, at, length);
    at += length;
  }
}

/** What a write adds to the store: bytes that are counted, and keys. */
export function growth(node: Node, offset: number, count: number): { bytes: number; keys: number } {
  const added = { bytes: 0, keys: 0 };
  eachPart(offset, count, (index, within, _at, length) => {
    const chunk = node.chunks.get(index);
    if (chunk === undefined) added.keys++;
    added.bytes += Math.max(0, within + length - (chunk?.length ?? -CHUNK_COST));
  });
  return added;
}

const NOTHING = new Uint8Array(0);

/** Up to `count` bytes of a file. */
export function readContent(node: Node, offset: number, count: number, chunks: Chunks): Uint8Array {
  const length = Math.min(count, node.size - offset);
  if (length <= 0) return NOTHING;
  const index = Math.floor(offset / CHUNK_BYTES);
  const within = offset - index * CHUNK_BYTES;
  const first = node.chunks.get(index);
  if (first !== undefined && within + length <= first.length)
    return chunks.bytes(first).subarray(within, within + length);
  const result = Buffer.alloc(length);
  eachPart(offset, length, (number, from, at, part) => {
    const chunk = node.chunks.get(number);
    // What lies behind the length of a piece is zeros, as the result already is.
    if (chunk !== undefined && from < chunk.length) {
      chunks.bytes(chunk).copy(result, at, from, Math.min(from + part, chunk.length));
    }
  });
  return result;
}

/** Writes bytes into a file. */
export function writeContent(node: Node, offset: number, data: Uint8Array, chunks: Chunks): void {
  eachPart(offset, data.length, (index, within, at, length) => {
    const end = within + length;
    const old = node.chunks.get(index);
    const oldLength = old?.length ?? 0;
    let chunk = old;
    if (chunk?.bytes == null || chunk.bytes.length < end || !chunks.isNew(chunk)) {
      // Twice the room, so that many small appends do not copy the piece each time.
      chunk = chunks.replace(old, Math.min(CHUNK_BYTES, Math.max(end, oldLength, 2 * oldLength)));
      node.chunks.set(index, chunk);
    }
    const bytes = chunks.bytes(chunk);
    if (within > oldLength) bytes.fill(0, oldLength, within);
    bytes.set(data.subarray(at, at + length), within);
    chunk.length = Math.max(oldLength, end);
  });
  node.size = Math.max(node.size, offset + data.length);
}

/** Sets the length of a file. Answers the bytes that are counted less, and the keys. */
export function truncateContent(node: Node, size: number, chunks: Chunks): { bytes: number; keys: number } {
  const removed = { bytes: 0, keys: 0 };
  if (size < node.size) {
    for (const [index, chunk] of node.chunks) {
      const left = Math.max(0, size - index * CHUNK_BYTES);
      if (left >= chunk.length) continue;
      removed.bytes += chunk.length - left;
      chunk.length = left;
      if (left > 0) continue;
      removed.bytes += CHUNK_COST;
      removed.keys++;
      node.chunks.delete(index);
      chunks.drop(chunk);
    }
  }
  node.size = size;
  return removed;
}
