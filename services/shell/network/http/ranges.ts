/** The part of a file that a request asks for. Read RFC 9110, 14. */

/** Bytes from `start` to before `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * What the field Range asks for of `size` bytes. Null: everything, as for several ranges, other units and what is
 * malformed, which may be passed over (RFC 9110, 14.2).
 * `unsatisfiable`: nothing of it is there.
 */
export function parseRange(text: string | undefined, size: number): Range | 'unsatisfiable' | null {
  const [, first = '', last = ''] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(text ?? '') ?? [];
  if (first === '' && last === '') return null;
  if (first === '') {
    const count = Math.min(Number(last), size);
    return count === 0 ? 'unsatisfiable' : { start: size - count, end: size };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return null;
  if (start >= size) return 'unsatisfiable';
  return { start, end: last === '' ? size : Math.min(Number(last) + 1, size) };
}

/**
 * What Content-Range of an answer says: where the part begins and how large the whole is, null if it is not known.
 * Undefined: it is malformed.
 */
export function parseContentRange(text: string): { start: number; end: number; size: number | null } | undefined {
  const parts = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(text);
  if (parts === null) return undefined;
  const [start, last] = [Number(parts[1]), Number(parts[2])];
  const size = parts[3] === '*' ? null : Number(parts[3]);
  if (last < start || (size !== null && last >= size)) return undefined;
  return { start, end: last + 1, size };
}
