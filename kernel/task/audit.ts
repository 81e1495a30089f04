/**
 * Compares the CPU time that tasks use on the host with the time that the scheduler has given them. A task that says it
 * waits and computes all the same takes part in no turn, so no quantum would ever end it: it is ended here.
 *
 * Tasks are looked at one second after a system call, whoever makes it: as long as somebody is there to be kept
 * waiting, and not in an idle system.
 */

import type { Task } from '../objects.ts';
import type { Timers } from '../time/timers.ts';

/** Time from a call to the next look, in milliseconds. */
export const LOOK_MILLISECONDS = 1000;

/**
 * CPU time that is nobody's fault between two looks, in milliseconds: what the engine's other threads finish after a
 * call.
 */
export const SLACK_MILLISECONDS = 100;

/** The engine works in several threads at a time: so many times the given time may be used. */
export const THREADS = 2;

/** What the audit works with. */
export interface AuditParts {
  readonly timers: Pick<Timers, 'set'>;
  readonly tasks: () => Iterable<Task>;
  /** Time for which the scheduler had a task on a CPU, in milliseconds. */
  readonly given: (task: Task) => number;
  /** CPU time of a process of the host, in milliseconds. */
  readonly used: (pid: number) => number;
  /** Ends a task. */
  readonly end: (task: Task, reason: string) => void;
}

/** See the head of this file. */
export class Audit {
  private readonly parts: AuditParts;
  private planned = false;

  constructor(parts: AuditParts) {
    this.parts = parts;
  }

  /** A task has made a call. */
  called(): void {
    if (this.planned) return;
    this.planned = true;
    this.parts.timers.set(LOOK_MILLISECONDS, () => this.look());
  }

  private look(): void {
    this.planned = false;
    for (const task of this.parts.tasks()) {
      const pid = task.process?.pid ?? 0;
      if (pid === 0 || !task.started || task.inspected || task.dying || task.exit !== null) task.audited = null;
      else this.lookAt(task, pid);
    }
  }

  private lookAt(task: Task, pid: number): void {
    const before = task.audited;
    const now = { given: this.parts.given(task), used: this.parts.used(pid) };
    task.audited = now;
    if (before === null) return;
    const used = now.used - before.used;
    const given = now.given - before.given;
    if (used <= given * THREADS + SLACK_MILLISECONDS) return;
    const waiting = task.waits > 0 ? `, while it claimed to wait in ${task.waitsFor}` : '';
    this.parts.end(task, `used ${Math.round(used)} ms of CPU time and was given ${Math.round(given)} ms${waiting}`);
  }
}
