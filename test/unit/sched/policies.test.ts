/** The policies alone: the contract they share, and the fine points of each. */

import { describe, expect, it } from 'vitest';
import { createPolicy, policyNames, type Schedulable } from '../../../kernel/sched/index.ts';
import { leastRestMilliseconds, quantumMilliseconds } from '../../../kernel/sched/policy.ts';
import { ageingMilliseconds } from '../../../kernel/sched/priority.ts';
import { wakeUpCostMilliseconds } from '../../../kernel/sched/round-robin.ts';

const newTask = (pid: number, priority = 16, weight = 1024): Schedulable => ({ pid, priority, weight });

describe.each(policyNames)('%s', (name) => {
  it('queues, shows, takes out and chooses', () => {
    const policy = createPolicy(name);
    const [a, b, c] = [newTask(1), newTask(2), newTask(3)];
    expect(policy.next(0)).toBeUndefined();
    for (const task of [a, b, c]) policy.enqueue(task, 'woken', 0);
    expect(policy.size).toBe(3);
    expect(policy.tasks()).toEqual([a, b, c]);
    policy.remove(b);
    policy.remove(b);
    expect(policy.tasks()).toEqual([a, c]);
    expect(policy.next(1)).toBe(a);
    expect(policy.quantum(a)).toBeGreaterThanOrEqual(leastRestMilliseconds);
    policy.remove(a);
    expect(policy.size).toBe(1);
    policy.forget(c);
    policy.forget(c);
    expect(policy.size).toBe(0);
    expect(policy.next(2)).toBeUndefined();
  });

  it('counts a quantum down as it is charged, in one piece or in several', () => {
    const policy = createPolicy(name);
    const task = newTask(1);
    policy.enqueue(task, 'woken', 0);
    policy.next(0);
    const whole = policy.quantum(task);
    policy.charge(task, 0.5, 0.5);
    policy.charge(task, 1, 1.5);
    expect(policy.quantum(task)).toBeCloseTo(whole - 1.5, 9);
    policy.charge(task, whole, whole + 1.5);
    expect(policy.quantum(task)).toBeLessThan(0);
    policy.enqueue(task, 'preempted', whole + 1.5);
    expect(policy.next(whole + 1.5)).toBe(task);
    expect(policy.quantum(task)).toBeCloseTo(whole, 9);
  });

  it('gives a task that it finds running a whole quantum', () => {
    const policy = createPolicy(name);
    const task = newTask(1);
    policy.charge(task, 0, 100);
    expect(policy.size).toBe(0);
    expect(policy.quantum(task)).toBeGreaterThanOrEqual(quantumMilliseconds);
  });

  it('bears weights and priorities out of range', () => {
    const policy = createPolicy(name);
    const odd = [newTask(1, -5, 0), newTask(2, 99, -1), newTask(3, 7.5, 1e12)];
    for (const task of odd) policy.enqueue(task, 'woken', 0);
    const chosen = odd.map((_, index) => {
      const task = policy.next(index);
      if (task !== undefined) policy.charge(task, 1, index + 1);
      return task?.pid;
    });
    expect(chosen.sort()).toEqual([1, 2, 3]);
  });
});

describe('rr', () => {
  it('lets a waker finish its quantum before the others, and then queues it behind them', () => {
    const policy = createPolicy('rr');
    const [waker, b, c] = [newTask(1), newTask(2), newTask(3)];
    for (const task of [waker, b, c]) policy.enqueue(task, 'woken', 0);
    expect(policy.next(0)).toBe(waker);
    policy.charge(waker, 3, 3);
    policy.enqueue(waker, 'woken', 3);
    expect(policy.tasks()).toEqual([waker, b, c]);
    expect(policy.next(3)).toBe(waker);
    expect(policy.quantum(waker)).toBeCloseTo(quantumMilliseconds - 3 - wakeUpCostMilliseconds, 9);
    policy.charge(waker, 1.8, 4.8);
    policy.enqueue(waker, 'woken', 5);
    expect(policy.tasks()).toEqual([b, c, waker]);
  });

  it('renews the quantum of a task that slept while the main queue went round', () => {
    const policy = createPolicy('rr');
    const [sleeper, b, c] = [newTask(1), newTask(2), newTask(3)];
    for (const task of [sleeper, b, c]) policy.enqueue(task, 'woken', 0);
    policy.next(0);
    policy.charge(sleeper, 4.9, 4.9);
    for (const task of [b, c]) {
      expect(policy.next(5)).toBe(task);
      policy.charge(task, quantumMilliseconds, 10);
      policy.enqueue(task, 'preempted', 10);
    }
    policy.enqueue(sleeper, 'woken', 15);
    expect(policy.next(15)).toBe(sleeper);
    expect(policy.quantum(sleeper)).toBe(quantumMilliseconds);
  });

  it('lets the main queue run even if the clock is too coarse to see what wakers use', () => {
    const policy = createPolicy('rr');
    const [waker, other, patient] = [newTask(1), newTask(2), newTask(3)];
    for (const task of [waker, other, patient]) policy.enqueue(task, 'woken', 0);
    let dispatches = 0;
    for (let task = policy.next(0); task !== patient; task = policy.next(0)) {
      if (task === undefined) throw new Error('the queue is empty');
      policy.charge(task, 0, 0);
      policy.enqueue(task, 'woken', 0);
      dispatches += 1;
      expect(dispatches).toBeLessThan((2 * 2 * quantumMilliseconds) / wakeUpCostMilliseconds);
    }
    expect(dispatches).toBeGreaterThan(2);
  });
});

describe('priority', () => {
  it('raises a waiting task by its age, and lets it keep its level for a quantum', () => {
    const policy = createPolicy('priority');
    const low = newTask(1, 20);
    policy.enqueue(low, 'woken', 0);
    const now = 10 * ageingMilliseconds;
    expect(policy.next(now)).toBe(low);
    const [middle, high] = [newTask(2, 15), newTask(3, 9)];
    policy.enqueue(middle, 'woken', now);
    policy.enqueue(high, 'woken', now);
    expect(policy.preempts(middle, low, now)).toBe(false);
    expect(policy.preempts(high, low, now)).toBe(true);
  });

  it('queues a task that was pushed aside at the head of its level, with the rest of its quantum', () => {
    const policy = createPolicy('priority');
    const [a, b, urgent] = [newTask(1), newTask(2), newTask(3, 0)];
    policy.enqueue(a, 'woken', 0);
    policy.enqueue(b, 'woken', 0);
    expect(policy.next(0)).toBe(a);
    policy.charge(a, 2, 2);
    policy.enqueue(urgent, 'woken', 2);
    expect(policy.preempts(urgent, a, 2)).toBe(true);
    policy.enqueue(a, 'preempted', 2);
    expect(policy.tasks()).toEqual([urgent, a, b]);
    expect(policy.next(2)).toBe(urgent);
    expect(policy.next(3)).toBe(a);
    expect(policy.quantum(a)).toBe(quantumMilliseconds - 2);
    policy.charge(a, quantumMilliseconds - 2, 6);
    policy.enqueue(a, 'preempted', 6);
    expect(policy.tasks()).toEqual([b, a]);
  });
});

describe('hrrn', () => {
  it('chooses by (waiting + service) / service', () => {
    const policy = createPolicy('hrrn');
    const [long, short] = [newTask(1), newTask(2)];
    // Teach it the bursts: averages close to 4 ms and 0.5 ms.
    for (let round = 0; round < 12; round += 1) {
      for (const [task, burst] of [
        [long, 4],
        [short, 0.5],
      ] as const) {
        policy.enqueue(task, 'woken', 0);
        expect(policy.next(0)).toBe(task);
        policy.charge(task, burst, 0);
      }
    }
    policy.enqueue(long, 'woken', 0);
    policy.enqueue(short, 'woken', 9);
    // At 10: long 1 + 10 / 4 = 3.5, short 1 + 1 / 0.5 = 3.
    expect(policy.next(10)).toBe(long);
    policy.charge(long, 4, 10);
    policy.remove(short);
    policy.enqueue(long, 'woken', 0);
    policy.enqueue(short, 'woken', 8);
    // At 10: long 3.5, short 1 + 2 / 0.5 = 5.
    expect(policy.next(10)).toBe(short);
  });
});

describe('cfs', () => {
  it('charges virtual time by weight', () => {
    const policy = createPolicy('cfs');
    const [heavy, light] = [newTask(1, 16, 2048), newTask(2, 16, 1024)];
    policy.enqueue(heavy, 'woken', 0);
    policy.enqueue(light, 'woken', 0);
    expect(policy.next(0)).toBe(heavy);
    policy.charge(heavy, 6, 6);
    expect(policy.next(6)).toBe(light);
    policy.charge(light, 4, 10);
    policy.enqueue(light, 'preempted', 10);
    policy.enqueue(heavy, 'preempted', 10);
    // 6 ms at weight 2048 count as 3, 4 ms at 1024 as 4.
    expect(policy.tasks()).toEqual([heavy, light]);
  });

  it('puts a task that yields behind the next one, though it has run less', () => {
    const policy = createPolicy('cfs');
    const [yielding, other] = [newTask(1), newTask(2)];
    policy.enqueue(yielding, 'woken', 0);
    policy.enqueue(other, 'woken', 0);
    policy.next(0);
    policy.next(0);
    policy.charge(other, 5, 5);
    policy.enqueue(other, 'preempted', 5);
    policy.charge(yielding, 1, 6);
    policy.enqueue(yielding, 'yielded', 6);
    expect(policy.next(6)).toBe(other);
  });

  it('lets a waker take the CPU of one that is ahead by more than the granularity', () => {
    const policy = createPolicy('cfs');
    const [running, waker] = [newTask(1), newTask(2)];
    policy.charge(running, 0, 0);
    policy.charge(waker, 0, 0);
    policy.enqueue(waker, 'woken', 0);
    policy.charge(running, 0.9, 1);
    expect(policy.preempts(waker, running, 1)).toBe(false);
    policy.charge(running, 0.2, 1.2);
    expect(policy.preempts(waker, running, 1.2)).toBe(true);
    expect(policy.preempts(running, waker, 1.2)).toBe(false);
  });
});
