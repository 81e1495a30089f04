/**
 * Keeps tasks that talk on the kernel's CPU and lets those that compute run anywhere.
 *
 * A message wakes the process that gets it. Where that is on another CPU, the host has to bring this CPU out of its
 * sleep, which takes longer than everything else a message costs; and since who calls waits for the answer, the second
 * CPU is of no use meanwhile. So a task that enters the kernel often is put beside it, where a wake-up is a mere
 * switch. One that has stopped calling and goes on running is taken away again.
 *
 * Tasks are looked at some times a second, but only while there are calls: an idle system is not woken for this. What
 * starts is left alone, so that services come up on all CPUs.
 */

import type { Task } from '../objects.ts';
import type { Scheduler } from '../sched/index.ts';
import type { Timers } from '../time/timers.ts';
import type { Placed } from './placement.ts';

/** Time from one look to the next, in milliseconds. */
export const REVIEW_MILLISECONDS = 200;

/** System calls of a task between two looks from which on it counts as talking: one a millisecond. */
export const TALKING_CALLS = 200;

/** What moves processes. */
export interface Mover {
  readonly possible: boolean;
  gather(processes: readonly Placed[]): void;
  scatter(processes: readonly Placed[]): void;
}

/** See the head of this file. */
export class Affinity {
  private readonly mover: Mover;
  private readonly timers: Timers;
  private readonly scheduler: Pick<Scheduler<Task>, 'state'>;
  private readonly tasks: () => Iterable<Task>;
  private planned: boolean;

  constructor(mover: Mover, timers: Timers, scheduler: Pick<Scheduler<Task>, 'state'>, tasks: () => Iterable<Task>) {
    this.mover = mover;
    this.timers = timers;
    this.scheduler = scheduler;
    this.tasks = tasks;
    // Where nothing can be moved, no look is ever planned.
    this.planned = !mover.possible;
  }

  /** A task has made a call. */
  called(): void {
    if (!this.planned) this.plan();
  }

  private plan(): void {
    this.planned = true;
    this.timers.set(REVIEW_MILLISECONDS, () => this.review());
  }

  private review(): void {
    this.planned = false;
    const gathered: Placed[] = [];
    const scattered: Placed[] = [];
    for (const task of this.tasks()) {
      const calls = task.systemCalls - task.reviewedCalls;
      task.reviewedCalls = task.systemCalls;
      const { process } = task;
      if (process === null || process.pid === 0 || task.exit !== null || task.inspected) continue;
      const { place } = process;
      const talking = calls >= TALKING_CALLS;
      // One that has started since the last look has had no time to make many.
      const computing = !talking && task.reviewed && this.scheduler.state(task) === 'running';
      task.reviewed = true;
      if (talking && place !== 'home') gathered.push(process);
      if ((computing && place === 'home') || (!talking && place === 'away')) scattered.push(process);
      // It may compute from now on and never call again.
      if (talking && !this.planned) this.plan();
    }
    if (gathered.length > 0) this.mover.gather(gathered);
    if (scattered.length > 0) this.mover.scatter(scattered);
  }
}
