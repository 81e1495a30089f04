/**
 * Answers of a server: their heads, and what is to be answered to a request for a file. Read RFC 9110, 13 (conditions),
 * 14 (ranges), 15 (status codes).
 */

import { contentType } from './content-types.ts';
import { formatDate, parseDate } from './dates.ts';
import type { Fields } from './fields.ts';
import { escapeHtml, htmlPage } from './listing.ts';
import { parseRange } from './ranges.ts';

const reasons: Readonly<Record<number, string>> = {
  ...{ 200: 'OK', 206: 'Partial Content', 301: 'Moved Permanently', 304: 'Not Modified' },
  ...{ 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 408: 'Request Timeout' },
  ...{ 412: 'Precondition Failed', 414: 'URI Too Long', 416: 'Range Not Satisfiable' },
  ...{ 431: 'Request Header Fields Too Large', 500: 'Internal Server Error', 501: 'Not Implemented' },
  ...{ 503: 'Service Unavailable', 505: 'HTTP Version Not Supported' },
};

/** What the status means. */
export const reasonPhrase = (status: number): string => reasons[status] ?? 'Unknown';

/**
 * An answer but for the connection and the time. `length`: bytes of the content, null where there is none by
 * definition.
 */
export interface Answer {
  readonly status: number;
  readonly length: number | null;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The content, when it is not a part of a file. */
  readonly content: Uint8Array | null;
  /** The part of the file that is the content. */
  readonly start: number;
}

/** The head in bytes. `date`: the value of the field. */
export function responseHead({ status, length, fields }: Answer, keepAlive: boolean, date: string): string {
  let head = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nDate: ${date}\r\nServer: VROS httpd\r\n`;
  for (const [name, value] of fields) head += `${name}: ${value}\r\n`;
  if (length !== null) head += `Content-Length: ${length}\r\n`;
  return `${head}Connection: ${keepAlive ? 'keep-alive' : 'close'}\r\n\r\n`;
}

/** An answer that is a page of HTML. */
export function pageAnswer(status: number, content: Uint8Array, fields: Answer['fields'] = []): Answer {
  const type = ['Content-Type', 'text/html; charset=utf-8'] as const;
  return { status, length: content.length, fields: [type, ...fields], content, start: 0 };
}

/** An answer that says what is wrong. */
export function errorAnswer(status: number, detail: string, fields: Answer['fields'] = []): Answer {
  const text = detail === '' ? [] : [`<p>${escapeHtml(detail)}</p>`];
  const page = htmlPage(`${status} ${reasonPhrase(status)}`, text);
  return pageAnswer(status, new TextEncoder().encode(page), fields);
}

/** What is known of a file that is asked for. `modified`: milliseconds since 1970. */
export interface FileFacts {
  readonly path: string;
  readonly size: number;
  readonly modified: number;
  readonly node: number;
  /** Whether a change from now on shows in `modified`. If not, what is known here could stand for two contents. */
  readonly settled: boolean;
}

/** A mark that changes with the file (RFC 9110, 8.8.3). */
export function entityTag({ size, modified, node }: FileFacts): string {
  return `"${[node, size, modified].map((part) => Math.trunc(part).toString(36)).join('-')}"`;
}

const tagsOf = (text: string): string[] => text.split(',').map((tag) => tag.trim().replace(/^W\//, ''));

/** Whether the client has the file already (RFC 9110, 13.2.2, steps 3 and 4). */
function isKnown(fields: Fields, facts: FileFacts): boolean {
  const tags = fields.get('if-none-match');
  if (tags?.trim() === '*') return true;
  if (!facts.settled) return false;
  if (tags !== undefined) return tagsOf(tags).includes(entityTag(facts));
  const since = parseDate(fields.get('if-modified-since') ?? '');
  return since !== null && Math.floor(facts.modified / 1000) * 1000 <= since;
}

/** Whether a condition on what is to be there fails (RFC 9110, 13.2.2, steps 1 and 2). */
function isRefused(fields: Fields, facts: FileFacts): boolean {
  const tags = fields.get('if-match');
  if (tags !== undefined) return tags.trim() !== '*' && !tagsOf(tags).includes(entityTag(facts));
  const since = parseDate(fields.get('if-unmodified-since') ?? '');
  return since !== null && Math.floor(facts.modified / 1000) * 1000 > since;
}

/** Whether the range is still of the same file (RFC 9110, 13.1.5). */
function isSame(text: string | undefined, facts: FileFacts): boolean {
  if (text === undefined) return true;
  if (!facts.settled) return false;
  return text.startsWith('"')
    ? text === entityTag(facts)
    : parseDate(text) === Math.floor(facts.modified / 1000) * 1000;
}

/** What later requests can ask about; nothing as long as it could stand for two contents (RFC 9110, 8.8.1). */
function validatorsOf(facts: FileFacts): Answer['fields'] {
  if (!facts.settled) return [];
  return [
    ['Last-Modified', formatDate(facts.modified)],
    ['ETag', entityTag(facts)],
  ];
}

/** What is to be answered to GET and HEAD for a file. */
export function fileAnswer(fields: Fields, facts: FileFacts): Answer {
  const validators = validatorsOf(facts);
  if (isRefused(fields, facts)) return errorAnswer(412, '');
  if (isKnown(fields, facts)) return { status: 304, length: null, fields: validators, content: null, start: 0 };
  const range = isSame(fields.get('if-range'), facts) ? parseRange(fields.get('range'), facts.size) : null;
  if (range === 'unsatisfiable') return errorAnswer(416, '', [['Content-Range', `bytes */${facts.size}`]]);
  const common = [['Content-Type', contentType(facts.path)], ...validators, ['Accept-Ranges', 'bytes']] as const;
  if (range === null) return { status: 200, length: facts.size, fields: common, content: null, start: 0 };
  const { start, end } = range;
  const where = ['Content-Range', `bytes ${start}-${end - 1}/${facts.size}`] as const;
  return { status: 206, length: end - start, fields: [...common, where], content: null, start };
}
