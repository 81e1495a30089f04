/**
 * Virtual round robin: everybody gets a quantum in turn, and who sleeps in the middle of one may finish it first.
 *
 * Plain round robin is unfair to tasks that block early: they use a fraction of their quantum and queue behind tasks
 * that use all of it. So a task that wakes up with some of its quantum left joins an auxiliary queue, which is served
 * before the main one, but only for the rest of that quantum; then it queues in the main queue like the others.
 *
 * While a task sleeps, the main queue goes round. Once it has gone round entirely since the task's quantum was opened,
 * the task would have had its next turn, and wakes up with a new quantum. So a task that uses less than its fair share
 * is never sent to the main queue, and waits at most for the quantum under way and for other wakers.
 *
 * Nobody starves. A quantum is opened either by a dispatch from the main queue or by a renewal, and after a renewal at
 * least one dispatch from the main queue must come before the next. So between two dispatches from the main queue an
 * auxiliary task runs at most for what it had left plus one renewed quantum: less than two quanta, and the main queue
 * advances at the latest after 2 × quantum × (number of auxiliary tasks). In the long run nobody gets more than a
 * quantum a round. A wake-up is charged a minimum, so that the argument holds for runs too short for the clock to see.
 *
 * Further reading: W. Stallings, Operating Systems, "Uniprocessor Scheduling", section on virtual round robin.
 */

import { LinkedQueue, type QueueLinks } from './linked-queue.ts';
import {
  leastRestMilliseconds,
  type Policy,
  quantumMilliseconds,
  type ReadyReason,
  type Schedulable,
} from './policy.ts';

/** The least a wake-up costs of a quantum, in milliseconds. */
export const wakeUpCostMilliseconds = 0.01;

interface Account<T> extends QueueLinks<Account<T>> {
  readonly task: T;
  /** What is left of the task's quantum, in milliseconds. */
  rest: number;
  /** The turn of the main queue at which the quantum was opened; -1 before the first one. */
  openedAtTurn: number;
}

export class RoundRobinPolicy<T extends Schedulable> implements Policy<T> {
  readonly name = 'rr';
  readonly #accounts = new Map<T, Account<T>>();
  readonly #auxiliary = new LinkedQueue<Account<T>>();
  readonly #main = new LinkedQueue<Account<T>>();
  /** How many tasks were dispatched from the main queue. */
  #turns = 0;

  get size(): number {
    return this.#auxiliary.size + this.#main.size;
  }

  enqueue(task: T, reason: ReadyReason, _now: number): void {
    const account = this.#accounts.get(task) ?? this.#open(task, 0, -1);
    if (reason === 'woken' && account.openedAtTurn >= 0) {
      account.rest -= wakeUpCostMilliseconds;
      if (this.#turns - account.openedAtTurn >= Math.max(1, this.#main.size)) {
        account.rest = quantumMilliseconds;
        account.openedAtTurn = this.#turns;
      }
      if (account.rest >= leastRestMilliseconds) {
        this.#auxiliary.append(account);
        return;
      }
    }
    account.rest = 0;
    this.#main.append(account);
  }

  remove(task: T): void {
    const account = this.#accounts.get(task);
    if (account !== undefined) account.queue?.remove(account);
  }

  next(_now: number): T | undefined {
    const waker = this.#auxiliary.shift();
    if (waker !== undefined) return waker.task;
    const account = this.#main.shift();
    if (account === undefined) return undefined;
    this.#turns += 1;
    account.rest = quantumMilliseconds;
    account.openedAtTurn = this.#turns;
    return account.task;
  }

  charge(task: T, ranMilliseconds: number, _now: number): void {
    const account = this.#accounts.get(task) ?? this.#open(task, quantumMilliseconds, this.#turns);
    account.rest -= ranMilliseconds;
  }

  quantum(task: T): number {
    return this.#accounts.get(task)?.rest ?? quantumMilliseconds;
  }

  /** Never: a waker waits at most for the end of a quantum, and goes first then. */
  preempts(_candidate: T, _running: T, _now: number): boolean {
    return false;
  }

  forget(task: T): void {
    this.remove(task);
    this.#accounts.delete(task);
  }

  tasks(): T[] {
    return [...this.#auxiliary, ...this.#main].map((account) => account.task);
  }

  #open(task: T, rest: number, openedAtTurn: number): Account<T> {
    const account: Account<T> = {
      task,
      rest,
      openedAtTurn,
      previous: undefined,
      following: undefined,
      queue: undefined,
    };
    this.#accounts.set(task, account);
    return account;
  }
}
