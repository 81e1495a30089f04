import { describe, expect, it } from 'vitest';
import { fat } from '../../../filesystems/fat/index.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';
import { codeOf, entriesOf, made, mounted, problemsOf } from './volume.ts';

const MEBIBYTE = 2048;

describe('making', () => {
  it.each([
    [2880, 'fat12', 512],
    [10 * MEBIBYTE, 'fat12', 4096],
    [16 * MEBIBYTE, 'fat16', 1024],
    [200 * MEBIBYTE, 'fat16', 4096],
    [512 * MEBIBYTE, 'fat32', 4096],
  ])('of %i sectors gives %s with clusters of %i bytes', (sectors, type, blockBytes) => {
    const device = made(sectors);
    expect(fat.probe(device)).toBe(true);
    expect(mounted(device).information()).toMatchObject({ type, blockBytes, label: '' });
  });

  it('refuses what cannot be', () => {
    expect(codeOf(() => made(60_000, { fatBits: 32 }))).toBe('EINVAL');
    expect(codeOf(() => made(4000, { fatBits: 16 }))).toBe('EINVAL');
    expect(codeOf(() => made(20, {}))).toBe('EINVAL');
    expect(codeOf(() => made(300 * MEBIBYTE, { fatBits: 12 }))).toBe('EINVAL');
    expect(codeOf(() => made(9000, { blockBytes: 1000 }))).toBe('EINVAL');
    expect(codeOf(() => made(9000, { label: 'too long a label' }))).toBe('EINVAL');
  });
});

describe('mounting', () => {
  it('refuses with the reason what is no FAT, or no FAT of 512 bytes to a sector, or longer than the device', () => {
    const mount = (device: MemoryDevice): string => codeOf(() => mounted(device));
    expect(mount(new MemoryDevice(100))).toBe('EINVAL');
    const large = made(2880);
    large.bytes.writeUInt16LE(2048, 11);
    expect(mount(large)).toBe('EOPNOTSUPP');
    expect(codeOf(() => fat.check(large, true))).toBe('EOPNOTSUPP');
    expect(mount(new MemoryDevice(made(2880).bytes.subarray(0, 2000 * 512)))).toBe('EUCLEAN');
    const noRoot = made(2880);
    noRoot.bytes.writeUInt16LE(0, 17);
    expect(mount(noRoot)).toBe('EUCLEAN');
  });

  it('for reading writes nothing', () => {
    const device = made(2880);
    const before = Buffer.from(device.bytes);
    device.readOnly = true;
    const fs = mounted(device, new MemoryKeeper());
    expect(fs.information().readOnly).toBe(true);
    expect(codeOf(() => fs.create(fs.root, 'a', 0o644))).toBe('EROFS');
    fs.close();
    expect(before.equals(device.bytes)).toBe(true);
  });

  it('marks the disk as in use with the first change, and as closed at the end', () => {
    const device = made(70_000, { fatBits: 32 });
    const fs = mounted(device);
    expect(problemsOf(device)).toEqual([]);
    fs.create(fs.root, 'a', 0o644);
    expect(problemsOf(device)).toHaveLength(1);
    fs.close();
    expect(problemsOf(device)).toEqual([]);
  });
});

describe('operations', () => {
  it('answer EOPNOTSUPP where FAT has no such thing', () => {
    const fs = mounted(made(2880));
    const node = fs.create(fs.root, 'file', 0o644);
    expect(codeOf(() => fs.link(node, fs.root, 'other'))).toBe('EOPNOTSUPP');
    expect(codeOf(() => fs.makeSymlink(fs.root, 'link', 'file'))).toBe('EOPNOTSUPP');
    expect(codeOf(() => fs.readLink(node))).toBe('EINVAL');
  });

  it('keep the capitals of names and find them without, by their aliases too', () => {
    const fs = mounted(made(2880));
    const node = fs.create(fs.root, 'A Long Name.Text', 0o644);
    for (const name of ['a long name.text', 'A LONG NAME.TEXT...', 'ALONGN~1.TEX', 'alongn~1.tex'])
      expect(fs.lookup(fs.root, name)).toBe(node);
    expect(codeOf(() => fs.create(fs.root, 'alongn~1.tex', 0o644))).toBe('EEXIST');
    fs.rename(fs.root, 'a long name.text', fs.root, 'a LONG name.text');
    expect(entriesOf(fs, fs.root)).toEqual([{ name: 'a LONG name.text', node, type: 'file' }]);
    fs.create(fs.root, 'emoji 😀', 0o644);
    expect(entriesOf(fs, fs.root)[1]?.name).toBe('emoji 😀');
  });

  it('fill the root directory of FAT12 and no further', () => {
    const device = made(2880);
    const fs = mounted(device);
    for (let index = 0; index < 224; index++) fs.create(fs.root, `F${index}`, 0o644);
    expect(codeOf(() => fs.create(fs.root, 'ONE', 0o644))).toBe('ENOSPC');
    fs.rename(fs.root, 'F7', fs.root, 'G7');
    expect(codeOf(() => fs.rename(fs.root, 'G7', fs.root, 'a long name'))).toBe('ENOSPC');
    fs.unlink(fs.root, 'F8');
    fs.create(fs.root, 'ONE', 0o644);
    fs.close();
    expect(problemsOf(device)).toEqual([]);
  });

  it('keep files under 4 GiB, and refuse more', () => {
    const fs = mounted(made(2880));
    const node = fs.create(fs.root, 'file', 0o644);
    expect(codeOf(() => fs.truncate(node, 2 ** 32))).toBe('EFBIG');
    expect(codeOf(() => fs.write(node, 2 ** 32 - 1, Buffer.alloc(1)))).toBe('EFBIG');
    expect(codeOf(() => fs.truncate(node, 2 ** 32 - 1))).toBe('ENOSPC');
    expect(fs.attributes(node).size).toBe(0);
  });

  it('use every cluster, and take back what does not fit', () => {
    const fs = mounted(made(2880));
    const free = fs.information().freeBlocks;
    const node = fs.create(fs.root, 'file', 0o644);
    expect(codeOf(() => fs.write(node, 0, Buffer.alloc(512 * free + 1)))).toBe('ENOSPC');
    expect(fs.information().freeBlocks).toBe(free);
    fs.write(node, 0, Buffer.alloc(512 * free, 1));
    expect(fs.information().freeBlocks).toBe(0);
    expect(codeOf(() => fs.makeDirectory(fs.root, 'directory', 0o755))).toBe('ENOSPC');
    fs.truncate(node, 1000);
    fs.makeDirectory(fs.root, 'directory', 0o755);
    expect(fs.information().freeBlocks).toBe(free - 3);
  });

  it('read zeros where nothing was written, also over what was there before', () => {
    const fs = mounted(made(2880));
    const other = fs.create(fs.root, 'other', 0o644);
    fs.write(other, 0, Buffer.alloc(100_000, 0xff));
    fs.unlink(fs.root, 'other');
    fs.commit();
    const node = fs.create(fs.root, 'file', 0o644);
    fs.write(node, 10, Buffer.from('a'));
    fs.write(node, 30_000, Buffer.from('b'));
    fs.truncate(node, 5);
    fs.truncate(node, 40_000);
    expect(Buffer.alloc(40_000).equals(fs.read(node, 0, 50_000))).toBe(true);
  });

  it('keep times to two seconds, within the years of FAT', () => {
    const fs = mounted(made(2880));
    const node = fs.create(fs.root, 'file', 0o644);
    const set = (modified: number): number => {
      fs.setAttributes(node, { modified });
      return fs.attributes(node).modified;
    };
    expect(set(Date.UTC(2024, 1, 29, 23, 59, 59))).toBe(Date.UTC(2024, 1, 29, 23, 59, 58));
    expect(set(0)).toBe(Date.UTC(1980, 0, 1));
    expect(set(Date.UTC(2200, 0, 1))).toBe(Date.UTC(2107, 11, 31, 23, 59, 58));
    fs.setAttributes(node, { accessed: Date.UTC(2000, 5, 6, 7) });
    expect(fs.attributes(node).accessed).toBe(Date.UTC(2000, 5, 6));
  });

  it('show the attribute read-only as a mode, and set it by one', () => {
    const fs = mounted(made(2880));
    const node = fs.create(fs.root, 'file', 0o600);
    expect(fs.attributes(node).mode).toBe(0o755);
    fs.setAttributes(node, { mode: 0o444 });
    expect(fs.attributes(node).mode).toBe(0o555);
    fs.setAttributes(node, { mode: 0o640 });
    expect(fs.attributes(node).mode).toBe(0o755);
    fs.setAttributes(fs.root, { mode: 0 });
    expect(fs.attributes(fs.root).mode).toBe(0o755);
  });

  it('answer EUCLEAN for chains that are damaged, and change nothing', () => {
    const device = made(2880);
    const fs = mounted(device);
    const node = fs.create(fs.root, 'file', 0o644);
    fs.write(node, 0, Buffer.alloc(5000, 1));
    fs.close();
    // Cluster 4, the third of the file, leads back to the second: 0x003 in bytes 6 and 7 of both tables.
    for (const table of [512, 10 * 512])
      device.bytes.writeUInt16LE((device.bytes.readUInt16LE(table + 6) & 0xf000) | 3, table + 6);
    const again = mounted(device);
    const damaged = again.lookup(again.root, 'file');
    expect(codeOf(() => again.read(damaged, 0, 5000))).toBe('EUCLEAN');
    expect(codeOf(() => again.write(damaged, 5000, Buffer.alloc(600)))).toBe('EUCLEAN');
    expect(again.attributes(damaged).size).toBe(5000);
  });

  it('refuse to move a directory into itself, and find the parent after a move', () => {
    const fs = mounted(made(2880));
    const [a, b] = [fs.makeDirectory(fs.root, 'a', 0o755), fs.makeDirectory(fs.root, 'b', 0o755)];
    const inner = fs.makeDirectory(a, 'inner', 0o755);
    expect(codeOf(() => fs.rename(fs.root, 'a', inner, 'a'))).toBe('EINVAL');
    expect(codeOf(() => fs.rename(fs.root, 'a', a, 'a'))).toBe('EINVAL');
    // A file that would replace a directory above it: Linux says that this is not empty, before it says what it is.
    fs.create(inner, 'file', 0o644);
    expect(codeOf(() => fs.rename(inner, 'file', fs.root, 'a'))).toBe('ENOTEMPTY');
    expect(codeOf(() => fs.rename(inner, 'file', fs.root, 'b'))).toBe('EISDIR');
    fs.unlink(inner, 'file');
    fs.rename(a, 'inner', b, 'moved');
    expect([fs.lookup(b, 'moved'), fs.parent(inner), fs.parent(b), fs.parent(fs.root)]).toEqual([
      inner,
      b,
      fs.root,
      fs.root,
    ]);
    expect([fs.attributes(a).links, fs.attributes(b).links, fs.attributes(fs.root).links]).toEqual([2, 3, 4]);
  });

  it('list each entry once, whatever happens to others meanwhile', () => {
    const fs = mounted(made(2880));
    const directory = fs.makeDirectory(fs.root, 'directory', 0o755);
    for (let index = 0; index < 100; index++) fs.create(directory, `a file with number ${index}`, 0o644);
    const seen: string[] = [];
    let cursor: string | null = '';
    for (let round = 0; cursor !== null; round++) {
      const part: ReturnType<typeof fs.readDirectory> = fs.readDirectory(directory, cursor, 7);
      seen.push(...part.entries.map(({ name }) => name));
      cursor = part.cursor;
      if (round < 10) fs.unlink(directory, `a file with number ${round}`);
      fs.create(directory, `another ${round}`, 0o644);
    }
    for (let index = 10; index < 100; index++)
      expect(seen.filter((name) => name === `a file with number ${index}`)).toHaveLength(1);
    expect(codeOf(() => fs.readDirectory(directory, 'x', 1))).toBe('EINVAL');
  });

  it('stay linear in a directory of many names', () => {
    const fs = mounted(made(60 * MEBIBYTE));
    const directory = fs.makeDirectory(fs.root, 'directory', 0o755);
    for (let index = 0; index < 5000; index++) fs.create(directory, `file number ${index}.text`, 0o644);
    expect(entriesOf(fs, directory)).toHaveLength(5000);
    expect(codeOf(() => fs.create(directory, 'FILE NUMBER 4999.TEXT', 0o644))).toBe('EEXIST');
    for (let index = 0; index < 5000; index++) fs.unlink(directory, `file number ${index}.text`);
    fs.removeDirectory(fs.root, 'directory');
  });
});

describe('errors of the disk', () => {
  it('leave what was committed, and the file system read-only', () => {
    const device = made(9000, { fatBits: 16, blockBytes: 1024 });
    const fs = mounted(device, new MemoryKeeper());
    fs.create(fs.root, 'before', 0o644);
    fs.commit();
    const root = 1 + 2 * 18;
    device.refuses = (kind, sector) => kind === 'write' && sector >= root && sector < root + 32;
    fs.create(fs.root, 'after', 0o644);
    expect(codeOf(() => fs.commit())).toBe('EIO');
    expect(entriesOf(fs, fs.root).map(({ name }) => name)).toEqual(['before']);
    expect(fs.information()).toMatchObject({ readOnly: true, readOnlyReason: 'the disk has refused a write' });
    expect(codeOf(() => fs.create(fs.root, 'after', 0o644))).toBe('EROFS');
  });

  it('in the table are made good with a copy of it', () => {
    const device = made(9000, { fatBits: 16, blockBytes: 1024 });
    const fs = mounted(device);
    fs.write(fs.create(fs.root, 'file', 0o644), 0, Buffer.alloc(5000, 'x'));
    fs.close();
    device.refuses = (kind, sector, count) => kind === 'read' && sector <= 1 && sector + count > 1;
    const again = mounted(device, null, { readOnly: true });
    expect(Buffer.alloc(5000, 'x').equals(again.read(again.lookup(again.root, 'file'), 0, 5000))).toBe(true);
  });
});
