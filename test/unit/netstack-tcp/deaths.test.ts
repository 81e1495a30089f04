/**
 * The network stack of one end, or of both, dies between any two of its effects. The programs must not notice: each
 * byte arrives once, in order, and the end of the stream after it. Only what was not established may be lost, with
 * ECONNRESET.
 */
import { describe, expect, it } from 'vitest';
import { Random } from '../../support/random.ts';
import { playAll, playRandom } from './deaths.ts';

describe('the death of the network stack', () => {
  for (const who of ['client', 'server'] as const) {
    it(`of the ${who} after each of its effects`, () => {
      const seed = new Random().seed;
      const { total, whole } = playAll(seed, who);
      expect(total).toBeGreaterThan(40);
      expect(whole).toBeGreaterThan(total * 0.9);
    });
  }

  it('of both, again and again, over a bad net', () => {
    const random = new Random();
    let whole = 0;
    for (let round = 0; round < 50; round++) {
      const seed = random.below(2 ** 32);
      try {
        if (playRandom(seed) === 'whole') whole++;
      } catch (error) {
        throw new Error(`seed ${random.seed}, round ${round} (${seed})`, { cause: error });
      }
    }
    expect(whole).toBeGreaterThan(20);
  });
});
