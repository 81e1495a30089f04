/** The scheduler on a fake clock: what it asks of the host, call by call. */

import { describe, expect, it } from 'vitest';
import { targetLatencyMilliseconds } from '../../../kernel/sched/cfs.ts';
import { createPolicy, isPolicyName, type PolicyName, policyNames, Scheduler } from '../../../kernel/sched/index.ts';
import { quantumMilliseconds } from '../../../kernel/sched/policy.ts';
import { FakeClock, Simulation } from './simulation.ts';

interface TestTask {
  readonly pid: number;
  readonly weight: number;
  readonly priority: number;
  readonly name: string;
}

const newTask = (name: string, priority = 16): TestTask => ({ pid: name.charCodeAt(0), weight: 1024, priority, name });

/** A scheduler on a fake clock, and a log of what it asked of the host. */
function machine(cpus: number, policy: PolicyName = 'rr') {
  const clock = new FakeClock();
  const calls: string[] = [];
  const hooks: { onRun?: (task: TestTask) => void; onStop?: (task: TestTask) => void } = {};
  const scheduler = new Scheduler<TestTask>({
    cpus,
    policy: createPolicy(policy),
    now: () => clock.now,
    setTimer: clock.setTimer,
    run: (task) => {
      calls.push(`run ${task.name}`);
      hooks.onRun?.(task);
    },
    stop: (task) => {
      calls.push(`stop ${task.name}`);
      hooks.onStop?.(task);
    },
  });
  /** The calls since the last time. */
  const taken = () => calls.splice(0);
  return { clock, scheduler, taken, hooks };
}

const [a, b, c, d] = [newTask('a'), newTask('b'), newTask('c'), newTask('d')];

describe('policies by name', () => {
  it('are made under their names', () => {
    expect(policyNames.map((name) => createPolicy(name).name)).toEqual([...policyNames]);
    expect(isPolicyName('cfs')).toBe(true);
    expect(isPolicyName('fifo')).toBe(false);
  });
});

describe('Scheduler', () => {
  it('refuses a number of CPUs that makes no sense, and a policy in use', () => {
    for (const cpus of [0, -1, 1.5, Number.NaN]) expect(() => machine(cpus)).toThrow(RangeError);
    const { scheduler } = machine(1);
    const used = createPolicy<TestTask>('rr');
    used.enqueue(a, 'woken', 0);
    expect(() => scheduler.setPolicy(used)).toThrow(RangeError);
  });

  it('runs a ready task at once while a CPU is free, and queues it otherwise', () => {
    const { scheduler, taken } = machine(2);
    for (const task of [a, b, c]) scheduler.ready(task);
    expect(taken()).toEqual(['run a', 'run b']);
    expect([a, b, c, d].map((task) => scheduler.state(task))).toEqual(['running', 'running', 'ready', 'idle']);
    expect([scheduler.cpuOf(a), scheduler.cpuOf(b), scheduler.cpuOf(c)]).toEqual([0, 1, undefined]);
    scheduler.block(a);
    expect(taken()).toEqual(['run c']);
    expect(scheduler.state(a)).toBe('idle');
    expect(scheduler.runningTasks()).toEqual([c, b]);
    expect(scheduler.readyTasks()).toEqual([]);
  });

  it('takes repeated calls for what they are: nothing new', () => {
    const { scheduler, taken } = machine(1);
    scheduler.block(a);
    scheduler.remove(a);
    scheduler.ready(a);
    scheduler.ready(a);
    scheduler.ready(b);
    scheduler.ready(b);
    expect(taken()).toEqual(['run a']);
    expect(scheduler.readyTasks()).toEqual([b]);
    scheduler.block(a);
    scheduler.block(a);
    expect(taken()).toEqual(['run b']);
  });

  it('changes tasks at the end of a quantum when others wait, and counts', () => {
    const { clock, scheduler, taken } = machine(1);
    scheduler.ready(a);
    scheduler.ready(b);
    clock.runUntil(quantumMilliseconds - 0.01);
    expect(taken()).toEqual(['run a']);
    clock.runUntil(quantumMilliseconds);
    expect(taken()).toEqual(['stop a', 'run b']);
    clock.runUntil(2 * quantumMilliseconds);
    expect(taken()).toEqual(['stop b', 'run a']);
    expect(scheduler.preemptions).toBe(2);
    expect(scheduler.switches).toBe(3);
    expect(scheduler.switchesOf(a)).toBe(2);
  });

  it('counts what a task ran before the others came: a long-running one is replaced at once', () => {
    const { clock, scheduler, taken } = machine(1);
    scheduler.ready(a);
    clock.runUntil(3);
    scheduler.ready(b);
    expect(taken()).toEqual(['run a']);
    clock.runUntil(quantumMilliseconds);
    expect(taken()).toEqual(['stop a', 'run b']);
    scheduler.block(a);
    clock.runUntil(1_000);
    scheduler.ready(c);
    expect(taken()).toEqual(['stop b', 'run c']);
  });

  it('does not stop a task that is chosen again at once', () => {
    const { clock, scheduler, taken } = machine(1, 'priority');
    const urgent = newTask('u', 0);
    scheduler.ready(urgent);
    scheduler.ready(newTask('l', 31));
    clock.runUntil(10 * quantumMilliseconds);
    expect(taken()).toEqual(['run u']);
    expect(scheduler.preemptions).toBe(0);
  });

  it('of several running tasks takes the CPU of the least urgent one', () => {
    const { scheduler, taken } = machine(3, 'priority');
    for (const task of [newTask('a', 10), newTask('b', 25), newTask('c', 20)]) scheduler.ready(task);
    taken();
    scheduler.ready(newTask('d', 15));
    expect(taken()).toEqual(['stop b', 'run d']);
    scheduler.ready(newTask('e', 15));
    expect(taken()).toEqual(['stop c', 'run e']);
    scheduler.ready(newTask('f', 15));
    expect(taken()).toEqual([]);
  });

  it('lets a task block that was stopped on its way into the kernel', () => {
    const { clock, scheduler, taken } = machine(1);
    scheduler.ready(a);
    scheduler.ready(b);
    clock.runUntil(quantumMilliseconds);
    scheduler.block(a);
    expect(scheduler.readyTasks()).toEqual([]);
    scheduler.block(b);
    expect(taken()).toEqual(['run a', 'stop a', 'run b']);
    scheduler.ready(a);
    expect(taken()).toEqual(['run a']);
  });

  it('hands the CPU from client to server when the server is made ready first', () => {
    const { clock, scheduler, taken } = machine(1);
    const [client, server, hog] = [a, b, c];
    scheduler.ready(server);
    clock.runUntil(1);
    scheduler.block(server);
    scheduler.ready(client);
    scheduler.ready(hog);
    taken();
    scheduler.ready(server);
    scheduler.block(client);
    expect(taken()).toEqual([`run ${server.name}`]);
    scheduler.ready(client);
    scheduler.block(server);
    expect(taken()).toEqual([`run ${client.name}`]);
  });

  it('yields to the others, and answers the yielding task when its turn comes', () => {
    const { scheduler, taken } = machine(1);
    scheduler.ready(a);
    scheduler.yield(a);
    expect(taken()).toEqual(['run a', 'run a']);
    scheduler.ready(b);
    scheduler.ready(c);
    scheduler.yield(a);
    expect(taken()).toEqual(['run b']);
    expect(scheduler.readyTasks()).toEqual([c, a]);
    scheduler.yield(c);
    expect(scheduler.readyTasks()).toEqual([a, c]);
  });

  it.each(policyNames)('lets another task run after a yield under %s', (policy) => {
    const { scheduler, taken } = machine(1, policy);
    scheduler.ready(a);
    scheduler.ready(b);
    scheduler.yield(a);
    scheduler.yield(b);
    expect(taken()).toEqual(['run a', 'run b', 'run a']);
  });

  it('forgets a task in any state', () => {
    const { scheduler, taken } = machine(1);
    for (const task of [a, b, c]) scheduler.ready(task);
    scheduler.remove(b);
    scheduler.remove(a);
    expect(taken()).toEqual(['run a', 'run c']);
    expect([a, b].map((task) => scheduler.state(task))).toEqual(['idle', 'idle']);
    expect(scheduler.switchesOf(a)).toBe(0);
    scheduler.block(c);
    scheduler.remove(c);
    expect(scheduler.runningTasks()).toEqual([]);
    expect(scheduler.readyTasks()).toEqual([]);
  });
});

describe('exempt tasks', () => {
  it('run at once and take no CPU', () => {
    const { clock, scheduler, taken } = machine(1);
    scheduler.ready(a);
    scheduler.exempt(b, true);
    scheduler.ready(b);
    expect(taken()).toEqual(['run a', 'run b']);
    expect(scheduler.state(b)).toBe('running');
    expect(scheduler.isExempt(b)).toBe(true);
    expect(scheduler.runningTasks()).toEqual([a]);
    scheduler.block(b);
    expect(scheduler.state(b)).toBe('idle');
    scheduler.ready(b);
    scheduler.ready(c);
    clock.runUntil(3 * quantumMilliseconds);
    expect(taken()).toEqual(['run b', 'stop a', 'run c', 'stop c', 'run a', 'stop a', 'run c']);
  });

  it('give up their CPU, or leave the queue, when they become exempt', () => {
    const { scheduler, taken } = machine(1);
    for (const task of [a, b, c]) scheduler.ready(task);
    taken();
    scheduler.exempt(a, true);
    expect(taken()).toEqual(['run b']);
    expect(scheduler.state(a)).toBe('running');
    scheduler.exempt(c, true);
    expect(taken()).toEqual(['run c']);
    expect(scheduler.readyTasks()).toEqual([]);
  });

  it('need a CPU again afterwards', () => {
    const { scheduler, taken } = machine(1);
    scheduler.exempt(a, true);
    scheduler.ready(a);
    scheduler.exempt(a, false);
    expect(taken()).toEqual(['run a']);
    expect(scheduler.runningTasks()).toEqual([a]);
    scheduler.exempt(b, true);
    scheduler.ready(b);
    scheduler.exempt(b, false);
    expect(taken()).toEqual(['run b', 'stop b']);
    expect(scheduler.state(b)).toBe('ready');
    scheduler.block(a);
    expect(taken()).toEqual(['run b']);
  });
});

describe('calls from within run and stop', () => {
  it('are served after one another, without deep stacks', () => {
    const { scheduler, taken, hooks } = machine(1);
    let depth = 0;
    let deepest = 0;
    let rounds = 0;
    hooks.onRun = (task) => {
      depth += 1;
      deepest = Math.max(deepest, depth);
      rounds += 1;
      if (rounds < 10_000) {
        scheduler.ready(task === a ? b : a);
        scheduler.block(task);
      }
      depth -= 1;
    };
    scheduler.ready(a);
    expect(rounds).toBe(10_000);
    expect(deepest).toBe(1);
    expect(taken().slice(0, 3)).toEqual(['run a', 'run b', 'run a']);
  });

  it('may remove the very task: its process was found dead', () => {
    const { clock, scheduler, taken, hooks } = machine(1);
    hooks.onStop = (task) => scheduler.remove(task);
    hooks.onRun = (task) => {
      if (task === b) scheduler.remove(b);
    };
    for (const task of [a, b, c]) scheduler.ready(task);
    clock.runUntil(quantumMilliseconds);
    expect(taken()).toEqual(['run a', 'stop a', 'run b', 'run c']);
    expect(scheduler.runningTasks()).toEqual([c]);
    expect(scheduler.readyTasks()).toEqual([]);
  });

  it('may change the policy', () => {
    const { scheduler, hooks } = machine(2);
    hooks.onRun = () => scheduler.setPolicy(createPolicy('cfs'));
    for (const task of [a, b, c, d]) scheduler.ready(task);
    expect(scheduler.policy.name).toBe('cfs');
    expect(scheduler.runningTasks()).toEqual([a, b]);
    expect(scheduler.readyTasks()).toEqual([c, d]);
  });
});

describe('timers', () => {
  it('are not armed while nobody waits', () => {
    const { clock, scheduler } = machine(2);
    for (let round = 0; round < 1_000; round += 1) {
      scheduler.ready(a);
      scheduler.ready(b);
      clock.runUntil(clock.now + 0.03);
      scheduler.block(a);
      scheduler.block(b);
    }
    expect(clock.armed).toBe(0);
  });

  it('are seldom touched when waits are short, and an idle machine soon has none', () => {
    const { clock, scheduler } = machine(1);
    scheduler.ready(a);
    const rounds = 10_000;
    for (let round = 0; round < rounds; round += 1) {
      const [running, other] = round % 2 === 0 ? [a, b] : [b, a];
      scheduler.ready(other);
      scheduler.block(running);
      clock.runUntil(clock.now + 0.03);
    }
    expect(clock.armed).toBeLessThan(rounds / 30);
    const armed = clock.armed;
    scheduler.block(a);
    scheduler.block(b);
    clock.runUntil(clock.now + quantumMilliseconds);
    expect(clock.pending).toBe(0);
    clock.runUntil(clock.now + 1_000);
    expect(clock.armed).toBe(armed);
  });

  it('are not armed for one endless loop alone, and one for each quantum of four', () => {
    const alone = new Simulation(1, createPolicy('rr'), [{}]);
    alone.advance(10_000);
    expect(alone.schedulerTimers).toBe(0);
    const crowd = new Simulation(1, createPolicy('rr'), [{}, {}, {}, {}]);
    crowd.advance(10_000);
    expect(crowd.schedulerTimers).toBeLessThanOrEqual(10_000 / quantumMilliseconds + 1);
  });

  it('are moved forward when quanta become shorter, as under cfs when more tasks wait', () => {
    const { clock, scheduler, taken } = machine(1, 'cfs');
    scheduler.ready(a);
    scheduler.ready(b);
    clock.runUntil(1);
    scheduler.ready(c);
    scheduler.ready(d);
    clock.runUntil(targetLatencyMilliseconds / 4 - 0.01);
    expect(taken()).toEqual(['run a']);
    clock.runUntil(targetLatencyMilliseconds / 4);
    expect(taken()).toEqual(['stop a', 'run b']);
  });

  it('may fire early', () => {
    const { clock, taken } = machine(1);
    const early = new Scheduler<TestTask>({
      cpus: 1,
      policy: createPolicy('rr'),
      now: () => clock.now,
      setTimer: (callback, milliseconds) => clock.setTimer(callback, milliseconds > 0.5 ? milliseconds - 0.4 : 0.5),
      run: () => {},
      stop: () => {},
    });
    early.ready(a);
    early.ready(b);
    clock.runUntil(quantumMilliseconds - 0.2);
    expect(early.runningTasks()).toEqual([a]);
    clock.runUntil(quantumMilliseconds + 0.2);
    expect(early.runningTasks()).toEqual([b]);
    expect(taken()).toEqual([]);
  });
});

describe('setPolicy', () => {
  it.each(policyNames)('keeps running tasks running and waiting ones in order, to %s', (name) => {
    const { clock, scheduler, taken } = machine(1);
    for (const task of [a, b, c, d]) scheduler.ready(task);
    clock.runUntil(4);
    taken();
    const former = scheduler.policy;
    scheduler.setPolicy(createPolicy(name));
    expect(former.size).toBe(0);
    expect(scheduler.runningTasks()).toEqual([a]);
    expect(scheduler.readyTasks()).toEqual([b, c, d]);
    // The running task begins a new quantum.
    clock.runUntil(4 + quantumMilliseconds - 0.1);
    expect(taken()).toEqual([]);
    clock.runUntil(4 + 3 * quantumMilliseconds + 0.1);
    expect(taken()).toEqual(['stop a', 'run b', 'stop b', 'run c', 'stop c', 'run d']);
  });
});
