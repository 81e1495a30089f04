import { describe, it } from 'vitest';
import { Random } from '../support/random.ts';
import { fuzzStack } from '../unit/netstack/stack-fuzz.ts';

describe('a million hostile frames into the network stack', () => {
  for (let round = 0; round < 5; round++) it(`harm nothing (${round + 1})`, () => fuzzStack(new Random(), 200_000));
});
