/**
 * A kernel for tests of the supervisor: tasks that start, serve, hang and die by script, on a clock that jumps from
 * event to event.
 */
import { errno, SystemError } from '../../../protocol/errno.ts';
import type { ManifestRow } from '../../../protocol/records.ts';
import { type SignalName, signals } from '../../../protocol/signal.ts';
import type { Effects, Occupation, TaskView } from '../../../services/init/effects.ts';
import type { End } from '../../../services/init/policy.ts';
import { Supervisor } from '../../../services/init/supervisor.ts';

/** What an incarnation does. Times in milliseconds after its start. */
export interface Behaviour {
  /** When it takes its port and begins to answer; undefined: never. Default 20. */
  readonly readyAfter?: number | undefined;
  /** When it ends by itself, and how. */
  readonly endsAfter?: number;
  readonly end?: End;
  /** When it stops answering. */
  readonly hangsAfter?: number;
  /**
   * What it does while it hangs: it waits for its device, calls others and is answered, or waits for an answer that
   * does not come.
   */
  readonly occupied?: 'device' | 'calls' | 'waits';
  /** Takes messages, but never gets to its pings: a long queue. */
  readonly busy?: boolean;
  /** It is never seen waiting for messages, but answers its pings. */
  readonly works?: boolean;
  /** The kernel sees it waiting for messages although it hangs. */
  readonly restsDeaf?: boolean;
  readonly ignoresStop?: boolean;
  /** When its debugger is there. */
  readonly debuggerAfter?: number;
}

interface Task {
  readonly pid: number;
  readonly name: string;
  readonly incarnation: number;
  readonly startedAt: number;
  readonly behaviour: Behaviour;
  readonly inspected: boolean;
  ended: End | undefined;
}

interface Ask {
  readonly call: number;
  readonly name: string;
  readonly request: 'ping' | 'stop';
  readonly until: number;
}

/** A row of the configuration. */
export function row(name: string, more: Partial<ManifestRow> = {}): ManifestRow {
  return {
    name,
    enabled: true,
    start: 'boot',
    restart: 'always',
    dependsOn: [],
    serves: [name],
    essential: false,
    ...more,
  };
}

/** See the head of this file. */
export class FakeKernel implements Effects {
  time = 1000;
  /** What the next incarnation of a service does. */
  behave: (name: string, incarnation: number) => Behaviour = () => ({});
  /** An error for the next start of a service. */
  refuse: (name: string) => SystemError | undefined = () => undefined;
  readonly spawned: { name: string; at: number }[] = [];
  readonly killed: { name: string; signal: SignalName; at: number }[] = [];
  readonly lostNames: string[] = [];
  /** Instances that have left something behind. */
  readonly keeping = new Set<string>();
  readonly lines: string[] = [];
  readonly halts: { status: number; reboot: boolean; reason: string; at: number }[] = [];
  stored: unknown;
  saves = 0;
  storeIsFull = false;
  left = 0;
  wakeUps = 0;
  pings = 0;
  supervisor: Supervisor | undefined;
  initIncarnation = 0;
  private table: Task[] = [];
  private readonly ports = new Set<string>();
  private readonly debugNext = new Set<string>();
  private readonly manifests: readonly ManifestRow[];
  private events: { at: number; order: number; run: () => void }[] = [];
  private asks: Ask[] = [];
  private readonly outcomes = new Map<number, number>();
  private notices: (() => void)[] = [];
  /** Exit notices that have not reached init. */
  noticesUnderWay = 0;
  private nextPid = 2;
  private nextCall = 1;
  private nextOrder = 1;
  private alarm: { cancelled: boolean } = { cancelled: true };

  constructor(manifests: readonly ManifestRow[]) {
    this.manifests = [row('init', { serves: ['init'] }), ...manifests];
  }

  /** Starts init: its first incarnation, or the next one on what it has stored. */
  startInit(): Supervisor {
    this.alarm.cancelled = true;
    this.outcomes.clear();
    this.asks = [];
    this.initIncarnation++;
    this.supervisor = new Supervisor(this, this.manifests, {
      name: 'init',
      pid: 1,
      incarnation: this.initIncarnation,
    });
    this.supervisor.boot(this.stored);
    for (const notice of this.notices.splice(0)) {
      this.noticesUnderWay--;
      notice();
    }
    return this.supervisor;
  }

  /** Ends init: notices wait until it is back. */
  stopInit(): void {
    this.supervisor = undefined;
    this.alarm.cancelled = true;
  }

  /** Lets time pass. */
  run(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (;;) {
      this.events.sort((a, b) => a.at - b.at || a.order - b.order);
      const [event] = this.events;
      if (event === undefined || event.at > end) break;
      this.events.shift();
      this.time = Math.max(this.time, event.at);
      event.run();
    }
    this.time = end;
  }

  /** The task of a service that runs. */
  task(name: string): Task | undefined {
    return this.table.find((task) => task.name === name && task.ended === undefined);
  }

  starts(name: string): number {
    return this.spawned.filter((entry) => entry.name === name).length;
  }

  /** Ends a task from outside. */
  end(pid: number, end: End): void {
    const task = this.table.find((candidate) => candidate.pid === pid);
    if (task === undefined || task.ended !== undefined) return;
    task.ended = end;
    this.post(() => this.supervisor?.exited({ pid, name: task.name, ...end }));
  }

  killFromOutside(name: string): void {
    const task = this.task(name);
    if (task !== undefined) this.end(task.pid, { status: 137, signal: 9 });
  }

  private hasTakenPort({ behaviour, startedAt }: Task): boolean {
    const never = 'readyAfter' in behaviour && behaviour.readyAfter === undefined;
    return !never && this.time - startedAt >= (behaviour.readyAfter ?? 20);
  }

  /** Whether a task is answering. */
  private serves(task: Task): boolean {
    const hangsAfter = task.behaviour.hangsAfter ?? Number.POSITIVE_INFINITY;
    return task.ended === undefined && this.hasTakenPort(task) && this.time - task.startedAt < hangsAfter;
  }

  private at(milliseconds: number, run: () => void): void {
    this.events.push({ at: this.time + milliseconds, order: this.nextOrder++, run });
  }

  private post(notice: () => void): void {
    this.noticesUnderWay++;
    this.at(0.1, () => {
      if (this.supervisor === undefined) this.notices.push(notice);
      else {
        this.noticesUnderWay--;
        notice();
      }
    });
  }

  private answerAsks(): void {
    for (const ask of [...this.asks]) {
      const task = this.task(ask.name);
      if (task === undefined || !this.serves(task) || task.behaviour.busy === true) continue;
      if (ask.request === 'stop' && task.behaviour.ignoresStop === true) continue;
      this.settle(ask, 0);
      if (ask.request === 'stop') this.end(task.pid, { status: 0, signal: 0 });
    }
  }

  private settle(ask: Ask, status: number): void {
    if (!this.asks.includes(ask)) return;
    this.asks = this.asks.filter((other) => other !== ask);
    this.outcomes.set(ask.call, status);
  }

  now(): number {
    return this.time;
  }

  spawn(name: string): number {
    const refusal = this.refuse(name);
    if (refusal !== undefined) throw refusal;
    if (this.task(name) !== undefined) throw new SystemError('EBUSY');
    const incarnation = this.starts(name) + 1;
    this.spawned.push({ name, at: this.time });
    const behaviour = this.behave(name, incarnation);
    const inspected = this.debugNext.delete(name);
    const task = {
      pid: this.nextPid++,
      name,
      incarnation,
      startedAt: this.time,
      behaviour,
      inspected,
      ended: undefined,
    };
    this.table.push(task);
    const never = 'readyAfter' in behaviour && behaviour.readyAfter === undefined;
    if (!never) {
      this.at(behaviour.readyAfter ?? 20, () => {
        if (task.ended !== undefined) return;
        this.ports.add(name);
        this.answerAsks();
      });
    }
    if (behaviour.endsAfter !== undefined) {
      const end = behaviour.end ?? { status: 1, signal: 0 };
      this.at(behaviour.endsAfter, () => this.end(task.pid, end));
    }
    return task.pid;
  }

  kill(pid: number, signal: SignalName): void {
    const task = this.table.find((candidate) => candidate.pid === pid && candidate.ended === undefined);
    if (task === undefined) return;
    this.killed.push({ name: task.name, signal, at: this.time });
    if (signal === 'TERM' && task.behaviour.ignoresStop === true) return;
    this.end(pid, { status: 128 + signals[signal], signal: signals[signal] });
  }

  reap(pid: number): End | undefined {
    const task = this.table.find((candidate) => candidate.pid === pid);
    if (task?.ended === undefined) return undefined;
    this.table = this.table.filter((other) => other !== task);
    return task.ended;
  }

  tasks(): TaskView[] {
    return this.table.map(({ pid, name, incarnation, ended }) => ({
      pid,
      name,
      incarnation,
      state: ended === undefined ? 'BLOCKED' : 'ZOMBIE',
    }));
  }

  hasPort(name: string): boolean {
    return this.ports.has(name);
  }

  occupation(pid: number): Occupation | undefined {
    const occupied = this.table.find((task) => task.pid === pid)?.behaviour.occupied;
    if (occupied === undefined) return undefined;
    const turns = occupied === 'calls' ? this.time : 7;
    return { waitsFor: occupied === 'device' ? 'device' : 'task', turns };
  }

  resting(): ReadonlySet<number> {
    const asked = new Set(this.asks.map(({ name }) => name));
    const resting = this.table.filter((task) => {
      const { busy, works, restsDeaf } = task.behaviour;
      if (restsDeaf === true) return task.ended === undefined;
      return this.serves(task) && busy !== true && works !== true && !asked.has(task.name);
    });
    return new Set(resting.map(({ pid }) => pid));
  }

  received(pid: number): number | undefined {
    const task = this.table.find((candidate) => candidate.pid === pid);
    if (task === undefined || !this.hasTakenPort(task)) return undefined;
    return task.behaviour.busy === true ? this.time : 1;
  }

  ask(name: string, request: 'ping' | 'stop', timeoutMs: number): number | undefined {
    if (!this.ports.has(name)) return undefined;
    if (request === 'ping') this.pings++;
    const ask = { call: this.nextCall++, name, request, until: this.time + timeoutMs };
    this.asks.push(ask);
    this.at(0.1, () => this.answerAsks());
    this.at(timeoutMs, () => this.settle(ask, errno.ETIMEDOUT));
    return ask.call;
  }

  outcome(call: number): number | undefined {
    const status = this.outcomes.get(call);
    this.outcomes.delete(call);
    return status;
  }

  /** Calls under way. */
  get outstanding(): number {
    return this.asks.length;
  }

  lost(name: string): void {
    this.lostNames.push(name);
    for (const ask of this.asks.filter((candidate) => candidate.name === name)) this.settle(ask, errno.EIO);
  }

  forget(name: string): boolean {
    if (this.task(name) !== undefined) throw new Error(`${name} runs`);
    if (this.keeping.has(name)) return false;
    this.ports.delete(name);
    return true;
  }

  debug(name: string): string {
    const task = this.task(name);
    if (task?.inspected !== true) {
      this.debugNext.add(name);
      return '';
    }
    const after = task.behaviour.debuggerAfter ?? 300;
    return this.time - task.startedAt >= after ? `127.0.0.1:${9000 + task.pid}` : '';
  }

  wakeAfter(milliseconds: number | undefined): void {
    this.alarm.cancelled = true;
    if (milliseconds === undefined) return;
    const alarm = { cancelled: false };
    this.alarm = alarm;
    this.at(milliseconds, () => {
      if (alarm.cancelled) return;
      this.wakeUps++;
      this.supervisor?.alarm();
    });
  }

  save(state: unknown): boolean {
    this.saves++;
    if (this.storeIsFull) return false;
    this.stored = structuredClone(state);
    return true;
  }

  log(text: string): void {
    this.lines.push(text);
  }

  halt(status: number, reboot: boolean, reason: string): void {
    this.halts.push({ status, reboot, reason, at: this.time });
  }

  leave(): void {
    this.left++;
    this.stopInit();
  }
}
