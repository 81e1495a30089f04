import { describe, it } from 'vitest';
import { Random } from '../../support/random.ts';
import { fuzzNetwork } from './nat-fuzz.ts';

describe('hostile frames', () => {
  it('harm nothing', () => fuzzNetwork(new Random(), 20_000));
});
