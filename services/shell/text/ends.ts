/** The beginning and the end of a text, in lines or bytes. */
import type { File } from '../../lib/index.ts';
import { CommandError } from '../errors.ts';
import { formatBytes } from '../table.ts';
import { linesOf } from './lines.ts';

/** Most bytes kept of a stream for its end. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

/** Bytes read at once from the end of a file. */
const STEP_BYTES = 64 * 1024;

const NEWLINE = 0x0a;

/** The first bytes. */
export function* firstBytes(pieces: Iterable<Uint8Array>, count: number): Generator<Uint8Array> {
  let left = count;
  if (left === 0) return;
  for (const piece of pieces) {
    yield piece.subarray(0, left);
    left -= piece.length;
    if (left <= 0) return;
  }
}

/** The first lines. */
export function* firstLines(pieces: Iterable<Uint8Array>, count: number): Generator<Uint8Array> {
  let left = count;
  if (left === 0) return;
  for (const piece of pieces) {
    let end = 0;
    while (left > 0) {
      const newline = piece.indexOf(NEWLINE, end);
      if (newline < 0) break;
      end = newline + 1;
      left -= 1;
    }
    yield left === 0 ? piece.subarray(0, end) : piece;
    if (left === 0) return;
  }
}

/** What is behind the first `count` bytes. */
export function* behindBytes(pieces: Iterable<Uint8Array>, count: number): Generator<Uint8Array> {
  let left = count;
  for (const piece of pieces) {
    if (left < piece.length) yield piece.subarray(left);
    left = Math.max(0, left - piece.length);
  }
}

/** What is behind the first `count` lines. */
export function* behindLines(pieces: Iterable<Uint8Array>, count: number): Generator<Uint8Array> {
  let left = count;
  for (const piece of pieces) {
    let at = 0;
    while (left > 0 && at < piece.length) {
      const newline = piece.indexOf(NEWLINE, at);
      at = newline < 0 ? piece.length : newline + 1;
      if (newline >= 0) left -= 1;
    }
    if (at < piece.length) yield piece.subarray(at);
  }
}

/** Keeps the newest of what is added, as long as `isEnough` says that the rest would do. */
class Kept {
  private readonly pieces: Uint8Array[] = [];
  private first = 0;
  bytes = 0;

  add(piece: Uint8Array): void {
    this.pieces.push(piece);
    this.bytes += piece.length;
    if (this.bytes > MAX_KEPT_BYTES) throw new CommandError(`the end has more than ${formatBytes(MAX_KEPT_BYTES)}`);
  }

  get oldest(): Uint8Array | undefined {
    return this.pieces[this.first];
  }

  get count(): number {
    return this.pieces.length - this.first;
  }

  drop(): void {
    this.bytes -= this.oldest?.length ?? 0;
    this.first += 1;
    if (this.first < 1024) return;
    this.pieces.splice(0, this.first);
    this.first = 0;
  }

  all(): Uint8Array[] {
    return this.pieces.slice(this.first);
  }
}

/** The last bytes of a stream. Throws CommandError when they are too many. */
export function lastBytes(pieces: Iterable<Uint8Array>, count: number): Uint8Array[] {
  const kept = new Kept();
  for (const piece of pieces) {
    kept.add(piece);
    while (kept.oldest !== undefined && kept.bytes - kept.oldest.length >= count) kept.drop();
  }
  const [first, ...others] = kept.all();
  return first === undefined ? [] : [first.subarray(Math.max(0, kept.bytes - count)), ...others];
}

/** The last lines of a stream. Throws CommandError when they are too large. */
export function lastLines(pieces: Iterable<Uint8Array>, count: number): Uint8Array[] {
  const kept = new Kept();
  for (const line of linesOf(pieces)) {
    if (count === 0) continue;
    if (kept.count === count) kept.drop();
    kept.add(line.slice());
  }
  return kept.all();
}

/** Where the last lines of a file begin; only its end is read. */
export function startOfLastLines(file: Pick<File, 'readAt'>, size: number, count: number): number {
  if (count === 0) return size;
  let left = count;
  let last = true;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - STEP_BYTES);
    const piece = file.readAt(start, end - start);
    // A newline at the very end ends the last line and begins no other.
    let from = last && piece.at(-1) === NEWLINE ? piece.length - 2 : piece.length - 1;
    last = false;
    for (; from >= 0; from -= 1) {
      from = piece.lastIndexOf(NEWLINE, from);
      if (from < 0) break;
      left -= 1;
      if (left === 0) return start + from + 1;
    }
    end = start;
  }
  return 0;
}
