/** When a service is started again, and in which order services start. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { dependenciesOf, startOrder } from '../../../services/init/order.ts';
import {
  endText,
  isFailedStart,
  MAX_FAILED_STARTS,
  RESTART_DELAYS_MS,
  restartDelay,
  timeText,
  UNKNOWN_END,
  wantsRestart,
} from '../../../services/init/policy.ts';

const crash = { status: 70, signal: 0 };
const fault = { status: 139, signal: 11 };
const violation = { status: 159, signal: 31 };
const killed = { status: 137, signal: 9 };
const success = { status: 0, signal: 0 };

describe('restart policy', () => {
  it('restarts always, on failure, or never', () => {
    for (const end of [crash, killed, success]) {
      expect(wantsRestart('always', end)).toBe(true);
      expect(wantsRestart('never', end)).toBe(false);
    }
    expect(wantsRestart('on-failure', success)).toBe(false);
    expect(wantsRestart('on-failure', crash)).toBe(true);
    expect(wantsRestart('on-failure', killed)).toBe(true);
    expect(wantsRestart('on-failure', UNKNOWN_END)).toBe(true);
  });

  it('counts a short life as a failed start, a kill from outside only when very short', () => {
    expect(isFailedStart(999, true, crash)).toBe(true);
    expect(isFailedStart(1000, true, crash)).toBe(false);
    expect(isFailedStart(999, true, fault)).toBe(true);
    expect(isFailedStart(999, true, violation)).toBe(true);
    expect(isFailedStart(9, true, killed)).toBe(true);
    expect(isFailedStart(10, true, killed)).toBe(false);
    expect(isFailedStart(10, true, UNKNOWN_END)).toBe(false);
  });

  it('counts every life that never got as far as serving', () => {
    expect(isFailedStart(60_000, false, crash)).toBe(true);
    expect(isFailedStart(60_000, false, killed)).toBe(true);
  });

  it('delays not at all, then ever longer, then gives up within a few seconds', () => {
    expect(restartDelay(0)).toBe(0);
    const delays = Array.from({ length: MAX_FAILED_STARTS }, (_, index) => restartDelay(index + 1));
    expect(delays).toEqual([0, 0, 0, 50, 100, 200, 400, 800, 1600, undefined]);
    expect(RESTART_DELAYS_MS.reduce((sum, delay) => sum + delay, 0)).toBe(3150);
  });

  it('says how a task ended', () => {
    expect([crash, killed, success, UNKNOWN_END].map(endText)).toEqual([
      'exit status 70',
      'SIGKILL',
      'exit status 0',
      'unknown end',
    ]);
    expect([timeText(3.4), timeText(7100)]).toEqual(['3 ms', '7.1 s']);
  });
});

function nodes(graph: Record<string, string[]>): { name: string; dependsOn: string[] }[] {
  return Object.entries(graph).map(([name, dependsOn]) => ({ name, dependsOn }));
}

describe('start order', () => {
  it('puts each service after what it depends on, else keeps the order of the configuration', () => {
    const { order, problems } = startOrder(nodes({ shell: ['tty', 'vfs'], vfs: ['ata'], tty: [], ata: [], echo: [] }));
    expect(order).toEqual(['tty', 'ata', 'echo', 'vfs', 'shell']);
    expect(problems.size).toBe(0);
  });

  it('explains cycles, unknown names, and what depends on them', () => {
    const { order, problems } = startOrder(
      nodes({ a: ['b'], b: ['c'], c: ['a'], d: ['c'], e: ['nobody'], f: ['e'], g: ['g'], h: [] }),
    );
    expect(order).toEqual(['h']);
    expect(Object.fromEntries(problems)).toEqual({
      a: 'depends on itself: a -> b -> c -> a',
      b: 'depends on itself: b -> c -> a -> b',
      c: 'depends on itself: c -> a -> b -> c',
      d: 'depends on c, which cannot be started',
      e: 'depends on nobody, which is not in the configuration',
      f: 'depends on e, which cannot be started',
      g: 'depends on itself: g -> g',
    });
  });

  it('orders random graphs rightly: every service once, cycle-free ones after their dependencies', () => {
    const seed = 20261121;
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 300; round++) {
      const count = 1 + random(12);
      const services = Array.from({ length: count }, (_, index) => ({
        name: `s${index}`,
        dependsOn: Array.from({ length: random(3) }, () => `s${random(count + (random(20) === 0 ? 1 : 0))}`),
      }));
      const { order, problems } = startOrder(services);
      const where = `seed ${seed}, round ${round}`;
      expect([...order, ...problems.keys()].sort(), where).toEqual(services.map(({ name }) => name).sort());
      for (const { name, dependsOn } of services) {
        if (problems.has(name)) continue;
        for (const dependency of dependsOn) {
          expect(order.indexOf(dependency), where).toBeGreaterThanOrEqual(0);
          expect(order.indexOf(dependency), where).toBeLessThan(order.indexOf(name));
        }
      }
    }
  });

  it('finds all dependencies, in start order', () => {
    const list = nodes({ shell: ['tty', 'vfs'], vfs: ['ata'], tty: [], ata: [] });
    const { order } = startOrder(list);
    const byName = new Map(list.map((service) => [service.name, service]));
    expect(dependenciesOf('shell', byName, order)).toEqual(['tty', 'ata', 'vfs']);
    expect(dependenciesOf('ata', byName, order)).toEqual([]);
  });

  it('can start every service of the configuration', () => {
    const file = path.join(import.meta.dirname, '../../../services.json');
    const { services } = JSON.parse(fs.readFileSync(file, 'utf8')) as {
      services: { name: string; program?: boolean; dependsOn?: string[] }[];
    };
    const rows = services.filter(({ program }) => program !== true);
    const { problems } = startOrder(rows.map(({ name, dependsOn = [] }) => ({ name, dependsOn })));
    expect(Object.fromEntries(problems)).toEqual({});
  });
});
