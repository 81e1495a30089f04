/**
 * DNS messages: what a forwarder has to understand of them, the queries of a resolver, and their answers.
 *
 * Read: RFC 1035, 4.1; RFC 2308 (negative answers).
 */

import type { Ipv4Address } from './address.ts';

export const DNS_PORT = 53;

const HEADER_BYTES = 12;
const RESPONSE = 0x8000;
const OPCODE = 0x7800;
const TRUNCATED = 0x0200;
const RECURSION_DESIRED = 0x0100;
const CODE = 0x000f;
/** The two high bits of a length say that a pointer follows (4.1.4). */
const POINTER = 0xc0;
const INTERNET = 1;
/** Records that are read of one answer. */
const RECORD_LIMIT = 128;
const OPCODE_AND_RECURSION = 0x7900;
const RECURSION_AVAILABLE = 0x0080;
const LABEL_LIMIT = 63;
const NAME_LIMIT = 255;
const TYPE_AND_CLASS_BYTES = 4;
/** Of a record behind its name: type, class, time and length. */
const RECORD_HEADER_BYTES = 10;

/** Response codes. */
export const DNS_ERROR = { NONE: 0, FORMAT: 1, SERVER: 2, NAME: 3 } as const;

/** Types of records. */
export const DNS_TYPE = { A: 1, CNAME: 5, SOA: 6 } as const;

/** Whether this is a response, and its identifier. Null for what is too short for a header. */
export function parseDnsHeader(message: Buffer): { readonly identifier: number; readonly response: boolean } | null {
  if (message.length < HEADER_BYTES) return null;
  return { identifier: message.readUInt16BE(0), response: (message.readUInt16BE(2) & RESPONSE) !== 0 };
}

/**
 * The end of the one question of a query. Null when there is another number of them, or its name is not well-formed.
 */
export function questionEnd(message: Buffer): number | null {
  if (message.length < HEADER_BYTES || message.readUInt16BE(4) !== 1) return null;
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > LABEL_LIMIT || at - HEADER_BYTES > NAME_LIMIT) return null;
    at += 1 + length;
    if (length === 0) break;
  }
  return at + TYPE_AND_CLASS_BYTES <= message.length ? at + TYPE_AND_CLASS_BYTES : null;
}

/** The response to a query that says only what went wrong. `query` has at least a header. */
export function buildDnsError(query: Buffer, code: number): Buffer {
  const end = questionEnd(query);
  const response = Buffer.from(query.subarray(0, end ?? HEADER_BYTES));
  const flags = query.readUInt16BE(2) & OPCODE_AND_RECURSION;
  response.writeUInt16BE(flags | RESPONSE | RECURSION_AVAILABLE | code, 2);
  response.writeUInt16BE(end === null ? 0 : 1, 4);
  response.fill(0, 6, HEADER_BYTES);
  return response;
}

/** A record of an answer, of the kinds that a resolver of addresses uses. Times in seconds. */
export type DnsRecord =
  | { readonly type: 'address'; readonly name: string; readonly seconds: number; readonly address: Ipv4Address }
  | { readonly type: 'alias'; readonly name: string; readonly seconds: number; readonly target: string }
  /** Of a negative answer: how long it holds (RFC 2308, 5). */
  | { readonly type: 'authority'; readonly name: string; readonly seconds: number };

/** A response to a query with one question. Names are in lower case, without the dot at the end. */
export interface DnsResponse {
  readonly identifier: number;
  readonly code: number;
  readonly truncated: boolean;
  readonly question: { readonly name: string; readonly type: number };
  readonly records: readonly DnsRecord[];
}

/** A name as a query takes it: in lower case, without the dot at the end. Null: it is not one of a host. */
export function normalName(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, '');
  const labels = name.split('.');
  const isLabel = (label: string): boolean =>
    label.length <= LABEL_LIMIT && /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/.test(label);
  // In a message a name takes a byte more for its first length and one for its end.
  return name.length <= NAME_LIMIT - 2 && labels.every(isLabel) ? name : null;
}

/** A query for the addresses of a name, which `normalName` has made. */
export function buildDnsQuery(identifier: number, name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(identifier, 0);
  header.writeUInt16BE(RECURSION_DESIRED, 2);
  header.writeUInt16BE(1, 4);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, DNS_TYPE.A, 0, INTERNET])]);
}

/**
 * Takes a response apart. Null when it is none, or is not well-formed; what is behind a record that has been cut off is
 * left out if the response says that it is truncated.
 */
export function parseDnsResponse(message: Buffer): DnsResponse | null {
  if (message.length < HEADER_BYTES) return null;
  const flags = message.readUInt16BE(2);
  if ((flags & RESPONSE) === 0 || (flags & OPCODE) !== 0 || message.readUInt16BE(4) !== 1) return null;
  const question = readName(message, HEADER_BYTES);
  if (question === null || question.end + TYPE_AND_CLASS_BYTES > message.length) return null;
  if (message.readUInt16BE(question.end + 2) !== INTERNET) return null;
  const truncated = (flags & TRUNCATED) !== 0;
  const count = Math.min(message.readUInt16BE(6) + message.readUInt16BE(8), RECORD_LIMIT);
  const records = readRecords(message, question.end + TYPE_AND_CLASS_BYTES, count, truncated);
  if (records === null) return null;
  return {
    identifier: message.readUInt16BE(0),
    code: flags & CODE,
    truncated,
    question: { name: question.name, type: message.readUInt16BE(question.end) },
    records,
  };
}

function readRecords(message: Buffer, start: number, count: number, truncated: boolean): DnsRecord[] | null {
  const records: DnsRecord[] = [];
  let at = start;
  for (let index = 0; index < count; index++) {
    const owner = readName(message, at);
    const data = owner === null ? Infinity : owner.end + RECORD_HEADER_BYTES;
    const end = data <= message.length ? data + message.readUInt16BE(data - 2) : Infinity;
    if (owner === null || end > message.length) return truncated ? records : null;
    const record = readRecord(message, owner, data, end);
    if (record === null) return null;
    if (record !== undefined) records.push(record);
    at = end;
  }
  return records;
}

/** Undefined: of a kind that is not used. Null: not well-formed. */
function readRecord(message: Buffer, owner: Name, data: number, end: number): DnsRecord | undefined | null {
  const { name } = owner;
  const type = message.readUInt16BE(owner.end);
  const time = message.readUInt32BE(owner.end + 4);
  // A time with the highest bit set counts as none (RFC 2181, 8).
  const seconds = time > 0x7fff_ffff ? 0 : time;
  if (message.readUInt16BE(owner.end + 2) !== INTERNET) return undefined;
  switch (type) {
    case DNS_TYPE.A:
      return end - data === 4 ? { type: 'address', name, seconds, address: message.readUInt32BE(data) } : null;
    case DNS_TYPE.CNAME: {
      const target = readName(message, data);
      return target?.end === end ? { type: 'alias', name, seconds, target: target.name } : null;
    }
    case DNS_TYPE.SOA: {
      if (end - data < 22) return null;
      const least = message.readUInt32BE(end - 4);
      return { type: 'authority', name, seconds: Math.min(seconds, least) };
    }
    default:
      return undefined;
  }
}

interface Name {
  readonly name: string;
  /** Where what follows the name begins. */
  readonly end: number;
}

/** Reads a name. A pointer has to point before the part that it is in, so none leads round in a circle. */
function readName(message: Buffer, start: number): Name | null {
  const labels: string[] = [];
  let at = start;
  let before = start;
  let end = -1;
  for (let bytes = 0; bytes <= NAME_LIMIT; ) {
    const length = message[at];
    if (length === undefined) return null;
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: end < 0 ? at + 1 : end };
    if ((length & POINTER) === POINTER) {
      const low = message[at + 1];
      if (low === undefined) return null;
      if (end < 0) end = at + 2;
      at = ((length & ~POINTER) << 8) | low;
      if (at >= before) return null;
      before = at;
      continue;
    }
    if (length > LABEL_LIMIT || at + 1 + length > message.length) return null;
    const label = message.toString('latin1', at + 1, at + 1 + length);
    // A dot within a label would look like two labels.
    if (label.includes('.')) return null;
    labels.push(label);
    bytes += 1 + length;
    at += 1 + length;
  }
  return null;
}
