/** System calls on the log, crash records, the machine as a whole, and supervision. */
import { SystemError } from '../../protocol/errno.ts';
import type { LogLevel } from '../log.ts';
import type { Program, Task } from '../objects.ts';
import { type Handler, has, type KernelParts, typed, valued } from './context.ts';

/** Lines taken from one call. */
const MAX_LINES = 100;

const levels: readonly [number, LogLevel][] = [
  [50, 'error'],
  [40, 'warn'],
  [30, 'info'],
];

function supervised(kernel: KernelParts, task: Task, name: string): Program {
  if (!has(task, 'supervise')) throw new SystemError('EPERM');
  const program = kernel.tasks.programs.get(name);
  if (program === undefined) throw new SystemError('ENOENT');
  return program;
}

export const systemWideCalls = {
  log: typed('log', (kernel, task, { level, text }, frame) => {
    const name = levels.find(([least]) => level >= least)?.[1] ?? 'debug';
    const now = kernel.time.now();
    for (const line of text.split('\n').slice(0, MAX_LINES)) {
      if (!task.lineLimit.take(now)) continue;
      const note = task.lineLimit.takeNote(now);
      if (note !== '') kernel.log.write('warn', note, task.title);
      kernel.log.write(name, line, task.title);
    }
    kernel.execution.answer(task, frame.id, 0);
  }),
  dmesg: valued('dmesg', (kernel, _task, { most }) => {
    const lines = kernel.log.lines(Math.min(most, 4096));
    // A frame holds 1 MiB: of many long lines the last ones.
    let bytes = 0;
    let first = lines.length;
    while (first > 0) {
      const line = lines[first - 1];
      bytes += line === undefined ? 0 : Buffer.byteLength(line.text) + 100;
      if (bytes > 900 * 1024) break;
      first--;
    }
    return lines.slice(first);
  }),
  crash_list: valued('crash_list', (kernel) => kernel.tasks.crashes.list()),
  crash_show: valued('crash_show', (kernel, _task, { number }) => {
    const record = kernel.tasks.crashes.get(number);
    if (record === undefined) throw new SystemError('ENOENT');
    return record;
  }),
  crash_report: typed('crash_report', (kernel, task, { text }, frame) => {
    task.report = text;
    kernel.execution.answer(task, frame.id, 0);
  }),
  boot_arguments: valued('boot_arguments', (kernel) => ({ exec: kernel.exec, version: kernel.version })),
  halt: typed('halt', (kernel, task, { status, reboot, reason }, frame) => {
    if (!has(task, 'power')) throw new SystemError('EPERM');
    kernel.execution.answer(task, frame.id, 0);
    kernel.log.info(`${task.title} ends the machine: ${reboot ? 'reboot' : `status ${status}`}`);
    const cause = kernel.tasks.startFailure;
    kernel.halt(status, reboot, reason === '' || cause === '' ? reason : `${reason} (${cause})`);
  }),
  manifest_list: valued('manifest_list', (kernel, task) => {
    if (!has(task, 'supervise')) throw new SystemError('EPERM');
    const manifests = [...kernel.tasks.programs.values()].map(({ manifest }) => manifest);
    return [...manifests, ...kernel.tasks.templates.values()]
      .filter((manifest) => !manifest.program)
      .map(({ name, enabled, start, restart, dependsOn, serves, essential }) => ({
        name,
        enabled,
        start,
        restart,
        dependsOn: [...dependsOn],
        essential,
        serves: [...serves],
      }));
  }),
  service_lost: typed('service_lost', (kernel, task, { name }, frame) => {
    const program = supervised(kernel, task, name);
    program.lost = program.task === null;
    program.debugNext = false;
    if (program.lost) {
      kernel.ipc.programLost(program);
      kernel.tasks.dropStandby(program);
    }
    kernel.execution.answer(task, frame.id, 0);
  }),
  service_debug: valued('service_debug', (kernel, task, { name }) => {
    const program = supervised(kernel, task, name);
    const running = program.task;
    if (running?.inspected === true) return { address: kernel.inspectorAddress(running) };
    program.debugNext = true;
    return { address: '' };
  }),
  service_forget: typed('service_forget', (kernel, task, { name }, frame) => {
    kernel.tasks.forget(supervised(kernel, task, name));
    kernel.execution.answer(task, frame.id, 0);
  }),
  service_port: typed('service_port', (kernel, task, { name }, frame) => {
    const program = supervised(kernel, task, name);
    const [port] = program.ports.values();
    if (port === undefined) throw new SystemError('ENOENT');
    const made = kernel.ports.sendRight(task, port, 0);
    if (typeof made === 'string') throw new SystemError(made);
    kernel.execution.answer(task, frame.id, 0, made);
  }),
} satisfies Record<string, Handler>;
