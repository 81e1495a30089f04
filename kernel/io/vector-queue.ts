/**
 * Vectors that wait: stepped when a device has changed or a line has interrupted, when their time is up, and those that
 * wait for a register every millisecond, for it may change with the clock only. With none waiting, nothing wakes the
 * kernel.
 */
import type { Task } from '../objects.ts';
import type { Timer, Timers } from '../time/timers.ts';
import type { VectorRun } from './vector.ts';

/** How often clock-driven registers are looked at, in milliseconds. */
const STEP_MILLISECONDS = 1;

/** The waiting vectors. */
export class VectorQueue {
  private readonly waiting = new Map<Task, VectorRun>();
  private readonly timers: Timers;
  private readonly now: () => number;
  private readonly finish: (task: Task, run: VectorRun) => void;
  private timer: Timer | null = null;
  /** When the timer is due, in milliseconds of uptime. */
  private due = Number.POSITIVE_INFINITY;
  private stepping = false;

  /** `finish` answers a vector that has come to its end. */
  constructor(timers: Timers, now: () => number, finish: (task: Task, run: VectorRun) => void) {
    this.timers = timers;
    this.now = now;
    this.finish = finish;
  }

  get size(): number {
    return this.waiting.size;
  }

  /** Takes a run that waits. */
  add(task: Task, run: VectorRun): void {
    this.waiting.set(task, run);
    this.arm();
  }

  /** A device has changed, or a line has interrupted: steps all. */
  step(): void {
    if (this.stepping || this.waiting.size === 0) return;
    this.stepping = true;
    for (const [task, run] of [...this.waiting]) {
      // The task may have died, and its run with it.
      if (task.vector !== run) this.waiting.delete(task);
      else if (run.step(this.now()) === 'done') {
        this.waiting.delete(task);
        this.finish(task, run);
      }
    }
    this.stepping = false;
    this.arm();
  }

  private arm(): void {
    const now = this.now();
    let due = Number.POSITIVE_INFINITY;
    for (const run of this.waiting.values()) due = Math.min(due, run.polls ? now + STEP_MILLISECONDS : run.deadline);
    // A timer that is due earlier does no harm, unless nothing waits.
    if (this.timer !== null && this.due <= due && due !== Number.POSITIVE_INFINITY) return;
    this.timer?.cancel();
    this.timer = null;
    this.due = due;
    if (due === Number.POSITIVE_INFINITY) return;
    this.timer = this.timers.set(Math.max(0, due - now), () => {
      this.timer = null;
      this.step();
    });
  }
}
