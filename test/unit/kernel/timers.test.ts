/** The kernel's timers against a plain list. */
import { describe, expect, it } from 'vitest';
import { type Timer, Timers } from '../../../kernel/time/timers.ts';
import { Random } from '../../support/random.ts';
import { FakeTime } from './fake-time.ts';

describe('Timers', () => {
  it('fire on time, in order of deadline and then of setting', () => {
    const time = new FakeTime();
    const timers = new Timers(time);
    const fired: string[] = [];
    for (const [name, milliseconds] of [
      ['c', 5],
      ['a', 2],
      ['d', 5],
      ['b', 2.5],
      ['negative', -3],
    ] as const)
      timers.set(milliseconds, () => fired.push(`${name}@${time.now()}`));
    expect(fired, 'none fires while it is set').toEqual([]);
    time.advance(5);
    expect(fired).toEqual(['negative@0', 'a@2', 'b@2.5', 'c@5', 'd@5']);
    expect([timers.size, time.size]).toEqual([0, 0]);
  });

  it('set and cancelled at random behave like a list', () => {
    const random = new Random();
    for (let round = 0; round < 50; round++) {
      const what = `seed ${random.seed} round ${round}`;
      const time = new FakeTime();
      const timers = new Timers(time);
      const model = new Map<number, { due: number; timer: Timer }>();
      const fired: number[] = [];
      let count = 0;
      for (let step = 0; step < 300; step++) {
        const choice = random.below(10);
        if (choice < 5) {
          const number = count++;
          const milliseconds = random.pick([0, 1, random.below(20), random.next() * 50]);
          const timer = timers.set(milliseconds, () => {
            const due = model.get(number)?.due ?? Number.NaN;
            expect(due, what).toBeLessThanOrEqual(time.now());
            for (const other of model.values()) expect(other.due, what).toBeGreaterThanOrEqual(due);
            model.delete(number);
            fired.push(number);
          });
          expect(timer.deadline, what).toBe(time.now() + milliseconds);
          model.set(number, { due: timer.deadline, timer });
        } else if (choice < 8) {
          const [number, entry] = random.pick([...model.entries(), [-1, undefined]] as [
            [number, { timer: Timer } | undefined],
          ]);
          entry?.timer.cancel();
          entry?.timer.cancel();
          model.delete(number);
        } else {
          time.advance(random.next() * 10, random.below(2));
          for (const { due } of model.values()) expect(due, what).toBeGreaterThan(time.now() - 2);
        }
        expect(timers.size, what).toBe(model.size);
        expect(time.size, what).toBeLessThanOrEqual(1);
      }
      time.advance(100);
      expect([timers.size, time.size, model.size], what).toEqual([0, 0, 0]);
      expect(new Set(fired).size, what).toBe(fired.length);
    }
  });

  it('a callback may set and cancel others', () => {
    const time = new FakeTime();
    const timers = new Timers(time);
    const fired: string[] = [];
    const victim = timers.set(3, () => fired.push('cancelled by the first'));
    timers.set(3, () => fired.push('third'));
    timers.set(2, () => {
      fired.push('first');
      victim.cancel();
      timers.set(0, () => fired.push('second'));
      timers.set(10, () => fired.push('last'));
    });
    time.advance(20);
    expect(fired).toEqual(['first', 'second', 'third', 'last']);
  });

  it('a timer of the host that comes too early is set again', () => {
    const callbacks: (() => void)[] = [];
    let now = 0;
    const timers = new Timers({
      now: () => now,
      after: (_milliseconds, callback) => {
        callbacks.push(callback);
        return () => {};
      },
    });
    let fired = 0;
    timers.set(10, () => fired++);
    now = 9.5;
    callbacks.pop()?.();
    expect([fired, callbacks.length]).toEqual([0, 1]);
    now = 10;
    callbacks.pop()?.();
    expect([fired, callbacks.length]).toEqual([1, 0]);
  });

  it('wake nobody when none is set, and after clear', () => {
    const time = new FakeTime();
    const timers = new Timers(time);
    let fired = false;
    timers.set(5, () => {
      fired = true;
    });
    timers.clear();
    time.advance(10);
    expect([fired, timers.size, time.size]).toEqual([false, 0, 0]);
  });
});
