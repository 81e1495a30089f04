/** Lines in bytes that come in pieces. */
import { CommandError } from '../errors.ts';
import { formatBytes } from '../table.ts';

/** Longest line that is taken as a whole, in bytes. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * The lines, each with its newline; the last one may have none. A line is valid until the next one is asked for. Throws
 * CommandError for one that is too long.
 */
export function* linesOf(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  let begun: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    let at = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, at);
      if (end < 0) break;
      const line = piece.subarray(at, end + 1);
      at = end + 1;
      if (begun.length === 0) {
        yield line;
      } else {
        yield Buffer.concat([...begun, line]);
        begun = [];
        bytes = 0;
      }
    }
    if (at === piece.length) continue;
    const rest = piece.subarray(at);
    bytes += rest.length;
    if (bytes > MAX_LINE_BYTES) throw new CommandError(`a line has more than ${formatBytes(MAX_LINE_BYTES)}`);
    begun.push(rest);
  }
  if (begun.length > 0) yield Buffer.concat(begun);
}

/** A line without the newline at its end. */
export function withoutNewline(line: Uint8Array): Uint8Array {
  return line.at(-1) === NEWLINE ? line.subarray(0, -1) : line;
}

/** Newlines in some bytes. */
export function countNewlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

/** Figures of a text. */
export interface TextCounts {
  lines: number;
  words: number;
  bytes: number;
}

/** Counts lines, words and bytes. Words are divided by white space of ASCII. */
export function countText(pieces: Iterable<Uint8Array>, countWords = true): TextCounts {
  const counts = { lines: 0, words: 0, bytes: 0 };
  let inWord = false;
  for (const piece of pieces) {
    counts.bytes += piece.length;
    if (!countWords) {
      counts.lines += countNewlines(piece);
      continue;
    }
    for (const byte of piece) {
      const blank = byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
      if (byte === NEWLINE) counts.lines += 1;
      if (!blank && !inWord) counts.words += 1;
      inWord = !blank;
    }
  }
  return counts;
}
