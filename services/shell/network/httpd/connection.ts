/**
 * One client of httpd: reads its requests, answers them in their order, and never lets another one wait. Read RFC 9112,
 * 9 (persistence, pipelining).
 */
import { formatIpv4 } from '../../../../wire/address.ts';
import type { Endpoint, SystemError } from '../../../lib/index.ts';
import type { StreamSocket } from '../byte-streams.ts';
import { HttpError } from '../http/fields.ts';
import { type Request, RequestReader } from '../http/request.ts';
import { type Answer, errorAnswer, fileAnswer, pageAnswer, responseHead } from '../http/response.ts';
import { parseTarget, percentEncoded, type TargetPath } from '../http/target.ts';
import type { CachedFile, FileCache } from './file-cache.ts';

/** Bytes of a file that are read at once. */
const PIECE_BYTES = 64 * 1024;
/** Contents of answers that are gathered, and so copied, before they are sent. What is larger is sent as it is. */
const MAX_GATHERED_BYTES = 32 * 1024;
/** Requests of one connection. */
const MAX_REQUESTS = 100_000;
/** Seconds that a request may take to come. */
const MAX_HEAD_TICKS = 20;

const indexName = 'index.html';
const nothing = new Uint8Array(0);

/** What a connection needs of its server. */
export interface ConnectionServer {
  readonly cache: FileCache;
  /** The value of the field Date. */
  readonly date: string;
  /** Told of each answer, for the log. */
  answered(remote: string, line: string, status: number, length: number): void;
  /** The connection waits for a request, or does no more. */
  idle(connection: Connection, idle: boolean): void;
  closed(connection: Connection): void;
}

/** See the head of this file. */
export class Connection {
  private readonly server: ConnectionServer;
  private readonly stream: StreamSocket;
  private readonly remote: string;
  private readonly reader = new RequestReader();
  private gathered: Uint8Array[] = [];
  private gatheredBytes = 0;
  private requests = 0;
  private closed = false;
  /** Nothing is answered after what is being answered. */
  private last = false;
  private headTicks = 0;
  /** A request is to come. */
  private waiting = false;
  private peerEnded = false;
  /** What is being sent. */
  private file: CachedFile | null = null;

  constructor(server: ConnectionServer, stream: StreamSocket, remote: Endpoint) {
    this.server = server;
    this.stream = stream;
    this.remote = formatIpv4(remote.address);
  }

  /** Serves the client from now on. */
  start(): void {
    this.receive();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.release();
    this.stream.close();
    this.server.closed(this);
  }

  /** A second has passed. */
  tick(): void {
    if (!this.waiting || !this.reader.pending) {
      this.headTicks = 0;
      return;
    }
    this.headTicks += 1;
    if (this.headTicks === MAX_HEAD_TICKS) this.refuse(new HttpError(408, 'the request did not come in time'));
  }

  private receive(): void {
    this.server.idle(this, !this.reader.pending);
    this.waiting = true;
    this.stream.read((outcome) => {
      if (this.closed || this.last) return;
      this.waiting = false;
      this.server.idle(this, false);
      // Nothing for a long time, the end, or a reset: nobody waits for an answer.
      if (!outcome.ok) this.close();
      else {
        if (outcome.value.length === 0) this.peerEnded = true;
        else this.reader.add(outcome.value);
        this.next();
      }
    });
  }

  /** Answers the next request that is there. */
  private next(): void {
    if (this.last) {
      this.flush(() => this.finish());
      return;
    }
    let request: Request | null;
    try {
      request = this.reader.next();
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.refuse(error);
      return;
    }
    if (request === null) {
      // A client that has ended its direction still gets what it has asked for.
      this.flush(() => (this.peerEnded ? this.finish() : this.receive()));
      return;
    }
    this.headTicks = 0;
    this.requests += 1;
    if (!request.keepAlive || this.requests >= MAX_REQUESTS) this.last = true;
    this.answer(request);
  }

  private answer(request: Request): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      this.reply(request, errorAnswer(405, '', [['Allow', 'GET, HEAD']]));
      return;
    }
    let target: TargetPath;
    try {
      target = parseTarget(request.target);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.reply(request, errorAnswer(error.status, error.message));
      return;
    }
    if (target.path.endsWith('/')) this.answerDirectory(request, target.path);
    else this.answerFile(request, target);
  }

  private answerFile(request: Request, { path, query }: TargetPath): void {
    const found = (file: CachedFile): void => {
      const encoded = path.split('/').map(percentEncoded).join('/');
      if (file.type === 'file') this.reply(request, fileAnswer(request.fields, file));
      else this.reply(request, errorAnswer(301, '', [['Location', `${encoded}/${query}`]]));
    };
    this.find(path, found, (error) => this.reply(request, refusal(error)));
  }

  private answerDirectory(request: Request, path: string): void {
    const list = (): void =>
      this.find(
        path,
        ({ content }) => this.reply(request, content === null ? errorAnswer(404, '') : pageAnswer(200, content)),
        (error) => this.reply(request, refusal(error)),
      );
    const found = (index: CachedFile): void => {
      if (index.type === 'file') this.reply(request, fileAnswer(request.fields, index));
      else list();
    };
    this.find(path + indexName, found, list);
  }

  /** Finds what is to be sent, unless the client has gone meanwhile. */
  private find(path: string, found: (file: CachedFile) => void, failed: (error: SystemError) => void): void {
    this.release();
    this.server.cache.find(path, (outcome) => {
      if (!outcome.ok) failed(outcome.error);
      else if (this.closed) this.server.cache.release(outcome.value);
      else {
        this.file = outcome.value;
        found(outcome.value);
      }
    });
  }

  private release(): void {
    if (this.file !== null) this.server.cache.release(this.file);
    this.file = null;
  }

  /** Sends an answer, whose content may be a part of the file that was found, and goes on with the next request. */
  private reply(request: Request, answer: Answer): void {
    if (this.closed) return;
    const { start } = answer;
    const length = request.method === 'HEAD' ? 0 : (answer.length ?? 0);
    this.server.answered(this.remote, request.line, answer.status, length);
    const head = Buffer.from(responseHead(answer, !this.last, this.server.date), 'latin1');
    const content = length === 0 ? nothing : (answer.content ?? this.file?.content?.subarray(start, start + length));
    if (content !== undefined && content.length <= MAX_GATHERED_BYTES) {
      this.release();
      this.gatherAnswer(head, content);
      return;
    }
    this.gather(head);
    this.flush(() => {
      if (content === undefined) this.sendFile(start, start + length);
      else this.write(content, () => this.sent());
    });
  }

  /** What was found is sent. */
  private sent(): void {
    this.release();
    this.next();
  }

  /** Gathers a small answer; what has been gathered before is sent first if both are too much. */
  private gatherAnswer(head: Uint8Array, content: Uint8Array): void {
    const gather = (): void => {
      this.gather(head);
      this.gather(content);
      if (this.gatheredBytes > MAX_GATHERED_BYTES) this.flush(() => this.next());
      else this.next();
    };
    if (this.gatheredBytes + content.length > MAX_GATHERED_BYTES) this.flush(gather);
    else gather();
  }

  /** Sends the part of an open file. */
  private sendFile(at: number, end: number): void {
    if (at >= end) {
      this.sent();
      return;
    }
    const { server = null } = this.file ?? {};
    if (server === null) {
      this.close();
      return;
    }
    server.read({ offset: at, count: Math.min(PIECE_BYTES, end - at) }, (outcome) => {
      // The length is out already: what is missing can only be shown by ending.
      if (this.closed || !outcome.ok || outcome.value.length === 0) this.close();
      else this.write(outcome.value, () => this.sendFile(at + outcome.value.length, end));
    });
  }

  private write(bytes: Uint8Array, then: () => void): void {
    this.stream.write(bytes, (outcome) => {
      if (this.closed) return;
      if (outcome.ok) then();
      else this.close();
    });
  }

  private gather(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.gathered.push(bytes);
    this.gatheredBytes += bytes.length;
  }

  private flush(then: () => void): void {
    const [first = nothing] = this.gathered;
    const bytes = this.gathered.length === 1 ? first : Buffer.concat(this.gathered);
    this.gathered = [];
    this.gatheredBytes = 0;
    if (bytes.length === 0) {
      then();
      return;
    }
    this.write(bytes, then);
  }

  /** The bytes make no sense, or too little came: says so and ends. */
  private refuse({ status, message }: HttpError): void {
    this.last = true;
    this.waiting = false;
    const answer = errorAnswer(status, message);
    this.server.answered(this.remote, '-', status, answer.length ?? 0);
    this.gather(Buffer.from(responseHead(answer, false, this.server.date), 'latin1'));
    if (answer.content !== null) this.gather(answer.content);
    this.flush(() => this.finish());
  }

  /** Ends the own direction before the connection, so that a client that still sends gets the answer and no reset. */
  private finish(): void {
    this.stream.end(() => {
      if (!this.closed) this.server.idle(this, true);
      this.drain(MAX_DRAINED_PIECES);
    });
  }

  private drain(left: number): void {
    if (this.closed || this.peerEnded || left === 0) {
      this.close();
      return;
    }
    this.stream.read((outcome) => {
      if (outcome.ok && outcome.value.length > 0) this.drain(left - 1);
      else this.close();
    });
  }
}

/** Pieces that are still taken and thrown away after the last answer. */
const MAX_DRAINED_PIECES = 16;

/** What an error of the file system means to a client. */
function refusal(error: SystemError): Answer {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
    case 'EINVAL':
      return errorAnswer(404, '');
    case 'EACCES':
    case 'EPERM':
      return errorAnswer(403, '');
    case 'EAGAIN':
    case 'EMFILE':
      return errorAnswer(503, '', [['Retry-After', '1']]);
    default:
      return errorAnswer(500, '');
  }
}
