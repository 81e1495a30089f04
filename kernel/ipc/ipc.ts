/**
 * Messages: sending, answering, and what happens to them when a task dies. Every wait is a state of a port or a task.
 * Receiving: delivery.ts.
 *
 * The invariant: a message is in exactly one place. `queued`: in `queue` or `again` of its port. `delivered`: in `owes`
 * of its receiver (a request), or its
 * `lastTaken` (a post). `done`: nowhere. A request whose caller still waits is also in the caller's `calls`.
 */
import {
  FOREVER,
  HEADER_BYTES,
  MAX_DELIVERIES,
  MAX_FRAME_BYTES,
  MAX_TASK_MESSAGE_BYTES,
  MAX_TIMEOUT_MILLISECONDS,
  MAX_WAITING_DELIVERIES,
  PORT_QUEUE_BYTES,
  PORT_QUEUE_MESSAGES,
  PORT_WAITING_CALLS,
} from '../../protocol/bounds.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from '../../protocol/bytes.ts';
import type { ErrorName } from '../../protocol/errno.ts';
import { CALL_ASYNCHRONOUS, OFFSET_HANDLE, OFFSET_ID, OFFSET_TYPE, RESULT } from '../../protocol/frame.ts';
import { methodName } from '../../protocol/interfaces.ts';
import {
  ENVELOPE_AT,
  ENVELOPE_BADGE,
  ENVELOPE_BYTES,
  ENVELOPE_INTERFACE,
  ENVELOPE_METHOD,
  ENVELOPE_PORT,
  ENVELOPE_SENDER,
  ENVELOPE_TIMEOUT,
} from '../../protocol/message.ts';
import type { KernelLog } from '../log.ts';
import { bufferPool } from '../mm/buffer-pool.ts';
import type { Capability, CapabilityOf, Message, Notice, Port, Program, Task } from '../objects.ts';
import type { Execution } from '../task/execution.ts';
import type { Timers } from '../time/timers.ts';
import { Delivery, type Status } from './delivery.ts';
import type { Frame } from './frame.ts';
import type { PortTable } from './port-table.ts';
import { Rights } from './rights.ts';

/** What a task may have under way at a port that others have filled, in bytes: so all tasks together stay bounded. */
const FAIR_SHARE_BYTES = MAX_FRAME_BYTES + HEADER_BYTES;

/** The message machinery. */
export class Ipc {
  readonly ports: PortTable;
  readonly delivery: Delivery;
  private readonly rights: Rights;
  private readonly execution: Execution;
  private readonly timers: Timers;
  private readonly log: KernelLog;

  constructor(ports: PortTable, execution: Execution, timers: Timers, log: KernelLog) {
    this.ports = ports;
    this.rights = new Rights(ports, ({ message }) => this.replyDropped(message));
    this.delivery = new Delivery(this.rights, execution, timers);
    this.execution = execution;
    this.timers = timers;
    this.log = log;
    ports.onDestroyed = (port) => this.flush(port, 'EPIPE');
    ports.onDetached = (task) => this.delivery.detached(task);
    ports.onNotice = (port, method, data, key) => this.notify(port, method, data, key);
  }

  // Sending

  /** ipc_send. */
  send(task: Task, frame: Frame): Status {
    const target = this.target(task, frame.handle);
    if (typeof target === 'string') return target;
    const { port } = target;
    const full = port.queue.length + port.again.length >= PORT_QUEUE_MESSAGES;
    if (full || this.overfull(task, port, frame)) return refused(port);
    const rights = this.rights.take(task, frame, port);
    if (typeof rights === 'string') return rights;
    this.enqueue(port, this.makeMessage(task, frame, target, rights, true));
    return 0;
  }

  /** ipc_call; unless it is asynchronous, the task blocks when this answers 0. */
  call(task: Task, frame: Frame): Status {
    const target = this.target(task, frame.handle);
    if (typeof target === 'string') return target;
    const { port } = target;
    if (port.receiver === task) return 'EDEADLK';
    if (this.full(task, port, frame)) return refused(port);
    const timeout = readUint32(frame.buffer, frame.start + ENVELOPE_AT + ENVELOPE_TIMEOUT);
    if (timeout !== FOREVER && timeout > MAX_TIMEOUT_MILLISECONDS) return 'EINVAL';
    const notify = notifiedPort(task, frame);
    if (notify === 'EBADF') return notify;
    const rights = this.rights.take(task, frame, port);
    if (typeof rights === 'string') return rights;
    const message = this.makeMessage(task, frame, target, rights, false);
    message.notify = notify;
    task.calls.add(message);
    if (message.asynchronous) task.asynchronousCalls++;
    else this.execution.begin(task, 'ipc_call');
    if (timeout !== FOREVER) this.limit(message, timeout);
    this.enqueue(port, message);
    if (!message.asynchronous) this.execution.giveUpCpu(task);
    return 0;
  }

  /**
   * ipc_forward: the request of a reply right goes on, as a new message, to the port of a send right. The caller's time
   * limit stays.
   */
  forward(task: Task, frame: Frame): Status {
    const reply = task.capabilities.of(frame.handle, 'reply');
    if (reply === null) return 'EBADF';
    const target = this.target(task, readUint32(frame.buffer, frame.start + ENVELOPE_AT + ENVELOPE_PORT));
    if (typeof target === 'string') return target;
    const { port } = target;
    if (this.full(task, port, frame)) return refused(port);
    const rights = this.rights.take(task, frame, port);
    if (typeof rights === 'string') return rights;
    const original = reply.message;
    const { caller, callId, asynchronous, notify, sender, senderName, sequence, timer } = original;
    const message: Message = {
      ...this.makeMessage(task, frame, target, rights, false),
      ...{ caller, callId, asynchronous, notify, sender, senderName, sequence },
    };
    task.capabilities.take(frame.handle);
    this.settle(original);
    if (caller === null) {
      this.rights.finish(message);
      return 0;
    }
    caller.calls.delete(original);
    caller.calls.add(message);
    timer?.cancel();
    if (port.destroyed) {
      // The request itself held the last right to receive from it.
      this.answerCaller(message, 'EPIPE');
      this.rights.finish(message);
      return 0;
    }
    if (timer !== null) this.limit(message, Math.max(0, timer.deadline - this.timers.now()));
    this.enqueue(port, message);
    return 0;
  }

  private target(task: Task, handle: number): CapabilityOf<'send'> | ErrorName {
    const capability = task.capabilities.of(handle, 'send');
    if (capability === null) return 'EBADF';
    const { port } = capability;
    if (port.destroyed) return 'EPIPE';
    if (port.program.lost && port.receiver === null) {
      port.failed++;
      return 'EIO';
    }
    return capability;
  }

  private full(task: Task, port: Port, frame: Frame): boolean {
    return port.queue.length >= PORT_QUEUE_MESSAGES + PORT_WAITING_CALLS || this.overfull(task, port, frame);
  }

  private overfull(task: Task, port: Port, frame: Frame): boolean {
    const bytes = frame.end - frame.start;
    const sent = task.messageBytes + bytes;
    // A full port refuses those who filled it, not everybody: a task with little under way may still send.
    return (port.bytes + bytes > PORT_QUEUE_BYTES && sent > FAIR_SHARE_BYTES) || sent > MAX_TASK_MESSAGE_BYTES;
  }

  private makeMessage(
    task: Task,
    frame: Frame,
    target: CapabilityOf<'send'>,
    rights: readonly Capability[],
    post: boolean,
  ): Message {
    const copy = bufferPool.copy(frame.buffer, frame.start, frame.end);
    task.messages++;
    task.messageBytes += copy.length;
    target.port.bytes += copy.length;
    return {
      port: target.port,
      state: 'queued',
      caller: post ? null : task,
      callId: frame.id,
      asynchronous: !post && (frame.flags & CALL_ASYNCHRONOUS) !== 0,
      notify: null,
      post,
      origin: task,
      sender: task.pid,
      senderName: task.name,
      badge: target.badge,
      sequence: ++task.sequence,
      interfaceNumber: readUint16(copy, ENVELOPE_AT + ENVELOPE_INTERFACE),
      methodNumber: readUint16(copy, ENVELOPE_AT + ENVELOPE_METHOD),
      frame: copy,
      rights,
      deliveries: 0,
      deaths: 0,
      receiver: null,
      replyHandle: 0,
      timer: null,
    };
  }

  private enqueue(port: Port, message: Message): void {
    port.sent++;
    port.queue.push(message);
    this.delivery.poke(port);
  }

  /** Gives a call its time limit. While the receiver is held by a debugger, time does not count. */
  private limit(message: Message, milliseconds: number): void {
    message.timer = this.timers.set(milliseconds, () => {
      if (message.state === 'done' || message.caller === null) return;
      const holder = message.receiver ?? message.port.receiver;
      if (holder?.inspected === true) {
        this.limit(message, milliseconds);
        return;
      }
      message.port.failed++;
      this.answerCaller(message, 'ETIMEDOUT');
      if (message.state === 'queued') this.forget(message);
    });
  }

  // Receiving

  /** Posts a notice of the kernel; one with the same key that still waits stands for both. */
  notify(port: Port, method: number, data: unknown, key: string): void {
    this.delivery.notify(port, method, data, key);
  }

  // Answering

  /** ipc_reply: the frame's flags are the status. */
  reply(task: Task, frame: Frame): Status {
    const reply = task.capabilities.of(frame.handle, 'reply');
    if (reply === null) return 'EBADF';
    const rights = this.rights.take(task, frame, null);
    if (typeof rights === 'string') return rights;
    task.capabilities.take(frame.handle);
    const { message } = reply;
    task.messages++;
    this.settle(message);
    const caller = this.endCall(message);
    if (caller === null) {
      this.rights.dropAll(rights);
      return 0;
    }
    if (!caller.capabilities.hasRoom(rights.length)) {
      this.rights.dropAll(rights);
      this.completeWith(caller, message, 'EMFILE');
      return 0;
    }
    const { buffer, start, end } = frame;
    const envelope = start + ENVELOPE_AT;
    caller.messages++;
    writeUint16(buffer, RESULT, start + OFFSET_TYPE);
    writeUint32(buffer, message.callId, start + OFFSET_ID);
    writeUint32(buffer, 0, start + OFFSET_HANDLE);
    // Of the envelope of an answer only the sender says something; nothing of the rest is the answering task's to say.
    writeUint32(buffer, task.pid, envelope + ENVELOPE_SENDER);
    for (let at = envelope + ENVELOPE_BADGE; at < envelope + ENVELOPE_BYTES; at++) buffer[at] = 0;
    this.rights.give(caller, rights, buffer, start);
    this.rights.dropAll(rights);
    this.execution.complete(caller, message.asynchronous, buffer, start, end);
    this.ports.tellAnswered(message.notify, message.callId);
    // The caller may be receiving meanwhile, and what is in a port it has just got is for it too.
    for (const right of rights) if (right.kind === 'receive') this.delivery.poke(right.port);
    return 0;
  }

  /** A delivered request is answered or given on: nobody owes it any more. */
  private settle(message: Message): void {
    if (message.receiver !== null) {
      message.receiver.owes.delete(message);
      message.receiver = null;
      message.port.owed--;
    }
    this.rights.finish(message);
  }

  /** A reply right was given up without an answer. */
  private replyDropped(message: Message): void {
    if (message.state !== 'delivered') return;
    message.port.failed++;
    this.answerCaller(message, 'EIO');
    this.settle(message);
  }

  /** Takes a request from its caller, who is about to be answered. Null when the caller does not wait any more. */
  private endCall(message: Message): Task | null {
    const { caller } = message;
    if (caller === null) return null;
    message.caller = null;
    message.timer?.cancel();
    caller.calls.delete(message);
    if (message.asynchronous) caller.asynchronousCalls--;
    return caller;
  }

  /** Ends the wait of a caller with an error. The message itself may still be delivered and owed. */
  private answerCaller(message: Message, error: ErrorName): void {
    const caller = this.endCall(message);
    if (caller !== null) this.completeWith(caller, message, error);
  }

  private completeWith(caller: Task, { asynchronous, callId, notify }: Message, error: ErrorName): void {
    this.execution.completeWith(caller, asynchronous, callId, error);
    this.ports.tellAnswered(notify, callId);
  }

  /** An `ipc_call` was refused and its result has been written. To be called with the frame of the call. */
  refused(task: Task, frame: Frame): void {
    const notify = notifiedPort(task, frame);
    if (notify !== 'EBADF') this.ports.tellAnswered(notify, frame.id);
  }

  /** Takes a waiting message that nobody wants any more off its port. */
  private forget(message: Message): void {
    message.port.remove(message);
    this.rights.finish(message);
  }

  /** ipc_destroy_port: ends what waits in it and what its receiver owes. */
  destroyPort(task: Task, handle: number): Status {
    const port = task.capabilities.of(handle, 'receive')?.port;
    if (port === undefined) return 'EBADF';
    for (const message of task.owes) {
      if (message.port !== port || message.caller === null) continue;
      port.failed++;
      this.answerCaller(message, 'EPIPE');
    }
    this.ports.destroy(port);
    this.release(task, handle);
    return 0;
  }

  /** Ends everything that waits in a port with an error. */
  private flush(port: Port, error: ErrorName): void {
    for (const message of [...port.again.splice(0), ...port.queue.splice(0)]) {
      port.failed++;
      this.answerCaller(message, error);
      this.rights.finish(message);
    }
  }

  /**
   * ipc_release: a task gives up what a handle stands for; answers that, or null for a bad handle. The last holder ends
   * it.
   */
  release(task: Task, handle: number): Capability | null {
    const capability = task.capabilities.take(handle);
    if (capability === null) return null;
    // An owed message may still hold the right; the port has no receiver all the same.
    if (capability.kind === 'receive') this.ports.detach(capability.port);
    this.rights.drop(capability);
    return capability;
  }

  // Rights outside of messages

  /** Whether a task can give these rights away. */
  canGive(task: Task, handles: readonly number[]): boolean {
    const kinds = handles.map((handle) => task.capabilities.get(handle)?.kind);
    return new Set(handles).size === handles.length && kinds.every((kind) => kind === 'send' || kind === 'receive');
  }

  /**
   * Moves rights from one task to another, which has room for them. Answers their handles there. `canGive` comes first.
   */
  give(from: Task, handles: readonly number[], to: Task): number[] {
    return handles.flatMap((handle) => {
      const capability = from.capabilities.take(handle);
      if (capability === null) return [];
      if (capability.kind === 'receive') this.ports.detach(capability.port);
      const moved = to.capabilities.insert(capability);
      capability.references--;
      if (capability.kind === 'receive') this.ports.attach(capability.port, to, moved);
      return [moved];
    });
  }

  // Death

  /** A task is gone: its calls end, what it owed goes back to the ports, its capabilities are dropped. */
  taskGone(task: Task): void {
    for (const message of [...task.calls]) {
      this.endCall(message);
      if (message.state === 'queued') this.forget(message);
    }
    task.receive?.timer?.cancel();
    task.receive = null;
    const owed = [...task.owes];
    task.owes.clear();
    if (task.atHand?.receiver === task) task.atHand.deaths++;
    task.atHand = null;
    for (const message of owed) {
      message.receiver = null;
      message.port.owed--;
      message.state = 'queued';
    }
    const { lastTaken } = task;
    task.lastTaken = null;
    for (const capability of task.capabilities.takeAll()) {
      // An owed message may still hold the right; the port has no receiver all the same.
      if (capability.kind === 'receive') this.ports.detach(capability.port);
      this.rights.drop(capability);
    }
    // In front of the queue in the order they came: the last one goes back first. Only then is a receiver told.
    if (lastTaken !== null) this.againPosted(lastTaken.port, lastTaken.item, task);
    for (const message of owed.reverse()) this.again(message, task);
    for (const port of new Set(owed.map((message) => message.port))) this.delivery.poke(port);
    if (lastTaken !== null) this.delivery.poke(lastTaken.port);
    this.ports.taskGone(task);
  }

  /** A request whose receiver died waits for the next one, unless it has killed its server too often. */
  private again(message: Message, dead: Task): void {
    const { port } = message;
    let error: Status = 0;
    if (port.destroyed) error = 'EPIPE';
    else if (port.program.lost) error = 'EIO';
    else if (message.deaths >= MAX_DELIVERIES || message.deliveries >= MAX_WAITING_DELIVERIES) {
      error = 'EIO';
      const what = message.deaths >= MAX_DELIVERIES ? 'over' : 'with';
      const times = message.deaths >= MAX_DELIVERIES ? message.deaths : message.deliveries;
      this.log.error(`${describe(message)} was answered EIO: ${dead.name} died ${times} times ${what} this request`);
    }
    if (error === 0 && message.caller !== null) {
      this.requeue(port, message);
      return;
    }
    if (error !== 0) {
      port.failed++;
      this.answerCaller(message, error);
    }
    this.rights.finish(message);
  }

  /** A post or notice that its receiver may not have handled comes again. */
  private againPosted(port: Port, item: Message | Notice, dead: Task): void {
    const gone = port.destroyed || port.program.lost;
    const tooOften = !gone && item.deliveries >= MAX_DELIVERIES;
    if (tooOften) {
      const what = 'state' in item ? describe(item) : `a notice to ${port.title}`;
      this.log.error(`${what} was dropped: ${dead.name} died ${item.deliveries} times after receiving it`);
    }
    if ('state' in item) {
      if (gone || tooOften) this.rights.finish(item);
      else this.requeue(port, item);
    } else if (!gone && !tooOften && !port.hasNotice(item.key)) port.addNotice(item, true);
  }

  private requeue(port: Port, message: Message): void {
    message.state = 'queued';
    for (const right of message.rights) {
      if (right.kind === 'receive' && right.port.receiver === null) right.port.transit = port;
    }
    port.again.unshift(message);
  }

  /** A program has been given up: everyone who waits for it gets EIO. */
  programLost(program: Program): void {
    for (const port of this.ports.of(program)) if (port.receiver === null) this.flush(port, 'EIO');
    this.ports.failFinders(program);
  }
}

function refused(port: Port): 'EAGAIN' {
  port.refused++;
  return 'EAGAIN';
}

/** A message for people: what it asks, of whom it is, its number. */
function describe(message: Message): string {
  const name = methodName(message.interfaceNumber, message.methodNumber);
  return `${name} from ${message.senderName}[${message.sender}] (sequence ${message.sequence})`;
}

/** The port of the caller that is told when an asynchronous call has ended; null: none. EBADF: not a receive right. */
function notifiedPort(task: Task, frame: Frame): Port | null | 'EBADF' {
  const handle = readUint32(frame.buffer, frame.start + ENVELOPE_AT + ENVELOPE_PORT);
  if ((frame.flags & CALL_ASYNCHRONOUS) === 0 || handle === 0) return null;
  return task.capabilities.of(handle, 'receive')?.port ?? 'EBADF';
}
