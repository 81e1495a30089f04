/**
 * Proof that the crash tests find faults: with the journal, the flushes or the checksums taken away they have to fail.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { makeBases, runCampaign } from '../../support/filesystem/crash-campaign.ts';
import { workloadsOfOne } from '../../support/filesystem/crash-workloads.ts';
import { RecordingDevice } from '../../support/filesystem/devices.ts';
import { vrfsSubject } from '../../support/filesystem/subjects.ts';
import { Random } from '../../support/random.ts';

/** Whether every check holds. */
const checks = vi.hoisted(() => ({ off: false }));

vi.mock('../../../filesystems/crc32c.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../../filesystems/crc32c.ts')>();
  return { crc32c: (...words: Parameters<typeof original.crc32c>) => (checks.off ? 0 : original.crc32c(...words)) };
});

const DISK_BYTES = 1024 * 1024;
const thoroughness = { allSubsets: 3, randomSubsets: 1, tornPlaces: 2, randomSectors: 1 };
const settings = { subject: vrfsSubject, thoroughness, continuedThoroughness: thoroughness, continued: 0 };

/** Blocks of the journal on such a disk: from block 1 on (filesystems/vrfs/geometry.ts). */
const JOURNAL_SECTORS = { first: 8, last: 81 * 8 - 1 };

/** Loses what is written to the journal, and claims that it is there. */
class WithoutJournal extends RecordingDevice {
  override write(sector: number, data: Uint8Array): void {
    const last = sector + data.length / SECTOR_BYTES - 1;
    if (sector < JOURNAL_SECTORS.first || last > JOURNAL_SECTORS.last) super.write(sector, data);
  }
}

afterEach(() => {
  checks.off = false;
});

describe('the crash tests find', () => {
  it('a journal that is not written', () => {
    const [base] = makeBases(vrfsSubject, DISK_BYTES);
    const interpose = (device: RecordingDevice): RecordingDevice => new WithoutJournal(device);
    expect(runCampaign({ ...settings, base, interpose }, workloadsOfOne(), new Random()).failures).not.toEqual([]);
  });

  it('flushes that do nothing', () => {
    const [base] = makeBases(vrfsSubject, DISK_BYTES);
    const { failures } = runCampaign({ ...settings, base, ignoreFlushes: true }, workloadsOfOne(), new Random());
    expect(failures).not.toEqual([]);
  });

  it('checksums that always hold', () => {
    checks.off = true;
    const [base] = makeBases(vrfsSubject, DISK_BYTES);
    expect(runCampaign({ ...settings, base }, workloadsOfOne(), new Random()).failures).not.toEqual([]);
  });
});
