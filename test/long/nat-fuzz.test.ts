import { describe, it } from 'vitest';
import { Random } from '../support/random.ts';
import { fuzzNetwork } from '../unit/network/nat-fuzz.ts';

describe('a million hostile frames', () => {
  for (let round = 0; round < 5; round++) it(`harm nothing (${round + 1})`, () => fuzzNetwork(new Random(), 200_000));
});
