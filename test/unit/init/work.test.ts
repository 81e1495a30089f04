/** Services that answer no pings because they are at work: with others, or with their device. */
import { describe, expect, it } from 'vitest';
import { WORK_MS } from '../../../services/init/health.ts';
import { type Behaviour, FakeKernel, row } from './fake-kernel.ts';

const HANGS_AFTER_MS = 4500;

/**
 * Lets a service that falls silent run for a time, and answers when it was killed, in milliseconds since it fell
 * silent.
 */
function killsOf(behaviour: Behaviour, milliseconds: number): number[] {
  const kernel = new FakeKernel([row('vrfs')]);
  kernel.behave = (_name, incarnation) => (incarnation === 1 ? { hangsAfter: HANGS_AFTER_MS, ...behaviour } : {});
  kernel.startInit();
  const [{ at } = { at: 0 }] = kernel.spawned;
  kernel.run(milliseconds);
  return kernel.killed.map((kill) => kill.at - at - HANGS_AFTER_MS);
}

describe('a service that is silent', () => {
  it('is left alone while it calls others and is answered, or waits for its device', () => {
    expect(killsOf({ occupied: 'calls' }, 50_000)).toEqual([]);
    expect(killsOf({ occupied: 'device' }, 50_000)).toEqual([]);
  });

  it('is left alone while the driver that it waits for is at work with its device, and killed when that one is not', () => {
    for (const [driver, kills] of [
      ['device', 0],
      ['waits', 1],
    ] as const) {
      const kernel = new FakeKernel([row('ata'), row('vrfs', { dependsOn: ['ata'] })]);
      kernel.behave = (name, incarnation) => {
        if (incarnation > 1) return {};
        return name === 'ata' ? { occupied: driver } : { hangsAfter: HANGS_AFTER_MS, occupied: 'waits' };
      };
      kernel.startInit();
      kernel.run(40_000);
      expect(kernel.killed.filter(({ name }) => name === 'vrfs').length, driver).toBe(kills);
    }
  });

  it('is killed all the same when that takes longer than a minute', () => {
    for (const occupied of ['calls', 'device'] as const) {
      const kills = killsOf({ occupied }, 200_000);
      expect(kills.length, occupied).toBe(1);
      expect(kills[0]).toBeGreaterThanOrEqual(WORK_MS);
      expect(kills[0]).toBeLessThan(WORK_MS + 6000);
    }
  });

  it('is killed within four seconds or so when nobody answers it, or when it computes', () => {
    for (const behaviour of [{}, { occupied: 'waits' }] as const) {
      const kills = killsOf(behaviour, 30_000);
      expect(kills.length).toBe(1);
      expect(kills[0]).toBeLessThan(5500);
    }
  });
});
