/**
 * The contract between the scheduler and its policies: a policy orders the tasks that wait for a CPU.
 *
 * The scheduler owns the mechanism (CPUs, the quantum timer, starting and stopping tasks); a policy owns the order of
 * the ready queue and the accounting behind it. A policy knows nothing of CPUs, timers or processes, and gets the time
 * as an argument. All times are fractional milliseconds on one clock that never goes backwards.
 *
 * Further reading: W. Stallings, Operating Systems, chapter "Uniprocessor Scheduling"; A. Tanenbaum, Modern Operating
 * Systems, section 2.4.
 */

/** What a policy needs to know of a task. The numbers are finite; those out of range count as the nearest in range. */
export interface Schedulable {
  readonly pid: number;
  /** Share under proportional policies; 1024 is nominal, 2048 gets twice as much. */
  readonly weight: number;
  /** 0 is the highest priority, 31 the lowest, 16 nominal. */
  readonly priority: number;
}

/**
 * Why a task enters the ready queue: it woke up (its call completed), it was taken off a CPU (quantum used up, or a
 * more urgent task arrived), or it gave the CPU up of its own will while it could go on.
 */
export type ReadyReason = 'woken' | 'preempted' | 'yielded';

/** The basic quantum in milliseconds: short enough for a prompt, long next to the cost of stopping a process. */
export const quantumMilliseconds = 5;

/** The rest of a quantum below this many milliseconds is not worth a stop of its own and counts as used up. */
export const leastRestMilliseconds = 0.5;

/** A scheduling policy. A task is queued at most once; the scheduler guarantees it. */
export interface Policy<T extends Schedulable> {
  readonly name: string;
  /** How many tasks are queued. */
  readonly size: number;
  /** Puts a task, which is not queued, into the ready queue. */
  enqueue(task: T, reason: ReadyReason, now: number): void;
  /** Takes a task out of the queue, keeping its accounting. Does nothing if it is not queued. */
  remove(task: T): void;
  /** Chooses the task to run next and takes it out of the queue, with at least `leastRestMilliseconds` to run. */
  next(now: number): T | undefined;
  /**
   * Accounts for `ranMilliseconds` of CPU time used by a running task since it was chosen or last charged. May be
   * called many times during one quantum. A task never seen before is taken as one that has just been put on a CPU.
   */
  charge(task: T, ranMilliseconds: number, now: number): void;
  /** How many milliseconds a running task may still run, counted from its last charge; 0 or less: its time is up. */
  quantum(task: T): number;
  /** Whether `candidate`, queued a moment ago, should have the CPU of `running`, charged up to `now`, at once. */
  preempts(candidate: T, running: T, now: number): boolean;
  /** The task is gone: takes it out of the queue and drops its accounting. */
  forget(task: T): void;
  /** The queued tasks in about the order they would run in, for migration to another policy and for display. */
  tasks(): T[];
}
