/**
 * The scheduler: gives the machine's CPUs to tasks, in the order a policy chooses.
 *
 * A task is idle (blocked in a call, stopped by a signal, or unknown), ready (it could run and waits for a CPU) or
 * running. The scheduler decides; what running means is the host's business: `run` lets a task go on (its reply is
 * sent, its process continued), `stop` holds it.
 *
 * Rules:
 * - No CPU is free while a task is ready.
 * - The host is told with a delay: first the new state is worked out, then `stop` is called for those that lost their
 *   CPU, then `run` for those that got one. So no more tasks than CPUs ever run, and a task that is taken off a CPU and
 *   chosen again at once notices nothing.
 * - `run` and `stop` may call the scheduler. Such calls take effect at once, but the host calls they lead to are made
 *   by the outermost call, one after the other: the stack does not grow.
 * - Tickless: the quantum timer is armed only while tasks are ready, for the earliest end of a quantum. A timer that is
 *   no longer needed is left to fire once and is not renewed, because cancelling it and arming it anew for every
 *   message would cost more than that. So an idle machine has no timer after one quantum at the latest.
 * - A task that becomes ready when another one's quantum is long over takes its CPU at once.
 * - An exempt task (just starting, or held by a debugger) is run at once, takes no CPU and has no quantum.
 *
 * The path of every message (`ready` with a free CPU, `run`, `block`) costs O(CPUs), sets no timer and allocates
 * nothing.
 *
 * Further reading: A. Tanenbaum, Modern Operating Systems, section 2.4, "Scheduling", on policy versus mechanism; for
 * being tickless, the Linux kernel's Documentation/timers/no_hz.rst.
 */

import type { Policy, ReadyReason, Schedulable } from './policy.ts';

export type SchedulerTaskState = 'running' | 'ready' | 'idle';

export interface SchedulerOptions<T extends Schedulable> {
  /** How many tasks may run at a time: an integer of at least 1. */
  readonly cpus: number;
  /** An empty policy. */
  readonly policy: Policy<T>;
  /** The time in fractional milliseconds since any fixed moment. */
  readonly now: () => number;
  /**
   * Calls back once after at least that many milliseconds (an early call does no harm). Returns a function that cancels
   * it.
   */
  readonly setTimer: (callback: () => void, milliseconds: number) => () => void;
  /**
   * Lets a task go on: sends the reply it waits for, if any, and continues it if `stop` was called since the last `run`
   * (a task can block after it was stopped, when its call was already under way). Called once for each switch to a
   * task. Must not throw.
   */
  readonly run: (task: T) => void;
  /** Holds a running task until the next `run`. Must not throw. */
  readonly stop: (task: T) => void;
}

interface Entry<T> {
  readonly task: T;
  state: SchedulerTaskState;
  exempt: boolean;
  /** Whether the host lets it run: `run` was called, and since then neither `stop` nor `block`. */
  hosted: boolean;
  /** The CPU it runs on, or -1. */
  cpu: number;
  /** Up to when its CPU time has been charged, in milliseconds. */
  chargedAt: number;
  /** For how long it was on a CPU up to then, in milliseconds. */
  onCpu: number;
  /** How many times `run` was called for it. */
  switches: number;
}

export class Scheduler<T extends Schedulable> {
  readonly #options: SchedulerOptions<T>;
  readonly #entries = new Map<T, Entry<T>>();
  /** What runs on each CPU. */
  readonly #cpus: (Entry<T> | undefined)[];
  /** Tasks that lost their CPU and may have to be stopped. */
  readonly #losers: Entry<T>[] = [];
  /** Exempt tasks that may have to be run. */
  readonly #exemptStarters: Entry<T>[] = [];
  #policy: Policy<T>;
  #freeCpus: number;
  #time = Number.NEGATIVE_INFINITY;
  #settling = false;
  #cancelTimer: (() => void) | undefined = undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #switches = 0;
  #preemptions = 0;

  /** @throws RangeError if `cpus` is not an integer of at least 1 or the policy is not empty */
  constructor(options: SchedulerOptions<T>) {
    if (!Number.isInteger(options.cpus) || options.cpus < 1)
      throw new RangeError('cpus must be an integer of at least 1');
    if (options.policy.size !== 0) throw new RangeError('the policy must be empty');
    this.#options = options;
    this.#policy = options.policy;
    this.#freeCpus = options.cpus;
    this.#cpus = new Array<Entry<T> | undefined>(options.cpus).fill(undefined);
  }

  /** How many tasks may run at a time. */
  get cpus(): number {
    return this.#options.cpus;
  }

  get policy(): Policy<T> {
    return this.#policy;
  }

  /** How many times a task was given a CPU, or run as an exempt one. */
  get switches(): number {
    return this.#switches;
  }

  /** How many times a running task was stopped to give its CPU to another one. */
  get preemptions(): number {
    return this.#preemptions;
  }

  /** How many times `run` was called for a task. Starts anew after `remove`. */
  switchesOf(task: T): number {
    return this.#entries.get(task)?.switches ?? 0;
  }

  /** For how long a task was on a CPU, in milliseconds. Starts anew after `remove`. */
  onCpuOf(task: T): number {
    const entry = this.#entries.get(task);
    if (entry === undefined) return 0;
    return entry.onCpu + (entry.cpu < 0 ? 0 : Math.max(0, this.#options.now() - entry.chargedAt));
  }

  state(task: T): SchedulerTaskState {
    return this.#entries.get(task)?.state ?? 'idle';
  }

  isExempt(task: T): boolean {
    return this.#entries.get(task)?.exempt ?? false;
  }

  /** The CPU a task runs on, from 0; undefined if it is on none. */
  cpuOf(task: T): number | undefined {
    const cpu = this.#entries.get(task)?.cpu ?? -1;
    return cpu < 0 ? undefined : cpu;
  }

  /** The tasks on CPUs, in order of the CPUs; exempt tasks are on none. */
  runningTasks(): T[] {
    return this.#cpus.flatMap((entry) => (entry === undefined ? [] : [entry.task]));
  }

  /** The tasks waiting for a CPU, in about the order they would get one. */
  readyTasks(): T[] {
    return this.#policy.tasks();
  }

  /**
   * An idle task can go on: its call completed, or it was continued after a stop. Runs it at once if a CPU is free or
   * the policy takes one away for it, else queues it. Does nothing for a task that is ready or running.
   *
   * To hand a CPU over from a client to its server, call `ready(server)` before `block(client)`, so that the server is
   * there to be chosen when the CPU becomes free.
   */
  ready(task: T, reason: ReadyReason = 'woken'): void {
    const entry = this.#entries.get(task) ?? this.#register(task);
    if (entry.state !== 'idle') return;
    this.#updateTime();
    this.#start(entry, reason);
    this.#settle();
  }

  /**
   * A task cannot go on for now: it waits in a call, or was stopped by a signal. Takes its CPU, or its place in the
   * queue if it had been preempted meanwhile; its accounting is kept. The host is not called for it.
   */
  block(task: T): void {
    const entry = this.#entries.get(task);
    if (entry === undefined || entry.state === 'idle') return;
    this.#updateTime();
    this.#release(entry);
    this.#settle();
  }

  /**
   * A running or ready task lets others go first. Its call counts as completed: `run` is called when its turn comes.
   */
  yield(task: T): void {
    const entry = this.#entries.get(task) ?? this.#register(task);
    this.#updateTime();
    this.#release(entry);
    this.#start(entry, 'yielded');
    this.#settle();
  }

  /** A task is gone, in whatever state it was. All that was known of it is dropped; the host is not called for it. */
  remove(task: T): void {
    const entry = this.#entries.get(task);
    if (entry === undefined) return;
    this.#updateTime();
    this.#release(entry);
    this.#policy.forget(task);
    this.#entries.delete(task);
    this.#settle();
  }

  /**
   * Exempts a task from scheduling or subjects it again. A running one goes on without a CPU, a ready one is run at
   * once. One that loses its exemption while running needs a CPU, and is stopped until it gets one.
   */
  exempt(task: T, exempt: boolean): void {
    if (this.isExempt(task) === exempt) return;
    const entry = this.#entries.get(task) ?? this.#register(task);
    this.#updateTime();
    const { state, hosted } = entry;
    this.#release(entry);
    entry.exempt = exempt;
    if (state !== 'idle') {
      entry.hosted = hosted;
      this.#start(entry, 'woken');
      this.#losers.push(entry);
    }
    this.#settle();
  }

  /**
   * Changes the policy while tasks run and wait. Running tasks begin a new quantum, waiting ones keep their order; the
   * accounting of the old policy is dropped.
   * @throws RangeError if the new policy is not empty
   */
  setPolicy(policy: Policy<T>): void {
    if (policy === this.#policy) return;
    if (policy.size !== 0) throw new RangeError('the policy must be empty');
    this.#updateTime();
    const former = this.#policy;
    const waiting = former.tasks();
    for (const task of this.#entries.keys()) former.forget(task);
    this.#policy = policy;
    for (const entry of this.#cpus) {
      if (entry === undefined) continue;
      policy.charge(entry.task, 0, this.#time);
      entry.chargedAt = this.#time;
    }
    for (const task of waiting) policy.enqueue(task, 'preempted', this.#time);
    this.#settle();
  }

  #register(task: T): Entry<T> {
    const entry: Entry<T> = {
      task,
      state: 'idle',
      exempt: false,
      hosted: false,
      cpu: -1,
      chargedAt: 0,
      onCpu: 0,
      switches: 0,
    };
    this.#entries.set(task, entry);
    return entry;
  }

  /** The time never goes back, even if the host's clock does. */
  #updateTime(): void {
    this.#time = Math.max(this.#time, this.#options.now());
  }

  /** Makes an idle task running or ready, without telling the host. */
  #start(entry: Entry<T>, reason: ReadyReason): void {
    if (entry.exempt) {
      entry.state = 'running';
      this.#exemptStarters.push(entry);
      return;
    }
    // Up to date accounts, so that the newcomer is placed and compared rightly.
    this.#chargeRunning();
    entry.state = 'ready';
    this.#policy.enqueue(entry.task, reason, this.#time);
    this.#assign();
    if (reason !== 'woken' || entry.cpu >= 0) return;
    const victim = this.#victimOf(entry);
    if (victim !== undefined) {
      this.#preempt(victim);
      this.#assign();
    }
  }

  /** Makes a task idle, without telling the host. */
  #release(entry: Entry<T>): void {
    if (entry.cpu >= 0) {
      this.#charge(entry);
      this.#freeCpu(entry);
    } else if (entry.state === 'ready') {
      this.#policy.remove(entry.task);
    }
    entry.state = 'idle';
    entry.hosted = false;
  }

  #freeCpu(entry: Entry<T>): void {
    this.#cpus[entry.cpu] = undefined;
    entry.cpu = -1;
    this.#freeCpus += 1;
  }

  #charge(entry: Entry<T>): void {
    entry.onCpu += this.#time - entry.chargedAt;
    this.#policy.charge(entry.task, this.#time - entry.chargedAt, this.#time);
    entry.chargedAt = this.#time;
  }

  #chargeRunning(): void {
    if (this.#freeCpus === this.#cpus.length) return;
    for (const entry of this.#cpus) if (entry !== undefined) this.#charge(entry);
  }

  /** The running task, if any, that a newcomer should replace: of several, the one the others would replace too. */
  #victimOf(newcomer: Entry<T>): Entry<T> | undefined {
    const policy = this.#policy;
    let victim: Entry<T> | undefined;
    for (const entry of this.#cpus) {
      if (entry === undefined || !policy.preempts(newcomer.task, entry.task, this.#time)) continue;
      if (victim === undefined || policy.preempts(victim.task, entry.task, this.#time)) victim = entry;
    }
    return victim;
  }

  /** Takes a running task off its CPU, back into the queue. */
  #preempt(entry: Entry<T>): void {
    this.#charge(entry);
    this.#freeCpu(entry);
    entry.state = 'ready';
    this.#policy.enqueue(entry.task, 'preempted', this.#time);
    this.#losers.push(entry);
  }

  /** Gives free CPUs to ready tasks, and CPUs whose quantum is over to those that wait. The host is not told yet. */
  #assign(): void {
    this.#fillCpus();
    if (this.#policy.size > 0 && this.#preemptExpired()) this.#fillCpus();
  }

  #fillCpus(): void {
    while (this.#freeCpus > 0 && this.#policy.size > 0) this.#dispatch();
  }

  #dispatch(): void {
    const task = this.#policy.next(this.#time);
    const entry = task === undefined ? undefined : this.#entries.get(task);
    if (entry === undefined) throw new Error(`policy ${this.#policy.name} chose a task that is not queued`);
    const cpu = this.#cpus.indexOf(undefined);
    this.#cpus[cpu] = entry;
    this.#freeCpus -= 1;
    entry.cpu = cpu;
    entry.state = 'running';
    entry.chargedAt = this.#time;
  }

  /** Takes the CPUs of all tasks whose quantum is over. Returns whether there was one. */
  #preemptExpired(): boolean {
    let found = false;
    for (const entry of this.#cpus) {
      if (entry === undefined || this.#quantumEnd(entry) > this.#time) continue;
      this.#preempt(entry);
      found = true;
    }
    return found;
  }

  #quantumEnd(entry: Entry<T>): number {
    return entry.chargedAt + this.#policy.quantum(entry.task);
  }

  /** Tells the host what has changed, until nothing has, and arms the timer. */
  #settle(): void {
    if (this.#settling) return;
    this.#settling = true;
    try {
      do this.#assign();
      while (this.#stopOne() || this.#runOne());
    } finally {
      this.#settling = false;
      this.#armTimer();
    }
  }

  #stopOne(): boolean {
    for (;;) {
      const entry = this.#losers.pop();
      if (entry === undefined) return false;
      if (entry.state !== 'ready' || !entry.hosted) continue;
      entry.hosted = false;
      this.#preemptions += 1;
      this.#options.stop(entry.task);
      return true;
    }
  }

  #runOne(): boolean {
    const entry = this.#nextToRun();
    if (entry === undefined) return false;
    entry.hosted = true;
    entry.switches += 1;
    this.#switches += 1;
    this.#options.run(entry.task);
    return true;
  }

  /** A task that is running, but not yet on the host. */
  #nextToRun(): Entry<T> | undefined {
    for (const entry of this.#cpus) if (entry !== undefined && !entry.hosted) return entry;
    for (;;) {
      const entry = this.#exemptStarters.pop();
      if (entry === undefined || (entry.exempt && entry.state === 'running' && !entry.hosted)) return entry;
    }
  }

  /** Sees to it that the timer fires at the latest when the first quantum ends, if anybody waits for that. */
  #armTimer(): void {
    if (this.#policy.size === 0) return;
    let earliest = Number.POSITIVE_INFINITY;
    for (const entry of this.#cpus) {
      if (entry !== undefined) earliest = Math.min(earliest, this.#quantumEnd(entry));
    }
    if (this.#timerAt <= earliest) return;
    this.#cancelTimer?.();
    this.#timerAt = earliest;
    this.#cancelTimer = this.#options.setTimer(this.#onTimer, Math.max(0, earliest - this.#time));
  }

  readonly #onTimer = (): void => {
    this.#cancelTimer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#updateTime();
    this.#settle();
  };
}
