/**
 * Bulk data over a simulated net with every kind of fault: each byte arrives once and in order. The large grid with its
 * table is test/long/tcp-grid.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { Random } from '../../support/random.ts';
import { transfer } from './transfer.ts';

describe('bulk data', () => {
  it('arrives, whatever the net does', () => {
    const random = new Random();
    for (let round = 0; round < 40; round++) {
      const seed = random.below(2 ** 32);
      const inner = new Random(seed);
      const settings = {
        bytes: inner.pick([1, 5000, 200_000, 700_000]),
        loss: inner.pick([0, 0.01, 0.05, 0.15]),
        duplication: inner.pick([0, 0.05]),
        reordering: inner.pick([0, 0, 0.2]),
        corruption: inner.pick([0, 0.02]),
        delay: inner.pick([0, 1, 20, 100]),
        mtu: inner.pick([1500, 1500, 576, 128]),
        rate: inner.pick([0, 1000]),
        queue: inner.pick([20, 1000]),
        receiveBuffer: inner.pick([4096, 65_536, 262_144]),
      };
      try {
        transfer(seed, settings);
      } catch (error) {
        throw new Error(`seed ${random.seed}, round ${round} (${seed}): ${JSON.stringify(settings)}`, { cause: error });
      }
    }
  });

  it('takes no time that SYNs were lost for a round trip', () => {
    // Three SYNs and their answers are lost or late; a segment that is lost later is sent again in less than seconds.
    const settings = { bytes: 5000, loss: 0.15, reordering: 0.2, delay: 1, mtu: 1500, rate: 1000, queue: 20 };
    expect(() => transfer(828082708, { ...settings, receiveBuffer: 262_144 })).not.toThrow();
  });

  it('fills a long path: buffers grow', () => {
    const { throughput, timeouts, efficiency } = transfer(1, { bytes: 20_000_000, delay: 25 });
    expect(timeouts).toBe(0);
    expect(efficiency).toBe(1);
    // 256 KiB in a round trip of 50 ms are 5,240 KB/s.
    expect(throughput).toBeGreaterThan(4000);
  });

  it('shares the bottleneck of a short queue without time-outs', () => {
    const { throughput, timeouts } = transfer(2, { bytes: 10_000_000, delay: 10, rate: 1250, queue: 30 });
    expect(timeouts).toBeLessThan(3);
    expect(throughput).toBeGreaterThan(900);
  });

  it('bears that segments overtake each other', () => {
    for (const seed of [6, 7, 8]) {
      const settings = { bytes: 3_000_000, delay: 10, rate: 12_500, queue: 200 };
      const inOrder = transfer(seed, settings);
      const { throughput, efficiency, timeouts } = transfer(seed, { ...settings, reordering: 0.1 });
      expect(throughput, `seed ${seed}`).toBeGreaterThan(inOrder.throughput / 2);
      expect([efficiency > 0.98, timeouts], `seed ${seed}`).toEqual([true, 0]);
    }
  });

  it('bears losses', () => {
    const results = [3, 4, 5].map((seed) => transfer(seed, { bytes: 2_000_000, delay: 5, loss: 0.01 }));
    for (const { throughput, efficiency } of results) {
      expect(throughput).toBeGreaterThan(400);
      expect(efficiency).toBeGreaterThan(0.97);
    }
  });
});
