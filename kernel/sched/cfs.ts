/**
 * Completely fair scheduling: the task that has had the least CPU time for its weight goes first.
 *
 * Each task has a virtual run time: what it ran, times nominal weight / its weight. Waiting tasks are kept in its order
 * in a red-black tree, and the leftmost is next. So over time CPU time is divided in proportion to the weights.
 *
 * `minimumVirtual` is the virtual time of the whole machine: what a task needs to compete with those that want a CPU.
 * It never goes back. A new task starts there. A task that slept starts at most `sleeperBonusMilliseconds` before it:
 * enough to answer at once, not enough to make up for a night's sleep. A task that was always runnable may be behind by
 * at most
 * `targetLatencyMilliseconds`: on several CPUs a heavy task can be entitled to more than the one CPU it can use, and
 * must not save that up.
 *
 * The quantum is the task's share of the target latency, so that everybody runs once within it, but not less than
 * `leastQuantumMilliseconds`. A waker takes the CPU of a task whose virtual run time is ahead of its own by more than
 * `wakeUpGranularityMilliseconds`, which keeps tasks that wake often from stopping others for nothing.
 *
 * Further reading: the Linux kernel's Documentation/scheduler/sched-design-CFS.rst; C. S. Wong et al., "Towards
 * achieving fairness in the Linux scheduler", ACM SIGOPS Operating Systems Review 42 (2008).
 */

import type { Policy, ReadyReason, Schedulable } from './policy.ts';
import { RedBlackTree, type TreeLinks } from './red-black-tree.ts';

/** The weight at which virtual time passes as fast as real time. */
export const nominalWeight = 1024;

/** Every waiting task should run once within this time. */
export const targetLatencyMilliseconds = 20;

/** No quantum is shorter than this, however many tasks wait. */
export const leastQuantumMilliseconds = 2;

/** How far before the machine's virtual time a sleeper may start, in virtual milliseconds. */
export const sleeperBonusMilliseconds = targetLatencyMilliseconds / 2;

/** How far ahead a running task has to be to lose its CPU to a waker, in virtual milliseconds of the waker. */
export const wakeUpGranularityMilliseconds = 1;

/** Weights are held within these bounds (the range of Linux's nice levels, rounded outwards). */
const leastWeight = 8;
const greatestWeight = 131_072;

interface Account<T> extends TreeLinks<Account<T>> {
  readonly task: T;
  /** Virtual run time, in milliseconds at nominal weight. */
  virtual: number;
  /** What it ran since it was chosen, in milliseconds. */
  ran: number;
  /** The weight it was queued with; 0 while it is not queued. */
  queuedWeight: number;
}

export class CompletelyFairPolicy<T extends Schedulable> implements Policy<T> {
  readonly name = 'cfs';
  readonly #accounts = new Map<T, Account<T>>();
  readonly #tree = new RedBlackTree<Account<T>>((a, b) => a.virtual < b.virtual);
  #minimumVirtual = 0;
  #queuedWeight = 0;

  get size(): number {
    return this.#tree.size;
  }

  enqueue(task: T, reason: ReadyReason, _now: number): void {
    const account = this.#accounts.get(task) ?? this.#open(task);
    const credit = reason === 'woken' ? sleeperBonusMilliseconds : targetLatencyMilliseconds;
    account.virtual = Math.max(account.virtual, this.#minimumVirtual - credit);
    // Behind the one that would be next: equal keys keep their order.
    if (reason === 'yielded') account.virtual = Math.max(account.virtual, this.#tree.first?.virtual ?? 0);
    account.queuedWeight = weightOf(task);
    this.#queuedWeight += account.queuedWeight;
    this.#tree.insert(account);
  }

  remove(task: T): void {
    const account = this.#accounts.get(task);
    if (account !== undefined && account.queuedWeight > 0) this.#take(account);
  }

  next(_now: number): T | undefined {
    const account = this.#tree.first;
    if (account === undefined) return undefined;
    this.#take(account);
    account.ran = 0;
    return account.task;
  }

  charge(task: T, ranMilliseconds: number, _now: number): void {
    const account = this.#accounts.get(task) ?? this.#open(task);
    account.ran += ranMilliseconds;
    account.virtual += (ranMilliseconds * nominalWeight) / weightOf(task);
    const waiting = this.#tree.first?.virtual ?? Number.POSITIVE_INFINITY;
    this.#minimumVirtual = Math.max(this.#minimumVirtual, Math.min(account.virtual, waiting));
  }

  quantum(task: T): number {
    const weight = weightOf(task);
    const share = (targetLatencyMilliseconds * weight) / (weight + this.#queuedWeight);
    return Math.max(leastQuantumMilliseconds, share) - (this.#accounts.get(task)?.ran ?? 0);
  }

  preempts(candidate: T, running: T, _now: number): boolean {
    const waker = this.#accounts.get(candidate);
    const runner = this.#accounts.get(running);
    if (waker === undefined || runner === undefined) return false;
    return waker.virtual + (wakeUpGranularityMilliseconds * nominalWeight) / weightOf(candidate) < runner.virtual;
  }

  forget(task: T): void {
    this.remove(task);
    this.#accounts.delete(task);
  }

  tasks(): T[] {
    return [...this.#tree].map((account) => account.task);
  }

  #take(account: Account<T>): void {
    this.#tree.delete(account);
    this.#queuedWeight -= account.queuedWeight;
    account.queuedWeight = 0;
  }

  #open(task: T): Account<T> {
    const account: Account<T> = {
      task,
      virtual: this.#minimumVirtual,
      ran: 0,
      queuedWeight: 0,
      parent: undefined,
      left: undefined,
      right: undefined,
      red: false,
    };
    this.#accounts.set(task, account);
    return account;
  }
}

function weightOf(task: Schedulable): number {
  return Math.min(greatestWeight, Math.max(leastWeight, Math.trunc(task.weight)));
}
