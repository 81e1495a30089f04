/**
 * VRFS after a loss of power, in the manner of CrashMonkey: all workloads of one operation, and a sample of longer
 * ones. The whole campaign is test/long/vrfs-crash.test.ts; what is tried is in docs/storage-tests.md. VROS_TEST_SEED
 * repeats a run.
 */
import { describe, expect, it } from 'vitest';
import { makeBases, runCampaign } from '../../support/filesystem/crash-campaign.ts';
import { longWorkload, randomWorkload, workloadsOfOne } from '../../support/filesystem/crash-workloads.ts';
import { vrfsSubject } from '../../support/filesystem/subjects.ts';
import { Random } from '../../support/random.ts';

const DISK_BYTES = 1024 * 1024;
const TIMEOUT_MS = 300_000;
const thoroughness = { allSubsets: 3, randomSubsets: 1, tornPlaces: 2, randomSectors: 1 };
const sparse = { allSubsets: 2, randomSubsets: 0, tornPlaces: 0, randomSectors: 1 };
const settings = { subject: vrfsSubject, thoroughness, continuedThoroughness: sparse, continued: 0.01 };

describe('VRFS after a loss of power is as some prefix of the operations left it, and has lost nothing that was synced', () => {
  const random = new Random();
  const [unmounted, ...others] = makeBases(vrfsSubject, DISK_BYTES);

  it(
    `every workload of one operation (seed ${random.seed})`,
    () => {
      const { failures, states } = runCampaign({ ...settings, base: unmounted }, workloadsOfOne(), random);
      expect(failures).toEqual([]);
      expect(states).toBeGreaterThan(1000);
    },
    TIMEOUT_MS,
  );

  it.each(others)(
    `a sample of one to three operations, disk: $name (seed ${random.seed})`,
    (base) => {
      const workloads = Array.from({ length: 10 }, (_, index) => randomWorkload(1 + (index % 3), random));
      const { failures, states } = runCampaign({ ...settings, base }, workloads, random);
      expect(failures).toEqual([]);
      expect(states).toBeGreaterThan(30);
    },
    TIMEOUT_MS,
  );

  it(
    `many operations (seed ${random.seed})`,
    () => {
      const workloads = [{ workload: longWorkload(60, random), shared: 0 }];
      const { failures, states } = runCampaign({ ...settings, base: unmounted, continued: 0.005 }, workloads, random);
      expect(failures).toEqual([]);
      expect(states).toBeGreaterThan(30);
    },
    TIMEOUT_MS,
  );
});
