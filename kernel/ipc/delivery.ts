/**
 * The receiving side: tasks that wait for messages, the hand-over of messages and notices, and when a post counts as
 * handled.
 */
import { FOREVER, MAX_PORT_NOTICES } from '../../protocol/bounds.ts';
import { writeUint16, writeUint32 } from '../../protocol/bytes.ts';
import { encodeMessage } from '../../protocol/codec.ts';
import type { ErrorName } from '../../protocol/errno.ts';
import { OFFSET_FLAGS, OFFSET_HANDLE, OFFSET_ID, OFFSET_TYPE, RESULT } from '../../protocol/frame.ts';
import { kernelNotices } from '../../protocol/kernel.ts';
import {
  ENVELOPE_AT,
  ENVELOPE_BADGE,
  ENVELOPE_FLAGS,
  ENVELOPE_PORT,
  ENVELOPE_SENDER,
  ENVELOPE_SEQUENCE,
  ENVELOPE_TIMEOUT,
  MESSAGE_NOTICE,
  MESSAGE_RETRY,
} from '../../protocol/message.ts';
import type { Message, Notice, Port, Receive, Task } from '../objects.ts';
import type { Execution } from '../task/execution.ts';
import type { Timers } from '../time/timers.ts';
import type { Rights } from './rights.ts';

/** Why a call is refused, or 0. */
export type Status = ErrorName | 0;

/** Hands over what comes to ports. */
export class Delivery {
  private readonly rights: Rights;
  private readonly execution: Execution;
  private readonly timers: Timers;

  constructor(rights: Rights, execution: Execution, timers: Timers) {
    this.rights = rights;
    this.execution = execution;
    this.timers = timers;
  }

  /**
   * ipc_recv and the second half of ipc_reply_recv; `ports` null means every port of the task. The task blocks unless
   * something is there.
   */
  receive(task: Task, id: number, ports: readonly Port[] | null, timeout: number): Status {
    if (task.receive !== null) return 'EBUSY';
    this.handled(task, ports);
    const receive: Receive = { id, ports, timer: null };
    task.receive = receive;
    this.execution.begin(task, 'ipc_recv');
    if (this.complete(task)) return 0;
    if (timeout !== FOREVER) receive.timer = this.timers.set(timeout, () => this.endReceive(task, 'ETIMEDOUT'));
    this.execution.giveUpCpu(task);
    return 0;
  }

  /** ipc_try_recv: answers EAGAIN when nothing waits. */
  tryReceive(task: Task, id: number, ports: readonly Port[] | null): Status {
    if (task.receive !== null) return 'EBUSY';
    this.handled(task, ports);
    if (this.readyPort(task, ports) === null) return 'EAGAIN';
    task.receive = { id, ports, timer: null };
    this.execution.begin(task, 'ipc_try_recv');
    this.complete(task);
    return 0;
  }

  /**
   * The task asks for the next message, so it has dealt with the post or notice it received last, or put the request
   * off.
   */
  private handled(task: Task, ports: readonly Port[] | null): void {
    const { lastTaken, atHand } = task;
    task.lastTaken = null;
    // A driver that waits for its interrupt, at another port, is still at work on the request.
    if (atHand !== null && (ports === null || ports.includes(atHand.port))) task.atHand = null;
    if (lastTaken !== null && 'state' in lastTaken.item) this.rights.finish(lastTaken.item);
  }

  private endReceive(task: Task, error: ErrorName): void {
    const { receive } = task;
    if (receive === null) return;
    receive.timer?.cancel();
    task.receive = null;
    this.execution.wakeWith(task, receive.id, error);
  }

  /** A port has left its task: a receive that waits for such ports only can get nothing any more. */
  detached(task: Task): void {
    const ports = task.receive?.ports ?? null;
    if (ports?.every((port) => port.receiver !== task)) this.endReceive(task, 'EPIPE');
  }

  /** The port whose turn it is: of those with something to receive, the one that has stood in line longest. */
  private readyPort(task: Task, ports: readonly Port[] | null): Port | null {
    if (ports !== null) {
      let first: Port | null = null;
      for (const port of ports)
        if (port.ready && port.receiver === task && (first === null || port.place < first.place)) first = port;
      return first;
    }
    for (const port of task.readyPorts) {
      if (port.ready && port.receiver === task) return port;
      task.readyPorts.delete(port);
    }
    return null;
  }

  /** Hands the next message to a task that waits for one. */
  private complete(task: Task): boolean {
    const { receive } = task;
    // What a task that is being ended would still take, its next incarnation would only get late.
    if (receive === null || task.dying) return false;
    const port = this.readyPort(task, receive.ports);
    if (port === null) return false;
    const message = port.hasNotices ? undefined : port.first;
    if (message !== undefined && !task.capabilities.hasRoom(1 + message.rights.length)) {
      this.endReceive(task, 'EMFILE');
      return true;
    }
    receive.timer?.cancel();
    task.receive = null;
    const notice = port.takeNotice();
    if (notice !== undefined) this.deliverNotice(task, receive.id, port, notice);
    else if (message !== undefined) {
      port.remove(message);
      this.deliver(task, receive.id, port, message);
    }
    // Ports take turns: this one goes to the end of the line.
    task.readyPorts.delete(port);
    if (port.ready) task.lineUp(port);
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
      task.atHand = message;
      port.owed++;
    }
    writeUint16(frame, RESULT, OFFSET_TYPE);
    writeUint16(frame, 0, OFFSET_FLAGS);
    writeUint32(frame, id, OFFSET_ID);
    writeUint32(frame, message.post ? 0 : message.replyHandle, OFFSET_HANDLE);
    writeUint32(frame, message.sender, ENVELOPE_AT + ENVELOPE_SENDER);
    writeUint32(frame, message.badge, ENVELOPE_AT + ENVELOPE_BADGE);
    writeUint32(frame, message.sequence >>> 0, ENVELOPE_AT + ENVELOPE_SEQUENCE);
    writeUint32(frame, Math.floor(message.sequence / 0x100000000), ENVELOPE_AT + ENVELOPE_SEQUENCE + 4);
    writeUint32(frame, message.deliveries, ENVELOPE_AT + ENVELOPE_TIMEOUT);
    writeUint32(frame, port.receiverHandle, ENVELOPE_AT + ENVELOPE_PORT);
    writeUint32(frame, message.deliveries > 1 ? MESSAGE_RETRY : 0, ENVELOPE_AT + ENVELOPE_FLAGS);
    this.rights.give(task, message.rights, frame, 0);
    this.execution.wake(task, frame, 0, frame.length);
  }

  private deliverNotice(task: Task, id: number, port: Port, notice: Notice): void {
    notice.deliveries++;
    port.received++;
    task.messages++;
    if (notice.deliveries > 1) port.redelivered++;
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
    writeUint32(frame, flags, ENVELOPE_AT + ENVELOPE_FLAGS);
    this.execution.wake(task, frame, 0, frame.length);
  }

  /** Posts a notice of the kernel; one with the same key that still waits takes its content, and stands for both. */
  notify(port: Port, method: number, data: unknown, key: string): void {
    if (port.destroyed || port.renewNotice(key, data)) return;
    if (port.noticeCount >= MAX_PORT_NOTICES) {
      port.refused++;
      return;
    }
    port.addNotice({ method, data, key, deliveries: 0 });
    this.poke(port);
  }

  /** Something has come to a port, or the port to a task: its receiver gets what is there if it waits for that. */
  poke(port: Port): void {
    const { receiver } = port;
    if (receiver === null || !port.ready) return;
    receiver.lineUp(port);
    if (receiver.receive !== null) this.complete(receiver);
  }
}
