import { describe, it } from 'vitest';
import { Random } from '../../support/random.ts';
import { fuzzStack } from './stack-fuzz.ts';

describe('20,000 hostile frames', () => {
  it('harm nothing', () => fuzzStack(new Random(), 20_000));
});
