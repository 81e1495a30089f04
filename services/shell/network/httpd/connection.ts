/**
 * One client of httpd: reads its requests, answers them in their order, and never lets another one wait. Read RFC 9112,
 * 9 (persistence, pipelining).
 */
import { formatIpv4 } from '../../../../wire/address.ts';
import type { DirectoryEntry, Endpoint, Outcome, SystemError } from '../../../lib/index.ts';
import type { StreamSocket } from '../byte-streams.ts';
import { HttpError } from '../http/fields.ts';
import { type ListedEntry, listingPage } from '../http/listing.ts';
import { type Request, RequestReader } from '../http/request.ts';
import { type Answer, errorAnswer, fileAnswer, pageAnswer, responseHead } from '../http/response.ts';
import { parseTarget, percentEncoded, type TargetPath } from '../http/target.ts';
import type { CachedFile, FileCache } from './file-cache.ts';

/** Bytes of a file that are read at once. */
const PIECE_BYTES = 64 * 1024;
/** Answers that are gathered before they are sent. */
const MAX_GATHERED_BYTES = 64 * 1024;
/** Requests of one connection. */
const MAX_REQUESTS = 100_000;
/** Entries of a directory that are shown. */
const MAX_LISTED = 10_000;
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
      this.reply(request, errorAnswer(405, '', [['Allow', 'GET, HEAD']]), null);
      return;
    }
    let target: TargetPath;
    try {
      target = parseTarget(request.target);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.reply(request, errorAnswer(error.status, error.message), null);
      return;
    }
    const path = target.path.length > 1 ? target.path.replace(/\/$/, '') : target.path;
    this.server.cache.find(path, (outcome) => this.found(request, target, outcome));
  }

  private found(request: Request, target: TargetPath, outcome: Outcome<CachedFile>): void {
    if (!outcome.ok) {
      this.reply(request, refusal(outcome.error), null);
      return;
    }
    const file = outcome.value;
    const slash = target.path.endsWith('/');
    if (file.type === 'file') {
      if (!slash) this.reply(request, fileAnswer(request.fields, file), file);
      else {
        this.server.cache.release(file);
        this.reply(request, errorAnswer(404, ''), null);
      }
    } else if (!slash) {
      this.server.cache.release(file);
      const path = target.path.split('/').map(percentEncoded).join('/');
      this.reply(request, errorAnswer(301, '', [['Location', `${path}/${target.query}`]]), null);
    } else
      this.server.cache.find(target.path + indexName, (index) => {
        if (index.ok && index.value.type === 'file') {
          this.server.cache.release(file);
          this.reply(request, fileAnswer(request.fields, index.value), index.value);
          return;
        }
        if (index.ok) this.server.cache.release(index.value);
        this.list(request, target.path, file, [], '');
      });
  }

  /** Reads a directory and shows it. */
  private list(request: Request, path: string, file: CachedFile, entries: ListedEntry[], cursor: string): void {
    const done = (answer: Answer): void => {
      this.server.cache.release(file);
      this.reply(request, answer, null);
    };
    if (file.server === null) {
      done(errorAnswer(500, ''));
      return;
    }
    file.server.read_directory({ cursor, most: 256 }, (outcome) => {
      if (!outcome.ok) {
        done(refusal(outcome.error));
        return;
      }
      for (const { name, type } of outcome.value.entries as readonly DirectoryEntry[])
        entries.push({ name, directory: type === 'directory' });
      const next = outcome.value.cursor;
      if (next === null || entries.length >= MAX_LISTED)
        done(pageAnswer(200, listingPage(path, entries.slice(0, MAX_LISTED))));
      else this.list(request, path, file, entries, next);
    });
  }

  /** Sends an answer, whose content may be a part of `file`, and goes on with the next request. */
  private reply(request: Request, answer: Answer, file: CachedFile | null): void {
    const release = (): void => {
      if (file !== null) this.server.cache.release(file);
    };
    if (this.closed) {
      release();
      return;
    }
    const length = request.method === 'HEAD' ? 0 : (answer.length ?? 0);
    this.server.answered(this.remote, request.line, answer.status, length);
    this.gather(Buffer.from(responseHead(answer, !this.last, this.server.date), 'latin1'));
    const { start } = answer;
    const content = length === 0 ? nothing : (answer.content ?? file?.content?.subarray(start, start + length));
    if (content !== undefined) {
      this.gather(content);
      release();
      if (this.gatheredBytes > MAX_GATHERED_BYTES) this.flush(() => this.next());
      else this.next();
      return;
    }
    this.flush(() => this.sendFile(file, start, start + length, release));
  }

  /** Sends the part of an open file. */
  private sendFile(file: CachedFile | null, at: number, end: number, release: () => void): void {
    if (file?.server == null) {
      release();
      this.close();
      return;
    }
    if (at >= end) {
      release();
      this.next();
      return;
    }
    file.server.read({ offset: at, count: Math.min(PIECE_BYTES, end - at) }, (outcome) => {
      // The length is out already: what is missing can only be shown by ending.
      if (this.closed || !outcome.ok || outcome.value.length === 0) {
        release();
        this.close();
        return;
      }
      const piece = outcome.value;
      this.stream.write(piece, (written) => {
        if (written.ok && !this.closed) this.sendFile(file, at + piece.length, end, release);
        else {
          release();
          this.close();
        }
      });
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
    this.stream.write(bytes, (outcome) => {
      if (this.closed) return;
      if (outcome.ok) then();
      else this.close();
    });
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
