import { describe, expect, it } from 'vitest';
import { MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';
import { made, mounted, picture, problemsOf } from './volume.ts';
import { Workload } from './workload.ts';

const TYPES = [
  { name: 'fat12', sectors: 2880, fatBits: 12, blockBytes: 512 },
  { name: 'fat12 with large clusters', sectors: 20_000, fatBits: 12, blockBytes: 16_384 },
  { name: 'fat16', sectors: 9000, fatBits: 16, blockBytes: 1024 },
  { name: 'fat32', sectors: 70_000, fatBits: 32, blockBytes: 512 },
] as const;

describe('random operations', () => {
  it.each(TYPES)('do on $name what they do on the model', ({ sectors, fatBits, blockBytes }) => {
    const random = new Random();
    const device = made(sectors, { fatBits, blockBytes });
    const keeper = new MemoryKeeper();
    let fs = mounted(device, keeper);
    const workload = new Workload(random, { maxFileBytes: 20_000, maxNodes: 60 });
    let errors = 0;
    for (let step = 0; step < 700; step++) {
      const { text, got, wanted } = workload.step(fs);
      expect(got, `seed ${random.seed}, step ${step}: ${text}`).toBe(wanted);
      if (got !== '') errors++;
      if (random.below(3) === 0) fs.commit();
      if (random.below(100) > 0) continue;
      expect(picture(fs), `seed ${random.seed}, step ${step}`).toEqual(workload.picture());
      if (random.below(2) === 0) {
        fs.commit();
        fs = mounted(device, keeper);
        fs.restoreRetained([]);
      } else {
        fs.close();
        expect(problemsOf(device), `seed ${random.seed}, step ${step}`).toEqual([]);
        fs = mounted(device, keeper);
      }
      expect(picture(fs), `seed ${random.seed}, step ${step}, mounted again`).toEqual(workload.picture());
    }
    expect(errors).toBeGreaterThan(50);
    fs.close();
    expect(problemsOf(device), `seed ${random.seed}`).toEqual([]);
    expect(keeper.keys()).toEqual([]);
  });
});
