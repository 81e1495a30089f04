/** Answers as a client reads them, from bytes that come in any pieces. Read RFC 9112, 4, 6 and 7. */
import { visibleText } from '../../width.ts';
import { contentLength, type Fields, HttpError, headEnd, headLines, listOf, parseFields } from './fields.ts';

const MAX_HEAD_BYTES = 64 * 1024;
const MAX_CHUNK_LINE_BYTES = 4096;
/** Answers that only announce others, in a row. */
const MAX_INTERIM = 16;

/** The head of an answer. */
export interface ResponseHead {
  readonly status: number;
  /** For people: control characters are made visible. */
  readonly reason: string;
  readonly fields: Fields;
}

/** Reads one answer. All methods throw HttpError, whose status means nothing here, and whatever the source throws. */
export class ResponseReader {
  private readonly more: () => Uint8Array;
  private bytes: Buffer = Buffer.alloc(0);
  private ended = false;

  /** `more` waits for the next bytes; none are the end of the connection. */
  constructor(more: () => Uint8Array) {
    this.more = more;
  }

  /** The head of the answer, those before it that only announce it left out. */
  head(): ResponseHead {
    for (let interim = 0; interim <= MAX_INTERIM; interim += 1) {
      const head = this.oneHead();
      if (head.status >= 200 || head.status === 101) return head;
    }
    throw new HttpError(502, 'the server announces an answer again and again');
  }

  /** Bytes of the content if the head tells; null otherwise. */
  static lengthOf(head: ResponseHead): number | null {
    if (head.status === 204 || head.status === 304) return 0;
    if (head.fields.has('transfer-encoding')) return null;
    return contentLength(head.fields) ?? null;
  }

  /** The pieces of the content. */
  *content(head: ResponseHead): Generator<Uint8Array> {
    const coding = listOf(head.fields, 'transfer-encoding');
    if (coding.length > 1 || (coding.length === 1 && coding[0] !== 'chunked'))
      throw new HttpError(502, `the transfer coding ${visibleText(coding.join(', '))} is not supported`);
    const length = ResponseReader.lengthOf(head);
    if (coding.length === 1 && length === null) yield* this.chunks();
    else if (length === null) yield* this.rest();
    else yield* this.exactly(length);
  }

  private oneHead(): ResponseHead {
    let looked = 0;
    for (;;) {
      const end = headEnd(this.bytes, looked);
      if ((end < 0 ? this.bytes.length : end) > MAX_HEAD_BYTES) throw new HttpError(502, 'the head is too long');
      if (end >= 0) {
        const [line = '', ...rest] = headLines(this.take(end));
        const [, status = '', reason = ''] = /^HTTP\/1\.\d (\d{3})(?: (.*))?$/.exec(line) ?? [];
        if (status === '') throw new HttpError(502, 'the answer is not HTTP');
        return { status: Number(status), reason: visibleText(reason), fields: parseFields(rest) };
      }
      looked = this.bytes.length;
      if (!this.fill()) throw new HttpError(502, looked === 0 ? 'no answer came' : 'the connection ended in the head');
    }
  }

  private *exactly(length: number): Generator<Uint8Array> {
    let left = length;
    while (left > 0) {
      if (this.bytes.length === 0 && !this.fill())
        throw new HttpError(502, `the connection ended ${left} bytes before the end`);
      const piece = this.take(Math.min(left, this.bytes.length));
      left -= piece.length;
      yield piece;
    }
  }

  private *chunks(): Generator<Uint8Array> {
    for (;;) {
      const [size = ''] = this.line(MAX_CHUNK_LINE_BYTES).split(';', 1);
      if (!/^[0-9a-f]{1,13}\s*$/i.test(size)) throw new HttpError(502, 'the size of a chunk is malformed');
      const length = Number.parseInt(size, 16);
      if (length === 0) break;
      yield* this.exactly(length);
      if (this.line(2) !== '') throw new HttpError(502, 'a chunk is longer than it says');
    }
    // Fields behind the content say nothing here.
    for (let bytes = 0; ; ) {
      const line = this.line(MAX_CHUNK_LINE_BYTES);
      bytes += line.length;
      if (line === '') return;
      if (bytes > MAX_HEAD_BYTES) throw new HttpError(502, 'the fields behind the content are too long');
    }
  }

  private *rest(): Generator<Uint8Array> {
    do {
      if (this.bytes.length > 0) yield this.take(this.bytes.length);
    } while (this.fill());
  }

  private line(most: number): string {
    for (;;) {
      const end = this.bytes.indexOf(0x0a);
      if ((end < 0 ? this.bytes.length : end) > most) throw new HttpError(502, 'a line is too long');
      if (end >= 0) {
        const line = this.take(end + 1).toString('latin1', 0, end);
        return line.endsWith('\r') ? line.slice(0, -1) : line;
      }
      if (!this.fill()) throw new HttpError(502, 'the connection ended in the content');
    }
  }

  private take(count: number): Buffer {
    const taken = this.bytes.subarray(0, count);
    this.bytes = this.bytes.subarray(count);
    return taken;
  }

  /** Waits for more. False: there is none. */
  private fill(): boolean {
    if (this.ended) return false;
    const piece = this.more();
    if (piece.length === 0) {
      this.ended = true;
      return false;
    }
    const view = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    this.bytes = this.bytes.length === 0 ? view : Buffer.concat([this.bytes, view]);
    return true;
  }
}
