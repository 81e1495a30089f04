import { describe, expect, it } from 'vitest';
import { Random } from '../../support/random.ts';
import { type Faults, NO_FAULTS, TcpPair } from './tcp-pair.ts';

const HOUR_MS = 3_600_000;

function transfer(random: Random, faults: Faults, size: number, readRate = Infinity): TcpPair {
  const [up, down] = [random.bytes(size), random.bytes(size)];
  const pair = new TcpPair(random, faults, up, down, readRate);
  const label = `seed ${random.seed}`;
  expect(pair.run(HOUR_MS), label).toBe(true);
  // Whose last acknowledgement is lost once too often finds nobody in the end, and has lost nothing.
  for (const { end } of [pair.client, pair.server]) expect(['closed', 'reset'], label).toContain(end);
  expect(pair.server.receivedBytes.equals(up), label).toBe(true);
  expect(pair.client.receivedBytes.equals(down), label).toBe(true);
  expect([pair.client.peerHasClosed, pair.server.peerHasClosed], label).toEqual([true, true]);
  return pair;
}

describe('a TCP transfer in both directions', () => {
  it('takes few segments on a good wire', () => {
    const pair = transfer(new Random(), NO_FAULTS, 200_000);
    // 137 segments of data each way; each side acknowledges every other segment, mostly with its own data.
    expect(pair.client.sentSegments + pair.server.sentSegments).toBeLessThan(450);
    // The end that closed first waits for stragglers.
    expect(pair.now).toBeLessThan(30_000 + 5000);
  });

  it('works without data', () => {
    transfer(new Random(), NO_FAULTS, 0);
  });

  for (const loss of [0.01, 0.05, 0.1]) {
    for (const jitterMs of [0, 20]) {
      it(`arrives whole with ${loss * 100} % lost and ${jitterMs} ms of disorder`, () => {
        const random = new Random();
        for (let round = 0; round < 5; round++) {
          transfer(random, { delayMs: 5, jitterMs, loss, duplicates: 0.02 }, 100_000);
        }
      });
    }
  }

  it('keeps to the window of a slow reader', () => {
    const pair = transfer(new Random(), NO_FAULTS, 100_000, 100);
    expect(pair.now).toBeGreaterThan(900);
  });

  it('gets through the window of a reader that is slow on a bad wire', () => {
    transfer(new Random(), { delayMs: 5, jitterMs: 5, loss: 0.1, duplicates: 0.05 }, 60_000, 50);
  });
});
