/**
 * The kernel's objects: programs, tasks, ports, messages, capabilities. They refer to one another, so they stand in one
 * file: this is the state of the system, and what the rest of the kernel works on.
 *
 * A port outlives the process that receives from it: when that dies, a named port is orphaned, keeps its queue, and is
 * taken over by the next incarnation of its program. Waiting is a state that can be listed here, not a promise
 * somewhere.
 */
import type { TaskState } from '../protocol/records.ts';
import type { SystemCallName } from '../protocol/syscall.ts';
import type { Manifest } from './config.ts';
import type { PermissionBitmap } from './io/permission.ts';
import type { VectorRun } from './io/vector.ts';
import { CapabilityTable, type OfKind } from './ipc/capability.ts';
import type { Schedulable } from './sched/index.ts';
import type { HostProcess } from './task/host-process.ts';
import { LineLimit } from './task/line-limit.ts';
import { FrameTrace } from './task/trace.ts';
import type { Timer } from './time/timers.ts';

/**
 * One entry of the configuration, running or not, and what of it outlives its processes: the incarnation number, the
 * named ports, the recovery store.
 */
export class Program {
  readonly manifest: Manifest;
  /** Number of the last incarnation; 0 before the first. */
  incarnation = 0;
  /** The task that runs it; for a program of many tasks the one started last. */
  task: Task | null = null;
  /** Named ports, kept over incarnations. */
  readonly ports = new Map<string, Port>();
  /** Recovery store: msgpack of each value. */
  readonly store = new Map<string, Buffer>();
  storeBytes = 0;
  /** Given up: nobody waits for it any more. */
  lost = false;
  /** The next incarnation runs under the debugger. */
  debugNext = false;

  constructor(manifest: Manifest) {
    this.manifest = manifest;
  }

  get name(): string {
    return this.manifest.name;
  }
}

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

/** A task: one process of the host, what the kernel knows of it, and what it may do. */
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
  /** It was ended because it did what it must not. */
  violated = false;
  /** Last words (`crash_report`). */
  report = '';
  started = false;
  /** Stopped by the signal STOP. */
  stopped = false;
  /** Its process is held by SIGSTOP, by the scheduler or a signal. */
  held = false;
  /** Under a debugger. */
  inspected = false;

  readonly capabilities = new CapabilityTable<Capability>();
  readonly ports = new Set<Port>();
  /** Ports of this task with something to receive, in the order they became ready. */
  readonly readyPorts = new Set<Port>();
  private places = 0;
  readonly calls = new Set<Message>();
  readonly owes = new Set<Message>();
  /** The post or notice received last: handled when the task asks for the next message. */
  lastTaken: { port: Port; item: Message | Notice } | null = null;
  /** The request received last, as long as the task has not asked for more at its port: it is at hand. */
  atHand: Message | null = null;
  receive: Receive | null = null;
  childWait: ChildWait | null = null;
  readonly alarms = new Map<number, Timer>();
  /** Calls of `sleep` under way. */
  readonly sleeps = new Set<Timer>();
  vector: VectorRun | null = null;
  permission: PermissionBitmap | null = null;
  readonly irqs = new Set<number>();
  signalPort: Port | null = null;
  /** Handles of the rights it was started with. */
  startRights: number[] = [];
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
  readonly outbox: { buffer: Buffer; start: number; end: number; own: boolean }[] = [];

  readonly trace = new FrameTrace();
  readonly lineLimit = new LineLimit();
  systemCalls = 0;
  messages = 0;
  lastCpuMilliseconds = 0;
  /** `systemCalls` when its place was last looked at (task/affinity.ts). */
  reviewedCalls = 0;
  /** It has been there at an earlier look. */
  reviewed = false;
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

  /** Puts a port at the end of the line of those with something to receive, unless it stands there already. */
  lineUp(port: Port): void {
    if (this.readyPorts.has(port)) return;
    port.place = ++this.places;
    this.readyPorts.add(port);
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

/** A notice of the kernel that waits in a port. */
export interface Notice {
  readonly method: number;
  data: unknown;
  /** Notices with the same key wait only once. */
  readonly key: string;
  deliveries: number;
}

/** A port and what waits in it. */
export class Port {
  readonly id: number;
  readonly name: string;
  /** The service whose port this is: a named port goes to its next incarnation. */
  readonly program: Program;
  /** The task that made it; it counts there until it is destroyed. */
  readonly maker: Task;
  /** The one task that may receive, or null while the port is orphaned. */
  receiver: Task | null = null;
  /** The receiver's handle of its receive right. */
  receiverHandle = 0;
  /** Where it stands among the receiver's ready ports: those with lower numbers come first. */
  place = 0;
  /** Messages in order. Beyond the first 16 there are only callers, who wait. */
  readonly queue: Message[] = [];
  /** Messages to be delivered again, before the queue. */
  readonly again: Message[] = [];
  private readonly notices: Notice[] = [];
  private readonly noticeKeys = new Set<string>();
  /** Requests delivered and not answered. */
  owed = 0;
  /** Bytes of the frames in `queue` and `again` and of the requests owed. */
  bytes = 0;
  /** While the receive right travels in a message: the port that message waits in. */
  transit: Port | null = null;
  /** Copies of the send right for each badge in use. */
  readonly badges = new Map<number, number>();
  /** Send rights that somebody holds. */
  senders = 0;
  destroyed = false;
  sent = 0;
  received = 0;
  redelivered = 0;
  refused = 0;
  failed = 0;

  constructor(id: number, name: string, program: Program, maker: Task) {
    this.id = id;
    this.name = name;
    this.program = program;
    this.maker = maker;
  }

  /** Whether something can be received. */
  get ready(): boolean {
    return this.hasNotices || this.again.length > 0 || this.queue.length > 0;
  }

  /** For people: the name, or `port 12 of ata`. */
  get title(): string {
    return this.name === '' ? `port ${this.id} of ${this.program.name}` : this.name;
  }

  /** Nobody receives from it or sends to it, and no request waits in it. */
  get abandoned(): boolean {
    return this.receiver === null && this.transit === null && this.senders === 0 && this.first === undefined;
  }

  /** The next message: those to be delivered again come first. */
  get first(): Message | undefined {
    return this.again[0] ?? this.queue[0];
  }

  /** Takes a waiting message off, wherever it stands. */
  remove(message: Message): void {
    for (const list of [this.again, this.queue]) {
      if (list[0] === message) {
        list.shift();
        return;
      }
      const index = list.indexOf(message);
      if (index < 0) continue;
      list.splice(index, 1);
      return;
    }
  }

  get hasNotices(): boolean {
    return this.notices.length > 0;
  }

  get noticeCount(): number {
    return this.notices.length;
  }

  hasNotice(key: string): boolean {
    return this.noticeKeys.has(key);
  }

  /** Gives a notice that still waits new content, so that it stands for both. False: none with this key waits. */
  renewNotice(key: string, data: unknown): boolean {
    if (!this.noticeKeys.has(key)) return false;
    for (const notice of this.notices) if (notice.key === key) notice.data = data;
    return true;
  }

  /** Puts a notice at the end, or in front when it comes again. */
  addNotice(notice: Notice, inFront = false): void {
    if (inFront) this.notices.unshift(notice);
    else this.notices.push(notice);
    this.noticeKeys.add(notice.key);
  }

  /** The next notice, taken off the port. */
  takeNotice(): Notice | undefined {
    const notice = this.notices.shift();
    if (notice !== undefined) this.noticeKeys.delete(notice.key);
    return notice;
  }

  /** Takes back a notice that is not true any more. */
  removeNotice(key: string): void {
    if (!this.noticeKeys.delete(key)) return;
    this.notices.splice(
      this.notices.findIndex((notice) => notice.key === key),
      1,
    );
  }

  clearNotices(): void {
    this.notices.length = 0;
    this.noticeKeys.clear();
  }
}

/**
 * `queued` in a port; `delivered` to a task that owes the answer (or, for a post, has not asked for the next message
 * yet); `done`: answered, dropped, or its caller gave up.
 */
export type MessageState = 'queued' | 'delivered' | 'done';

/** A request (it has a caller) or a post (it has none). */
export interface Message {
  port: Port;
  state: MessageState;
  /** The caller that waits for the answer; null for a post, or when the caller is gone. */
  caller: Task | null;
  /** The caller's call id. */
  callId: number;
  /** True when the caller does not wait in this call: it fetches the answer later. */
  readonly asynchronous: boolean;
  /** Port of the caller that is told when an asynchronous call has ended. */
  notify: Port | null;
  /** True for a post: nobody ever waited for an answer. */
  readonly post: boolean;
  /** The task that wrote it; its bytes count there until it is done. */
  readonly origin: Task;
  readonly sender: number;
  readonly senderName: string;
  readonly badge: number;
  readonly sequence: number;
  readonly interfaceNumber: number;
  readonly methodNumber: number;
  /** The whole frame, header included. */
  readonly frame: Buffer;
  /** Rights that travel with it; the message is a holder of each until it is done. */
  rights: readonly Capability[];
  deliveries: number;
  /** Deaths of its server while it was the request at hand. */
  deaths: number;
  /** The task it was delivered to. */
  receiver: Task | null;
  /** The receiver's handle of the reply right, 0 for a post. */
  replyHandle: number;
  /** The caller's time limit. */
  timer: Timer | null;
}

interface Common {
  /** Holders: table entries and messages. */
  references: number;
}

/** What a task may hold. */
export type Capability =
  | (Common & { readonly kind: 'receive'; readonly port: Port })
  | (Common & { readonly kind: 'send'; readonly port: Port; readonly badge: number })
  | (Common & { readonly kind: 'reply'; readonly message: Message })
  | (Common & { readonly kind: 'irq'; readonly irq: number })
  | (Common & { readonly kind: 'io'; readonly first: number; readonly last: number });

/** A capability of one kind. */
export type CapabilityOf<K extends Capability['kind']> = OfKind<Capability, K>;
