/**
 * Vectors whose POLL8 waits: stepped when a device has changed, when their time is up, and every millisecond for registers that only change with the
 * clock. With none waiting, nothing wakes the kernel.
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

  /** A device has changed: steps all. */
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
    if (this.waiting.size === 0) {
      this.timer?.cancel();
      this.timer = null;
    } else if (this.timer === null) {
      this.timer = this.timers.set(STEP_MILLISECONDS, () => {
        this.timer = null;
        this.step();
      });
    }
  }
}
