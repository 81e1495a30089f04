/** System calls on tasks: start, exit, spawn, wait, signals, scheduling, listings. */
import os from 'node:os';
import { FOREVER, MAX_ARGUMENTS_BYTES, PROTOCOL_VERSION } from '../../protocol/bounds.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { CapabilityRow, TaskRow } from '../../protocol/records.ts';
import { residentBytes } from '../mm/usage.ts';
import type { Task } from '../objects.ts';
import { createPolicy, isPolicyName, policyNames } from '../sched/index.ts';
import type { TaskTable } from '../task/task-table.ts';
import { checkTimeout, type Handler, has, type KernelParts, typed, valued } from './context.ts';

function existing(tasks: TaskTable, pid: number): Task {
  const task = tasks.get(pid);
  if (task === undefined) throw new SystemError('ESRCH');
  return task;
}

function row(kernel: KernelParts, task: Task): TaskRow {
  const host = task.exit === null ? (task.process?.pid ?? 0) : 0;
  return {
    pid: task.pid,
    host,
    parent: task.parent,
    state: task.state(kernel.scheduler.state(task)),
    waitsFor: task.waits > 0 ? task.waitsFor : '',
    cpuMilliseconds: kernel.tasks.cpu(task),
    switches: kernel.scheduler.switchesOf(task),
    messages: task.messages,
    systemCalls: task.systemCalls,
    bytes: (task.process?.pipe.bytesRead ?? 0) + (task.process?.pipe.bytesWritten ?? 0),
    incarnation: task.incarnation,
    memoryBytes: host === 0 ? 0 : residentBytes(host),
    name: task.name,
  };
}

function capabilityRows(task: Task): CapabilityRow[] {
  const rows: CapabilityRow[] = [];
  for (const [handle, capability] of task.capabilities.list()) {
    if (rows.length === 1024) break;
    const { kind } = capability;
    let what = '';
    if (kind === 'receive' || kind === 'send') what = capability.port.title;
    else if (kind === 'irq') what = `line ${capability.irq}`;
    else if (kind === 'io') what = `ports 0x${capability.first.toString(16)} to 0x${capability.last.toString(16)}`;
    else
      what = `request of ${capability.message.senderName}[${capability.message.sender}] to ${capability.message.port.title}`;
    rows.push({ handle, kind, what: what.slice(0, 110), badge: kind === 'send' ? capability.badge : 0 });
  }
  return rows;
}

export const taskCalls = {
  task_start: (kernel, task, frame) => {
    if (task.started) return kernel.execution.answer(task, frame.id, 'EBUSY');
    if (frame.handle !== PROTOCOL_VERSION) return kernel.execution.answer(task, frame.id, 'EOPNOTSUPP');
    kernel.tasks.begin(task, frame.id);
  },
  exit: typed('exit', (kernel, task, { status }) => kernel.tasks.exit(task, status)),
  getpid: (kernel, task, frame) => kernel.execution.answer(task, frame.id, 0, task.pid),
  getppid: (kernel, task, frame) => kernel.execution.answer(task, frame.id, 0, task.parent),
  spawn: valued('spawn', (kernel, task, { name, arguments: args, notify, rights }) => {
    if (args.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0) > MAX_ARGUMENTS_BYTES)
      throw new SystemError('E2BIG');
    // init decides for itself: an operator can enable what the configuration disables.
    const permitted =
      task.manifest.maySpawn.includes(name) && kernel.tasks.programs.get(name)?.manifest.enabled !== false;
    if (!permitted && !has(task, 'supervise')) throw new SystemError('EPERM');
    const port = notify === 0 ? null : task.capabilities.of(notify, 'receive');
    if (port === null && notify !== 0) throw new SystemError('EBADF');
    if (!kernel.ipc.canGive(task, rights)) throw new SystemError('EBADF');
    const child = kernel.tasks.spawn(name, args, task, port?.port ?? null);
    child.startRights = kernel.ipc.give(task, rights, child);
    return { pid: child.pid };
  }),
  waitpid: typed('waitpid', (kernel, task, { pid, timeout }, frame) => {
    const { execution, tasks, timers } = kernel;
    const limited = checkTimeout(timeout) !== FOREVER;
    const children = [...tasks.tasks.values()].filter(
      (child) => child.parent === task.pid && (pid === 0 || child.pid === pid),
    );
    const ended = children.find((child) => child.exit !== null);
    if (ended?.exit) {
      tasks.tasks.delete(ended.pid);
      execution.answerValue(task, frame.id, [ended.pid, ended.exit.status, ended.exit.signal]);
      return;
    }
    if (children.length === 0) throw new SystemError('ECHILD');
    if (task.childWait !== null) throw new SystemError('EBUSY');
    const wait = { id: frame.id, pid, timer: null as ReturnType<typeof timers.set> | null };
    task.childWait = wait;
    if (limited) {
      wait.timer = timers.set(timeout, () => {
        task.childWait = null;
        execution.wakeWith(task, wait.id, 'ETIMEDOUT');
      });
    }
    execution.block(task, 'waitpid');
  }),
  kill: typed('kill', (kernel, task, { pid, signal }, frame) => {
    const target = existing(kernel.tasks, pid);
    if (target !== task && target.parent !== task.pid && !has(task, 'signal') && !has(task, 'supervise'))
      throw new SystemError('EPERM');
    kernel.execution.answer(task, frame.id, kernel.tasks.signal(target, signal, task.title));
  }),
  yield: (kernel, task, frame) => {
    const { execution, scheduler } = kernel;
    if (scheduler.policy.size === 0) return execution.answer(task, frame.id, 0);
    const { id } = frame;
    execution.block(task, 'yield');
    execution.wakeWith(task, id, 0);
  },
  sleep: typed('sleep', (kernel, task, { milliseconds }, frame) => {
    if (milliseconds < 0 || milliseconds > 0x7fffffff) throw new SystemError('EINVAL');
    const { id } = frame;
    kernel.execution.block(task, 'sleep');
    const timer = kernel.timers.set(milliseconds, () => {
      task.sleeps.delete(timer);
      kernel.execution.wakeWith(task, id, 0);
    });
    task.sleeps.add(timer);
  }),
  fork: (kernel, task, frame) => kernel.execution.answer(task, frame.id, 'ENOSYS'),
  execve: (kernel, task, frame) => kernel.execution.answer(task, frame.id, 'ENOSYS'),
  start_rights: valued('start_rights', (_kernel, task) => task.startRights),
  task_list: valued('task_list', (kernel) => [...kernel.tasks.tasks.values()].map((task) => row(kernel, task))),
  task_capabilities: valued('task_capabilities', (kernel, _task, { pid }) =>
    capabilityRows(existing(kernel.tasks, pid)),
  ),
  signal_port: (kernel, task, frame) => {
    const port = task.capabilities.of(frame.handle, 'receive');
    task.signalPort = port?.port ?? task.signalPort;
    kernel.execution.answer(task, frame.id, port === null ? 'EBADF' : 0);
  },
  scheduler: valued('scheduler', (kernel, task, { policy }) => {
    const { scheduler, log } = kernel;
    if (policy !== '') {
      if (!has(task, 'scheduler')) throw new SystemError('EPERM');
      if (!isPolicyName(policy)) throw new SystemError('ENOENT');
      scheduler.setPolicy(createPolicy(policy));
      log.info(`scheduling policy ${policy}, chosen by ${task.title}`);
    }
    return {
      policy: scheduler.policy.name,
      policies: [...policyNames],
      cpus: scheduler.cpus,
      switches: scheduler.switches,
      preemptions: scheduler.preemptions,
      ready: scheduler.readyTasks().length,
    };
  }),
  set_priority: typed('set_priority', (kernel, task, { pid, priority, weight }, frame) => {
    const target = existing(kernel.tasks, pid);
    if (!has(task, 'scheduler')) throw new SystemError('EPERM');
    if (priority > 31 || weight === 0) throw new SystemError('EINVAL');
    target.priority = priority;
    target.weight = weight;
    kernel.execution.answer(task, frame.id, 0);
  }),
  memory_information: valued('memory_information', (kernel) => {
    const usage = process.memoryUsage();
    let messages = 0;
    for (const port of kernel.ports.values()) messages += port.bytes;
    let stores = 0;
    for (const program of kernel.tasks.programs.values()) stores += program.storeBytes;
    return {
      hostTotal: os.totalmem(),
      hostFree: os.freemem(),
      kernelResident: usage.rss,
      kernelHeap: usage.heapUsed,
      messages,
      stores,
    };
  }),
} satisfies Record<string, Handler>;
