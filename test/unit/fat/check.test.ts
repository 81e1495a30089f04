import { describe, expect, it } from 'vitest';
import { SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { type Geometry, readBootSector, sectorOf } from '../../../filesystems/fat/boot-sector.ts';
import { fat } from '../../../filesystems/fat/index.ts';
import type { MemoryDevice } from '../../support/memory-device.ts';
import { Random } from '../../support/random.ts';
import { damage } from './damage.ts';
import { made, mounted, picture, problemsOf } from './volume.ts';

/** A file system of FAT16 with clusters of 1 KiB, with two files of three clusters in a directory. */
function sample(): { device: MemoryDevice; geometry: Geometry } {
  const device = made(9000, { fatBits: 16, blockBytes: 1024 });
  const fs = mounted(device);
  const directory = fs.makeDirectory(fs.root, 'directory', 0o755);
  for (const name of ['first file', 'second file'])
    fs.write(fs.create(directory, name, 0o644), 0, Buffer.alloc(2500, name));
  fs.close();
  return { device, geometry: readBootSector(device.read(0, 1), device.sectors) };
}

/** Sets an entry in both tables. */
function setEntry({ device, geometry }: ReturnType<typeof sample>, cluster: number, value: number): void {
  for (const table of [geometry.table, ...geometry.copies])
    device.bytes.writeUInt16LE(value, table * SECTOR_BYTES + cluster * 2);
}

/** Where a slot of the directory is in the image. */
function entryAt({ geometry }: ReturnType<typeof sample>, slot: number): number {
  return sectorOf(geometry, 2) * SECTOR_BYTES + slot * 32;
}

/** Slots in the directory: dots, then two for each file. */
const FIRST = 3;
const SECOND = 5;

describe('check', () => {
  const cases: [string, (at: ReturnType<typeof sample>) => void, RegExp][] = [
    [
      'a chain that comes back to itself',
      (at) => setEntry(at, 4, 3),
      /first file: its chain leads to cluster 3, which belongs/,
    ],
    [
      'a chain that leads nowhere',
      (at) => setEntry(at, 4, 9999),
      /first file: its chain leads to cluster 9999, which does not/,
    ],
    ['a chain with a free cluster', (at) => setEntry(at, 4, 0), /first file: its chain leads to cluster 4, a free one/],
    ['a chain with a defective cluster', (at) => setEntry(at, 4, 0xfff7), /leads to cluster 4, a defective one/],
    ['a cluster in two chains', (at) => setEntry(at, 6, 4), /second file: its chain leads to cluster 4, which belongs/],
    [
      'a chain that is too short',
      (at) => setEntry(at, 4, 0xffff),
      /first file: has 2500 bytes, but clusters for 2048 only/,
    ],
    [
      'a chain that is too long',
      (at) => at.device.bytes.writeUInt32LE(5, entryAt(at, FIRST) + 28),
      /has 2 clusters more/,
    ],
    [
      'a file that begins nowhere',
      (at) => at.device.bytes.writeUInt16LE(60_000, entryAt(at, FIRST) + 26),
      /begins at cluster 60000/,
    ],
    [
      'a file of some bytes without clusters',
      (at) => at.device.bytes.writeUInt16LE(0, entryAt(at, FIRST) + 26),
      /but no clusters/,
    ],
    ['clusters of nobody', (at) => setEntry(at, 100, 0xffff), /1 clusters are taken, but belong to no file/],
    [
      'a copy of the table that differs',
      (at) =>
        at.device.bytes.fill(
          1,
          (at.geometry.copies[0] ?? 0) * SECTOR_BYTES + 600,
          (at.geometry.copies[0] ?? 0) * SECTOR_BYTES + 620,
        ),
      /copy 1 of the table differs from it in 1 sectors/,
    ],
    [
      'a table that does not begin as it has to',
      (at) => setEntry(at, 0, 0x1234),
      /the table does not begin as it has to/,
    ],
    [
      'parts of a long name without a file',
      (at) => at.device.bytes.writeUInt8(0xe5, entryAt(at, FIRST)),
      /1 parts of a long name without a file/,
    ],
    [
      'a name twice',
      (at) =>
        at.device.bytes.copy(at.device.bytes, entryAt(at, SECOND - 1), entryAt(at, FIRST - 1), entryAt(at, FIRST) + 11),
      /has this name, or its alias, twice/,
    ],
    [
      'a short name with small letters',
      (at) => at.device.bytes.write('abc', entryAt(at, FIRST), 'latin1'),
      /short name has characters/,
    ],
    [
      'a directory with a size',
      (at) => at.device.bytes.writeUInt32LE(7, at.geometry.root * SECTOR_BYTES + 32 + 28),
      /directory: a directory whose size is not 0/,
    ],
    [
      'a wrong entry for the parent',
      (at) => at.device.bytes.writeUInt16LE(9, entryAt(at, 1) + 26),
      /its entry '\.\.' leads to cluster 9 instead of 0/,
    ],
    [
      'no entry for the directory itself',
      (at) => at.device.bytes.writeUInt8(0xe5, entryAt(at, 0)),
      /has no entry '\.'/,
    ],
    [
      'a directory that begins nowhere',
      (at) => at.device.bytes.writeUInt16LE(1, at.geometry.root * SECTOR_BYTES + 32 + 26),
      /a directory at cluster 1, which is none of its own/,
    ],
  ];

  it.each(cases)('finds and mends %s', (_what, harm, finding) => {
    const at = sample();
    harm(at);
    const untouched = Buffer.from(at.device.bytes);
    expect(problemsOf(at.device).join('\n')).toMatch(finding);
    expect(untouched.equals(at.device.bytes)).toBe(true);
    const report = fat.check(at.device, true);
    expect(report.problems).toEqual([]);
    expect(report.repaired.join('\n')).toMatch(finding);
    expect(problemsOf(at.device)).toEqual([]);
    picture(mounted(at.device));
  });

  it('finds nothing wrong where nothing is, and says what is there', () => {
    const { device } = sample();
    const before = Buffer.from(device.bytes);
    const report = fat.check(device, true);
    expect(report).toEqual({
      problems: [],
      repaired: [],
      summary: '2 files, 2 directories, 7 of 4465 clusters in use',
    });
    expect(before.equals(device.bytes)).toBe(true);
  });

  it('mends what only FAT32 has', () => {
    const device = made(70_000, { fatBits: 32 });
    device.bytes.writeUInt32LE(5, SECTOR_BYTES + 488);
    device.bytes.fill(0, 6 * SECTOR_BYTES, 6 * SECTOR_BYTES + 100);
    expect(problemsOf(device)).toEqual([
      'the copy of the boot sector in sector 6 is damaged',
      '68873 clusters are free, where 5 are said to be',
    ]);
    expect(fat.check(device, true).repaired).toHaveLength(2);
    expect(problemsOf(device)).toEqual([]);
    device.bytes.fill(0, SECTOR_BYTES, 2 * SECTOR_BYTES);
    expect(fat.check(device, true).repaired).toEqual(['sector 1, of the figures of free clusters, is damaged']);
    device.bytes.fill(0, 0, SECTOR_BYTES);
    expect(fat.probe(device)).toBe(false);
    expect(problemsOf(device)[0]).toMatch(/the boot sector is damaged .*; its copy in sector 6 is sound/);
    expect(fat.check(device, true).repaired[0]).toMatch(/the boot sector is damaged/);
    expect(problemsOf(device)).toEqual([]);
  });

  it('is never led astray: random damage is found or harmless, mended, and ends neither reading nor writing', () => {
    const random = new Random();
    damage(random, sample().device.bytes, 120, 80);
  });
});
