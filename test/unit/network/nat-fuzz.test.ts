import { describe, it } from 'vitest';
import { Random } from '../../support/random.ts';
import { fuzzNetwork } from './nat-fuzz.ts';

describe('hostile frames', () => {
  // The million is in test/long.
  it('harm nothing', () => fuzzNetwork(new Random(), 5000), 60_000);
});
