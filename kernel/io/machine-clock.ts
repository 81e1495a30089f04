/**
 * Wakes the machine when a device has something to do by itself: one kernel timer for the earliest such moment. Devices
 * whose interrupts nobody wants are left alone, so an idle machine is not woken.
 */
import type { Timer, Timers, TimeSource } from '../time/timers.ts';

/** The timed side of the machine; times in nanoseconds since power-on. */
export interface TimedMachine {
  nextEvent(): number;
  advance(now: number): void;
}

/** Nanoseconds in a millisecond. */
const NANOSECONDS = 1e6;

/** The timer of the machine. */
export class MachineClock {
  private readonly machine: TimedMachine;
  private readonly time: TimeSource;
  private readonly timers: Timers;
  private timer: Timer | null = null;
  private armedFor = Number.POSITIVE_INFINITY;

  constructor(machine: TimedMachine, time: TimeSource, timers: Timers) {
    this.machine = machine;
    this.time = time;
    this.timers = timers;
  }

  /** To be called after port accesses and changes: the next event may have moved. */
  update(): void {
    const next = this.machine.nextEvent();
    if (next === this.armedFor) return;
    this.timer?.cancel();
    this.timer = null;
    this.armedFor = next;
    if (next === Number.POSITIVE_INFINITY) return;
    this.timer = this.timers.set(next / NANOSECONDS - this.time.now(), () => {
      this.timer = null;
      this.armedFor = Number.POSITIVE_INFINITY;
      this.machine.advance(this.time.now() * NANOSECONDS);
      this.update();
    });
  }
}
