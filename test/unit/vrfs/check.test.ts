/** Layout, versions, and the check of VRFS: each kind of damage is found, and mended. */
import { describe, expect, it, vi } from 'vitest';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { chooseGeometry } from '../../../filesystems/vrfs/geometry.ts';
import { vrfs } from '../../../filesystems/vrfs/index.ts';
import { kind } from '../../../filesystems/vrfs/metadata.ts';
import { Volume } from '../../../filesystems/vrfs/volume.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { blockOf, blocksWith, contentOf, copyOf, expectSound, insideOf, mount, newDevice } from './support.ts';

/** A file system with something of everything, unmounted. */
function sample(): MemoryDevice {
  const device = newDevice(2048, 400);
  const fileSystem = mount(device);
  const directory = fileSystem.makeDirectory(1, 'directory', 0o755);
  const deep = fileSystem.makeDirectory(directory, 'deep', 0o755);
  for (let count = 0; count < 200; count++) fileSystem.create(directory, `file number ${count}`, 0o644);
  const large = fileSystem.create(deep, 'large', 0o644);
  fileSystem.write(large, 0, Buffer.alloc(200_000, 3));
  fileSystem.makeSymlink(deep, 'link', 'x'.repeat(3000));
  fileSystem.link(large, 1, 'second name');
  fileSystem.close();
  return device;
}

/** Changes a metadata block and makes its checksum right again. */
function falsify(device: MemoryDevice, block: number, change: (bytes: Buffer) => void): void {
  const bytes = blockOf(device, block);
  change(bytes);
  insideOf(device).seals.seal(bytes, block);
}

/** Expects a check to find something that a repair mends. */
function expectMended(device: MemoryDevice, finding: RegExp): FileSystem {
  const before = Buffer.from(device.bytes);
  const found = vrfs.check(device, false);
  expect(found.problems.join('\n')).toMatch(finding);
  expect(found.repaired).toEqual([]);
  expect(device.bytes.equals(before)).toBe(true);
  const repaired = vrfs.check(device, true);
  expect(repaired.problems).toEqual([]);
  expect(repaired.repaired.length).toBeGreaterThan(0);
  expectSound(device);
  return mount(device);
}

const inodePlace = (number: number): { block: number; at: number } => ({
  block: Math.floor(number / 15),
  at: ((number % 15) + 1) * 256,
});

describe('layout', () => {
  it('follows from the size, and says when that is too small', () => {
    for (const blocks of [256, 300, 4096, 262_144, 2 ** 29]) {
      const geometry = chooseGeometry(blocks);
      expect(geometry.dataEnd).toBe(blocks - 1);
      expect(geometry.dataStart).toBeLessThan(geometry.dataEnd);
      expect(geometry.blockBitmapBlocks * 32_704).toBeGreaterThanOrEqual(blocks);
    }
    expect(() => chooseGeometry(90)).toThrow('EINVAL');
    expect(() => vrfs.format(new MemoryDevice(64), { now: () => 0, random: (count) => Buffer.alloc(count) })).toThrow(
      'EINVAL',
    );
  });

  it('is recognised, and refuses versions and features that are not known', () => {
    const device = newDevice();
    expect(vrfs.probe(device)).toBe(true);
    expect(vrfs.probe(new MemoryDevice(64))).toBe(false);
    expect(() => mount(new MemoryDevice(4096))).toThrow('EINVAL');
    for (const at of [8, 20]) {
      const other = copyOf(device);
      falsify(other, 0, (bytes) => bytes.writeUInt32LE(2, at));
      expect(() => mount(other)).toThrow('EOPNOTSUPP');
      expect(() => vrfs.check(other, true)).toThrow('EOPNOTSUPP');
    }
    const readable = copyOf(device);
    falsify(readable, 0, (bytes) => bytes.writeUInt32LE(4, 16));
    expect(mount(readable).information().readOnlyReason).toMatch('0x4');
    expect(() => mount(new MemoryDevice(Buffer.from(device.bytes.subarray(0, 300 * 4096))))).toThrow('EUCLEAN');
  });
});

describe('check', () => {
  it('finds nothing in a sound file system', () => {
    const device = sample();
    const report = vrfs.check(device, true);
    expect(report).toMatchObject({ problems: [], repaired: [] });
    expect(report.summary).toMatch('201 files, 3 directories, 1 symbolic links');
  });

  it('mends the superblock from its copy, and the copy', () => {
    const device = sample();
    const expected = contentOf(mount(copyOf(device)));
    blockOf(device, 0).fill(0, 0, 100);
    expect(mount(copyOf(device)).information().readOnly).toBe(true);
    expect(contentOf(expectMended(device, /superblock/))).toBe(expected);
    blockOf(device, 2047).fill(1);
    expectMended(device, /copy of the superblock/);
  });

  it('mends bitmaps and counts', () => {
    const device = sample();
    const { geometry } = insideOf(device);
    for (const block of [geometry.blockBitmapStart, geometry.nodeBitmapStart]) {
      const clean = copyOf(device);
      const expected = contentOf(mount(copyOf(clean)));
      falsify(clean, block, (bytes) => {
        bytes[300] = (bytes[300] ?? 0) ^ 0xff;
        bytes[10] = 0;
      });
      expect(contentOf(expectMended(clean, /bitmap is wrong/))).toBe(expected);
      const torn = copyOf(device);
      blockOf(torn, block).fill(7, 100, 200);
      expect(contentOf(expectMended(torn, /checksum of block/))).toBe(expected);
    }
  });

  it('finds lost inodes and puts them into /lost+found', () => {
    const device = sample();
    const { geometry } = insideOf(device);
    const fileSystem = mount(copyOf(device));
    const directory = fileSystem.lookup(1, 'directory');
    const { block, at } = inodePlace(directory);
    falsify(device, geometry.tableStart + block, (bytes) => bytes.fill(0, at, at + 256));
    const mended = expectMended(device, /leads to inode \d+, which is free/);
    const lost = mended.lookup(1, 'lost+found');
    expect(mended.readDirectory(lost, '', 1000).entries.length).toBe(201);
  });

  it('mends link counts, parents and block counts', () => {
    const device = sample();
    const { geometry } = insideOf(device);
    const fileSystem = mount(copyOf(device));
    const expected = contentOf(fileSystem);
    const directory = fileSystem.lookup(1, 'directory');
    for (const [offset, finding] of [
      [4, /links/],
      [16, /blocks/],
      [32, /says that it is in/],
      [24, /list of orphans/],
    ] as const) {
      const { block, at } = inodePlace(directory);
      const copy = copyOf(device);
      falsify(copy, geometry.tableStart + block, (bytes) => bytes.writeUInt32LE(77, at + offset));
      expect(contentOf(expectMended(copy, finding))).toBe(expected);
    }
  });

  it('mends a file that is being shortened and in no list; until then it does not grow', () => {
    const device = sample();
    const { geometry } = insideOf(device);
    const file = mount(copyOf(device)).lookup(1, 'second name');
    const { block, at } = inodePlace(file);
    falsify(device, geometry.tableStart + block, (bytes) => bytes.writeUInt32LE(1, at + 36));
    let steps = 0;
    const commitEarly = vi.spyOn(Volume.prototype, 'commitEarly').mockImplementation(() => {
      steps += 1;
      if (steps > 100) throw new Error('the file is shortened without end');
    });
    const damaged = mount(copyOf(device));
    expect(() => damaged.truncate(file, 300_000)).toThrow('EUCLEAN');
    expect(() => damaged.write(file, 300_000, Buffer.alloc(10))).toThrow('EUCLEAN');
    commitEarly.mockRestore();
    expectMended(device, /list of orphans/).truncate(file, 300_000);
  });

  it('mends pointers that lead nowhere, twice to one block, or to a damaged block', () => {
    const device = sample();
    const { geometry } = insideOf(device);
    const fileSystem = mount(copyOf(device));
    const large = fileSystem.lookup(1, 'second name');
    const { block, at } = inodePlace(large);
    const table = geometry.tableStart + block;
    const pointers = at + 72;
    for (const [change, finding] of [
      [(bytes: Buffer) => bytes.writeUInt32LE(5, pointers), /not in the data area/],
      [(bytes: Buffer) => bytes.writeUInt32LE(bytes.readUInt32LE(pointers), pointers + 4), /used twice/],
    ] as const) {
      const copy = copyOf(device);
      falsify(copy, table, change);
      expectMended(copy, finding);
    }
    const [indirect = 0] = blocksWith(device, kind.INDIRECT);
    blockOf(device, indirect).fill(9, 500, 600);
    expectMended(device, /indirect block/);
  });

  it('rebuilds damaged directories from what can be read', () => {
    const device = sample();
    const blocks = blocksWith(device, kind.DIRECTORY);
    expect(blocks.length).toBeGreaterThan(4);
    for (const block of blocks) {
      const torn = copyOf(device);
      blockOf(torn, block).fill(1, 2000, 2100);
      const mended = expectMended(torn, /directory \d+ is damaged/);
      mended.create(1, 'usable', 0o644);
      mended.close();
      expectSound(torn);
    }
    const wrongHash = copyOf(device);
    falsify(wrongHash, blocks.at(-1) ?? 0, (bytes) => {
      const at = bytes.readUInt16LE(20);
      bytes.writeUInt32LE(bytes.readUInt32LE(at) - 1, at);
    });
    expectMended(wrongHash, /hash|order/);
  });

  it('mends a damaged block of the inode table, also that of the root', () => {
    const device = sample();
    const { geometry } = insideOf(device);
    blockOf(device, geometry.tableStart).fill(0xff, 300, 400);
    expect(() => mount(copyOf(device)).attributes(1)).toThrow('EUCLEAN');
    const mended = expectMended(device, /inodes 0 to 14 are lost/);
    expect(mended.readDirectory(mended.lookup(1, 'lost+found'), '', 500).entries.length).toBeGreaterThan(150);
  });
});
