/** Requests as a server reads them, from bytes that come in any pieces. Read RFC 9112, 2 to 7 and 9. */
import { contentLength, type Fields, HttpError, headEnd, headLines, listOf, parseFields, TOKEN } from './fields.ts';

/** Bytes of the longest head of a request, and of its first line. */
export const MAX_HEAD_BYTES = 16 * 1024;
const MAX_LINE_BYTES = 8 * 1024;

/** Methods that HTTP defines; others are not known here (RFC 9110, 9.1). */
const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']);

/** A request, without its content. */
export interface Request {
  readonly method: string;
  readonly target: string;
  /** 0 or 1. */
  readonly minor: number;
  readonly fields: Fields;
  /** Whether the connection goes on after it. Not where there is content, which nobody reads here. */
  readonly keepAlive: boolean;
  /** The first line, for the log. */
  readonly line: string;
}

function parseHead(head: Buffer): Request {
  const [line = '', ...rest] = headLines(head);
  if (line.length > MAX_LINE_BYTES) throw new HttpError(414, 'the request line is too long');
  const [, method = '', target = '', major, minor] = /^([^ ]+) ([^ ]+) HTTP\/(\d)\.(\d)$/.exec(line) ?? [];
  if (!TOKEN.test(method) || /[^\x21-\x7e]/.test(target)) throw new HttpError(400, 'the request line is malformed');
  if (major !== '1') throw new HttpError(505, 'the version of HTTP is not 1.0 or 1.1');
  if (!KNOWN_METHODS.has(method)) throw new HttpError(501, 'the method is not known');
  const fields = parseFields(rest);
  if (minor !== '0' && !fields.has('host')) throw new HttpError(400, 'the header field Host is missing');
  if ((fields.get('host') ?? '').includes(',')) throw new HttpError(400, 'there are several header fields Host');
  const length = contentLength(fields);
  const coded = fields.has('transfer-encoding');
  if (coded && length !== undefined) throw new HttpError(400, 'the content has two lengths');
  const options = listOf(fields, 'connection');
  const persistent = minor === '0' ? options.includes('keep-alive') : !options.includes('close');
  const keepAlive = persistent && !coded && (length ?? 0) === 0;
  return { method, target, minor: minor === '0' ? 0 : 1, fields, keepAlive, line };
}

/** Collects bytes and takes requests off their front. */
export class RequestReader {
  private bytes: Buffer = Buffer.alloc(0);
  private looked = 0;

  /** Whether the beginning of a request waits for the rest. */
  get pending(): boolean {
    return this.bytes.length > 0;
  }

  /** Adds what has come. The bytes are kept. */
  add(piece: Uint8Array): void {
    const view = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    this.bytes = this.bytes.length === 0 ? view : Buffer.concat([this.bytes, view]);
  }

  /**
   * The next request; null as long as it is not complete. Throws HttpError, after which nothing more can be made of the
   * bytes.
   */
  next(): Request | null {
    // Empty lines before a request are passed over (RFC 9112, 2.2).
    let start = 0;
    while (this.bytes[start] === 0x0d || this.bytes[start] === 0x0a) start += 1;
    if (start > 0) {
      this.bytes = this.bytes.subarray(start);
      this.looked = 0;
    }
    const end = headEnd(this.bytes, this.looked);
    if ((end < 0 ? this.bytes.length : end) > MAX_HEAD_BYTES) throw this.tooLong();
    if (end < 0) {
      this.looked = this.bytes.length;
      return null;
    }
    const head = this.bytes.subarray(0, end);
    this.bytes = this.bytes.subarray(end);
    this.looked = 0;
    return parseHead(head);
  }

  private tooLong(): HttpError {
    const line = this.bytes.indexOf(0x0a);
    return line < 0 || line > MAX_LINE_BYTES
      ? new HttpError(414, 'the request line is too long')
      : new HttpError(431, 'the header fields are too long');
  }
}
