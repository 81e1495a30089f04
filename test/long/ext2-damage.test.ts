/** 2,000 damaged images of ext2. */
import { describe, it } from 'vitest';
import { Random } from '../support/random.ts';
import { damage, sampleImage } from '../unit/ext2/damage.ts';

describe('a damaged ext2', () => {
  it('leads to clear errors, and what is mended is sound, 2,000 times', () => {
    damage(new Random(), sampleImage(), 2000);
  });
});
