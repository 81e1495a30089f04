/**
 * DNS messages, as far as a forwarder has to understand them: the header and where the question ends.
 *
 * Read: RFC 1035, 4.1.
 */

export const DNS_PORT = 53;

const HEADER_BYTES = 12;
const RESPONSE = 0x8000;
const OPCODE_AND_RECURSION = 0x7900;
const RECURSION_AVAILABLE = 0x0080;
const LABEL_LIMIT = 63;
const NAME_LIMIT = 255;
const TYPE_AND_CLASS_BYTES = 4;

/** Response codes. */
export const DNS_ERROR = { FORMAT: 1, SERVER: 2 } as const;

/** Whether this is a response, and its identifier. Null for what is too short for a header. */
export function parseDnsHeader(message: Buffer): { readonly identifier: number; readonly response: boolean } | null {
  if (message.length < HEADER_BYTES) return null;
  return { identifier: message.readUInt16BE(0), response: (message.readUInt16BE(2) & RESPONSE) !== 0 };
}

/** The end of the one question of a query. Null when there is another number of them, or its name is not well-formed. */
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
