/** 2,000 file systems of FAT that are damaged at random: no hang, no exception, nothing but clear errors. */
import { describe, it } from 'vitest';
import { Random } from '../support/random.ts';
import { damage } from '../unit/fat/damage.ts';
import { made, mounted } from '../unit/fat/volume.ts';
import { Workload } from '../unit/fat/workload.ts';

describe('damage to FAT', () => {
  it.each([
    { name: 'fat12', sectors: 1440, fatBits: 12, blockBytes: 512, used: 300, rounds: 1000 },
    { name: 'fat16', sectors: 9000, fatBits: 16, blockBytes: 1024, used: 300, rounds: 800 },
    { name: 'fat32', sectors: 68_000, fatBits: 32, blockBytes: 512, used: 1500, rounds: 200 },
  ] as const)('on $name: $rounds times', ({ used, rounds, ...shape }) => {
    const random = new Random();
    const device = made(shape.sectors, shape);
    const fs = mounted(device);
    const workload = new Workload(random, { maxFileBytes: 6000, maxNodes: 40 });
    for (let step = 0; step < 150; step++) workload.step(fs);
    fs.close();
    damage(random, device.bytes, used, rounds);
  });
});
