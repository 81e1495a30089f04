/**
 * VRFS after a loss of power: all workloads of two operations with nothing, a commit or a sync between them, and a
 * sample of three, on every kind of disk. Prints how many states were tried. What is tried in each is in
 * docs/storage-tests.md.
 */
import { describe, expect, it } from 'vitest';
import { makeBases, runCampaign } from '../support/filesystem/crash-campaign.ts';
import { randomWorkload, workloadsOfOne, workloadsOfTwo } from '../support/filesystem/crash-workloads.ts';
import { vrfsSubject } from '../support/filesystem/subjects.ts';
import { Random } from '../support/random.ts';

const DISK_BYTES = 1024 * 1024;
const SAMPLE = 300;
const thoroughness = { allSubsets: 3, randomSubsets: 1, tornPlaces: 1, randomSectors: 1 };
const sparse = { allSubsets: 2, randomSubsets: 0, tornPlaces: 0, randomSectors: 1 };
const settings = { subject: vrfsSubject, thoroughness, continuedThoroughness: sparse, continued: 0.002 };

function report(title: string, { workloads, states }: { workloads: number; states: number }, seed: number): void {
  process.stderr.write(`${title}: ${workloads} workloads, ${states} states, seed ${seed}\n`);
}

describe('VRFS after a loss of power', () => {
  const random = new Random();
  const [unmounted, ...others] = makeBases(vrfsSubject, DISK_BYTES);

  it('stands all workloads of two operations', () => {
    const result = runCampaign({ ...settings, base: unmounted }, workloadsOfTwo(), random);
    report('two operations', result, random.seed);
    expect(result.failures).toEqual([]);
    expect(result.states).toBeGreaterThan(4000);
  });

  it.each(others)('stands all workloads of one and a sample of three operations, disk: $name', (base) => {
    const sample = Array.from({ length: SAMPLE }, () => randomWorkload(3, random));
    const result = runCampaign({ ...settings, base }, [...workloadsOfOne(), ...sample], random);
    report(base.name, result, random.seed);
    expect(result.failures).toEqual([]);
    expect(result.states).toBeGreaterThan(SAMPLE);
  });
});
