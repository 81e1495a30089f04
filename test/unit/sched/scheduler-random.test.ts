/**
 * Random calls in random order, also from within the host's callbacks: after each of them the scheduler's rules hold.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createPolicy,
  type PolicyName,
  policyNames,
  type Schedulable,
  Scheduler,
} from '../../../kernel/sched/index.ts';
import { FakeClock } from './simulation.ts';

interface Call {
  readonly kind: 'ready' | 'block' | 'yield' | 'remove' | 'exempt' | 'subject' | 'policy' | 'time';
  /** Which task, and how long or which policy. */
  readonly which: number;
  readonly amount: number;
}

const taskCount = 9;

class Machine {
  readonly clock = new FakeClock();
  readonly cpus: number;
  readonly scheduler: Scheduler<Schedulable>;
  readonly tasks: Schedulable[];
  /** Tasks that can go on, by what was called. */
  readonly runnable = new Set<Schedulable>();
  /** Tasks the host lets run. */
  readonly hosted = new Set<Schedulable>();
  readonly exempt = new Set<Schedulable>();
  /** Calls to be made from within the next callbacks. */
  readonly nested: Call[] = [];

  constructor(cpus: number, policy: PolicyName) {
    this.cpus = cpus;
    this.tasks = Array.from({ length: taskCount }, (_, index) => ({
      pid: index + 1,
      weight: 256 << (index % 4),
      priority: (index * 7) % 32,
    }));
    this.scheduler = new Scheduler<Schedulable>({
      cpus,
      policy: createPolicy(policy),
      now: () => this.clock.now,
      setTimer: this.clock.setTimer,
      run: (task) => {
        expect(this.hosted.has(task), 'runs once').toBe(false);
        expect(this.runnable.has(task), 'runs what is runnable').toBe(true);
        this.hosted.add(task);
        const onCpus = [...this.hosted].filter((other) => !this.exempt.has(other));
        expect(onCpus.length, 'never more than CPUs').toBeLessThanOrEqual(cpus);
        this.#callNested();
      },
      stop: (task) => {
        expect(this.hosted.delete(task), 'stops what runs').toBe(true);
        this.#callNested();
      },
    });
  }

  call({ kind, which, amount }: Call): void {
    const task = this.tasks[which % taskCount];
    if (task === undefined) throw new Error('no such task');
    switch (kind) {
      case 'ready':
        this.runnable.add(task);
        this.scheduler.ready(task);
        break;
      case 'block':
        this.runnable.delete(task);
        this.hosted.delete(task);
        this.scheduler.block(task);
        break;
      case 'yield':
        this.runnable.add(task);
        this.hosted.delete(task);
        this.scheduler.yield(task);
        break;
      case 'remove':
        this.runnable.delete(task);
        this.hosted.delete(task);
        this.exempt.delete(task);
        this.scheduler.remove(task);
        break;
      case 'exempt':
        this.exempt.add(task);
        this.scheduler.exempt(task, true);
        break;
      case 'subject':
        this.exempt.delete(task);
        this.scheduler.exempt(task, false);
        break;
      case 'policy':
        this.scheduler.setPolicy(createPolicy(policyNames[amount % policyNames.length] ?? 'rr'));
        break;
      case 'time':
        this.clock.now += amount / 7;
        break;
    }
  }

  /** The rules, between calls. */
  check(): void {
    const running = this.scheduler.runningTasks();
    const ready = this.scheduler.readyTasks();
    expect(running.length).toBeLessThanOrEqual(this.cpus);
    expect(new Set([...running, ...ready]).size, 'nobody twice').toBe(running.length + ready.length);
    expect(this.scheduler.policy.size).toBe(ready.length);
    if (ready.length > 0) expect(running.length, 'no CPU free while somebody waits').toBe(this.cpus);
    // One comparison for all tasks: thousands of calls to `expect` would take most of the time.
    const broken: string[] = [];
    for (const task of this.tasks) {
      const exempt = this.exempt.has(task);
      const state = this.scheduler.state(task);
      const rules = {
        'exempt or not': this.scheduler.isExempt(task) === exempt,
        'nobody lost': (state !== 'idle') === this.runnable.has(task),
        running: running.includes(task) === (state === 'running' && !exempt),
        ready: ready.includes(task) === (state === 'ready'),
        'the host agrees': this.hosted.has(task) === (state === 'running'),
      };
      for (const [rule, holds] of Object.entries(rules)) if (!holds) broken.push(`${rule}: ${String(task)}`);
    }
    expect(broken).toEqual([]);
    if (ready.length > 0) expect(this.clock.pending, 'a timer while somebody waits').toBe(1);
    expect(this.clock.pending).toBeLessThanOrEqual(1);
  }

  #callNested(): void {
    const call = this.nested.shift();
    if (call !== undefined) this.call(call);
  }
}

const callOf = (...kinds: Call['kind'][]): fc.Arbitrary<Call> =>
  fc.record({ kind: fc.constantFrom(...kinds), which: fc.nat(taskCount - 1), amount: fc.nat(100) });

const often = callOf('ready', 'ready', 'ready', 'block', 'block', 'yield', 'time');
const seldom = callOf('remove', 'exempt', 'subject', 'policy');
const anyCall = fc.oneof({ weight: 8, arbitrary: often }, { weight: 1, arbitrary: seldom });

describe('Scheduler, in random operation (a failure prints its seed)', () => {
  it.each(policyNames)('keeps its rules, starting with %s', (name) => {
    const step = fc.record({ call: anyCall, nested: fc.array(anyCall, { maxLength: 2 }), advance: fc.boolean() });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }),
        (cpus, steps) => {
          const machine = new Machine(cpus, name);
          for (const { call, nested, advance } of steps) {
            machine.nested.push(...nested);
            machine.call(call);
            machine.check();
            if (advance) machine.clock.runUntil(machine.clock.now + call.amount / 10);
            machine.check();
          }
          machine.nested.length = 0;
          for (const task of machine.tasks) machine.call({ kind: 'remove', which: task.pid - 1, amount: 0 });
          machine.check();
          machine.clock.runUntil(machine.clock.now + 100);
          expect(machine.clock.pending, 'an idle machine has no timer').toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});
