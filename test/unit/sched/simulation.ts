/**
 * A simulated machine for the scheduler's tests: a clock that only moves when told to, and tasks that compute and sleep
 * on it.
 */

import type { Policy, Schedulable } from '../../../kernel/sched/index.ts';
import { Scheduler } from '../../../kernel/sched/index.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock in milliseconds with timers that fire in order of time, then of arming. */
export class FakeClock {
  now = 0;
  /** How many timers were ever armed. */
  armed = 0;
  #timers: Timer[] = [];

  get pending(): number {
    return this.#timers.length;
  }

  readonly setTimer = (callback: () => void, milliseconds: number): (() => void) => {
    const timer = { at: this.now + milliseconds, order: this.armed, callback };
    this.armed += 1;
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  /** Fires all timers up to `until`, then sets the clock to it. */
  runUntil(until: number): void {
    for (;;) {
      const [due] = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at || a.order - b.order);
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.now = Math.max(this.now, due.at);
      due.callback();
    }
    this.now = Math.max(this.now, until);
  }
}

/** Numbers in [0, 1) from a seed (a linear congruential generator with the constants of Numerical Recipes). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface Behaviour {
  readonly weight?: number;
  readonly priority?: number;
  /** CPU time in milliseconds until the task blocks next. Default: for ever. */
  readonly burst?: () => number;
  /** How long it then sleeps, in milliseconds. */
  readonly sleep?: () => number;
}

export class SimulatedTask implements Schedulable {
  readonly pid: number;
  readonly weight: number;
  readonly priority: number;
  readonly burst: () => number;
  readonly sleep: () => number;
  /** CPU time used so far, up to the last stop or block. */
  cpuMilliseconds = 0;
  /** The longest time from being runnable to running, and all of them. */
  longestWait = 0;
  waits: number[] = [];
  burstLeft: number;
  runningSince: number | undefined = undefined;
  waitingSince: number | undefined = undefined;
  cancelBurst: (() => void) | undefined = undefined;

  constructor(pid: number, behaviour: Behaviour) {
    this.pid = pid;
    this.weight = behaviour.weight ?? 1024;
    this.priority = behaviour.priority ?? 16;
    this.burst = behaviour.burst ?? (() => Number.POSITIVE_INFINITY);
    this.sleep = behaviour.sleep ?? (() => 0);
    this.burstLeft = this.burst();
  }
}

/** CPUs, a scheduler and the tasks, which all start at time 0. */
export class Simulation {
  readonly clock = new FakeClock();
  readonly tasks: SimulatedTask[];
  readonly scheduler: Scheduler<SimulatedTask>;
  /** The most tasks that ever ran at a time. */
  mostRunning = 0;
  /** Host timers the scheduler armed. */
  schedulerTimers = 0;
  #running = 0;

  constructor(cpus: number, policy: Policy<SimulatedTask>, behaviours: readonly Behaviour[]) {
    this.tasks = behaviours.map((behaviour, index) => new SimulatedTask(index + 1, behaviour));
    this.scheduler = new Scheduler<SimulatedTask>({
      cpus,
      policy,
      now: () => this.clock.now,
      setTimer: (callback, milliseconds) => {
        this.schedulerTimers += 1;
        return this.clock.setTimer(callback, milliseconds);
      },
      run: (task) => this.#run(task),
      stop: (task) => {
        this.#pause(task);
        task.waitingSince = this.clock.now;
      },
    });
    for (const task of this.tasks) this.#wake(task);
  }

  /** Moves the clock on and brings every task's CPU time and longest wait up to it. */
  advance(milliseconds: number): void {
    this.clock.runUntil(this.clock.now + milliseconds);
    const { now } = this.clock;
    for (const task of this.tasks) {
      if (task.waitingSince !== undefined) task.longestWait = Math.max(task.longestWait, now - task.waitingSince);
      if (task.runningSince === undefined) continue;
      task.cpuMilliseconds += now - task.runningSince;
      task.burstLeft -= now - task.runningSince;
      task.runningSince = now;
    }
  }

  /** Each task's part of all CPU time used. */
  shares(): number[] {
    const total = this.tasks.reduce((sum, task) => sum + task.cpuMilliseconds, 0);
    return this.tasks.map((task) => task.cpuMilliseconds / total);
  }

  #wake(task: SimulatedTask): void {
    task.waitingSince = this.clock.now;
    this.scheduler.ready(task);
  }

  #run(task: SimulatedTask): void {
    const { now } = this.clock;
    this.#running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.#running);
    const wait = now - (task.waitingSince ?? now);
    task.waits.push(wait);
    task.longestWait = Math.max(task.longestWait, wait);
    task.waitingSince = undefined;
    task.runningSince = now;
    if (task.burstLeft === Number.POSITIVE_INFINITY) return;
    task.cancelBurst = this.clock.setTimer(() => this.#block(task), Math.max(0, task.burstLeft));
  }

  #pause(task: SimulatedTask): void {
    if (task.runningSince === undefined) throw new Error(`task ${task.pid} is stopped, but does not run`);
    this.#running -= 1;
    const ran = this.clock.now - task.runningSince;
    task.cpuMilliseconds += ran;
    task.burstLeft -= ran;
    task.runningSince = undefined;
    task.cancelBurst?.();
    task.cancelBurst = undefined;
  }

  #block(task: SimulatedTask): void {
    this.#pause(task);
    task.burstLeft = task.burst();
    this.clock.setTimer(() => this.#wake(task), task.sleep());
    this.scheduler.block(task);
  }
}
