/** Header fields of HTTP messages. Read RFC 9110, 5 (fields) and RFC 9112, 5 (their syntax). */

/** Fields by name in small letters; several of one name are joined by commas (RFC 9110, 5.3). */
export type Fields = ReadonlyMap<string, string>;

/** A message of the other side is wrong. */
export class HttpError extends Error {
  /** What a server answers. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Fields of one message. */
const MAX_FIELDS = 100;

/** A name of a field, or a method (RFC 9110, 5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/**
 * Where the empty line behind a head ends, if it is there: the lines before it are `bytes.subarray(0, end)`. -1: not
 * yet. `from`: nothing to be found before it.
 */
export function headEnd(bytes: Buffer, from = 0): number {
  const start = Math.max(0, from - 3);
  const strict = bytes.indexOf('\n\r\n', start, 'latin1');
  const lenient = bytes.indexOf('\n\n', start, 'latin1');
  if (strict < 0 && lenient < 0) return -1;
  return lenient < 0 || (strict >= 0 && strict < lenient) ? strict + 3 : lenient + 2;
}

/** The lines of a head, without their ends and without the empty one. */
export function headLines(head: Buffer): string[] {
  const lines = head.toString('latin1').split('\n');
  const cut = lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  while (cut.at(-1) === '') cut.pop();
  return cut;
}

/** Reads the lines behind the first. Throws HttpError (400, 431). */
export function parseFields(lines: readonly string[]): Fields {
  if (lines.length > MAX_FIELDS) throw new HttpError(431, 'there are too many header fields');
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    if (!TOKEN.test(name)) throw new HttpError(400, 'a header field has no name');
    const value = line.slice(colon + 1).trim();
    if (CONTROL.test(value)) throw new HttpError(400, 'a header field has control characters');
    const key = name.toLowerCase();
    const before = fields.get(key);
    fields.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}

/** The members of a list such as that of `Connection`, in small letters. */
export function listOf(fields: Fields, name: string): string[] {
  return (fields.get(name) ?? '')
    .split(',')
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '');
}

/**
 * The value of Content-Length; undefined where it is missing. Several that are the same are one (RFC 9110, 8.6). Throws
 * HttpError.
 */
export function contentLength(fields: Fields): number | undefined {
  const text = fields.get('content-length');
  if (text === undefined) return undefined;
  const [first = '', ...others] = text.split(',').map((member) => member.trim());
  const length = /^\d{1,15}$/.test(first) ? Number(first) : Number.NaN;
  if (Number.isNaN(length) || others.some((other) => other !== first))
    throw new HttpError(400, 'the content length is no number');
  return length;
}
