/**
 * The order of `sort`: bytes as they are (the C locale), numbers, one key. Read POSIX, `sort`.
 *
 * Lines are kept as texts of one character a byte: they take no more room than the bytes, and compare as these do.
 */
import { CommandError, UsageError } from '../errors.ts';
import { formatBytes } from '../table.ts';

/** Most bytes and lines that are sorted; all of them are in memory. */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_LINES = 1_000_000;

/** How to sort. */
export interface SortOptions {
  readonly numeric: boolean;
  readonly reverse: boolean;
  readonly unique: boolean;
  /** Fields from the first to the last, from 1; null: the whole line. `last` is null for the end of the line. */
  readonly key: { readonly first: number; readonly last: number | null } | null;
  /** What divides fields; null: blanks, which belong to the field behind them. */
  readonly separator: string | null;
}

/** `2`, `2,3`, `2n,2`: fields, with the letters n and r. Throws UsageError. */
export function parseKey(text: string): { first: number; last: number | null; numeric: boolean; reverse: boolean } {
  const [, first = '', early = '', last = '', late = ''] = /^(\d{1,6})([nr]*)(?:,(\d{1,6})([nr]*))?$/.exec(text) ?? [];
  const letters = early + late;
  if (Number(first) < 1 || (last !== '' && Number(last) < 1))
    throw new UsageError(`-k: expected FIELD or FIELD,FIELD from 1 on, got '${text}'`);
  return {
    first: Number(first),
    last: last === '' ? null : Number(last),
    ...{ numeric: letters.includes('n'), reverse: letters.includes('r') },
  };
}

/** The part of a line that is compared. */
function keyOf(line: string, { key, separator }: SortOptions): string {
  if (key === null) return line;
  const fields = separator === null ? (line.match(/[ \t]*[^ \t]+|[ \t]+$/g) ?? []) : line.split(separator);
  return fields.slice(key.first - 1, key.last ?? undefined).join(separator ?? '');
}

/** The number a text begins with, else 0. */
function numberOf(text: string): number {
  const [number = '0'] = /^\s*-?\d*\.?\d*/.exec(text) ?? [];
  return Number.parseFloat(number) || 0;
}

/** Adds the lines of some pieces to `lines`, for `sortLines`. Throws CommandError when they are too many. */
export function collectLines(pieces: Iterable<Uint8Array>, lines: string[] = []): string[] {
  let bytes = lines.reduce((sum, line) => sum + line.length + 1, 0);
  let rest = '';
  for (const piece of pieces) {
    bytes += piece.length;
    const found = (rest + Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1')).split('\n');
    rest = found.pop() ?? '';
    if (bytes > MAX_BYTES || lines.length + found.length > MAX_LINES)
      throw new CommandError(`more than ${formatBytes(MAX_BYTES)} or ${MAX_LINES} lines cannot be sorted`);
    for (const line of found) lines.push(line);
  }
  if (rest !== '') lines.push(rest);
  return lines;
}

const compare = (left: string | number, right: string | number): number => (left < right ? -1 : left > right ? 1 : 0);

/**
 * Sorts lines that `collectLines` gave. Lines with equal keys are in the order of their bytes, or with `unique` only
 * the first of them stays.
 */
export function sortLines(lines: readonly string[], options: SortOptions): string[] {
  const { numeric, reverse, unique, key } = options;
  const sign = reverse ? -1 : 1;
  if (key === null && !numeric) {
    const sorted = [...lines].sort((a, b) => sign * compare(a, b));
    return unique ? sorted.filter((line, index) => line !== sorted[index - 1]) : sorted;
  }
  const rows = lines.map((line) => {
    const text = keyOf(line, options);
    return { line, key: numeric ? numberOf(text) : text };
  });
  rows.sort((a, b) => sign * (compare(a.key, b.key) || (unique ? 0 : compare(a.line, b.line))));
  return rows.filter((row, index) => !unique || row.key !== rows[index - 1]?.key).map(({ line }) => line);
}
