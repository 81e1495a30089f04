/** What the handlers of system calls work with. */
import { FOREVER, HEADER_BYTES, MAX_TIMEOUT_MILLISECONDS } from '../../protocol/bounds.ts';
import { decode } from '../../protocol/codec.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { Handle } from '../../protocol/schema.ts';
import { type Arguments, type Result, type SystemCallName, systemCalls } from '../../protocol/syscall.ts';
import type { Privilege } from '../config.ts';
import type { Ports } from '../io/vector.ts';
import type { VectorQueue } from '../io/vector-queue.ts';
import type { Frame } from '../ipc/frame.ts';
import type { Ipc } from '../ipc/ipc.ts';
import type { PortTable } from '../ipc/port-table.ts';
import type { Interrupts } from '../irq/interrupts.ts';
import type { KernelLog } from '../log.ts';
import type { Task } from '../objects.ts';
import type { Scheduler } from '../sched/index.ts';
import type { Execution } from '../task/execution.ts';
import type { TaskTable } from '../task/task-table.ts';
import type { Timers, TimeSource } from '../time/timers.ts';

/** The parts of the kernel. */
export interface KernelParts {
  readonly log: KernelLog;
  readonly time: TimeSource;
  readonly timers: Timers;
  readonly scheduler: Scheduler<Task>;
  readonly execution: Execution;
  readonly ports: PortTable;
  readonly ipc: Ipc;
  readonly interrupts: Interrupts;
  readonly tasks: TaskTable;
  readonly bus: Ports;
  readonly vectors: VectorQueue;
  /** Address of the inspector of a task under the debugger, once it has printed it. */
  readonly inspectorAddress: (task: Task) => string;
  readonly exec: string | null;
  readonly version: string;
  /** Ends the machine. */
  readonly halt: (status: number, reboot: boolean, reason: string) => void;
}

/** Handles one system call: answers it now, or blocks the task and answers later. */
export type Handler = (kernel: KernelParts, task: Task, frame: Frame) => void;

const noRights: Handle[] = [];

/** The arguments of a call. Throws SystemError: EBADMSG, EINVAL. */
export function argumentsOf<N extends SystemCallName>(name: N, frame: Frame): Arguments<N> {
  const { buffer, start, end } = frame;
  const wire = end - start > HEADER_BYTES ? decode(buffer, start + HEADER_BYTES, end) : null;
  return systemCalls[name].arguments.fromWire(wire, noRights) as Arguments<N>;
}

/** A handler whose arguments are checked and typed. */
export function typed<N extends SystemCallName>(
  name: N,
  handle: (kernel: KernelParts, task: Task, args: Arguments<N>, frame: Frame) => void,
): Handler {
  return (kernel, task, frame) => handle(kernel, task, argumentsOf(name, frame), frame);
}

/** A handler whose result is a value that is there at once. It throws SystemError to answer with an error. */
export function valued<N extends SystemCallName>(
  name: N,
  handle: (kernel: KernelParts, task: Task, args: Arguments<N>, frame: Frame) => Result<N>,
): Handler {
  const { result } = systemCalls[name];
  return (kernel, task, frame) => {
    const value = handle(kernel, task, argumentsOf(name, frame), frame);
    kernel.execution.answerValue(task, frame.id, result.toWire(value as never, noRights));
  };
}

/** Whether a task's manifest gives it a privilege. */
export function has(task: Task, privilege: Privilege): boolean {
  return task.manifest.privileges.includes(privilege);
}

/** A timeout in milliseconds, or FOREVER. Throws SystemError EINVAL for a longer one. */
export function checkTimeout(timeout: number): number {
  if (timeout !== FOREVER && timeout > MAX_TIMEOUT_MILLISECONDS) throw new SystemError('EINVAL');
  return timeout;
}
