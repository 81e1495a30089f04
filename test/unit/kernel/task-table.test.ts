/**
 * The table of tasks with processes that exist only here: bounds, the tree, who hears of an end, and the life of init.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { parseConfiguration } from '../../../kernel/config.ts';
import { Interrupts } from '../../../kernel/irq/interrupts.ts';
import type { Task } from '../../../kernel/objects.ts';
import { createPolicy, Scheduler } from '../../../kernel/sched/index.ts';
import { HostProcess, type ProcessOwner } from '../../../kernel/task/host-process.ts';
import { Placement } from '../../../kernel/task/placement.ts';
import { Spawner } from '../../../kernel/task/spawner.ts';
import { TaskTable } from '../../../kernel/task/task-table.ts';
import { MAX_INSTANCES, MAX_TASKS, MAX_TASKS_PER_PROGRAM } from '../../../protocol/bounds.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { signals } from '../../../protocol/signal.ts';
import { World } from './world.ts';

/** An object of a class whose parts are replaced; what is not replaced must not be used. */
function fake<T extends object>(type: { readonly prototype: T }, parts: Partial<T>): T {
  const object = Object.create(type.prototype) as T;
  for (const [name, value] of Object.entries(parts)) Object.defineProperty(object, name, { value });
  return object;
}

const programs = Array.from({ length: 10 }, (_, index) => ({ name: `job${index}`, entry: 'job', program: true }));
const manifests = parseConfiguration(
  {
    services: [
      { name: 'init', entry: 'init', serves: ['init'] },
      { name: 'parent', entry: 'x' },
      { name: 'service', entry: 'x' },
      { name: 'driver', entry: 'x', standby: true },
      { name: 'disk@', entry: 'x', looksUp: ['service'] },
      ...programs,
    ],
  },
  '/x.json',
);

let world: World;
let table: TaskTable;
let owners: Map<number, ProcessOwner>;
let killed: number[];
let lost: string[];
/** When a standby was prepared, and when it had to be ready. */
let prepared: number[];
let limits: number[];
/** What to call when that standby has been lost. */
let losses: (() => void)[];
/** The host starts no process. */
let broken: boolean;

/** The process of a task ends. */
function ends(task: Task, status = 0, signal = 0): void {
  owners.get(task.pid)?.ended(status, signal);
}

function code(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return '';
}

/** A table in a new world. `startsAtOnce`: how many programs may be starting at the same time. */
function build(startsAtOnce: number): void {
  world = new World();
  owners = new Map();
  killed = [];
  lost = [];
  prepared = [];
  limits = [];
  losses = [];
  broken = false;
  let pid = 0;
  const { log, time, timers, execution, ipc } = world;
  const spawner = fake(Spawner, {
    start: (_manifest, _inspected, owner) => {
      if (broken) throw new Error('no more processes');
      const number = ++pid;
      owners.set(number, owner);
      const process = fake(HostProcess, {
        output: [],
        pid: 0,
        identify: () => {},
        signal: () => {},
        kill: () => killed.push(number),
      });
      return { process, startId: null, from: 'cold start' };
    },
    refill: () => {},
    warm: 0,
    placement: fake(Placement, { possible: true }),
    prepare: (_manifest, lost) => {
      prepared.push(time.now());
      losses.push(lost);
      return () => void limits.push(time.now());
    },
  });
  table = new TaskTable(manifests, {
    ...{ log, time, timers, execution, ipc, spawner },
    startsAtOnce,
    scheduler: new Scheduler<Task>({
      cpus: 1,
      policy: createPolicy('rr'),
      now: () => time.now(),
      setTimer: () => () => {},
      run: () => {},
      stop: () => {},
    }),
    interrupts: fake(Interrupts, { release: () => {} }),
    onFrame: () => {},
    onInitLost: (reason) => lost.push(reason),
  });
}

beforeEach(() => build(MAX_TASKS));

describe('TaskTable', () => {
  it('starts what the configuration has, within the bounds', () => {
    const init = table.spawn('init', [], null, null);
    expect(code(() => table.spawn('nobody', [], init, null))).toBe('ENOENT');
    table.spawn('service', [], init, null);
    expect(code(() => table.spawn('service', [], init, null))).toBe('EBUSY');
    for (let count = 0; count < MAX_TASKS_PER_PROGRAM; count++) table.spawn('job0', [], init, null);
    expect(code(() => table.spawn('job0', [], init, null))).toBe('EAGAIN');
    for (const { name } of programs.slice(1)) {
      while (table.tasks.size < MAX_TASKS && code(() => table.spawn(name, [], init, null)) === '');
    }
    expect(table.tasks.size).toBe(MAX_TASKS);
    expect(code(() => table.spawn('parent', [], init, null))).toBe('EAGAIN');
    const job = [...table.tasks.values()].at(-1);
    if (job !== undefined) ends(job);
    expect(table.tasks.size, 'a zombie counts').toBe(MAX_TASKS);
  });

  it('starts a few programs at a time, and services at once', () => {
    build(2);
    const init = table.spawn('init', [], null, null);
    table.begin(init, 1);
    const jobs = [1, 2, 3, 4, 5].map(() => table.spawn('job0', [], init, null));
    const running = (): number[] => jobs.flatMap(({ process }, index) => (process === null ? [] : [index]));
    expect(running()).toEqual([0, 1]);
    expect(table.spawn('service', [], init, null).process).not.toBeNull();
    // One begins to work; one is killed while it waits, and is gone at once; one takes too long.
    table.begin(jobs[0] as Task, 1);
    expect(running(), 'the service is starting, too').toEqual([0, 1]);
    table.signal(jobs[2] as Task, signals.KILL, 'a test');
    expect(jobs[2]?.exit).toEqual({ status: 137, signal: 9 });
    expect(code(() => table.spawn('job0', [], init, null))).toBe('');
    world.time.advance(1001);
    expect(running()).toEqual([0, 1, 3, 4]);
  });

  it('ends one that the host cannot start when its turn has come', () => {
    build(1);
    const init = table.spawn('init', [], null, null);
    const job = table.spawn('job0', [], init, null);
    expect(job.process).toBeNull();
    broken = true;
    table.begin(init, 1);
    expect(job.exit).toEqual({ status: 127, signal: 0 });
    expect(code(() => table.spawn('job0', [], init, null))).toBe('EIO');
  });

  it('makes instances of a template, so many and no more', () => {
    const init = table.spawn('init', [], null, null);
    expect(
      code(() => table.spawn('disk@', [], init, null)),
      'the template itself',
    ).toBe('ENOENT');
    expect(code(() => table.spawn('other@a', [], init, null))).toBe('ENOENT');
    for (const name of ['disk@../a', 'disk@a@b', `disk@${'x'.repeat(60)}`])
      expect(
        code(() => table.spawn(name, [], init, null)),
        name,
      ).toBe('ENOENT');
    const first = table.spawn('disk@a', [], init, null);
    expect(first.manifest).toMatchObject({ name: 'disk@a', serves: ['disk@a'], looksUp: ['service'] });
    expect(code(() => table.spawn('disk@a', [], init, null))).toBe('EBUSY');
    ends(first, 1);
    expect(table.spawn('disk@a', [], init, null).incarnation).toBe(2);
    for (let count = 1; count < MAX_INSTANCES; count++) table.spawn(`disk@${count}`, [], init, null);
    expect(code(() => table.spawn('disk@more', [], init, null))).toBe('EAGAIN');
  });

  it('forgets an instance that is not going to run and has left nothing behind', () => {
    const { ports, ipc } = world;
    const init = table.spawn('init', [], null, null);
    const instance = table.spawn('disk@a', [], init, null);
    const { program } = instance;
    const port = world.portOf(instance, world.made(ports.createNamed(instance, 'disk@a')));
    const held = world.made(ports.sendRight(init, port, 0));
    const forget = () => code(() => table.forget(program));
    expect(code(() => table.forget(init.program))).toBe('EINVAL');
    expect([port.abandoned, forget()], 'it runs').toEqual([false, 'EBUSY']);
    ends(instance);
    expect([port.abandoned, forget()], 'it is to run again').toEqual([false, 'EBUSY']);
    program.lost = true;
    expect(forget(), 'its port is known to somebody').toBe('EBUSY');
    ipc.release(init, held);
    program.store.set('key', Buffer.alloc(1));
    expect([port.abandoned, forget()], 'it has stored something').toEqual([true, 'EBUSY']);
    program.store.clear();
    expect(forget()).toBe('');
    expect([table.programs.has('disk@a'), ports.byName('disk@a'), port.destroyed]).toEqual([false, undefined, true]);
    expect(table.spawn('disk@a', [], init, null)).toMatchObject({ incarnation: 1, name: 'disk@a' });
  });

  it('keeps a zombie for its parent, and none for init of an orphan it is not told of', () => {
    const init = table.spawn('init', [], null, null);
    const parent = table.spawn('parent', [], init, null);
    const [first, second, third] = [1, 2, 3].map(() => table.spawn('job0', [], parent, null)) as [Task, Task, Task];
    ends(first, 3);
    expect([first.exit, table.get(first.pid)]).toEqual([{ status: 3, signal: 0 }, first]);
    ends(parent);
    expect(table.get(first.pid), 'the zombie of a dead parent').toBeUndefined();
    expect([second.parent, third.parent]).toEqual([init.pid, init.pid]);
    ends(second);
    expect(table.get(second.pid), 'an orphan').toBeUndefined();
    init.childWait = { id: 5, pid: 0, timer: null };
    ends(third, 4);
    expect([init.childWait, table.get(third.pid)], 'an orphan somebody waits for').toEqual([null, undefined]);
    expect(table.get(parent.pid), 'the own child of init').toBe(parent);
  });

  it('tells init of services whose parent has died', () => {
    const init = table.spawn('init', [], null, null);
    const parent = table.spawn('parent', [], init, null);
    const service = table.spawn('service', [], parent, null);
    world.made(world.ports.createNamed(init, 'init'));
    ends(parent);
    ends(service, 137, 9);
    expect(world.take(init)?.data).toEqual([service.pid, 'service', 1, 137, 9]);
    expect(table.get(service.pid), 'it can be waited for').toBe(service);
  });

  it('ends tasks once, by signal or by their own call, and remembers how', () => {
    const init = table.spawn('init', [], null, null);
    const [first, second, third] = [1, 2, 3].map(() => table.spawn('job0', [], init, null)) as [Task, Task, Task];
    expect(table.signal(first, signals.TERM, 'a test')).toBe(0);
    expect(table.signal(first, signals.KILL, 'a test')).toBe(0);
    table.exit(second, 7);
    table.end(third, 'did something terrible');
    expect(killed).toEqual([first.pid, second.pid, third.pid]);
    for (const task of [first, second, third]) ends(task, 137, 9);
    expect([first.exit, second.exit, third.exit]).toEqual([
      { status: 143, signal: 15 },
      { status: 7, signal: 0 },
      { status: 159, signal: 31 },
    ]);
    expect(table.signal(third, signals.TERM, 'a test')).toBe('ESRCH');
    expect(table.signal(init, 77, 'a test')).toBe('EINVAL');
    // A signal that asks for the end, and a program's own exit status, are no crashes.
    expect(table.crashes.list().map(({ pid, reason }) => [pid, reason])).toEqual([
      [third.pid, 'did something terrible'],
    ]);
  });

  it('records it when a service ends with a status, and in which words', () => {
    const init = table.spawn('init', [], null, null);
    const [plain, wordy] = [1, 2].map(() => {
      const service = table.spawn('service', [], init, null);
      if (table.crashes.list().length > 0)
        service.report = '/a/b.cjs:1\nlet let\n^\nSyntaxError: let is not allowed\n  at x';
      table.exit(service, 7);
      ends(service, 137, 9);
      return service;
    }) as [Task, Task];
    expect(table.crashes.list().map(({ pid, reason }) => [pid, reason])).toEqual([
      [plain.pid, 'exit status 7'],
      [wordy.pid, 'exit status 7: SyntaxError: let is not allowed'],
    ]);
  });

  it('starts init again with its children, and gives up when it only dies', () => {
    const init = table.spawn('init', [], null, null);
    const service = table.spawn('service', [], init, null);
    world.time.advance(1000);
    ends(init, 1);
    expect(table.init).not.toBe(init);
    expect([table.init?.incarnation, service.parent]).toEqual([2, table.init?.pid]);
    for (let lives = 0; lives < 100 && lost.length === 0; lives++) {
      const present = table.init;
      if (present !== null) ends(present, 1);
    }
    expect([lost.length, table.init]).toEqual([1, null]);
    expect(table.programs.get('init')?.incarnation).toBeLessThan(20);
  });

  it('has a standby made some time after the first start, and soon after each other one that lives', () => {
    const init = table.spawn('init', [], null, null);
    table.spawn('service', [], init, null);
    const first = table.spawn('driver', [], init, null);
    world.time.advance(5000);
    ends(first, 137, 9);
    const second = table.spawn('driver', [], init, null);
    world.time.advance(20);
    ends(second, 137, 9);
    world.time.advance(980);
    table.spawn('driver', [], init, null);
    world.time.advance(20_000);
    expect([prepared, limits]).toEqual([
      [3000, 6050],
      [13_000, 16_050],
    ]);
  });

  it('has a standby that is lost made again, for the task that is there then, three in a row', () => {
    const init = table.spawn('init', [], null, null);
    const first = table.spawn('driver', [], init, null);
    world.time.advance(4000);
    ends(first, 137, 9);
    table.spawn('driver', [], init, null);
    world.time.advance(100);
    expect(prepared).toHaveLength(2);
    const lose = (standby: number): number => {
      losses[standby]?.();
      world.time.advance(100);
      return prepared.length;
    };
    expect(lose(0), 'one that was made for the task before').toBe(3);
    expect(lose(2)).toBe(4);
    expect(lose(3), 'the third in a row').toBe(4);
  });

  it('starts nothing any more once it is closed', () => {
    const init = table.spawn('init', [], null, null);
    table.close();
    expect([killed, code(() => table.spawn('service', [], init, null))]).toEqual([[init.pid], 'EAGAIN']);
    ends(init, 137, 9);
    expect([lost, owners.size]).toEqual([[], 1]);
  });
});
