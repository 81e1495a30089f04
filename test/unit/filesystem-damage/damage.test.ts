/**
 * Damaged images lead to clear errors and nothing else. The campaigns of 2,000 are in test/long; that of FAT stands
 * beside its other tests.
 */
import { describe, it } from 'vitest';
import { ext2 } from '../../../filesystems/ext2/index.ts';
import { vrfs } from '../../../filesystems/vrfs/index.ts';
import { damage, sampleImage } from '../../support/filesystem/damage.ts';
import { Random } from '../../support/random.ts';

describe('a damaged file system leads to clear errors, and what is mended is sound', () => {
  it('ext2', () => {
    damage(ext2, new Random(), sampleImage(ext2, { blockBytes: 1024 }), 100);
  }, 120_000);

  it('VRFS', () => {
    damage(vrfs, new Random(), sampleImage(vrfs), 60);
  }, 120_000);
});
