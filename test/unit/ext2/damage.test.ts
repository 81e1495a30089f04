/** Damaged images lead to clear errors and nothing else. The campaign of 2,000 is in test/long. */
import { describe, it } from 'vitest';
import { Random } from '../../support/random.ts';
import { damage, sampleImage } from './damage.ts';

describe('a damaged ext2', () => {
  it('leads to clear errors, and what is mended is sound', () => {
    damage(new Random(), sampleImage(), 100);
  }, 60_000);
});
