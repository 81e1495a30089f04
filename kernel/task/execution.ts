/**
 * Answers to tasks, and their way through the scheduler: a call that blocks gives the CPU up, its result makes the task
 * ready, and the result is written when the scheduler gives it a CPU.
 */
import { HEADER_BYTES } from '../../protocol/bounds.ts';
import { encodeFrame } from '../../protocol/codec.ts';
import { type ErrorName, errno } from '../../protocol/errno.ts';
import { emptyFrame, RESULT, writeHeader } from '../../protocol/frame.ts';
import type { SystemCallName } from '../../protocol/syscall.ts';
import { bufferPool } from '../mm/buffer-pool.ts';
import type { Task } from '../objects.ts';
import type { Scheduler } from '../sched/index.ts';

/** Sends results and tells the scheduler. */
export class Execution {
  scheduler: Scheduler<Task> | null = null;
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  /** Answers a call that did not block: nothing but an error or a number. Posted calls (id 0) get no answer. */
  answer(task: Task, id: number, error: ErrorName | 0, handle = 0): void {
    if (id === 0) return;
    this.write(task, emptyFrame(RESULT, error === 0 ? 0 : errno[error], id, handle), 0, HEADER_BYTES);
  }

  /** Answers a call that did not block with a value in wire form. */
  answerValue(task: Task, id: number, wire: unknown, handle = 0): void {
    if (id === 0) return;
    const frame = encodeFrame(RESULT, 0, id, handle, wire);
    this.write(task, frame, 0, frame.length);
  }

  /** Answers a call that did not block with a value that is msgpack already. */
  answerBytes(task: Task, id: number, value: Buffer): void {
    if (id === 0) return;
    const frame = Buffer.allocUnsafe(HEADER_BYTES + value.length);
    writeHeader(frame, 0, value.length, RESULT, 0, id, 0);
    value.copy(frame, HEADER_BYTES);
    this.write(task, frame, 0, frame.length);
  }

  /** A call that may wait begins; `wake` ends it. */
  begin(task: Task, call: SystemCallName): void {
    task.waits++;
    task.waitsFor = call;
  }

  /** The task has to wait in the call it has begun. */
  giveUpCpu(task: Task): void {
    this.scheduler?.block(task);
  }

  /** The task waits in this call until `wake`. */
  block(task: Task, call: SystemCallName): void {
    this.begin(task, call);
    this.giveUpCpu(task);
  }

  /**
   * Ends an `ipc_call` with a whole frame. The result of an asynchronous one is only left in the task's pipe: it does
   * not wait for it.
   */
  complete(task: Task, asynchronous: boolean, buffer: Buffer, start: number, end: number): void {
    if (asynchronous) this.writeSoon(task, buffer, start, end);
    else this.wake(task, buffer, start, end);
  }

  /** Ends an `ipc_call` with an error. */
  completeWith(task: Task, asynchronous: boolean, id: number, error: ErrorName): void {
    this.complete(task, asynchronous, emptyFrame(RESULT, errno[error], id, 0), 0, HEADER_BYTES);
  }

  /** Ends a blocked call with nothing but an error or a number. */
  wakeWith(task: Task, id: number, error: ErrorName | 0, handle = 0): void {
    this.wake(task, emptyFrame(RESULT, error === 0 ? 0 : errno[error], id, handle), 0, HEADER_BYTES);
  }

  /** Ends a blocked call with a value in wire form. */
  wakeValue(task: Task, id: number, wire: unknown, handle = 0): void {
    const frame = encodeFrame(RESULT, 0, id, handle, wire);
    this.wake(task, frame, 0, frame.length);
  }

  /** Ends a blocked call with a whole frame. The bytes may be reused as soon as this returns. */
  wake(task: Task, buffer: Buffer, start: number, end: number): void {
    if (task.exit !== null) return;
    task.waits = Math.max(0, task.waits - 1);
    if (task.stopped || this.scheduler === null) {
      task.outbox.push({ buffer: bufferPool.copy(buffer, start, end), start: 0, end: end - start, own: true });
      return;
    }
    if (this.scheduler.state(task) === 'running' && !task.held) {
      this.write(task, buffer, start, end);
      return;
    }
    const entry = { buffer, start, end, own: false };
    task.outbox.push(entry);
    this.scheduler.ready(task);
    if (task.outbox.includes(entry)) {
      Object.assign(entry, { buffer: bufferPool.copy(buffer, start, end), start: 0, end: end - start, own: true });
    }
  }

  /** The scheduler gives the task a CPU. */
  run(task: Task): void {
    if (task.outbox.length > 0) {
      for (const { buffer, start, end, own } of task.outbox) {
        this.write(task, buffer, start, end);
        if (own) bufferPool.give(buffer);
      }
      task.outbox.length = 0;
    }
    if (task.held) {
      task.held = false;
      task.process?.signal('SIGCONT');
    }
  }

  /** The scheduler takes the CPU away. */
  hold(task: Task): void {
    if (task.held || task.inspected) return;
    task.held = true;
    task.process?.signal('SIGSTOP');
  }

  private writeSoon(task: Task, buffer: Buffer, start: number, end: number): void {
    if (task.process === null) return;
    task.trace.note(buffer, start, end, this.now());
    task.process.pipe.writeSoon(buffer, start, end);
  }

  private write(task: Task, buffer: Buffer, start: number, end: number): void {
    if (task.process === null) return;
    task.trace.note(buffer, start, end, this.now());
    task.process.pipe.write(buffer, start, end);
  }
}
