/**
 * Whoever has to be started from scratch, some at a time and in order. To start a process takes a CPU for tens of
 * milliseconds; with dozens of them at once all others would hardly have a turn, and none of them would be ready
 * sooner.
 */
import type { Timer, Timers } from '../time/timers.ts';

/** A start that takes longer does not hold up others any more, in milliseconds. */
const LIMIT_MILLISECONDS = 1000;

/** See the head of this file. */
export class StartQueue<T> {
  private readonly most: number;
  private readonly timers: Pick<Timers, 'set'>;
  private readonly start: (item: T) => void;
  private readonly underWay = new Map<T, Timer>();
  private readonly waiting = new Set<T>();

  /** `most`: starts under way at the same time. `start`: starts one that has waited. */
  constructor(most: number, timers: Pick<Timers, 'set'>, start: (item: T) => void) {
    this.most = most;
    this.timers = timers;
    this.start = start;
  }

  /** Whoever has time should wait. */
  get full(): boolean {
    return this.underWay.size >= this.most;
  }

  /** It is started when there is room. */
  wait(item: T): void {
    this.waiting.add(item);
  }

  /** Its start is under way. */
  began(item: T): void {
    this.underWay.set(
      item,
      this.timers.set(LIMIT_MILLISECONDS, () => this.over(item)),
    );
  }

  /** It has started, or has ended before. */
  over(item: T): void {
    const timer = this.underWay.get(item);
    if (timer === undefined) return;
    timer.cancel();
    this.underWay.delete(item);
    for (const next of this.waiting) {
      if (this.full) break;
      this.waiting.delete(next);
      this.start(next);
    }
  }

  /** It is not to be started any more. False: it does not wait. */
  drop(item: T): boolean {
    return this.waiting.delete(item);
  }
}
