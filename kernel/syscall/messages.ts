/** System calls on ports and messages. */
import { PORT_QUEUE_MESSAGES } from '../../protocol/bounds.ts';
import { readUint32 } from '../../protocol/bytes.ts';
import { type ErrorName, SystemError } from '../../protocol/errno.ts';
import { CALL_ASYNCHRONOUS, FIND_PATIENT } from '../../protocol/frame.ts';
import { ENVELOPE_AT, ENVELOPE_PORT, ENVELOPE_TIMEOUT, messageRights } from '../../protocol/message.ts';
import type { PortRow } from '../../protocol/records.ts';
import type { Frame } from '../ipc/frame.ts';
import type { CapabilityOf, Port, Task } from '../objects.ts';
import { checkTimeout, type Handler, type KernelParts, typed, valued } from './context.ts';

/** The ports of a list of handles; null, every port, for an empty list. */
function portsOf(task: Task, handles: readonly number[]): Port[] | null {
  if (handles.length === 0) return null;
  return handles.map((handle) => portOf(task, handle));
}

function portOf(task: Task, handle: number): Port {
  const capability = task.capabilities.of(handle, 'receive');
  if (capability === null) throw new SystemError('EBADF');
  return capability.port;
}

function isMessage(frame: Frame): boolean {
  return messageRights(frame.buffer, frame.start, frame.end) >= 0;
}

/** Answers a call that made a handle or failed. */
function answerHandle(kernel: KernelParts, task: Task, id: number, made: number | ErrorName): void {
  if (typeof made === 'number') kernel.execution.answer(task, id, 0, made);
  else kernel.execution.answer(task, id, made);
}

function row(port: Port): PortRow {
  const length = port.queue.length + port.again.length;
  return {
    port: port.id,
    name: port.name,
    owner: port.program.name,
    receiver: port.receiver?.pid ?? 0,
    queued: Math.min(PORT_QUEUE_MESSAGES, length) + port.noticeCount,
    waiting: Math.max(0, length - PORT_QUEUE_MESSAGES),
    owed: port.owed,
    sent: port.sent,
    received: port.received,
    redelivered: port.redelivered,
    refused: port.refused,
    failed: port.failed,
  };
}

/** Whether a task waits for messages and has none. One that is stopped does not wait, it is kept from running. */
function rests(task: Task): boolean {
  if (task.waits === 0 || task.waitsFor !== 'ipc_recv' || task.stopped) return false;
  for (const port of task.readyPorts) if (port.ready && port.receiver === task) return false;
  return true;
}

/** Forbids the ports of a capability that no other capability of the task covers. */
function releaseIoPorts(kernel: KernelParts, task: Task, { first, last }: CapabilityOf<'io'>): void {
  kernel.interrupts.disarm(task);
  task.permission?.set(first, last, false);
  for (const [, other] of task.capabilities.list()) {
    if (other.kind === 'io') task.permission?.set(other.first, other.last, true);
  }
}

export const messageCalls = {
  ipc_create_port: (kernel, task, frame) => answerHandle(kernel, task, frame.id, kernel.ports.create(task)),
  ipc_create_named_port: typed('ipc_create_named_port', (kernel, task, { name }, frame) => {
    const { id } = frame;
    answerHandle(kernel, task, id, kernel.ports.createNamed(task, name));
    const port = kernel.ports.byName(name);
    if (port?.receiver === task) kernel.ipc.delivery.poke(port);
  }),
  ipc_find_port: typed('ipc_find_port', (kernel, task, { name, timeout }, frame) => {
    const { id, flags, handle } = frame;
    const notify = (flags & CALL_ASYNCHRONOUS) === 0 ? null : portOf(task, handle);
    const patient = (flags & FIND_PATIENT) !== 0;
    const found = kernel.ports.find(task, id, name, checkTimeout(timeout), notify, patient);
    if (found === null) return;
    answerHandle(kernel, task, id, found);
    kernel.ports.tellAnswered(notify, id);
  }),
  ipc_destroy_port: (kernel, task, frame) =>
    kernel.execution.answer(task, frame.id, kernel.ipc.destroyPort(task, frame.handle)),
  ipc_send: (kernel, task, frame) => {
    const status = isMessage(frame) ? kernel.ipc.send(task, frame) : 'EINVAL';
    kernel.execution.answer(task, frame.id, status);
  },
  ipc_recv: typed('ipc_recv', (kernel, task, { ports, timeout }, frame) => {
    const status = kernel.ipc.delivery.receive(task, frame.id, portsOf(task, ports), checkTimeout(timeout));
    if (status !== 0) kernel.execution.answer(task, frame.id, status);
  }),
  ipc_try_recv: typed('ipc_try_recv', (kernel, task, { ports }, frame) => {
    const status = kernel.ipc.delivery.tryReceive(task, frame.id, portsOf(task, ports));
    if (status !== 0) kernel.execution.answer(task, frame.id, status);
  }),
  ipc_call: (kernel, task, frame) => {
    if (!isMessage(frame)) return kernel.execution.answer(task, frame.id, 'EINVAL');
    const status = kernel.ipc.call(task, frame);
    if (status === 0) return;
    kernel.execution.answer(task, frame.id, status);
    kernel.ipc.refused(task, frame);
  },
  ipc_reply: (kernel, task, frame) => {
    const { id } = frame;
    const status = isMessage(frame) ? kernel.ipc.reply(task, frame) : 'EINVAL';
    kernel.execution.answer(task, id, status);
  },
  ipc_reply_recv: (kernel, task, frame) => {
    const { id, buffer, start } = frame;
    if (!isMessage(frame)) return kernel.execution.answer(task, id, 'EINVAL');
    const timeout = checkTimeout(readUint32(buffer, start + ENVELOPE_AT + ENVELOPE_TIMEOUT));
    const handle = readUint32(buffer, start + ENVELOPE_AT + ENVELOPE_PORT);
    const ports = handle === 0 ? null : portsOf(task, [handle]);
    if (task.receive !== null) return kernel.execution.answer(task, id, 'EBUSY');
    let status = kernel.ipc.reply(task, frame);
    if (status === 0) status = kernel.ipc.delivery.receive(task, id, ports, timeout);
    if (status !== 0) kernel.execution.answer(task, id, status);
  },
  ipc_forward: (kernel, task, frame) => {
    const { id } = frame;
    const status = isMessage(frame) ? kernel.ipc.forward(task, frame) : 'EINVAL';
    kernel.execution.answer(task, id, status);
  },
  ipc_mint: typed('ipc_mint', (kernel, task, { badge }, frame) => {
    answerHandle(kernel, task, frame.id, kernel.ports.sendRight(task, portOf(task, frame.handle), badge));
  }),
  ipc_duplicate: (kernel, task, frame) => {
    const capability = task.capabilities.of(frame.handle, 'send');
    const made = capability === null ? 'EBADF' : kernel.ports.sendRight(task, capability.port, capability.badge);
    answerHandle(kernel, task, frame.id, made);
  },
  ipc_release: (kernel, task, frame) => {
    const capability = kernel.ipc.release(task, frame.handle);
    if (capability === null) return kernel.execution.answer(task, frame.id, 'EBADF');
    if (capability.kind === 'io') releaseIoPorts(kernel, task, capability);
    if (capability.kind === 'irq') kernel.interrupts.release(capability.irq);
    kernel.execution.answer(task, frame.id, 0);
  },
  ipc_info: valued('ipc_info', (kernel) => {
    const rows: PortRow[] = [];
    for (const port of kernel.ports.values()) {
      if (rows.length === 4096) break;
      rows.push(row(port));
    }
    return rows;
  }),
  ipc_resting: valued('ipc_resting', (kernel) => {
    const pids: number[] = [];
    for (const task of kernel.tasks.tasks.values()) if (rests(task)) pids.push(task.pid);
    return pids;
  }),
} satisfies Record<string, Handler>;
