/**
 * From a frame to its handler. Whatever a task sends, the kernel goes on: a bad call gets an errno, a frame before
 * `task_start` or a stream that cannot be followed ends the task.
 */
import { MAX_OUTSTANDING_CALLS } from '../../protocol/bounds.ts';
import { readUint16, readUint32 } from '../../protocol/bytes.ts';
import { SystemError } from '../../protocol/errno.ts';
import { OFFSET_FLAGS, OFFSET_HANDLE, OFFSET_ID, OFFSET_TYPE } from '../../protocol/frame.ts';
import { type SystemCallName, systemCalls, waitingCalls } from '../../protocol/syscall.ts';
import type { Frame } from '../ipc/frame.ts';
import type { Task } from '../objects.ts';
import type { Handler, KernelParts } from './context.ts';
import { deviceCalls } from './devices.ts';
import { messageCalls } from './messages.ts';
import { storeCalls } from './store.ts';
import { systemWideCalls } from './system.ts';
import { taskCalls } from './tasks.ts';
import { timeCalls } from './time.ts';

/** Every system call has a handler: the compiler checks it. */
const handlers: Record<SystemCallName, Handler> = {
  ...taskCalls,
  ...messageCalls,
  ...deviceCalls,
  ...timeCalls,
  ...storeCalls,
  ...systemWideCalls,
};

const byNumber: (Handler | undefined)[] = [];
for (const [name, handler] of Object.entries(handlers)) byNumber[systemCalls[name as SystemCallName].number] = handler;

const waiting = new Set<number>(waitingCalls.map((name) => systemCalls[name].number));

const TASK_START = systemCalls.task_start.number;
const frame: Frame = { buffer: Buffer.alloc(0), start: 0, end: 0, type: 0, flags: 0, id: 0, handle: 0 };

/** Handles one frame of a task. */
export function dispatch(kernel: KernelParts, task: Task, buffer: Buffer, start: number, end: number): void {
  if (task.dying || task.exit !== null) return;
  task.systemCalls++;
  task.trace.note(buffer, start, end, kernel.time.now());
  frame.buffer = buffer;
  frame.start = start;
  frame.end = end;
  frame.type = readUint16(buffer, start + OFFSET_TYPE);
  frame.flags = readUint16(buffer, start + OFFSET_FLAGS);
  frame.id = readUint32(buffer, start + OFFSET_ID);
  frame.handle = readUint32(buffer, start + OFFSET_HANDLE);
  const { id, type } = frame;
  const handler = byNumber[type];
  if (!task.started && type !== TASK_START) {
    kernel.tasks.end(task, `sent call ${type} before task_start`);
    return;
  }
  if (handler === undefined) {
    kernel.execution.answer(task, id, 'ENOSYS');
    return;
  }
  if (waiting.has(type)) {
    if (id === 0) {
      kernel.log.debug(`${task.title} posted call ${type}, which waits: dropped`);
      return;
    }
    if (task.waits + task.asynchronousCalls >= MAX_OUTSTANDING_CALLS) {
      kernel.execution.answer(task, id, 'EAGAIN');
      return;
    }
  }
  try {
    handler(kernel, task, frame);
  } catch (error) {
    if (error instanceof SystemError) {
      kernel.execution.answer(task, id, error.code);
      return;
    }
    kernel.log.error(
      `call ${type} of ${task.title}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    kernel.execution.answer(task, id, 'EIO');
  }
}
