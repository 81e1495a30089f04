/** Many exchanges over TCP whose network stacks die: the long run of test/unit/netstack-tcp/deaths.test.ts. */
import { describe, expect, it } from 'vitest';
import { Random } from '../support/random.ts';
import { playAll, playRandom } from '../unit/netstack-tcp/deaths.ts';

describe('the death of the network stack, often', () => {
  it('after each effect, for many seeds', () => {
    const random = new Random();
    for (let round = 0; round < 20; round++) {
      const seed = random.below(2 ** 32);
      for (const who of ['client', 'server'] as const) playAll(seed, who);
    }
  });

  it('of both, again and again', () => {
    const random = new Random();
    let whole = 0;
    for (let round = 0; round < 3000; round++) {
      const seed = random.below(2 ** 32);
      try {
        if (playRandom(seed) === 'whole') whole++;
      } catch (error) {
        throw new Error(`seed ${random.seed}, round ${round} (${seed})`, { cause: error });
      }
    }
    expect(whole).toBeGreaterThan(1500);
  });
});
