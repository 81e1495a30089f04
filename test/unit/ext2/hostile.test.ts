/** Images of ext2 that were made to do harm: clear errors, bounded work, and what is sound stays usable. */
import { describe, expect, it } from 'vitest';
import { ext2 } from '../../../filesystems/ext2/index.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { MemoryDevice } from '../../support/memory-device.ts';

const BLOCK = 1024;
const tools = { now: () => 1.7e12, random: (count: number) => Buffer.alloc(count, 9) };

function mounted(device: MemoryDevice): FileSystem {
  const fs = ext2.mount(device, { ...tools, readOnly: false, keeper: null, log: () => {} });
  fs.restoreRetained([]);
  return fs;
}

function made(mebibytes: number, nodes = 1000): MemoryDevice {
  const device = new MemoryDevice(mebibytes * 2048);
  ext2.format(device, { ...tools, blockBytes: BLOCK, nodes });
  return device;
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}

/** Where an inode is on an image with one inode table per group of inodes. */
function inodeAt(device: MemoryDevice, number: number): number {
  const { bytes } = device;
  const perGroup = bytes.readUInt32LE(1024 + 40);
  const size = bytes.readUInt16LE(1024 + 88);
  const descriptor = 2048 + Math.floor((number - 1) / perGroup) * 32;
  return bytes.readUInt32LE(descriptor + 8) * BLOCK + ((number - 1) % perGroup) * size;
}

/** Lets the record of a name lead to another inode. The name has to be unique on the image. */
function point(device: MemoryDevice, name: string, inode: number): void {
  const at = device.bytes.indexOf(name) - 8;
  expect(at).toBeGreaterThan(0);
  device.bytes.writeUInt32LE(inode, at);
}

describe('a hostile ext2', () => {
  it('is checked in bounded time when its directories lead in a circle', () => {
    const device = made(16, 6000);
    const fs = mounted(device);
    const first = fs.makeDirectory(fs.root, 'the-first-one', 0o755);
    let last = first;
    for (let depth = 0; depth < 4000; depth++) {
      last = fs.makeDirectory(last, 'd', 0o755);
      if (depth % 20 === 0) fs.commit();
    }
    fs.create(last, 'the-last-one', 0o644);
    fs.close();
    point(device, 'the-first-one', 0);
    point(device, 'the-last-one', first);
    const start = performance.now();
    expect(ext2.check(device, false).problems.join()).toMatch(/in itself|circle/);
    expect(performance.now() - start).toBeLessThan(5000);
    ext2.check(device, true);
    mounted(device).close();
  });

  it('stays usable when a file without a name cannot be freed', () => {
    const device = made(16);
    const fs = mounted(device);
    const file = fs.create(fs.root, 'file', 0o644);
    fs.write(file, 0, Buffer.alloc(30_000, 1));
    fs.sync();
    fs.retain(file);
    fs.unlink(fs.root, 'file');
    fs.commit();
    // Its block in the table of inodes, behind the back of the cache: for that a mount that has not been closed.
    device.bytes.writeUInt32LE(1, inodeAt(device, file) + 40 + 4);
    const again = mounted(device);
    const report = again.information();
    expect(codeOf(() => again.readDirectory(again.root, '', 10))).toBe('none');
    if (!report.readOnly) {
      again.create(again.root, 'new', 0o644);
      again.commit();
      again.close();
    }
  });

  it('does not lose a file that has a name and is on the list of those to be freed', () => {
    for (const how of ['mount', 'check']) {
      const device = made(16);
      const fs = mounted(device);
      const file = fs.create(fs.root, 'file', 0o644);
      fs.write(file, 0, Buffer.alloc(30_000, 'content'));
      fs.close();
      // ext3 puts a file there while it becomes shorter.
      device.bytes.writeUInt32LE(file, 1024 + 232);
      if (how === 'check') ext2.check(device, true);
      const again = mounted(device);
      expect(Buffer.from(again.read(file, 0, 30_000)), how).toEqual(Buffer.alloc(30_000, 'content'));
      again.close();
      expect(device.bytes.readUInt32LE(1024 + 232), how).toBe(0);
      expect(ext2.check(device, false).problems, how).toEqual([]);
    }
  });

  it('is marked as damaged when damage is found, and read-only where it wants that', () => {
    for (const behaviour of [1, 2, 3]) {
      const device = made(16);
      const fs = mounted(device);
      const file = fs.create(fs.root, 'file', 0o644);
      fs.write(file, 0, Buffer.alloc(3000, 1));
      fs.close();
      device.bytes.writeUInt32LE(1, inodeAt(device, file) + 40);
      device.bytes.writeUInt16LE(behaviour, 1024 + 60);
      const again = mounted(device);
      expect(codeOf(() => again.truncate(file, 0))).toBe('EUCLEAN');
      expect(codeOf(() => again.create(again.root, 'new', 0o644))).toBe(behaviour === 1 ? 'none' : 'EROFS');
      expect(again.information().readOnly).toBe(behaviour !== 1);
      again.commit();
      again.close();
      expect(device.bytes.readUInt16LE(1024 + 58) & 2).toBe(2);
      // So the next mount checks it, and says why it cannot be changed.
      expect(mounted(device).information().readOnlyReason).toContain('damaged');
    }
  });

  it('refuses counts that cannot be raised any more', () => {
    const device = made(16);
    const fs = mounted(device);
    const file = fs.create(fs.root, 'file', 0o644);
    const directory = fs.makeDirectory(fs.root, 'directory', 0o755);
    fs.close();
    for (const node of [file, directory]) device.bytes.writeUInt32LE(0xffffffff, inodeAt(device, node) + 28);
    const again = mounted(device);
    expect(codeOf(() => again.write(file, 0, Buffer.alloc(5000)))).toBe('EUCLEAN');
    const results = new Set<string>();
    for (let i = 0; i < 60; i++) results.add(codeOf(() => again.create(directory, `a long enough name ${i}`, 0o644)));
    expect([...results].sort()).toEqual(['EUCLEAN', 'none']);
    again.commit();
  });

  it('goes on when two directories have one block', () => {
    const device = made(16);
    const fs = mounted(device);
    const [a, b] = [fs.makeDirectory(fs.root, 'a', 0o755), fs.makeDirectory(fs.root, 'b', 0o755)];
    for (let i = 0; i < 20; i++) fs.create(a, `name ${i}`, 0o644);
    fs.close();
    device.bytes.copy(device.bytes, inodeAt(device, b) + 40, inodeAt(device, a) + 40, inodeAt(device, a) + 44);
    const again = mounted(device);
    const codes = new Set<string>();
    for (let round = 0; round < 400; round++) {
      const directory = round % 2 === 0 ? a : b;
      const name = `name ${(round * 7) % 40}`;
      codes.add(codeOf(() => again.unlink(directory, name)));
      codes.add(codeOf(() => again.create(directory, `${name}${'x'.repeat(round % 50)}`, 0o644)));
      codes.add(codeOf(() => again.rename(directory, name, directory, `name ${(round * 11) % 40}`)));
      codes.add(codeOf(() => again.readDirectory(directory, '', 100)));
      if (round % 5 === 0) codes.add(codeOf(() => again.commit()));
    }
    for (const code of codes) expect(['none', 'ENOENT', 'EEXIST', 'EUCLEAN', 'ENOSPC']).toContain(code);
    expect(codeOf(() => again.create(again.root, 'still works', 0o644))).toBe('none');
  });

  it('loses that one of two names of a directory which is not where its .. leads, wherever it is', () => {
    for (const moved of [false, true]) {
      const device = made(4);
      const fs = mounted(device);
      const [a, b] = [fs.makeDirectory(fs.root, 'a', 0o755), fs.makeDirectory(fs.root, 'b', 0o755)];
      const directory = fs.makeDirectory(a, 'the directory', 0o755);
      if (moved) fs.rename(a, 'the directory', b, 'the directory');
      fs.create(moved ? a : b, 'another name', 0o644);
      fs.close();
      point(device, 'another name', directory);
      expect(ext2.check(device, false).problems.length).toBeGreaterThan(0);
      const { problems, repaired } = ext2.check(device, true);
      expect(problems).toEqual([]);
      expect(repaired.some((line) => line.includes('"another name" leads to directory'))).toBe(true);
      expect(ext2.check(device, false).problems).toEqual([]);
      const again = mounted(device);
      expect(again.lookup(moved ? b : a, 'the directory')).toBe(directory);
      expect(codeOf(() => again.lookup(moved ? a : b, 'another name'))).toBe('ENOENT');
    }
  });

  it('does not give out an inode that is in use but marked as free, and refuses names that lead to free ones', () => {
    const device = made(4, 200);
    const fs = mounted(device);
    const file = fs.create(fs.root, 'a-file', 0o644);
    fs.write(file, 0, Buffer.from('content'));
    fs.create(fs.root, 'a-name', 0o644);
    fs.close();
    const bitmap = device.bytes.readUInt32LE(2048 + 4) * BLOCK;
    const bit = file - 1;
    device.bytes.writeUInt8(device.bytes.readUInt8(bitmap + (bit >> 3)) & ~(1 << (bit & 7)), bitmap + (bit >> 3));
    point(device, 'a-name', 150);
    const again = mounted(device);
    expect(codeOf(() => again.create(again.root, 'new', 0o644))).toBe('EUCLEAN');
    expect(Buffer.from(again.read(file, 0, 100)).toString()).toBe('content');
    expect(codeOf(() => again.lookup(again.root, 'a-name'))).toBe('EUCLEAN');
    expect(codeOf(() => again.unlink(again.root, 'a-name'))).toBe('EUCLEAN');
  });

  it('reads, deletes and checks a file whose indirect blocks lead to themselves', () => {
    const device = made(16);
    const fs = mounted(device);
    const file = fs.create(fs.root, 'file', 0o644);
    fs.write(file, 70_000 * BLOCK, Buffer.from('far'));
    fs.close();
    // The triple indirect block, full of pointers to itself.
    const block = device.bytes.readUInt32LE(inodeAt(device, file) + 40 + 14 * 4);
    expect(block).toBeGreaterThan(0);
    for (let at = 0; at < BLOCK; at += 4) device.bytes.writeUInt32LE(block, block * BLOCK + at);
    const again = mounted(device);
    const start = performance.now();
    expect(codeOf(() => again.read(file, 70_000 * BLOCK, 3))).toBe('none');
    expect(codeOf(() => again.unlink(again.root, 'file'))).toBe('EUCLEAN');
    expect(codeOf(() => again.truncate(file, 0))).toBe('EUCLEAN');
    again.commit();
    expect(ext2.check(device, false).problems.join()).toContain('twice');
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('keeps names that are no UTF-8 apart, and lets them be removed', () => {
    const device = made(4, 200);
    const fs = mounted(device);
    fs.create(fs.root, 'nameA', 0o644);
    fs.create(fs.root, 'nameB', 0o644);
    fs.create(fs.root, 'nameC', 0o644);
    fs.close();
    for (const [name, byte] of [
      ['nameA', 0xe4],
      ['nameB', 0xf6],
      ['nameC', 0x2f],
    ] as const)
      device.bytes.writeUInt8(byte, device.bytes.indexOf(name) + 4);
    const again = mounted(device);
    const names = again
      .readDirectory(again.root, '', 10)
      .entries.map(({ name }) => name)
      .filter((name) => name.startsWith('name'));
    expect(names).toEqual(['name\uf7e4', 'name\uf7f6', 'name\uf72f']);
    for (const name of names) again.unlink(again.root, name);
    again.close();
    expect(ext2.check(device, false).problems).toEqual([]);
  });

  it('gives what nothing leads to a name also where there is no lost+found', () => {
    const device = made(4, 200);
    const fs = mounted(device);
    const file = fs.create(fs.root, 'file-to-lose', 0o644);
    fs.write(file, 0, Buffer.from('content'));
    fs.removeDirectory(fs.root, 'lost+found');
    fs.close();
    point(device, 'file-to-lose', 0);
    const { problems } = ext2.check(device, true);
    expect(problems).toEqual([]);
    expect(ext2.check(device, false).problems).toEqual([]);
    const again = mounted(device);
    const found = again.lookup(again.lookup(again.root, 'lost+found'), `#${file}`);
    expect(Buffer.from(again.read(found, 0, 100)).toString()).toBe('content');
  });
});
