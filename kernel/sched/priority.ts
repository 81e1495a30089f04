/**
 * Priorities with ageing: 32 levels, round robin within a level, and nobody waits for ever.
 *
 * A waiting task rises one level for every `ageingMilliseconds` it has waited, up to level 0. Among tasks of the same
 * effective level the one that has waited longest goes first, and a task keeps the level it has risen to until its
 * quantum is used up, so that it cannot be pushed aside the moment it gets its turn.
 *
 * Bound: on one CPU with n other tasks, a task of priority p is dispatched at most p × ageing + n × quantum after it
 * became ready. After p × ageing it is at level 0; from then on only tasks that have waited longer go before it, each
 * of them for one quantum at most, since a task that has used its quantum starts to wait anew.
 *
 * A task that is pushed aside before its quantum is used up stays at the head of its level with the rest of the quantum
 * and the age it had (as POSIX.1-2017, XSH 2.8.4, has it for SCHED_RR); a task that yields goes to the tail.
 */

import { LinkedQueue, type QueueLinks } from './linked-queue.ts';
import {
  leastRestMilliseconds,
  type Policy,
  quantumMilliseconds,
  type ReadyReason,
  type Schedulable,
} from './policy.ts';

/** How many priority levels there are. */
export const priorityLevels = 32;

/** A waiting task rises one level each time it has waited this many milliseconds. */
export const ageingMilliseconds = 20;

interface Account<T> extends QueueLinks<Account<T>> {
  readonly task: T;
  /** The level the task is queued at, without its age. */
  level: number;
  /** The level it had risen to when it was dispatched. */
  effectiveLevel: number;
  /** When it began to wait, in milliseconds. */
  waitingSince: number;
  /** What is left of its quantum, in milliseconds. */
  rest: number;
}

export class PriorityPolicy<T extends Schedulable> implements Policy<T> {
  readonly name = 'priority';
  readonly #accounts = new Map<T, Account<T>>();
  /** Each level is in order of `waitingSince`, so that its head is its most urgent task. */
  readonly #levels = Array.from({ length: priorityLevels }, () => new LinkedQueue<Account<T>>());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  enqueue(task: T, reason: ReadyReason, now: number): void {
    const account = this.#accounts.get(task) ?? this.#open(task, 0, now);
    const pushedAside = reason === 'preempted' && account.rest >= leastRestMilliseconds;
    if (!pushedAside) {
      account.rest = quantumMilliseconds;
      account.waitingSince = now;
    }
    account.level = levelOf(task);
    const queue = this.#levels[account.level];
    if (queue === undefined) return;
    if (pushedAside) queue.prepend(account);
    else queue.append(account);
    this.#size += 1;
  }

  remove(task: T): void {
    const account = this.#accounts.get(task);
    if (account?.queue !== undefined) this.#take(account);
  }

  next(now: number): T | undefined {
    if (this.#size === 0) return undefined;
    let best: Account<T> | undefined;
    let bestLevel = priorityLevels;
    for (const queue of this.#levels) {
      const head = queue.first;
      if (head === undefined) continue;
      const level = agedLevel(head, now);
      const better = best === undefined || level < bestLevel;
      if (better || (level === bestLevel && best !== undefined && head.waitingSince < best.waitingSince)) {
        best = head;
        bestLevel = level;
      }
    }
    if (best === undefined) return undefined;
    this.#take(best);
    best.effectiveLevel = bestLevel;
    return best.task;
  }

  charge(task: T, ranMilliseconds: number, now: number): void {
    const account = this.#accounts.get(task) ?? this.#open(task, quantumMilliseconds, now);
    account.rest -= ranMilliseconds;
  }

  quantum(task: T): number {
    return this.#accounts.get(task)?.rest ?? quantumMilliseconds;
  }

  preempts(candidate: T, running: T, now: number): boolean {
    const waiting = this.#accounts.get(candidate);
    const level = waiting?.queue === undefined ? levelOf(candidate) : agedLevel(waiting, now);
    return level < (this.#accounts.get(running)?.effectiveLevel ?? levelOf(running));
  }

  forget(task: T): void {
    this.remove(task);
    this.#accounts.delete(task);
  }

  tasks(): T[] {
    return this.#levels.flatMap((queue) => [...queue].map((account) => account.task));
  }

  #take(account: Account<T>): void {
    account.queue?.remove(account);
    this.#size -= 1;
  }

  #open(task: T, rest: number, now: number): Account<T> {
    const level = levelOf(task);
    const account: Account<T> = {
      task,
      level,
      effectiveLevel: level,
      waitingSince: now,
      rest,
      previous: undefined,
      following: undefined,
      queue: undefined,
    };
    this.#accounts.set(task, account);
    return account;
  }
}

function levelOf(task: Schedulable): number {
  return Math.min(priorityLevels - 1, Math.max(0, Math.trunc(task.priority)));
}

function agedLevel<T>(account: Account<T>, now: number): number {
  return Math.max(0, account.level - Math.floor((now - account.waitingSince) / ageingMilliseconds));
}
