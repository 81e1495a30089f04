/**
 * Tasks from start to end: the table, the tree, starting, signalling, dying, and being waited for.
 */
import { MAX_INSTANCES, MAX_TASKS, MAX_TASKS_PER_PROGRAM } from '../../protocol/bounds.ts';
import { type ErrorName, SystemError } from '../../protocol/errno.ts';
import { emptyFrame, RESULT } from '../../protocol/frame.ts';
import { kernelNotices } from '../../protocol/kernel.ts';
import { MAX_OUTPUT_LINES, MAX_REASON_BYTES, MAX_TRACE_BYTES, startInformation } from '../../protocol/records.ts';
import { signalName, signals } from '../../protocol/signal.ts';
import { isTemplate, templateOf } from '../../protocol/template.ts';
import { instanceManifest, type Manifest } from '../config.ts';
import type { Ipc } from '../ipc/ipc.ts';
import type { Interrupts } from '../irq/interrupts.ts';
import type { KernelLog } from '../log.ts';
import { cpuMilliseconds } from '../mm/usage.ts';
import { type ExitStatus, type Port, Program, Task } from '../objects.ts';
import type { Scheduler } from '../sched/index.ts';
import { shown } from '../text.ts';
import type { Timers, TimeSource } from '../time/timers.ts';
import { CrashRecords } from './crashes.ts';
import type { Execution } from './execution.ts';
import type { ProcessOwner } from './host-process.ts';
import type { Spawner, Started } from './spawner.ts';
import { StartQueue } from './start-queue.ts';

/**
 * How long after a start the pool of spares is filled up again, so that the task that just started goes first, in
 * milliseconds.
 */
const REFILL_MILLISECONDS = 25;

/**
 * How long after a start its program gets a standby, in milliseconds: the first time when the whole system has come up
 * and has time, and again as soon as the new task has caught up with its work.
 */
const FIRST_STANDBY_MILLISECONDS = 3000;
const NEXT_STANDBY_MILLISECONDS = 50;

/** A standby that is not ready after this time is ended, in milliseconds. */
const STANDBY_LIMIT_MILLISECONDS = 10_000;

/** Standbys that may be ended from outside before the program has started again. */
const MAX_LOST_STANDBYS = 3;

/** Bytes of a line of output in a crash record. */
const OUTPUT_LINE_BYTES = 1000;

/** How often a task under the debugger is woken, in milliseconds. */
const DEBUGGER_MILLISECONDS = 50;

/**
 * A life of init shorter than this, in milliseconds, is a failed start; and so is one that ended before init could be
 * told of signals, unless it was longer than the second time.
 */
const INIT_SHORT_LIFE_MILLISECONDS = 100;
const INIT_LONG_LIFE_MILLISECONDS = 10_000;

/** Failed starts of init in a row after which the machine gives up. */
const INIT_FAILED_STARTS = 10;

/** The end of a task that has never had a process: by KILL, and because the host could not start one, as in sh(1). */
const KILLED: ExitStatus = { status: 128 + signals.KILL, signal: signals.KILL };
const NOT_STARTED = 127;

/** The end of a task that did what it must not. */
const VIOLATION: ExitStatus = { status: 128 + signals.SYS, signal: signals.SYS };

/** What the table works with. */
export interface TaskTableParts {
  readonly log: KernelLog;
  readonly time: TimeSource;
  readonly timers: Timers;
  readonly execution: Execution;
  readonly scheduler: Scheduler<Task>;
  readonly ipc: Ipc;
  readonly interrupts: Interrupts;
  readonly spawner: Spawner;
  /** Programs that may be starting from scratch at the same time. */
  readonly startsAtOnce: number;
  /** Handles a frame of a task. */
  readonly onFrame: (task: Task, buffer: Buffer, start: number, end: number) => void;
  /** Init cannot be kept alive. */
  readonly onInitLost: (reason: string) => void;
}

/** The table. */
export class TaskTable {
  /** Programs of the configuration, and instances of templates. */
  readonly programs = new Map<string, Program>();
  readonly templates = new Map<string, Manifest>();
  readonly tasks = new Map<number, Task>();
  readonly crashes = new CrashRecords();
  /** Why the host could not start the last process it was asked for; empty: it could. */
  startFailure = '';
  private readonly parts: TaskTableParts;
  private readonly starts: StartQueue<Task>;
  private nextPid = 1;
  private initFailedStarts = 0;
  private closed = false;

  constructor(manifests: readonly Manifest[], parts: TaskTableParts) {
    this.parts = parts;
    this.starts = new StartQueue(parts.startsAtOnce, parts.timers, (task) => this.startLate(task));
    for (const manifest of manifests) {
      if (isTemplate(manifest.name)) this.templates.set(manifest.name, manifest);
      else this.programs.set(manifest.name, new Program(manifest));
    }
  }

  /** The task of a pid that has not been reaped. */
  get(pid: number): Task | undefined {
    return this.tasks.get(pid);
  }

  /** Whether there is a program that serves a named port, or a template of one. */
  serves(port: string): boolean {
    if (this.templates.has(templateOf(port) ?? '')) return true;
    for (const { manifest } of this.programs.values()) if (manifest.serves.includes(port)) return true;
    return false;
  }

  /** init's task, while it runs. */
  get init(): Task | null {
    return this.programs.get('init')?.task ?? null;
  }

  /**
   * The program of a name; an instance is made from its template the first time. Throws SystemError: ENOENT, EAGAIN
   * (too many instances).
   */
  private programOf(name: string): Program {
    const known = this.programs.get(name);
    if (known !== undefined) return known;
    const template = this.templates.get(templateOf(name) ?? '');
    if (template === undefined) throw new SystemError('ENOENT', `the configuration has no ${name}`);
    const instances = [...this.programs.keys()].filter((other) => templateOf(other) !== undefined);
    if (instances.length >= MAX_INSTANCES) throw new SystemError('EAGAIN', 'too many instances');
    const program = new Program(instanceManifest(template, name));
    this.programs.set(name, program);
    return program;
  }

  /**
   * Makes room for another instance: one that is not going to run and has left nothing behind goes. Throws SystemError:
   * EINVAL: no instance; EBUSY.
   */
  forget(program: Program): void {
    const { name } = program;
    if (templateOf(name) === undefined) throw new SystemError('EINVAL', `${name} is no instance of a template`);
    const ports = this.parts.ipc.ports.of(program);
    if (!program.lost || program.store.size > 0 || !ports.every(({ abandoned }) => abandoned))
      throw new SystemError('EBUSY', `${name} is needed`);
    for (const port of ports) this.parts.ipc.ports.destroy(port);
    this.programs.delete(name);
  }

  /** Starts a program. Throws SystemError: ENOENT, EBUSY (it runs), EAGAIN (too many tasks), EIO (the host cannot). */
  spawn(name: string, args: readonly string[], parent: Task | null, notify: Port | null): Task {
    const program = this.programOf(name);
    if (!program.manifest.program && program.task !== null) throw new SystemError('EBUSY', `${name} is running`);
    if (this.tasks.size >= MAX_TASKS || this.tasksOf(program) >= MAX_TASKS_PER_PROGRAM || this.closed)
      throw new SystemError('EAGAIN', 'too many tasks');
    program.incarnation++;
    program.lost = false;
    const task = new Task(this.nextPid++, program, parent?.pid ?? 0, notify, args, this.parts.time.now());
    task.inspected = program.debugNext;
    program.debugNext = false;
    // Services do not wait: others wait for them.
    const late = program.manifest.program && this.starts.full && this.parts.spawner.warm === 0;
    if (late) this.starts.wait(task);
    else this.launch(task);
    program.task = task;
    this.tasks.set(task.pid, task);
    if (program.manifest.standby) this.planStandby(task);
    return task;
  }

  /** Gives a task its process. Throws SystemError EIO. */
  private launch(task: Task): void {
    const { spawner, log } = this.parts;
    const owner: ProcessOwner = {
      frame: (buffer, start, end) => this.parts.onFrame(task, buffer, start, end),
      abused: (how) => this.end(task, how),
      line: (text) => log.write('info', text, task.title),
      ended: (status, signal) => this.gone(task, status, signal),
    };
    let started: Started;
    try {
      started = spawner.start(task.manifest, task.inspected, owner);
    } catch (error) {
      this.startFailure = error instanceof Error ? error.message : String(error);
      log.error(`${task.name} cannot be started: ${this.startFailure}`);
      throw new SystemError('EIO', 'the host cannot start a process');
    }
    this.startFailure = '';
    task.process = started.process;
    if (task.inspected) {
      this.parts.scheduler.exempt(task, true);
      this.keepAwake(task);
    }
    if (started.startId === null) this.starts.began(task);
    else this.begin(task, started.startId);
    log.debug(`${task.title} incarnation ${task.incarnation}: ${started.from}`);
    this.parts.timers.set(REFILL_MILLISECONDS, () => spawner.refill());
  }

  /** A task that has waited for its process. */
  private startLate(task: Task): void {
    try {
      this.launch(task);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.gone(task, NOT_STARTED, 0);
    }
  }

  /** Nobody is going to start this program by itself: it needs no standby. */
  dropStandby(program: Program): void {
    this.parts.spawner.drop(program.manifest);
  }

  /**
   * The program of a task is to have a standby, if the task is still there then. `lost`: how many have been ended from
   * outside since it started.
   */
  private planStandby(task: Task, lost = 0): void {
    const { timers, spawner } = this.parts;
    // On the kernel's own CPU it would be in the way of what the task has to catch up with.
    const soon = task.incarnation > 1 && spawner.placement.possible;
    const wait = soon ? NEXT_STANDBY_MILLISECONDS : FIRST_STANDBY_MILLISECONDS;
    timers.set(wait, () => {
      if (task.program.task !== task || this.closed) return;
      const expire = spawner.prepare(task.manifest, () => {
        // The task may be another one by now.
        const { task: current } = task.program;
        if (current !== null && lost + 1 < MAX_LOST_STANDBYS) this.planStandby(current, lost + 1);
      });
      if (expire !== null) timers.set(STANDBY_LIMIT_MILLISECONDS, expire);
    });
  }

  /**
   * A task that waits in its system call runs no JavaScript, and only running JavaScript listens to the debugger. So
   * one under the debugger is woken by an empty frame now and then, unless it has not taken the last ones: it is held.
   */
  private keepAwake(task: Task): void {
    this.parts.timers.set(DEBUGGER_MILLISECONDS, () => {
      if (task.exit !== null || task.process === null || this.closed) return;
      const frame = emptyFrame(RESULT, 0, 0, 0);
      if (task.process.pipe.queuedBytes === 0) task.process.pipe.write(frame, 0, frame.length);
      this.keepAwake(task);
    });
  }

  private tasksOf(program: Program): number {
    let count = 0;
    for (const task of this.tasks.values()) if (task.program === program) count++;
    return count;
  }

  /** The task has said that it is there: it learns what to run. */
  begin(task: Task, id: number): void {
    task.process?.identify();
    task.started = true;
    this.starts.over(task);
    const { execution } = this.parts;
    task.waits++;
    execution.wakeValue(
      task,
      id,
      startInformation.toWire(
        {
          pid: task.pid,
          name: task.name,
          incarnation: task.incarnation,
          entry: task.manifest.entry,
          arguments: [...task.arguments],
        },
        [],
      ),
    );
  }

  /**
   * Ends a task for a reason that goes to the log and the crash record; `severe`: it did something it must not, and
   * ends by SIGSYS.
   */
  end(task: Task, reason: string, severe = true): void {
    if (task.dying || task.exit !== null) return;
    task.dying = true;
    task.killReason = reason;
    task.violated = severe;
    if (reason !== '') this.parts.log.write(severe ? 'error' : 'info', `${task.title} is ended: ${reason}`);
    this.kill(task);
  }

  private kill(task: Task): void {
    if (this.starts.drop(task)) this.gone(task, KILLED.status, KILLED.signal);
    else task.process?.kill();
  }

  /** The call `exit`: the task has ended with a status. */
  exit(task: Task, status: number): void {
    task.decided = { status, signal: 0 };
    task.dying = true;
    task.process?.kill();
  }

  /** Sends a signal (numbers of protocol/signal.ts). */
  signal(task: Task, signal: number, sender: string): ErrorName | 0 {
    if (!Object.values(signals).some((number) => number === signal)) return 'EINVAL';
    if (task.exit !== null) return 'ESRCH';
    if (signal === signals.KILL) this.end(task, `${signalName(signal)} from ${sender}`, false);
    else if (signal === signals.STOP) this.stop(task);
    else if (signal === signals.CONT) this.resume(task);
    else if (task.signalPort !== null && !task.signalPort.destroyed) {
      this.parts.ipc.notify(task.signalPort, kernelNotices.methods.signal.number, [signal], `signal ${signal}`);
    } else if (signal === signals.TSTP) this.stop(task);
    else {
      task.decided = { status: 128 + signal, signal };
      this.end(task, `${signalName(signal)} from ${sender}`, false);
    }
    return 0;
  }

  /** One that is just starting needs no signal: it is not told what to run. */
  private stop(task: Task): void {
    if (task.stopped) return;
    task.stopped = true;
    this.parts.scheduler.block(task);
    if (!task.started) return;
    if (!task.held) task.process?.signal('SIGSTOP');
    task.held = true;
  }

  private resume(task: Task): void {
    if (!task.stopped) return;
    task.stopped = false;
    if (!task.started) return;
    // With nothing to wait for it goes on where it was; else it only has to be able to take its answer.
    if (task.waits === 0 || task.outbox.length > 0) this.parts.scheduler.ready(task);
    else {
      task.held = false;
      task.process?.signal('SIGCONT');
    }
  }

  /** The process is gone. */
  private gone(task: Task, status: number, signal: number): void {
    if (task.exit !== null) return;
    const { log, scheduler, interrupts, ipc } = this.parts;
    this.starts.over(task);
    task.exit = task.violated ? VIOLATION : (task.decided ?? { status, signal });
    scheduler.remove(task);
    for (const timer of [...task.alarms.values(), ...task.sleeps]) timer.cancel();
    task.alarms.clear();
    task.sleeps.clear();
    task.childWait?.timer?.cancel();
    task.vector = null;
    for (const irq of [...task.irqs]) interrupts.release(irq);
    ipc.taskGone(task);
    const note = task.lineLimit.takeNote();
    if (note !== '') log.write('warn', note, task.title);
    const { program } = task;
    if (program.task === task) program.task = null;
    if (this.crashed(task, task.exit)) this.recordCrash(task);
    else log.debug(`${task.title} has ended`);
    for (const child of this.tasks.values()) if (child.parent === task.pid) this.adopt(child);
    task.outbox.length = 0;
    if (this.closed) return;
    if (program.name === 'init') {
      this.tasks.delete(task.pid);
      this.restartInit(task);
    } else this.tellParent(task);
  }

  /** A signal that asks a task to end is no crash, nor is a program's own word that it has failed. */
  private crashed(task: Task, { status }: ExitStatus): boolean {
    if (status === 0 || this.closed) return false;
    if (task.decided === null) return true;
    if (task.decided.signal !== 0) return false;
    return !task.manifest.program || task.report !== '';
  }

  private recordCrash(task: Task): void {
    const { log, time } = this.parts;
    const reason = this.reasonOf(task);
    const output = task.report === '' ? [] : task.report.split('\n');
    const number = this.crashes.add({
      time: time.now(),
      name: task.name,
      pid: task.pid,
      incarnation: task.incarnation,
      reason: shown(reason, MAX_REASON_BYTES),
      output: [...output, ...(task.process?.output ?? [])]
        .slice(-MAX_OUTPUT_LINES)
        .map((line) => shown(line, OUTPUT_LINE_BYTES)),
      frames: task.trace.describe().map((line) => shown(line, MAX_TRACE_BYTES)),
    });
    log.warn(`${task.title} (incarnation ${task.incarnation}) died: ${reason}; crash record ${number}`);
  }

  private reasonOf(task: Task): string {
    if (task.killReason !== '') return task.killReason;
    const outOfMemory = task.process?.output.some((line) => /out of memory|heap limit/i.test(line)) === true;
    if (outOfMemory) return `out of memory: its limit is ${task.manifest.memory} MiB`;
    const { status = 0, signal = 0 } = task.exit ?? {};
    if (signal !== 0) return `killed by ${signalName(signal)}`;
    const lines = task.report.split('\n');
    // A syntax error begins with the place; the words come later.
    const first = lines.find((line) => /^\s*\w*Error\b/.test(line)) ?? lines[0] ?? '';
    return first === '' ? `exit status ${status}` : `exit status ${status}: ${first}`;
  }

  /** Children of a dead task go to init. */
  private adopt(child: Task): void {
    child.parent = this.init?.pid ?? 0;
    child.adopted = true;
    child.notify = this.initPort(child);
    if (child.exit !== null) this.tasks.delete(child.pid);
  }

  private tellParent(task: Task): void {
    const { ipc, execution } = this.parts;
    const { status, signal } = task.exit ?? { status: 0, signal: 0 };
    if (task.notify !== null) {
      const content = [task.pid, task.name, task.incarnation, status, signal];
      ipc.notify(task.notify, kernelNotices.methods.exit.number, content, `exit ${task.pid}`);
    }
    const parent = this.tasks.get(task.parent);
    const wait = parent?.exit === null ? parent.childWait : null;
    if (parent === undefined || wait === null || (wait.pid !== 0 && wait.pid !== task.pid)) {
      // Nobody asks for the end of an orphan that init is not told of.
      const orphan = task.adopted && task.notify === null;
      if (parent === undefined || parent.exit !== null || orphan) this.tasks.delete(task.pid);
      return;
    }
    wait.timer?.cancel();
    parent.childWait = null;
    this.tasks.delete(task.pid);
    execution.wakeValue(parent, wait.id, [task.pid, status, signal]);
  }

  /** Services whose parent is gone report to the port of init. */
  private initPort(task: Task): Port | null {
    if (task.manifest.program) return null;
    return this.parts.ipc.ports.byName('init') ?? null;
  }

  /** The kernel itself keeps init alive. */
  private restartInit(former: Task): void {
    const least = former.signalPort === null ? INIT_LONG_LIFE_MILLISECONDS : INIT_SHORT_LIFE_MILLISECONDS;
    const failed = this.parts.time.now() - former.startedAt < least;
    this.initFailedStarts = failed ? this.initFailedStarts + 1 : 0;
    if (this.initFailedStarts >= INIT_FAILED_STARTS) {
      this.parts.onInitLost(`init failed to start ${INIT_FAILED_STARTS} times in a row`);
      return;
    }
    const orphans = [...this.tasks.values()].filter((task) => task.parent === 0);
    try {
      const init = this.spawn('init', [], null, null);
      for (const task of orphans) task.parent = init.pid;
    } catch (error) {
      this.parts.onInitLost(error instanceof Error ? error.message : String(error));
    }
  }

  /** CPU time used so far, in milliseconds; kept when the process is gone. */
  cpu(task: Task): number {
    if (task.exit === null && task.process !== null && task.process.pid !== 0) {
      task.lastCpuMilliseconds = Math.max(task.lastCpuMilliseconds, cpuMilliseconds(task.process.pid));
    }
    return task.lastCpuMilliseconds;
  }

  /** Ends all tasks; no new ones can be started. */
  close(): void {
    this.closed = true;
    for (const task of [...this.tasks.values()]) this.kill(task);
  }
}
