/**
 * The kernel: builds its parts, wires them, and runs until the machine is to end.
 */
import fs from 'node:fs';
import os from 'node:os';
import type { Machine } from '../hw/machine.ts';
import { ConfigurationError, type Manifest, readConfiguration } from './config.ts';
import { MachineClock } from './io/machine-clock.ts';
import type { Ports } from './io/vector.ts';
import { VectorQueue } from './io/vector-queue.ts';
import { Ipc } from './ipc/ipc.ts';
import { PortTable } from './ipc/port-table.ts';
import { Interrupts } from './irq/interrupts.ts';
import type { KernelLog } from './log.ts';
import { processMilliseconds } from './mm/usage.ts';
import type { Task } from './objects.ts';
import type { Options } from './options.ts';
import { createPolicy, Scheduler } from './sched/index.ts';
import type { KernelParts } from './syscall/context.ts';
import { dispatch } from './syscall/dispatch.ts';
import { Affinity } from './task/affinity.ts';
import { Audit } from './task/audit.ts';
import { Execution } from './task/execution.ts';
import type { Spawner } from './task/spawner.ts';
import { TaskTable } from './task/task-table.ts';
import { Timers, type TimeSource } from './time/timers.ts';

/** Programs that may be starting from scratch at the same time, on a host with few CPUs; on others one for each. */
const LEAST_STARTS = 2;

/** How a machine ended. */
export interface Outcome {
  readonly status: number;
  readonly reboot: boolean;
  /** Why it could not go on; '' when somebody asked for its end. */
  readonly reason: string;
}

/** What a kernel is booted with. */
export interface KernelOptions {
  readonly options: Options;
  readonly version: string;
  readonly manifests: readonly Manifest[];
  readonly machine: Machine;
  readonly log: KernelLog;
  readonly time: TimeSource;
  readonly spawner: Spawner;
}

/** Reads the manifests that a command line names. Throws ConfigurationError. */
export function manifestsOf(options: Options): Manifest[] {
  const manifests = readConfiguration(options.services);
  for (const { name, entry, enabled } of manifests) {
    if (enabled && entry !== '' && !fs.existsSync(entry))
      throw new ConfigurationError(`${options.services}: ${name}: entry: there is no file ${entry}`);
  }
  return manifests;
}

/** One boot of the kernel. */
export class Kernel {
  readonly parts: KernelParts;
  /** Settles when the machine is to end. */
  readonly ended: Promise<Outcome>;
  private readonly timers: Timers;
  private readonly spawner: Spawner;
  private readonly log: KernelLog;
  private end: (outcome: Outcome) => void = () => {};
  private closed = false;

  constructor({ options, version, manifests, machine, log, time, spawner }: KernelOptions) {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    this.log = log;
    this.spawner = spawner;
    const timers = new Timers(time);
    this.timers = timers;
    const execution = new Execution(() => time.now());
    const scheduler = new Scheduler<Task>({
      cpus: options.cpus,
      policy: createPolicy(options.policy),
      now: () => time.now(),
      setTimer: (callback, milliseconds) => {
        const timer = timers.set(milliseconds, callback);
        return () => timer.cancel();
      },
      run: (task) => execution.run(task),
      stop: (task) => execution.hold(task),
    });
    execution.scheduler = scheduler;
    const ports = new PortTable(execution, timers);
    const ipc = new Ipc(ports, execution, timers, log);
    const clock = new MachineClock(machine, time, timers);
    const bus = watched(machine.bus, () => clock.update());
    const interrupts = new Interrupts(machine.pic, bus, ipc, log);
    const vectors = new VectorQueue(
      timers,
      () => time.now(),
      (task, run) => {
        task.vector = null;
        execution.wakeValue(task, run.id, [run.ended, run.results]);
      },
    );
    interrupts.onClaimed = () => vectors.step();
    machine.onChange(() => {
      if (this.closed) return;
      vectors.step();
      clock.update();
    });
    const tasks = new TaskTable(manifests, {
      ...{ log, time, timers, execution, scheduler, ipc, interrupts, spawner },
      startsAtOnce: Math.max(LEAST_STARTS, os.availableParallelism()),
      onFrame: (task, buffer, start, end) => {
        affinity.called();
        audit.called();
        dispatch(this.parts, task, buffer, start, end);
      },
      onInitLost: (reason) => {
        log.error(`${reason}: the machine ends`);
        this.halt(70, false, reason);
      },
    });
    const audit = new Audit({
      timers,
      tasks: () => tasks.tasks.values(),
      given: (task) => scheduler.onCpuOf(task),
      used: processMilliseconds,
      end: (task, reason) => tasks.end(task, reason),
    });
    ports.isLost = (name) =>
      [...tasks.programs.values()].some(({ lost, manifest }) => lost && manifest.serves.includes(name));
    ports.isServed = (name) => tasks.serves(name);
    const affinity = new Affinity(spawner.placement, timers, scheduler, () => tasks.tasks.values());
    this.parts = {
      ...{ log, time, timers, scheduler, execution, ports, ipc, interrupts, tasks, bus, vectors, version },
      inspectorAddress,
      exec: options.exec,
      halt: (status, reboot, reason) => this.halt(status, reboot, reason),
    };
  }

  /** Starts init, which starts everything else. */
  start(): void {
    const { tasks } = this.parts;
    try {
      tasks.spawn('init', [], null, null);
    } catch (error) {
      if (tasks.startFailure === '') throw error;
      this.halt(70, false, `init cannot be started: ${tasks.startFailure}`);
    }
  }

  /** Ends the machine at once: every task is gone when this returns. `reason`: why it cannot go on. */
  halt(status: number, reboot: boolean, reason = ''): void {
    if (this.closed) return;
    this.closed = true;
    this.parts.tasks.close();
    this.spawner.close();
    this.timers.clear();
    this.parts.interrupts.close();
    this.log.info(reboot ? 'reboot' : `halt, status ${status}`);
    this.end({ status, reboot, reason });
  }
}

/** The bus, with word of every access: the next event of a device may have moved. */
function watched(bus: Ports, accessed: () => void): Ports {
  return {
    read: (port, width) => {
      const value = bus.read(port, width);
      accessed();
      return value;
    },
    write: (port, width, value) => {
      bus.write(port, width, value);
      accessed();
    },
    readBlock: (port, width, target) => {
      bus.readBlock(port, width, target);
      accessed();
    },
    writeBlock: (port, width, source) => {
      bus.writeBlock(port, width, source);
      accessed();
    },
  };
}

/** The address Node's inspector printed when it opened, or ''. */
function inspectorAddress(task: Task): string {
  for (const line of task.process?.output ?? []) {
    const found = /ws:\/\/(127\.0\.0\.1:\d+)/.exec(line);
    if (found?.[1] !== undefined) return found[1];
  }
  return '';
}
