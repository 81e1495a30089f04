/** The audit of CPU time and the limit of log lines, with a clock made by hand. */
import { describe, expect, it } from 'vitest';
import { parseConfiguration } from '../../../kernel/config.ts';
import { Program, Task } from '../../../kernel/objects.ts';
import { Audit, LOOK_MILLISECONDS, SLACK_MILLISECONDS, THREADS } from '../../../kernel/task/audit.ts';
import type { HostProcess } from '../../../kernel/task/host-process.ts';
import { LINES_PER_SECOND, LineLimit, RESERVE_LINES } from '../../../kernel/task/line-limit.ts';

const [manifest] = parseConfiguration({ services: [{ name: 'init', entry: 'init' }] }, '/services.json');

/** A task that runs, an audit that looks at it, and the figures that both see. */
function watched() {
  if (manifest === undefined) throw new Error('no manifest');
  const task = new Task(1, new Program(manifest), 0, null, [], 0);
  task.started = true;
  task.process = { pid: 100 } as HostProcess;
  const figures = { used: 0, given: 0 };
  const timers: (() => void)[] = [];
  const ended: string[] = [];
  const audit = new Audit({
    timers: {
      set: (milliseconds, callback) => {
        expect(milliseconds).toBe(LOOK_MILLISECONDS);
        timers.push(callback);
        return { deadline: milliseconds, cancel: () => {} };
      },
    },
    tasks: () => [task],
    given: () => figures.given,
    used: () => figures.used,
    end: (_task, reason) => ended.push(reason),
  });
  /** A call, and the look that follows. */
  const look = (): void => {
    audit.called();
    timers.shift()?.();
  };
  return { task, figures, timers, ended, audit, look };
}

describe('the audit of CPU time', () => {
  it('looks once after any number of calls, and not at all without', () => {
    const { audit, timers } = watched();
    expect(timers.length).toBe(0);
    for (let count = 0; count < 5; count++) audit.called();
    expect(timers.length).toBe(1);
    timers.shift()?.();
    expect(timers.length).toBe(0);
    audit.called();
    expect(timers.length).toBe(1);
  });

  it('lets a task use what it was given, by several threads, and a little more', () => {
    const { figures, ended, look } = watched();
    look();
    for (let round = 0; round < 10; round++) {
      figures.given += 1000;
      figures.used += 1000 * THREADS + SLACK_MILLISECONDS;
      look();
    }
    expect(ended).toEqual([]);
  });

  it('ends a task that used much more, and says what it waited for', () => {
    const { task, figures, ended, look } = watched();
    figures.used = 5000;
    look();
    expect(ended).toEqual([]);
    task.waits = 1;
    task.waitsFor = 'ipc_recv';
    figures.used += SLACK_MILLISECONDS + 10;
    look();
    expect(ended).toEqual(['used 110 ms of CPU time and was given 0 ms, while it claimed to wait in ipc_recv']);
  });

  it('leaves tasks alone that just start, are held by a debugger, or are being ended', () => {
    for (const change of [
      (task: Task) => {
        task.started = false;
      },
      (task: Task) => {
        task.inspected = true;
      },
      (task: Task) => {
        task.dying = true;
      },
    ]) {
      const { task, figures, ended, look } = watched();
      look();
      change(task);
      figures.used += 10_000;
      look();
      expect(ended).toEqual([]);
      expect(task.audited).toBeNull();
    }
  });
});

describe('the limit of log lines', () => {
  it('lets a burst through, then a steady rate, and notes what it drops once a second', () => {
    const limit = new LineLimit();
    let taken = 0;
    for (let count = 0; count < 2 * RESERVE_LINES; count++) if (limit.take(0)) taken++;
    expect(taken).toBe(RESERVE_LINES);
    expect(limit.takeNote(0)).toMatch(/^\(1000 lines dropped/);
    expect(limit.takeNote(2000)).toBe('');
    taken = 0;
    for (let now = 1; now <= 10_000; now++) if (limit.take(now)) taken++;
    expect(taken).toBe(10 * LINES_PER_SECOND);
    expect(limit.takeNote(10_000)).toMatch(/^\(8000 lines dropped/);
    limit.take(10_000);
    expect(limit.takeNote(10_500)).toBe('');
    expect(limit.takeNote()).toMatch(/^\(1 lines dropped/);
  });
});
