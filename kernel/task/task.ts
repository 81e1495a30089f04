/**
 * A task: one process of the host, what the kernel knows of it, and what it may do.
 */

import type { TaskState } from '../../protocol/records.ts';
import type { SystemCallName } from '../../protocol/syscall.ts';
import type { Manifest } from '../config.ts';
import type { PermissionBitmap } from '../io/permission.ts';
import type { VectorRun } from '../io/vector.ts';
import { CapabilityTable } from '../ipc/capability.ts';
import type { Message } from '../ipc/message.ts';
import type { Notice, Port } from '../ipc/port.ts';
import type { Schedulable } from '../sched/index.ts';
import type { Timer } from '../time/timers.ts';
import type { HostProcess } from './host-process.ts';
import { LineLimit } from './line-limit.ts';
import type { Program } from './program.ts';
import { FrameTrace } from './trace.ts';

/** A receive that waits. */
export interface Receive {
  readonly id: number;
  /** The ports, or null for every port of the task. */
  readonly ports: readonly Port[] | null;
  timer: Timer | null;
}

/** A waitpid that waits. */
export interface ChildWait {
  readonly id: number;
  readonly pid: number;
  timer: Timer | null;
}

/** How a task ended. */
export interface ExitStatus {
  /** Exit status, or 128 + signal. */
  readonly status: number;
  /** Signal number, 0 for a normal exit. */
  readonly signal: number;
}

/** One task. */
export class Task implements Schedulable {
  readonly pid: number;
  readonly program: Program;
  readonly incarnation: number;
  readonly arguments: readonly string[];
  readonly startedAt: number;
  parent: number;
  /** Its parent is dead, and init has it now. */
  adopted = false;
  /** Port of the parent that gets the exit notice. */
  notify: Port | null;
  priority: number;
  weight: number;
  process: HostProcess | null = null;
  /** How it ended, once it has. */
  exit: ExitStatus | null = null;
  /** How it is to end: by the call `exit`, or by a signal that ends it. */
  decided: ExitStatus | null = null;
  /** Its process is being ended; whatever it still sends is dropped. */
  dying = false;
  /** Why the kernel ended it, if it did. */
  killReason = '';
  /** Last words (`crash_report`). */
  report = '';
  /** Id of its `task_start` until that is answered. */
  startId: number | null = null;
  started = false;
  /** Stopped by the signal STOP. */
  stopped = false;
  /** Its process is held by SIGSTOP, by the scheduler or a signal. */
  held = false;
  /** Under a debugger. */
  inspected = false;

  readonly capabilities = new CapabilityTable();
  readonly ports = new Set<Port>();
  /** Ports of this task with something to receive, in the order they became ready. */
  readonly readyPorts = new Set<Port>();
  readonly calls = new Set<Message>();
  readonly owes = new Set<Message>();
  /** The post or notice received last: handled when the task asks for the next message. */
  lastTaken: { port: Port; item: Message | Notice } | null = null;
  receive: Receive | null = null;
  childWait: ChildWait | null = null;
  readonly alarms = new Map<number, Timer>();
  /** Calls of `sleep` under way. */
  readonly sleeps = new Set<Timer>();
  vector: VectorRun | null = null;
  permission: PermissionBitmap | null = null;
  readonly irqs = new Set<number>();
  signalPort: Port | null = null;
  sequence = 0;
  /** Ports it has made that still exist. */
  portsMade = 0;
  /** Bytes of its messages that are queued or owed. */
  messageBytes = 0;

  /** Calls under way that block. */
  waits = 0;
  /** Calls under way whose answer it fetches later. */
  asynchronousCalls = 0;
  /** What it waits for, for people. */
  waitsFor: SystemCallName | '' = '';
  /** Frames to be written when it gets a CPU. */
  readonly outbox: { buffer: Buffer; start: number; end: number }[] = [];

  readonly trace = new FrameTrace();
  readonly lineLimit = new LineLimit();
  systemCalls = 0;
  messages = 0;
  lastCpuMilliseconds = 0;
  /** Its CPU time in milliseconds when it was last looked at (audit.ts): given by the scheduler, used on the host. */
  audited: { readonly given: number; readonly used: number } | null = null;

  constructor(
    pid: number,
    program: Program,
    parent: number,
    notify: Port | null,
    args: readonly string[],
    startedAt: number,
  ) {
    this.pid = pid;
    this.program = program;
    this.incarnation = program.incarnation;
    this.parent = parent;
    this.notify = notify;
    this.arguments = args;
    this.startedAt = startedAt;
    this.priority = program.manifest.priority;
    this.weight = program.manifest.weight;
  }

  get name(): string {
    return this.program.name;
  }

  get manifest(): Manifest {
    return this.program.manifest;
  }

  /** For the log: `ata[7]`. */
  get title(): string {
    return `${this.name}[${this.pid}]`;
  }

  /** The state for `ps`; `scheduled` is the scheduler's view. */
  state(scheduled: 'running' | 'ready' | 'idle'): TaskState {
    if (this.exit !== null) return 'ZOMBIE';
    if (this.stopped) return 'STOPPED';
    if (!this.started) return 'STARTING';
    if (scheduled === 'running') return 'RUNNING';
    if (scheduled === 'ready') return 'READY';
    return this.waitsFor === 'sleep' ? 'SLEEPING' : 'BLOCKED';
  }
}
