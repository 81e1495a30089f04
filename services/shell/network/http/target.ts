/**
 * The path that a request means. Read RFC 3986, 2.1 (percent encoding) and 5.2.4 (dot segments); RFC 9112, 3.2 (forms
 * of targets).
 */
import { HttpError } from './fields.ts';

/** Bytes of the longest path that files can have. */
const MAX_PATH_BYTES = 4096;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Takes percent encoding away; what it stands for has to be UTF-8. Throws HttpError. */
export function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] !== '%') {
      bytes.push(text.charCodeAt(at));
      continue;
    }
    const digits = text.slice(at + 1, at + 3);
    if (!/^[0-9a-f]{2}$/i.test(digits)) throw new HttpError(400, 'the target has a broken percent code');
    bytes.push(Number.parseInt(digits, 16));
    at += 2;
  }
  try {
    return decoder.decode(Uint8Array.from(bytes));
  } catch {
    throw new HttpError(400, 'the target is not UTF-8');
  }
}

/** Characters that stand for themselves in a path. */
export function percentEncoded(name: string): string {
  return encodeURIComponent(name).replaceAll(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * A path below the directory that is served: it begins with a slash, has no `.`, `..` or empty segments, and ends in a
 * slash if the target does.
 */
export interface TargetPath {
  readonly path: string;
  /** Behind the question mark, with it; '' without. */
  readonly query: string;
}

/** Throws HttpError (400, 414). */
export function parseTarget(target: string): TargetPath {
  // A proxy's form; whose name it has does not matter.
  const local = /^http:\/\/[^/?#]*/i.exec(target)?.[0].length ?? 0;
  const rest = local > 0 && !target.slice(local).startsWith('/') ? `/${target.slice(local)}` : target.slice(local);
  if (!rest.startsWith('/')) throw new HttpError(400, 'the target is no path');
  const [before = ''] = rest.split('#', 1);
  const mark = before.indexOf('?');
  const raw = mark < 0 ? before : before.slice(0, mark);
  const segments: string[] = [];
  const parts = raw.slice(1).split('/').map(percentDecoded);
  for (const part of parts) {
    if (part.includes('/') || part.includes('\0')) throw new HttpError(400, 'a name in the target has a slash or NUL');
    if (part === '..') segments.pop();
    else if (part !== '.' && part !== '') segments.push(part);
  }
  const last = parts.at(-1) ?? '';
  const directory = last === '' || last === '.' || last === '..';
  const path = segments.length === 0 ? '/' : `/${segments.join('/')}${directory ? '/' : ''}`;
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw new HttpError(414, 'the target is too long');
  return { path, query: mark < 0 ? '' : before.slice(mark) };
}
