/**
 * VRFS after a loss of power, in the manner of CrashMonkey: all workloads of one operation, and a sample of longer ones. The whole campaign is test/long/vrfs-crash.test.ts.
 * VROS_TEST_SEED repeats a run.
 */
import { describe, expect, it } from 'vitest';
import { makeBases, runCampaign } from '../../support/filesystem/crash-campaign.ts';
import { longWorkload, randomWorkload, workloadsOfOne } from '../../support/filesystem/crash-workloads.ts';
import { vrfsSubject } from '../../support/filesystem/subjects.ts';
import { Random } from '../../support/random.ts';

const DISK_BYTES = 1024 * 1024;
const thoroughness = { allSubsets: 4, randomSubsets: 2, tornPlaces: 4, randomSectors: 1 };
const sparse = { allSubsets: 2, randomSubsets: 1, tornPlaces: 1, randomSectors: 1 };
const settings = { subject: vrfsSubject, thoroughness, continuedThoroughness: sparse, continued: 0.02 };

describe('VRFS after a loss of power is in the state of some prefix of the commits, nothing synced lost', () => {
  const random = new Random();
  const bases = makeBases(vrfsSubject, DISK_BYTES);
  for (const base of bases) {
    it(`one operation, ${base.name} (seed ${random.seed})`, () => {
      const { failures, states } = runCampaign({ ...settings, base }, workloadsOfOne(), random);
      expect(failures).toEqual([]);
      expect(states).toBeGreaterThan(300);
    }, 60_000);
    it(`two and three operations, ${base.name} (seed ${random.seed})`, () => {
      const workloads = Array.from({ length: 20 }, (_, index) => randomWorkload(2 + (index % 2), random));
      expect(runCampaign({ ...settings, base }, workloads, random).failures).toEqual([]);
    }, 60_000);
  }
  it(`many operations (seed ${random.seed})`, () => {
    const base = bases[0];
    if (base === undefined) throw new Error('there is no base');
    const workloads = [{ workload: longWorkload(80, random), shared: 0 }];
    expect(runCampaign({ ...settings, base, continued: 0.005 }, workloads, random).failures).toEqual([]);
  }, 60_000);
});
