/** An ext2 that is still marked as in use, or as damaged: what a check says of it, and when the mark goes. */
import { describe, expect, it } from 'vitest';
import { ext2 } from '../../../filesystems/ext2/index.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';

const NOT_UNMOUNTED = 'the file system was not unmounted';
const WRONG_COUNTS = 'the counts in the superblock are wrong';
const FREE_BLOCKS_AT = 1024 + 12;
const STATE_AT = 1024 + 58;

const tools = { now: () => 1.7e12, random: (count: number) => Buffer.alloc(count, 9) };
const problemsOf = (device: MemoryDevice): readonly string[] => ext2.check(device, false).problems;

function made(): MemoryDevice {
  const device = new MemoryDevice(8192);
  ext2.format(device, { ...tools, blockBytes: 1024 });
  return device;
}

function mounted(device: MemoryDevice, log: string[] = [], keeper: MemoryKeeper | null = null): FileSystem {
  const fs = ext2.mount(device, { ...tools, readOnly: false, keeper, log: (text) => log.push(text) });
  fs.restoreRetained([]);
  return fs;
}

/** A new file in an ext2 that stays mounted. Answers the device. */
function inUse(keeper: MemoryKeeper | null = null): { device: MemoryDevice; fs: FileSystem } {
  const device = made();
  const fs = mounted(device, [], keeper);
  fs.write(fs.create(fs.root, 'file', 0o644), 0, Buffer.alloc(5000, 1));
  fs.commit();
  return { device, fs };
}

describe('an ext2 that was not unmounted', () => {
  it('is not sound: its counts are compared, too', () => {
    const { device, fs } = inUse();
    expect(problemsOf(device)).toEqual([WRONG_COUNTS, NOT_UNMOUNTED]);
    // The counts are written when everything is on the medium.
    fs.sync();
    expect(problemsOf(device)).toEqual([NOT_UNMOUNTED]);
    fs.close();
    expect(problemsOf(device)).toEqual([]);
  });

  it('is mended, and sound from then on', () => {
    const { device } = inUse();
    const { problems, repaired } = ext2.check(device, true);
    expect([problems, repaired]).toEqual([[], [WRONG_COUNTS, NOT_UNMOUNTED]]);
    expect(problemsOf(device)).toEqual([]);
    expect(ext2.check(device, true).repaired).toEqual([]);
  });

  it('is mended when it is mounted for writing, but for the next incarnation of its service', () => {
    const keeper = new MemoryKeeper();
    const { device } = inUse(keeper);
    const log: string[] = [];
    mounted(device, log, new MemoryKeeper(keeper.values));
    expect(log).toEqual([]);
    const fs = mounted(device, log);
    expect(log).toEqual([
      'was not unmounted: 2 findings repaired, 0 not',
      `repaired: ${WRONG_COUNTS}`,
      `repaired: ${NOT_UNMOUNTED}`,
    ]);
    expect(fs.attributes(fs.lookup(fs.root, 'file')).size).toBe(5000);
    expect(fs.information()).toMatchObject({ readOnly: false, readOnlyReason: '' });
    fs.create(fs.root, 'another', 0o644);
    fs.close();
    expect(problemsOf(device)).toEqual([]);
  });

  it('keeps its mark as long as something else is wrong with it', () => {
    const { device, fs } = inUse();
    const directory = fs.makeDirectory(fs.root, 'directory', 0o755);
    fs.makeDirectory(directory, 'the-name', 0o755);
    fs.commit();
    // A length that no record can have.
    device.bytes.writeUInt16LE(3, device.bytes.indexOf('the-name') - 4);
    for (const repair of [false, true]) {
      const { problems } = ext2.check(device, repair);
      expect(problems).toContain(NOT_UNMOUNTED);
      expect(problems[0]).not.toBe(NOT_UNMOUNTED);
      expect(device.bytes.readUInt16LE(STATE_AT) & 1).toBe(0);
    }
  });
});

describe('a check of an ext2', () => {
  it('takes a feature that is not known for no damage, and says as a mount does which one', () => {
    const device = made();
    // The feature `extents`, of ext4.
    device.bytes.writeUInt32LE(device.bytes.readUInt32LE(1024 + 96) | 0x40, 1024 + 96);
    const before = Buffer.from(device.bytes);
    for (const act of [() => ext2.check(device, true), () => mounted(device)])
      expect(act).toThrow('EOPNOTSUPP: features that are not known: extents');
    expect(device.bytes.equals(before)).toBe(true);
  });

  it('tells that damage was met before', () => {
    const device = made();
    device.bytes.writeUInt16LE(3, STATE_AT);
    expect(problemsOf(device)).toEqual(['damage was met in it and noted']);
    expect(ext2.check(device, true)).toMatchObject({ problems: [], repaired: ['damage was met in it and noted'] });
    expect(device.bytes.readUInt16LE(STATE_AT)).toBe(1);
  });

  it('compares the counts of one that was unmounted', () => {
    const device = made();
    device.bytes.writeUInt32LE(device.bytes.readUInt32LE(FREE_BLOCKS_AT) - 1, FREE_BLOCKS_AT);
    expect(problemsOf(device)).toEqual([WRONG_COUNTS]);
    expect(ext2.check(device, true).repaired).toEqual([WRONG_COUNTS]);
    expect(problemsOf(device)).toEqual([]);
  });
});
