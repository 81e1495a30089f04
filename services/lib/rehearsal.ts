/**
 * A rehearsal: a standby (kernel/task/standbys.ts) runs its program for a while against a kernel that is played here,
 * so that the engine has seen and optimized the code by the time it is needed. Nothing leaves the process meanwhile.
 * What the program is played, it brings itself: the results of its vectors, and the messages that come to its ports.
 *
 * The played kernel grants every right, keeps nothing, and answers only what a driver asks for in its daily work.
 */
import { inlineLittle, optimizeAtOnce, optimizeEarly } from '../../loader/engine.ts';
import { HEADER_BYTES } from '../../protocol/bounds.ts';
import { copyBytes, readUint32, writeUint32 } from '../../protocol/bytes.ts';
import { decode, encodeFrame, encodeMessage } from '../../protocol/codec.ts';
import { errno } from '../../protocol/errno.ts';
import { emptyFrame, FrameCutter, OFFSET_FLAGS, OFFSET_ID, OFFSET_TYPE, RESULT } from '../../protocol/frame.ts';
import {
  ENVELOPE_AT,
  ENVELOPE_BADGE,
  ENVELOPE_FLAGS,
  ENVELOPE_SENDER,
  ENVELOPE_SEQUENCE,
  MESSAGE_NOTICE,
  MESSAGE_RETRY,
} from '../../protocol/message.ts';
import { startInformation as startRecord } from '../../protocol/records.ts';
import { systemCalls } from '../../protocol/syscall.ts';
import { forgetCalls } from './asynchronous.ts';
import { forgetPorts } from './ipc.ts';
import { type Wire, withWire } from './pipe.ts';
import { startInformation } from './start-information.ts';
import { taskStart } from './syscalls.ts';

/** A message that comes to the program's port: a notice of the kernel, or a request of a client. */
export interface PlayedMessage {
  readonly interface: number;
  readonly method: number;
  readonly badge: number;
  readonly notice: boolean;
  /** It came to an earlier incarnation, too. */
  readonly retry: boolean;
  /** Values of the wire. */
  readonly data: unknown;
}

/** What is played to a program. */
export interface Rehearsal {
  /**
   * How often it is played. Once shows the engine all of the code; after some ten times the engine has optimized it,
   * and a new incarnation is as fast as an old one. That takes some tenths of a second of a CPU, and the standby is
   * ready that much later.
   */
  readonly performances: number;
  /** What the recovery store has under a key, or undefined. */
  load(key: string): unknown;
  /** Carries out a vector of port operations: [index of the operation that ended it or -1, results]. */
  vector(operations: readonly unknown[]): readonly [number, readonly unknown[]];
  /** The program has answered a request; `status` is 0 or an errno. */
  answered(status: number): void;
  /** The next message; null: the rehearsal is over. */
  next(): PlayedMessage | null;
}

/** Ends the program where it waits for a message. */
class Over extends Error {}

/**
 * Has `program` run with the played kernel until there is no more to play, from the start of the task on, again and
 * again. It has to do the same every time, and is answered the same: what was answered the first time is kept, so that
 * the other times cost what the program does itself. Throws what it throws.
 */
export function rehearse(rehearsal: Rehearsal, program: () => never): void {
  const answers: Buffer[] = [];
  inlineLittle();
  perform(new PlayedKernel(rehearsal, answers), program);
  optimizeAtOnce();
  for (let count = 1; count < rehearsal.performances; count++) perform(new Repetition(answers), program);
  optimizeEarly();
}

function perform(wire: Wire, program: () => never): void {
  try {
    withWire(wire, () => {
      taskStart();
      program();
    });
  } catch (error) {
    if (!(error instanceof Over)) throw error;
  } finally {
    forgetPorts();
    forgetCalls();
  }
}

/** Answers each call with what was answered before, in order. */
class Repetition implements Wire {
  private readonly answers: readonly Buffer[];
  private next = 0;
  private copied = 0;
  /** The call that waits for its answer: there is one at a time. */
  private id = 0;

  constructor(answers: readonly Buffer[]) {
    this.answers = answers;
  }

  write(bytes: Buffer, at: number, length: number): number {
    for (let frame = at; frame < at + length; frame += HEADER_BYTES + readUint32(bytes, frame)) {
      const id = readUint32(bytes, frame + OFFSET_ID);
      if (id !== 0) this.id = id;
    }
    return length;
  }

  read(target: Buffer, at: number, length: number): number {
    const answer = this.answers[this.next];
    if (answer === undefined) throw new Over();
    if (this.copied === 0) writeUint32(answer, this.id, OFFSET_ID);
    const count = copyBytes(answer, target, at, this.copied, Math.min(answer.length, this.copied + length));
    this.copied += count;
    if (this.copied === answer.length) {
      this.copied = 0;
      this.next++;
    }
    return count;
  }
}

/** pid of the client that requests come from. */
const CLIENT = 2;

const { ipc_create_named_port, ipc_recv, ipc_reply, ipc_reply_recv, ipc_try_recv } = systemCalls;
const { io_vector, store_get, task_start, time, uptime } = systemCalls;

class PlayedKernel implements Wire {
  private readonly rehearsal: Rehearsal;
  /** What it has answered. */
  private readonly answers: Buffer[];
  private readonly cutter: FrameCutter;
  private answer: Buffer = Buffer.alloc(0);
  private answered = 0;
  private handles = 0;
  private port = 0;
  private sequence = 0;
  /** A clock that is looked at goes on. */
  private milliseconds = 0;

  constructor(rehearsal: Rehearsal, answers: Buffer[]) {
    this.rehearsal = rehearsal;
    this.answers = answers;
    this.cutter = new FrameCutter(
      (buffer, start, end) => this.call(buffer, start, end),
      (length) => {
        throw new Error(`a frame of ${length} bytes`);
      },
    );
  }

  write(bytes: Buffer, at: number, length: number): number {
    this.cutter.feed(bytes, at, at + length);
    return length;
  }

  read(target: Buffer, at: number, length: number): number {
    const count = this.answer.copy(target, at, this.answered, Math.min(this.answer.length, this.answered + length));
    if (count === 0) throw new Error('the program waits for something that is not played');
    this.answered += count;
    return count;
  }

  private call(buffer: Buffer, start: number, end: number): void {
    const type = buffer.readUInt16LE(start + OFFSET_TYPE);
    const id = buffer.readUInt32LE(start + OFFSET_ID);
    if (type === ipc_reply.number || type === ipc_reply_recv.number)
      this.rehearsal.answered(buffer.readUInt16LE(start + OFFSET_FLAGS));
    if (id === 0) return;
    if (type === ipc_recv.number || type === ipc_reply_recv.number) this.deliver(id);
    else if (type === io_vector.number)
      this.result(id, this.rehearsal.vector(argument(buffer, start, end) as unknown[]));
    else if (type === task_start.number) this.result(id, startRecord.toWire(startInformation, []));
    else if (type === store_get.number) this.load(id, argument(buffer, start, end) as [string]);
    else if (type === uptime.number || type === time.number) this.result(id, ++this.milliseconds);
    else if (type === ipc_try_recv.number) this.keep(emptyFrame(RESULT, errno.EAGAIN, id, 0));
    else this.grant(id, type);
  }

  private result(id: number, value: unknown): void {
    this.keep(encodeFrame(RESULT, 0, id, 0, value));
  }

  private load(id: number, [key]: readonly [string]): void {
    const value = this.rehearsal.load(key);
    if (value === undefined) this.keep(emptyFrame(RESULT, errno.ENOENT, id, 0));
    else this.result(id, value);
  }

  /** Whatever else is asked for is done; where that gives a right, here is one. */
  private grant(id: number, type: number): void {
    const handle = ++this.handles;
    if (type === ipc_create_named_port.number) this.port = handle;
    this.keep(emptyFrame(RESULT, 0, id, handle));
  }

  private deliver(id: number): void {
    const message = this.rehearsal.next();
    if (message === null) throw new Over();
    const { badge, notice, retry } = message;
    const head = { ...message, timeoutMilliseconds: 1, port: this.port, rights: [] };
    const frame = encodeMessage(RESULT, 0, id, notice ? 0 : ++this.handles, head, message.data);
    this.sequence++;
    frame.writeUInt32LE(notice ? 0 : CLIENT, ENVELOPE_AT + ENVELOPE_SENDER);
    frame.writeUInt32LE(badge, ENVELOPE_AT + ENVELOPE_BADGE);
    frame.writeUInt32LE(this.sequence, ENVELOPE_AT + ENVELOPE_SEQUENCE);
    frame.writeUInt32LE((notice ? MESSAGE_NOTICE : 0) + (retry ? MESSAGE_RETRY : 0), ENVELOPE_AT + ENVELOPE_FLAGS);
    this.keep(frame);
  }

  /**
   * The bytes of a frame are valid until the next one is encoded, and the program reads them before it does anything.
   */
  private keep(frame: Buffer): void {
    this.answers.push(Buffer.from(frame));
    this.answer = frame;
    this.answered = 0;
  }
}

/** A copy: a vector for an interrupt is carried out later. */
const argument = (buffer: Buffer, start: number, end: number): unknown => decode(buffer, start + HEADER_BYTES, end);
