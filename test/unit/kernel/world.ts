/**
 * The message machinery of the kernel in one process: tasks without processes, whose results are found in their
 * outboxes.
 */

import { parseConfiguration } from '../../../kernel/config.ts';
import type { Frame } from '../../../kernel/ipc/frame.ts';
import { Ipc } from '../../../kernel/ipc/ipc.ts';
import { PortTable } from '../../../kernel/ipc/port-table.ts';
import { KernelLog } from '../../../kernel/log.ts';
import { type Port, Program, Task } from '../../../kernel/objects.ts';
import { Execution } from '../../../kernel/task/execution.ts';
import { Timers } from '../../../kernel/time/timers.ts';
import { FOREVER } from '../../../protocol/bounds.ts';
import { decode, encodeMessage } from '../../../protocol/codec.ts';
import { errorName } from '../../../protocol/errno.ts';
import { CALL_ASYNCHRONOUS, OFFSET_FLAGS, OFFSET_HANDLE, OFFSET_ID } from '../../../protocol/frame.ts';
import {
  dataOffset,
  ENVELOPE_AT,
  ENVELOPE_BADGE,
  ENVELOPE_BYTES,
  ENVELOPE_FLAGS,
  ENVELOPE_SENDER,
  ENVELOPE_SEQUENCE,
  ENVELOPE_TIMEOUT,
  messageRights,
} from '../../../protocol/message.ts';
import { FakeTime } from './fake-time.ts';

/** A result as a task would read it from its pipe. */
export interface Result {
  readonly id: number;
  readonly error: string;
  readonly handle: number;
  readonly sender: number;
  readonly badge: number;
  readonly sequence: number;
  readonly deliveries: number;
  readonly flags: number;
  readonly rights: number[];
  readonly data: unknown;
}

function resultOf(frame: Buffer): Result {
  const count = messageRights(frame, 0, frame.length);
  const flags = frame.readUInt16LE(OFFSET_FLAGS);
  const field = (offset: number): number => (count < 0 ? 0 : frame.readUInt32LE(ENVELOPE_AT + offset));
  return {
    id: frame.readUInt32LE(OFFSET_ID),
    error: flags === 0 ? '' : errorName(flags),
    handle: frame.readUInt32LE(OFFSET_HANDLE),
    sender: field(ENVELOPE_SENDER),
    badge: field(ENVELOPE_BADGE),
    sequence: field(ENVELOPE_SEQUENCE),
    deliveries: field(ENVELOPE_TIMEOUT),
    flags: field(ENVELOPE_FLAGS),
    rights: Array.from({ length: Math.max(0, count) }, (_, index) => field(ENVELOPE_BYTES + 4 * index)),
    data: count < 0 ? null : decode(frame, dataOffset(0, count), frame.length),
  };
}

/** What a message is sent with besides its data. */
export interface Sending {
  readonly rights?: readonly number[];
  readonly timeout?: number;
  readonly port?: number;
  readonly status?: number;
  readonly asynchronous?: boolean;
}

/** Timers, ports and messages, and programs named `a`, `b` … that each serve the port of their name. */
export class World {
  readonly time = new FakeTime();
  readonly log = new KernelLog(() => this.time.now(), true);
  readonly timers = new Timers(this.time);
  readonly execution = new Execution(() => this.time.now());
  readonly ports = new PortTable(this.execution, this.timers);
  readonly ipc = new Ipc(this.ports, this.execution, this.timers, this.log);
  readonly programs: Program[];
  readonly tasks: Task[] = [];
  private pid = 1;
  private id = 1;

  constructor(names: readonly string[] = ['a', 'b', 'c']) {
    const services = names.map((name) => ({ name, entry: name, serves: [name], looksUp: ['*'] }));
    const manifests = parseConfiguration({ services: [...services, { name: 'init', entry: 'init' }] }, '/x.json');
    this.programs = manifests.map((manifest) => new Program(manifest));
  }

  /** Starts the next incarnation of a program. */
  start(name: string): Task {
    const program = this.programs.find((candidate) => candidate.name === name);
    if (program === undefined) throw new Error(`no program ${name}`);
    program.incarnation++;
    program.lost = false;
    const task = new Task(this.pid++, program, 0, null, [], this.time.now());
    task.started = true;
    program.task = task;
    this.tasks.push(task);
    return task;
  }

  /** Ends a task. */
  end(task: Task): void {
    task.exit = { status: 137, signal: 9 };
    this.tasks.splice(this.tasks.indexOf(task), 1);
    this.ipc.taskGone(task);
    if (task.program.task === task) task.program.task = null;
  }

  /** The results a task has not taken yet. */
  results(task: Task): Result[] {
    return task.outbox.splice(0).map(({ buffer, start, end }) => resultOf(Buffer.from(buffer.subarray(start, end))));
  }

  /** The handle a call made; fails the test when it is an error. */
  made(handle: number | string): number {
    if (typeof handle === 'string') throw new Error(handle);
    return handle;
  }

  /** The port of a receive right. */
  portOf(task: Task, handle: number): Port {
    const capability = task.capabilities.of(handle, 'receive');
    if (capability === null) throw new Error(`${handle} is no receive right of ${task.title}`);
    return capability.port;
  }

  frame(
    handle: number,
    data: unknown,
    { rights = [], timeout = FOREVER, port = 0, status = 0, asynchronous }: Sending,
  ): Frame {
    const head = { interface: 0x8002, method: 1, timeoutMilliseconds: timeout, port, rights };
    const flags = asynchronous === true ? CALL_ASYNCHRONOUS : status;
    const buffer = Buffer.from(encodeMessage(0, flags, this.id, handle, head, data));
    return { buffer, start: 0, end: buffer.length, type: 0, flags, id: this.id++, handle };
  }

  send(task: Task, handle: number, data: unknown, sending: Sending = {}): string | 0 {
    return this.ipc.send(task, this.frame(handle, data, sending));
  }

  call(task: Task, handle: number, data: unknown, sending: Sending = {}): string | 0 {
    return this.ipc.call(task, this.frame(handle, data, sending));
  }

  forward(task: Task, reply: number, port: number, data: unknown, sending: Sending = {}): string | 0 {
    return this.ipc.forward(task, this.frame(reply, data, { ...sending, port }));
  }

  reply(task: Task, reply: number, data: unknown, sending: Sending = {}): string | 0 {
    return this.ipc.reply(task, this.frame(reply, data, sending));
  }

  /** Takes a message if there is one, from one of the ports of these handles if some are given. */
  take(task: Task, handles?: readonly number[]): Result | undefined {
    const kept = task.outbox.splice(0);
    const ports = handles?.map((handle) => this.portOf(task, handle)) ?? null;
    const status = this.ipc.delivery.tryReceive(task, this.id++, ports);
    const [result] = status === 0 ? this.results(task) : [];
    task.outbox.push(...kept);
    return result;
  }
}
