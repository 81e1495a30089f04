/**
 * Bytes that come and go while something else goes on: the standard input and output, sockets, and pumps from one to
 * the other.
 */
import { FOREVER } from '../../../protocol/bounds.ts';
import { MAX_FILE_BYTES } from '../../../protocol/file.ts';
import { MAX_STREAM_BYTES } from '../../../protocol/socket.ts';
import { MAX_TTY_BYTES } from '../../../protocol/tty.ts';
import {
  type AsynchronousClient,
  type Endpoint,
  type File,
  file as fileInterface,
  type Handle,
  ipcRelease,
  type Outcome,
  SystemError,
  socket as socketInterface,
  tty as ttyInterface,
} from '../../lib/index.ts';
import type { CommandContext } from '../command.ts';
import type { EventLoop } from './event-loop.ts';

/** Told how something ended. */
export type Done<T> = (outcome: Outcome<T>) => void;

/** Where bytes come from. One `read` at a time; none are the end. */
export interface ByteSource {
  read(done: Done<Uint8Array>): void;
}

/** Where bytes go to. One `write` at a time; `done` when all are taken. */
export interface ByteSink {
  write(bytes: Uint8Array, done: Done<void>): void;
}

/**
 * Failures in a row that are borne of what has positions or loses nothing: a server has died in the middle, which a
 * request is not to blame for.
 */
const MAX_FAILURES = 3;

const nothing = new Uint8Array(0);
const taken: Outcome<void> = { ok: true, value: undefined };

/** Calls `act` again while it fails with EIO, a few times. */
function persistently<T>(act: (done: Done<T>) => void, done: Done<T>, failures = 0): void {
  act((outcome) => {
    if (!outcome.ok && outcome.error.code === 'EIO' && failures < MAX_FAILURES) persistently(act, done, failures + 1);
    else done(outcome);
  });
}

/** How long a connection may keep its user waiting, in milliseconds, and how many bytes are read at once. */
export interface StreamLimits {
  readonly receive?: number;
  readonly send?: number;
  readonly piece?: number;
}

/** A connection. ETIMEDOUT when a limit is over. */
export class StreamSocket implements ByteSource, ByteSink {
  readonly right: Handle;
  /** Bytes received and sent so far. */
  received = 0;
  sent = 0;
  private readonly server: AsynchronousClient<typeof socketInterface.methods>;
  private readonly limits: StreamLimits;
  private closed = false;

  constructor(loop: EventLoop, right: Handle, limits: StreamLimits = {}) {
    this.right = right;
    this.server = loop.client(socketInterface, right);
    this.limits = limits;
  }

  connect(remote: Endpoint, timeout: number, done: Done<void>): void {
    this.server.connect({ remote, timeout }, done);
  }

  read(done: Done<Uint8Array>): void {
    const { piece = MAX_STREAM_BYTES, receive = FOREVER } = this.limits;
    const request = { offset: this.received, most: piece, timeout: receive };
    persistently<Uint8Array>(
      (end) => this.server.receive(request, end),
      (outcome) => {
        if (outcome.ok) this.received += outcome.value.length;
        done(outcome);
      },
    );
  }

  write(bytes: Uint8Array, done: Done<void>): void {
    if (bytes.length === 0) {
      done(taken);
      return;
    }
    const data = bytes.subarray(0, MAX_STREAM_BYTES);
    const request = { offset: this.sent, data, timeout: this.limits.send ?? FOREVER };
    persistently<number>(
      (end) => this.server.send(request, end),
      (outcome) => {
        if (!outcome.ok) {
          done(outcome);
          return;
        }
        const rest = bytes.subarray(outcome.value - this.sent);
        this.sent = outcome.value;
        if (rest.length === 0) done(taken);
        else this.write(rest, done);
      },
    );
  }

  /** Ends the own direction. */
  end(done: Done<void>): void {
    this.server.shutdown('send', done);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    ipcRelease(this.right);
  }
}

/** An end that is there at once. */
const emptySource: ByteSource = { read: (done) => done({ ok: true, value: nothing }) };

function textSource(text: string): ByteSource {
  let rest: Uint8Array = new TextEncoder().encode(text);
  return {
    read: (done) => {
      const value = rest;
      rest = nothing;
      done({ ok: true, value });
    },
  };
}

/** A file from its position on, which moves; or a pipe. */
function fileSource(loop: EventLoop, file: File): ByteSource {
  const server = loop.client(fileInterface, file.right);
  return {
    read: (done) =>
      server.read({ offset: file.position, count: MAX_STREAM_BYTES }, (outcome) => {
        if (outcome.ok) file.position += outcome.value.length;
        done(outcome);
      }),
  };
}

function terminalSource(loop: EventLoop, right: Handle): ByteSource {
  const server = loop.client(ttyInterface, right);
  const read = (done: Done<Uint8Array>): void => {
    persistently<Uint8Array>(
      (end) => server.read({ maxBytes: 4096, toReturn: false }, end),
      (outcome) => {
        // The window has another size, which is nothing to a connection.
        if (!outcome.ok && outcome.error.code === 'EINTR') read(done);
        else done(outcome);
      },
    );
  };
  return { read };
}

/** Writes in pieces of at most `size` bytes. */
function sinkOf(size: number, send: (piece: Uint8Array, done: Done<void>) => void): ByteSink {
  const write = (bytes: Uint8Array, done: Done<void>): void => {
    if (bytes.length === 0) {
      done(taken);
      return;
    }
    send(bytes.subarray(0, size), (outcome) => {
      if (outcome.ok) write(bytes.subarray(size), done);
      else done(outcome);
    });
  };
  return { write };
}

function fileSink(loop: EventLoop, file: File): ByteSink {
  const server = loop.client(fileInterface, file.right);
  return sinkOf(MAX_FILE_BYTES, (data, done) =>
    server.write({ offset: file.position, data }, (outcome) => {
      if (outcome.ok) file.position = outcome.value;
      done(outcome.ok ? taken : outcome);
    }),
  );
}

/** Whether the standard input is a terminal, and what comes from it. */
export function standardSource(
  loop: EventLoop,
  { descriptors, services }: CommandContext,
): ByteSource & { readonly terminal: boolean } {
  const target = descriptors.entries.find(([descriptor]) => descriptor === 0)?.[1];
  switch (target?.kind) {
    case 'terminal':
      return { ...terminalSource(loop, services.port('tty')), terminal: true };
    case 'file':
      return { ...fileSource(loop, target.file), terminal: false };
    case 'text':
      return { ...textSource(target.text), terminal: false };
    default:
      return { ...emptySource, terminal: false };
  }
}

/** The standard output. What a command has printed before has to be flushed by then. */
export function standardSink(loop: EventLoop, { descriptors, services }: CommandContext): ByteSink {
  const target = descriptors.entries.find(([descriptor]) => descriptor === 1)?.[1];
  if (target?.kind === 'file') return fileSink(loop, target.file);
  if (target?.kind === 'terminal') {
    const server = loop.client(ttyInterface, services.port('tty'));
    return sinkOf(MAX_TTY_BYTES, (piece, done) => server.write(piece, done));
  }
  const closed = new SystemError('EBADF', 'the output is closed');
  return { write: (_bytes, done) => done({ ok: false, error: closed }) };
}

/** How a pump ended: at the end of its source, or with an error on either side. */
export type PumpEnd = { readonly side: 'end' } | { readonly side: 'source' | 'sink'; readonly error: SystemError };

/**
 * Moves bytes from a source to a sink until one of them ends; `moved` is told of each piece that has arrived. Answers
 * what stops it: nothing is told then.
 */
export function pump(source: ByteSource, sink: ByteSink, moved: () => void, ended: (end: PumpEnd) => void): () => void {
  let stopped = false;
  const end = (how: PumpEnd): void => {
    if (!stopped) ended(how);
    stopped = true;
  };
  const next = (): void =>
    source.read((outcome) => {
      if (stopped) return;
      if (!outcome.ok) end({ side: 'source', error: outcome.error });
      else if (outcome.value.length === 0) end({ side: 'end' });
      else
        sink.write(outcome.value, (written) => {
          if (stopped) return;
          if (!written.ok) {
            end({ side: 'sink', error: written.error });
            return;
          }
          moved();
          next();
        });
    });
  next();
  return () => {
    stopped = true;
  };
}

/** A source for several users one after the other: what is read when nobody waits any more is for the next one. */
export class SharedSource implements ByteSource {
  private readonly source: ByteSource;
  private waiting: Done<Uint8Array> | null = null;
  private kept: Outcome<Uint8Array> | null = null;
  private reading = false;

  constructor(source: ByteSource) {
    this.source = source;
  }

  read(done: Done<Uint8Array>): void {
    const { kept } = this;
    if (kept !== null) {
      // The end, and an error, stay.
      if (kept.ok && kept.value.length > 0) this.kept = null;
      done(kept);
      return;
    }
    this.waiting = done;
    if (this.reading) return;
    this.reading = true;
    this.source.read((outcome) => this.arrived(outcome));
  }

  /** Whoever waits does so no more. */
  leave(): void {
    this.waiting = null;
  }

  private arrived(outcome: Outcome<Uint8Array>): void {
    const { waiting } = this;
    this.reading = false;
    this.waiting = null;
    if (waiting === null || !outcome.ok || outcome.value.length === 0) this.kept = outcome;
    waiting?.(outcome);
  }
}
