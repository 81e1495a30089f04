/**
 * Messages: sending, receiving, answering, and what happens to them when a task dies. Every wait is a state of a port or a task.
 *
 * The invariant: a message is in exactly one place. `queued`: in `queue` or `again` of its port. `delivered`: in `owes` of its receiver (a request), or its
 * `lastTaken` (a post). `done`: nowhere. A request whose caller still waits is also in the caller's `calls`.
 */
import {
  FOREVER,
  MAX_DELIVERIES,
  MAX_TIMEOUT_MILLISECONDS,
  PORT_QUEUE_BYTES,
  PORT_QUEUE_MESSAGES,
  PORT_WAITING_CALLS,
} from '../../protocol/bounds.ts';
import { encodeMessage } from '../../protocol/codec.ts';
import type { ErrorName } from '../../protocol/errno.ts';
import { OFFSET_FLAGS, OFFSET_HANDLE, OFFSET_ID, OFFSET_TYPE, RESULT } from '../../protocol/frame.ts';
import { methodName } from '../../protocol/interfaces.ts';
import { kernelNotices } from '../../protocol/kernel.ts';
import {
  ENVELOPE_AT,
  ENVELOPE_BADGE,
  ENVELOPE_BYTES,
  ENVELOPE_FLAGS,
  ENVELOPE_INTERFACE,
  ENVELOPE_METHOD,
  ENVELOPE_PORT,
  ENVELOPE_SENDER,
  ENVELOPE_SEQUENCE,
  ENVELOPE_TIMEOUT,
  MESSAGE_NOTICE,
  MESSAGE_RETRY,
  messageRights,
} from '../../protocol/message.ts';
import type { KernelLog } from '../log.ts';
import type { Execution } from '../task/execution.ts';
import type { Program } from '../task/program.ts';
import type { Receive, Task } from '../task/task.ts';
import type { Timers } from '../time/timers.ts';
import type { Capability, CapabilityOf } from './capability.ts';
import type { Frame } from './frame.ts';
import type { Message } from './message.ts';
import type { Notice, Port } from './port.ts';
import type { PortTable } from './port-table.ts';

/** Why a message is refused, or 0. */
type Status = ErrorName | 0;

/** The message machinery. */
export class Ipc {
  readonly ports: PortTable;
  private readonly execution: Execution;
  private readonly timers: Timers;
  private readonly log: KernelLog;

  constructor(ports: PortTable, execution: Execution, timers: Timers, log: KernelLog) {
    this.ports = ports;
    this.execution = execution;
    this.timers = timers;
    this.log = log;
    ports.onDestroyed = (port) => this.flush(port, 'EPIPE');
    ports.onNotice = (port, method, data, key) => this.notify(port, method, data, key);
  }

  // Sending

  /** ipc_send. */
  send(task: Task, frame: Frame): Status {
    const target = this.target(task, frame.handle);
    if (typeof target === 'string') return target;
    const { port } = target;
    if (port.queue.length + port.again.length >= PORT_QUEUE_MESSAGES || this.overfull(port, frame)) {
      port.refused++;
      return 'EAGAIN';
    }
    const rights = this.takeRights(task, frame);
    if (typeof rights === 'string') return rights;
    this.enqueue(port, this.makeMessage(task, frame, target, rights, true));
    return 0;
  }

  /** ipc_call; the task blocks when this answers 0. */
  call(task: Task, frame: Frame): Status {
    const target = this.target(task, frame.handle);
    if (typeof target === 'string') return target;
    const { port } = target;
    if (port.receiver === task) return 'EDEADLK';
    if (this.full(port, frame)) return 'EAGAIN';
    const timeout = frame.buffer.readUInt32LE(frame.start + ENVELOPE_AT + ENVELOPE_TIMEOUT);
    if (timeout !== FOREVER && timeout > MAX_TIMEOUT_MILLISECONDS) return 'EINVAL';
    const rights = this.takeRights(task, frame);
    if (typeof rights === 'string') return rights;
    const message = this.makeMessage(task, frame, target, rights, false);
    task.calls.add(message);
    if (timeout !== FOREVER) this.limit(message, timeout);
    this.enqueue(port, message);
    this.execution.block(task, 'ipc_call');
    return 0;
  }

  /** ipc_forward: the request of a reply right goes on, as a new message, to the port of a send right. */
  forward(task: Task, frame: Frame): Status {
    const reply = task.capabilities.of(frame.handle, 'reply');
    if (reply === null) return 'EBADF';
    const target = this.target(task, frame.buffer.readUInt32LE(frame.start + ENVELOPE_AT + ENVELOPE_PORT));
    if (typeof target === 'string') return target;
    if (this.full(target.port, frame)) return 'EAGAIN';
    const rights = this.takeRights(task, frame);
    if (typeof rights === 'string') return rights;
    const original = reply.message;
    task.capabilities.take(frame.handle);
    const message: Message = {
      ...this.makeMessage(task, frame, target, rights, false),
      caller: original.caller,
      callId: original.callId,
      sender: original.sender,
      senderName: original.senderName,
      sequence: original.sequence,
      timer: original.timer,
    };
    const { caller } = original;
    this.settle(original);
    if (caller === null) {
      this.dropAll(rights);
      return 0;
    }
    caller.calls.delete(original);
    caller.calls.add(message);
    this.enqueue(target.port, message);
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

  private full(port: Port, frame: Frame): boolean {
    if (port.queue.length < PORT_QUEUE_MESSAGES + PORT_WAITING_CALLS && !this.overfull(port, frame)) return false;
    port.refused++;
    return true;
  }

  private overfull(port: Port, frame: Frame): boolean {
    return port.bytes > 0 && port.bytes + frame.end - frame.start > PORT_QUEUE_BYTES;
  }

  /** Checks the rights of a message and takes them from the sender; on an error it keeps all of them. */
  private takeRights(task: Task, frame: Frame): Capability[] | ErrorName {
    const count = messageRights(frame.buffer, frame.start, frame.end);
    if (count < 0) return 'EINVAL';
    if (count === 0) return [];
    const handles: number[] = [];
    for (let i = 0; i < count; i++) {
      const handle = frame.buffer.readUInt32LE(frame.start + ENVELOPE_AT + ENVELOPE_BYTES + 4 * i);
      const kind = task.capabilities.get(handle)?.kind;
      if ((kind !== 'send' && kind !== 'receive') || handles.includes(handle)) return 'EBADF';
      handles.push(handle);
    }
    const rights: Capability[] = [];
    for (const handle of handles) {
      const capability = task.capabilities.take(handle);
      if (capability === null) continue;
      if (capability.kind === 'receive') this.ports.detach(capability.port);
      rights.push(capability);
    }
    return rights;
  }

  private makeMessage(
    task: Task,
    frame: Frame,
    target: CapabilityOf<'send'>,
    rights: readonly Capability[],
    post: boolean,
  ): Message {
    const copy = Buffer.allocUnsafe(frame.end - frame.start);
    frame.buffer.copy(copy, 0, frame.start, frame.end);
    task.messages++;
    return {
      port: target.port,
      state: 'queued',
      caller: post ? null : task,
      callId: frame.id,
      post,
      sender: task.pid,
      senderName: task.name,
      badge: target.badge,
      sequence: ++task.sequence,
      interfaceNumber: copy.readUInt16LE(ENVELOPE_AT + ENVELOPE_INTERFACE),
      methodNumber: copy.readUInt16LE(ENVELOPE_AT + ENVELOPE_METHOD),
      frame: copy,
      rights,
      deliveries: 0,
      receiver: null,
      replyHandle: 0,
      timer: null,
    };
  }

  private enqueue(port: Port, message: Message): void {
    port.sent++;
    port.queue.push(message);
    port.bytes += message.frame.length;
    this.poke(port);
  }

  /** Gives a call its time limit. While the receiver is held by a debugger, time does not count. */
  private limit(message: Message, milliseconds: number): void {
    message.timer = this.timers.set(milliseconds, () => {
      const { caller } = message;
      if (message.state === 'done' || caller === null) return;
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

  /** ipc_recv and the second half of ipc_reply_recv; `ports` null means every port of the task. The task blocks unless something is there. */
  receive(task: Task, id: number, ports: readonly Port[] | null, timeout: number): Status {
    if (task.receive !== null) return 'EBUSY';
    task.lastTaken = null;
    const receive: Receive = { id, ports, timer: null };
    task.receive = receive;
    if (this.completeReceive(task)) return 0;
    if (timeout !== FOREVER) receive.timer = this.timers.set(timeout, () => this.endReceive(task, 'ETIMEDOUT'));
    this.execution.block(task, 'ipc_recv');
    return 0;
  }

  /** ipc_try_recv: answers EAGAIN when nothing waits. */
  tryReceive(task: Task, id: number, ports: readonly Port[] | null): Status {
    if (task.receive !== null) return 'EBUSY';
    if (this.readyPort(task, ports) === null) return 'EAGAIN';
    task.lastTaken = null;
    task.receive = { id, ports, timer: null };
    this.completeReceive(task);
    return 0;
  }

  private endReceive(task: Task, error: ErrorName): void {
    const { receive } = task;
    if (receive === null) return;
    receive.timer?.cancel();
    task.receive = null;
    this.execution.wakeWith(task, receive.id, error);
  }

  private readyPort(task: Task, ports: readonly Port[] | null): Port | null {
    if (ports !== null) return ports.find((port) => port.ready && port.receiver === task) ?? null;
    for (const port of task.readyPorts) {
      if (port.ready && port.receiver === task) return port;
      task.readyPorts.delete(port);
    }
    return null;
  }

  /** Hands the next message to a task that waits for one. */
  private completeReceive(task: Task): boolean {
    const { receive } = task;
    if (receive === null) return false;
    const port = this.readyPort(task, receive.ports);
    if (port === null) return false;
    const notice = port.notices[0];
    const message = notice === undefined ? (port.again[0] ?? port.queue[0]) : undefined;
    if (message !== undefined && !task.capabilities.hasRoom(1 + message.rights.length)) {
      this.endReceive(task, 'EMFILE');
      return true;
    }
    receive.timer?.cancel();
    task.receive = null;
    if (notice !== undefined) {
      port.notices.shift();
      this.deliverNotice(task, receive.id, port, notice);
    } else {
      const taken = port.take();
      if (taken !== undefined) this.deliver(task, receive.id, port, taken);
    }
    // Ports take turns: this one goes to the end of the line.
    task.readyPorts.delete(port);
    if (port.ready) task.readyPorts.add(port);
    return true;
  }

  private deliver(task: Task, id: number, port: Port, message: Message): void {
    const { frame } = message;
    message.state = 'delivered';
    message.receiver = task;
    message.deliveries++;
    port.received++;
    task.messages++;
    if (message.deliveries > 1) port.redelivered++;
    if (message.post) task.lastTaken = { port, item: message };
    else {
      message.replyHandle = task.capabilities.insert({ kind: 'reply', references: 0, message });
      task.owes.add(message);
      port.owed++;
    }
    frame.writeUInt16LE(RESULT, OFFSET_TYPE);
    frame.writeUInt16LE(0, OFFSET_FLAGS);
    frame.writeUInt32LE(id, OFFSET_ID);
    frame.writeUInt32LE(message.post ? 0 : message.replyHandle, OFFSET_HANDLE);
    frame.writeUInt32LE(message.sender, ENVELOPE_AT + ENVELOPE_SENDER);
    frame.writeUInt32LE(message.badge, ENVELOPE_AT + ENVELOPE_BADGE);
    frame.writeUInt32LE(message.sequence >>> 0, ENVELOPE_AT + ENVELOPE_SEQUENCE);
    frame.writeUInt32LE(Math.floor(message.sequence / 0x100000000), ENVELOPE_AT + ENVELOPE_SEQUENCE + 4);
    frame.writeUInt32LE(message.deliveries, ENVELOPE_AT + ENVELOPE_TIMEOUT);
    frame.writeUInt32LE(port.receiverHandle, ENVELOPE_AT + ENVELOPE_PORT);
    frame.writeUInt32LE(message.deliveries > 1 ? MESSAGE_RETRY : 0, ENVELOPE_AT + ENVELOPE_FLAGS);
    this.giveRights(task, message.rights, frame, 0);
    this.execution.wake(task, frame, 0, frame.length);
  }

  private giveRights(task: Task, rights: readonly Capability[], buffer: Buffer, start: number): void {
    let at = start + ENVELOPE_AT + ENVELOPE_BYTES;
    for (const capability of rights) {
      const handle = task.capabilities.insert(capability);
      if (capability.kind === 'receive') this.ports.attach(capability.port, task, handle);
      buffer.writeUInt32LE(handle, at);
      at += 4;
    }
  }

  private deliverNotice(task: Task, id: number, port: Port, notice: Notice): void {
    notice.deliveries++;
    port.received++;
    task.messages++;
    task.lastTaken = { port, item: notice };
    const head = {
      interface: kernelNotices.number,
      method: notice.method,
      timeoutMilliseconds: notice.deliveries,
      port: port.receiverHandle,
      rights: [],
    };
    const frame = encodeMessage(RESULT, 0, id, 0, head, notice.data);
    const flags = MESSAGE_NOTICE | (notice.deliveries > 1 ? MESSAGE_RETRY : 0);
    frame.writeUInt32LE(flags, ENVELOPE_AT + ENVELOPE_FLAGS);
    this.execution.wake(task, frame, 0, frame.length);
  }

  /** Posts a notice of the kernel; one with the same key that still waits stands for both. */
  notify(port: Port, method: number, data: unknown, key: string): void {
    if (port.destroyed || port.notices.some((waiting) => waiting.key === key)) return;
    port.notices.push({ method, data, key, deliveries: 0 });
    this.poke(port);
  }

  /** Something has come to a port: its receiver gets it if it waits for that. */
  private poke(port: Port): void {
    const { receiver } = port;
    if (receiver === null) return;
    receiver.readyPorts.add(port);
    if (receiver.receive !== null) this.completeReceive(receiver);
  }

  /** After a task has got a receive right: what waits in the port may be for a receive of its that waits. */
  attached(port: Port): void {
    if (port.ready) this.poke(port);
  }

  // Answering

  /** ipc_reply: the frame's flags are the status. */
  reply(task: Task, frame: Frame): Status {
    const reply = task.capabilities.of(frame.handle, 'reply');
    if (reply === null) return 'EBADF';
    const rights = this.takeRights(task, frame);
    if (typeof rights === 'string') return rights;
    task.capabilities.take(frame.handle);
    const { message } = reply;
    const { caller } = message;
    task.messages++;
    this.settle(message);
    if (caller === null) {
      this.dropAll(rights);
      return 0;
    }
    caller.calls.delete(message);
    message.timer?.cancel();
    if (!caller.capabilities.hasRoom(rights.length)) {
      this.dropAll(rights);
      this.execution.wakeWith(caller, message.callId, 'EMFILE');
      return 0;
    }
    const { buffer, start, end } = frame;
    caller.messages++;
    buffer.writeUInt16LE(RESULT, start + OFFSET_TYPE);
    buffer.writeUInt32LE(message.callId, start + OFFSET_ID);
    buffer.writeUInt32LE(0, start + OFFSET_HANDLE);
    buffer.writeUInt32LE(task.pid, start + ENVELOPE_AT + ENVELOPE_SENDER);
    this.giveRights(caller, rights, buffer, start);
    this.dropAll(rights);
    this.execution.wake(caller, buffer, start, end);
    return 0;
  }

  /** A delivered request is answered or given on: nobody owes it any more. */
  private settle(message: Message): void {
    if (message.receiver !== null) {
      message.receiver.owes.delete(message);
      message.port.owed--;
    }
    message.state = 'done';
    message.receiver = null;
    message.caller = null;
    this.dropAll(message.rights);
    message.rights = [];
  }

  /** Ends the wait of a caller with an error. The message itself may still be delivered and owed. */
  private answerCaller(message: Message, error: ErrorName): void {
    const { caller } = message;
    if (caller === null) return;
    message.caller = null;
    message.timer?.cancel();
    caller.calls.delete(message);
    this.execution.wakeWith(caller, message.callId, error);
  }

  /** Takes a waiting message that nobody wants any more off its port. */
  private forget(message: Message): void {
    message.port.remove(message);
    message.state = 'done';
    this.dropAll(message.rights);
    message.rights = [];
  }

  /** Ends everything that waits in a port with an error. */
  flush(port: Port, error: ErrorName): void {
    for (let message = port.take(); message !== undefined; message = port.take()) {
      port.failed++;
      message.state = 'done';
      this.answerCaller(message, error);
      this.dropAll(message.rights);
      message.rights = [];
    }
  }

  private dropAll(rights: readonly Capability[]): void {
    for (const capability of rights) this.drop(capability);
  }

  /** One holder of a capability lets go of it. The last one ends what it stood for. */
  drop(capability: Capability): void {
    if (--capability.references > 0) return;
    if (capability.kind === 'send') this.ports.senderGone(capability.port, capability.badge);
    else if (capability.kind === 'receive') this.ports.receiverGone(capability.port);
    else if (capability.kind === 'reply' && capability.message.state === 'delivered') {
      const { message } = capability;
      this.answerCaller(message, 'EIO');
      this.settle(message);
    }
  }

  // Death

  /** A task is gone: its calls end, what it owed goes back to the ports, its capabilities are dropped. */
  taskGone(task: Task): void {
    for (const message of [...task.calls]) {
      task.calls.delete(message);
      message.caller = null;
      message.timer?.cancel();
      if (message.state === 'queued') this.forget(message);
    }
    task.receive?.timer?.cancel();
    task.receive = null;
    const owed = [...task.owes];
    task.owes.clear();
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
      this.drop(capability);
    }
    for (const message of owed) this.again(message, task);
    if (lastTaken !== null) this.againPosted(lastTaken.port, lastTaken.item, task);
    this.ports.taskGone(task);
  }

  /** A request whose receiver died waits for the next one, unless it has killed its server too often. */
  private again(message: Message, dead: Task): void {
    const { port, caller } = message;
    const what = `${methodName(message.interfaceNumber, message.methodNumber)} from ${message.senderName}[${message.sender}] (sequence ${message.sequence})`;
    let error: Status = 0;
    if (port.destroyed) error = 'EPIPE';
    else if (port.program.lost) error = 'EIO';
    else if (message.deliveries >= MAX_DELIVERIES) {
      error = 'EIO';
      this.log.error(
        `${what} was answered EIO: ${dead.name} died ${message.deliveries} times while it had this request`,
      );
    }
    if (error === 0 && caller !== null) {
      port.again.push(message);
      port.bytes += message.frame.length;
      this.poke(port);
      return;
    }
    if (error !== 0) {
      port.failed++;
      this.answerCaller(message, error);
    }
    message.state = 'done';
    this.dropAll(message.rights);
    message.rights = [];
  }

  /** A post or notice that its receiver may not have handled comes again. */
  private againPosted(port: Port, item: Message | Notice, dead: Task): void {
    if ('state' in item) item.state = 'done';
    if (port.destroyed || port.program.lost) return;
    if (item.deliveries >= MAX_DELIVERIES) {
      this.log.error(
        `a message to ${port.title} was dropped: ${dead.name} died ${item.deliveries} times after receiving it`,
      );
      return;
    }
    if ('state' in item) {
      item.state = 'queued';
      port.again.push(item);
      port.bytes += item.frame.length;
    } else if (!port.notices.some((waiting) => waiting.key === item.key)) port.notices.unshift(item);
    this.poke(port);
  }

  /** A program has been given up: everyone who waits for it gets EIO. */
  programLost(program: Program): void {
    for (const port of this.ports.of(program)) if (port.receiver === null) this.flush(port, 'EIO');
    this.ports.failFinders(program);
  }
}
