/**
 * Highest response ratio next: the task with the greatest (waiting + service) / service goes first.
 *
 * Short jobs win at once, and waiting makes every job win in time. The service time is not known beforehand, so it is
 * estimated: an exponential average over the task's bursts, a burst being what it runs between becoming ready and
 * either blocking or using up its quantum. The original policy is not pre-emptive; here the quantum ends a burst, so
 * that an endless loop is simply a task whose bursts are a quantum long.
 *
 * Nobody starves: estimates lie between `leastServiceMilliseconds` and about a quantum. A task that has waited for w
 * has a ratio of at least 1 + w / quantum, and a rival whose bursts match its estimate s is only chosen before it after
 * waiting for more than s × w / quantum: n rivals, each waiting while the others run, stay behind once w passes about n
 * quanta.
 *
 * Choosing costs O(n), since ratios overtake each other with time; with one task queued, the usual case, it is O(1).
 *
 * Further reading: W. Stallings, Operating Systems, "Uniprocessor Scheduling", section on highest response ratio next.
 */

import { LinkedQueue, type QueueLinks } from './linked-queue.ts';
import { type Policy, quantumMilliseconds, type ReadyReason, type Schedulable } from './policy.ts';

/** No estimate is shorter than this many milliseconds: it bounds how fast a ratio can grow. */
export const leastServiceMilliseconds = 0.1;

/** The estimate for a task of which nothing is known, in milliseconds. */
const firstServiceMilliseconds = 1;

/** How much the last burst counts against all those before. */
const lastBurstWeight = 0.5;

interface Account<T> extends QueueLinks<Account<T>> {
  readonly task: T;
  /** Estimated length of a burst, in milliseconds. */
  service: number;
  /** What the task has run in its present burst, in milliseconds: 0 while it is queued. */
  burst: number;
  /** When it began to wait, in milliseconds. */
  waitingSince: number;
}

export class HighestResponseRatioPolicy<T extends Schedulable> implements Policy<T> {
  readonly name = 'hrrn';
  readonly #accounts = new Map<T, Account<T>>();
  readonly #queue = new LinkedQueue<Account<T>>();

  get size(): number {
    return this.#queue.size;
  }

  enqueue(task: T, _reason: ReadyReason, now: number): void {
    const account = this.#accounts.get(task) ?? this.#open(task, now);
    if (account.burst > 0) {
      const average = account.service + lastBurstWeight * (account.burst - account.service);
      account.service = Math.min(quantumMilliseconds, Math.max(leastServiceMilliseconds, average));
      account.burst = 0;
    }
    account.waitingSince = now;
    this.#queue.append(account);
  }

  remove(task: T): void {
    const account = this.#accounts.get(task);
    if (account !== undefined) this.#queue.remove(account);
  }

  next(now: number): T | undefined {
    let best = this.#queue.first;
    if (best === undefined) return undefined;
    if (this.#queue.size > 1) {
      let bestRatio = responseRatio(best, now);
      // Older elements come first and win a tie.
      for (let account = best.following; account !== undefined; account = account.following) {
        const ratio = responseRatio(account, now);
        if (ratio > bestRatio) {
          best = account;
          bestRatio = ratio;
        }
      }
    }
    this.#queue.remove(best);
    return best.task;
  }

  charge(task: T, ranMilliseconds: number, now: number): void {
    const account = this.#accounts.get(task) ?? this.#open(task, now);
    account.burst += ranMilliseconds;
  }

  quantum(task: T): number {
    return quantumMilliseconds - (this.#accounts.get(task)?.burst ?? 0);
  }

  /** Never: the ratio of a task that has just become ready is 1, the least there is. */
  preempts(_candidate: T, _running: T, _now: number): boolean {
    return false;
  }

  forget(task: T): void {
    this.remove(task);
    this.#accounts.delete(task);
  }

  tasks(): T[] {
    return [...this.#queue].map((account) => account.task);
  }

  #open(task: T, now: number): Account<T> {
    const account: Account<T> = {
      task,
      service: firstServiceMilliseconds,
      burst: 0,
      waitingSince: now,
      previous: undefined,
      following: undefined,
      queue: undefined,
    };
    this.#accounts.set(task, account);
    return account;
  }
}

function responseRatio<T>(account: Account<T>, now: number): number {
  return (now - account.waitingSince + account.service) / account.service;
}
