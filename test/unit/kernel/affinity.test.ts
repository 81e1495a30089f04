/** Which tasks are put beside the kernel, which are taken away again, and that an idle system is left asleep. */
import { describe, expect, it } from 'vitest';
import { parseConfiguration } from '../../../kernel/config.ts';
import { Program, Task } from '../../../kernel/objects.ts';
import { Affinity, REVIEW_MILLISECONDS, TALKING_CALLS } from '../../../kernel/task/affinity.ts';
import { cpuNumbers, type Placed } from '../../../kernel/task/placement.ts';
import { Timers } from '../../../kernel/time/timers.ts';

/** Time that passes when the test says so. */
class Clock {
  private time = 0;
  private due: { at: number; callback: () => void } | null = null;

  now(): number {
    return this.time;
  }

  after(milliseconds: number, callback: () => void): () => void {
    this.due = { at: this.time + milliseconds, callback };
    return () => {
      this.due = null;
    };
  }

  /** Whether something waits for time to pass. */
  get waits(): boolean {
    return this.due !== null;
  }

  pass(milliseconds: number): void {
    this.time += milliseconds;
    const { due } = this;
    if (due === null || due.at > this.time) return;
    this.due = null;
    due.callback();
  }
}

function placed({ process }: Task): Placed {
  if (process === null) throw new Error('a task without process');
  return process;
}

function setUp(possible = true) {
  const clock = new Clock();
  const moves: [where: 'home' | 'anywhere', pids: readonly number[]][] = [];
  const move = (place: 'home' | 'anywhere', processes: readonly Placed[]): void => {
    moves.push([place, processes.map(({ pid }) => pid)]);
    for (const process of processes) process.place = place;
  };
  const mover = {
    possible,
    gather: (processes: readonly Placed[]) => move('home', processes),
    scatter: (processes: readonly Placed[]) => move('anywhere', processes),
  };
  const running = new Set<Task>();
  const [manifest] = parseConfiguration({ services: [{ name: 'init', entry: 'init' }] }, 'test');
  if (manifest === undefined) throw new Error('no manifest');
  const tasks = [1, 2].map((pid) => {
    const task = new Task(pid, new Program(manifest), 0, null, [], 0);
    Object.defineProperty(task, 'process', { value: { pid: pid + 1000, place: 'anywhere' } satisfies Placed });
    return task;
  });
  const scheduler = { state: (task: Task) => (running.has(task) ? ('running' as const) : ('idle' as const)) };
  const affinity = new Affinity(mover, new Timers(clock), scheduler, () => tasks);
  const [talker, other] = tasks;
  if (talker === undefined || other === undefined) throw new Error('no tasks');
  const call = (task: Task, times: number): void => {
    for (let i = 0; i < times; i++) {
      task.systemCalls++;
      affinity.called();
    }
  };
  return { clock, moves, running, talker, other, call };
}

describe('affinity', () => {
  it('puts who talks beside the kernel, once, and leaves others where they are', () => {
    const { clock, moves, talker, other, call } = setUp();
    for (let look = 0; look < 3; look++) {
      call(talker, TALKING_CALLS);
      call(other, TALKING_CALLS - 1);
      clock.pass(REVIEW_MILLISECONDS);
    }
    expect(moves).toEqual([['home', [1001]]]);
  });

  it('takes away who stops talking and goes on running, without another call by anybody', () => {
    const { clock, moves, running, talker, call } = setUp();
    call(talker, TALKING_CALLS);
    clock.pass(REVIEW_MILLISECONDS);
    running.add(talker);
    clock.pass(REVIEW_MILLISECONDS);
    expect(moves).toEqual([
      ['home', [1001]],
      ['anywhere', [1001]],
    ]);
  });

  it('gives who has been there since the last look only time to make its calls', () => {
    const { clock, moves, running, talker, other, call } = setUp();
    // A standby that has taken over is beside the kernel from its first moment on.
    placed(other).place = 'home';
    running.add(other);
    call(talker, TALKING_CALLS);
    clock.pass(REVIEW_MILLISECONDS);
    expect(moves).toEqual([['home', [1001]]]);
    call(talker, TALKING_CALLS);
    clock.pass(REVIEW_MILLISECONDS);
    expect(moves.slice(1)).toEqual([['anywhere', [1002]]]);
  });

  it('has who was kept off the CPU of the kernel while it started run anywhere, or beside the kernel if it talks', () => {
    const { clock, moves, talker, other, call } = setUp();
    placed(talker).place = 'away';
    placed(other).place = 'away';
    for (let look = 0; look < 2; look++) {
      call(talker, TALKING_CALLS);
      clock.pass(REVIEW_MILLISECONDS);
    }
    expect(moves).toEqual([
      ['home', [1001]],
      ['anywhere', [1002]],
    ]);
  });

  it('leaves who waits where it is, and sleeps with it', () => {
    const { clock, moves, talker, call } = setUp();
    call(talker, TALKING_CALLS);
    for (let look = 0; look < 3; look++) clock.pass(REVIEW_MILLISECONDS);
    expect(moves).toEqual([['home', [1001]]]);
    expect(clock.waits).toBe(false);
  });

  it('moves nothing that has ended, is being debugged, or has no process', () => {
    const { clock, moves, talker, other, call } = setUp();
    talker.exit = { status: 0, signal: 0 };
    other.inspected = true;
    call(talker, TALKING_CALLS);
    call(other, TALKING_CALLS);
    clock.pass(REVIEW_MILLISECONDS);
    expect(moves).toEqual([]);
  });

  it('never looks where nothing can be moved', () => {
    const { clock, talker, call } = setUp(false);
    call(talker, TALKING_CALLS);
    expect(clock.waits).toBe(false);
  });
});

describe('lists of CPUs', () => {
  it.each([
    ['0', [0]],
    ['0-3', [0, 1, 2, 3]],
    ['0-1,4,6-7', [0, 1, 4, 6, 7]],
    ['', []],
    ['x-y', []],
  ])('reads %j', (list, numbers) => {
    expect(cpuNumbers(list)).toEqual(numbers);
  });
});
