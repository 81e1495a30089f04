/** 2,000 damaged images of each format. */
import { describe, it } from 'vitest';
import { ext2 } from '../../filesystems/ext2/index.ts';
import { vrfs } from '../../filesystems/vrfs/index.ts';
import { damage, sampleImage } from '../support/filesystem/damage.ts';
import { Random } from '../support/random.ts';

describe('a damaged file system leads to clear errors, and what is mended is sound, 2,000 times', () => {
  it('ext2', () => {
    damage(ext2, new Random(), sampleImage(ext2, { blockBytes: 1024 }), 2000);
  });

  it('VRFS', () => {
    damage(vrfs, new Random(), sampleImage(vrfs), 2000);
  });
});
