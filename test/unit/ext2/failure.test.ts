/** An operation on ext2 that fails has changed nothing: neither in memory nor on the disk. */
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../filesystems/crc32c.ts';
import { ext2 } from '../../../filesystems/ext2/index.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';

const tools = { now: () => 1.7e12, random: (count: number) => Buffer.alloc(count, 9) };

function mounted(device: MemoryDevice, keeper: MemoryKeeper | null = null): FileSystem {
  const fs = ext2.mount(device, { ...tools, readOnly: false, keeper, log: () => {} });
  fs.restoreRetained([]);
  return fs;
}

function made(kibibytes: number, nodes?: number): MemoryDevice {
  const device = new MemoryDevice(kibibytes * 2);
  ext2.format(device, { ...tools, blockBytes: 1024, ...(nodes === undefined ? {} : { nodes }) });
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

/** Names, attributes and contents. */
function picture(fs: FileSystem, directory = fs.root, path = ''): string[] {
  const lines: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const part: ReturnType<FileSystem['readDirectory']> = fs.readDirectory(directory, cursor, 50);
    for (const { name, node, type } of part.entries) {
      const { mode, links, size, allocated } = fs.attributes(node);
      const content = type === 'file' ? crc32c(fs.read(node, 0, size)) : type === 'symlink' ? fs.readLink(node) : '';
      lines.push(`${path}/${name} ${type} ${node} ${mode} ${links} ${size} ${allocated} ${content}`);
      if (type === 'directory') lines.push(...picture(fs, node, `${path}/${name}`));
    }
    cursor = part.cursor;
  }
  return lines;
}

/** A file system with some of everything, almost full if wanted. */
function sample(fs: FileSystem): { directory: number; file: number } {
  const directory = fs.makeDirectory(fs.root, 'directory', 0o755);
  const file = fs.create(directory, 'file', 0o644);
  fs.write(file, 0, Buffer.alloc(20_500, 'content '));
  fs.create(directory, 'empty', 0o644);
  fs.makeDirectory(directory, 'inner', 0o755);
  fs.makeSymlink(directory, 'link', 't'.repeat(200));
  fs.commit();
  return { directory, file };
}

/** Operations of every kind on what `sample` makes; each is tried alone. */
const OPERATIONS: Readonly<Record<string, (fs: FileSystem, directory: number, file: number) => unknown>> = {
  create: (fs, directory) => fs.create(directory, 'n'.repeat(250), 0o644),
  makeDirectory: (fs, directory) => fs.makeDirectory(directory, 'new', 0o755),
  makeSymlink: (fs, directory) => fs.makeSymlink(directory, 'new', 'x'.repeat(100)),
  link: (fs, directory, file) => fs.link(file, directory, 'n'.repeat(250)),
  append: (fs, _, file) => fs.write(file, 20_500, Buffer.alloc(30_000, 'new')),
  overwrite: (fs, _, file) => fs.write(file, 5000, Buffer.alloc(40_000, 'other')),
  sparse: (fs, _, file) => fs.write(file, 70_000_000, Buffer.alloc(3000, 'far')),
  truncate: (fs, _, file) => fs.truncate(file, 3000),
  lengthen: (fs, _, file) => fs.truncate(file, 30_000),
  unlink: (fs, directory) => fs.unlink(directory, 'file'),
  removeDirectory: (fs, directory) => fs.removeDirectory(directory, 'inner'),
  rename: (fs, directory) => fs.rename(directory, 'file', fs.root, 'renamed'),
  replace: (fs, directory) => fs.rename(directory, 'empty', directory, 'file'),
  move: (fs, directory) => fs.rename(directory, 'inner', fs.root, 'moved'),
  attributes: (fs, _, file) => fs.setAttributes(file, { mode: 0o600, modified: 5000 }),
};

describe('an operation on ext2 that fails', () => {
  it('has changed nothing when the disk is full, whatever is missing', () => {
    for (const [name, operation] of Object.entries(OPERATIONS)) {
      for (let left = 0; left < 50; left++) {
        const device = made(150);
        const fs = mounted(device);
        const { directory, file } = sample(fs);
        const filler = fs.create(fs.root, 'filler', 0o644);
        while (codeOf(() => fs.write(filler, fs.attributes(filler).size, Buffer.alloc(1024, 1))) === 'none')
          fs.commit();
        // A block more is free each time.
        fs.truncate(filler, fs.attributes(filler).size - left * 1024);
        fs.commit();
        const before = picture(fs);
        const free = fs.information();
        const code = codeOf(() => operation(fs, directory, file));
        expect(['none', 'ENOSPC'], `${name}, ${left} free`).toContain(code);
        if (code === 'none') break;
        expect(picture(fs), `${name}, ${left} free`).toEqual(before);
        expect(fs.information(), `${name}, ${left} free`).toEqual(free);
        fs.commit();
        fs.close();
        expect(ext2.check(device, false).problems, `${name}, ${left} free`).toEqual([]);
        expect(picture(mounted(device)), `${name}, ${left} free`).toEqual(before);
      }
    }
  });

  it('has changed nothing when a request to the disk fails, whichever', () => {
    for (const [name, operation] of Object.entries(OPERATIONS)) {
      const device = made(1000);
      const fs = mounted(device, new MemoryKeeper());
      sample(fs);
      fs.sync();
      const image = Buffer.from(device.bytes);
      for (let failing = 0; failing < 60; failing++) {
        const copy = new MemoryDevice(Buffer.from(image));
        const keeper = new MemoryKeeper();
        const again = mounted(copy, keeper);
        again.commit();
        const [directory, file] = [
          again.lookup(again.root, 'directory'),
          again.lookup(again.lookup(again.root, 'directory'), 'file'),
        ];
        const before = picture(mounted(new MemoryDevice(Buffer.from(copy.bytes))));
        let requests = 0;
        copy.refuses = () => requests++ === failing;
        const request = { sender: 1, sequence: failing };
        const code = codeOf(() => {
          operation(again, directory, file);
          again.note(request, [1]);
          again.commit();
        });
        copy.refuses = () => false;
        const message = `${name}, request ${failing}`;
        expect(['none', 'EIO'], message).toContain(code);
        if (code === 'none') {
          expect(again.completed(request), message).toEqual([1]);
          if (requests <= failing) break;
          continue;
        }
        expect(again.completed(request), message).toBeUndefined();
        expect(picture(again), message).toEqual(before);
        // Neither does the next commit make it permanent.
        codeOf(() => again.commit());
        expect(again.completed(request), message).toBeUndefined();
        expect(picture(mounted(copy, new MemoryKeeper(keeper.values))), message).toEqual(before);
        expect(ext2.check(copy, false).problems, message).toEqual([]);
      }
    }
  });

  it('knows a node no more when it is gone', () => {
    const fs = mounted(made(1000));
    const { directory, file } = sample(fs);
    fs.unlink(directory, 'file');
    expect(codeOf(() => fs.attributes(file))).toBe('ENOENT');
    expect(codeOf(() => fs.write(file, 0, Buffer.from('x')))).toBe('ENOENT');
    expect(codeOf(() => fs.link(file, fs.root, 'again'))).toBe('ENOENT');
    expect(codeOf(() => fs.retain(file))).toBe('ENOENT');
    expect(codeOf(() => fs.attributes(100))).toBe('ENOENT');
    const inner = fs.lookup(directory, 'inner');
    fs.removeDirectory(directory, 'inner');
    expect(codeOf(() => fs.create(inner, 'x', 0o644))).toBe('ENOENT');
  });

  it('fills a large directory in linear time, also where short names would still fit', () => {
    const device = new MemoryDevice(64 * 2048);
    ext2.format(device, { ...tools, blockBytes: 4096, nodes: 16_000 });
    const fs = mounted(device);
    const directory = fs.makeDirectory(fs.root, 'd', 0o755);
    const time = (from: number): number => {
      const start = performance.now();
      for (let i = from; i < from + 2000; i++) {
        fs.create(directory, `a name of thirty bytes ${String(i).padStart(7, '0')}`, 0o644);
        if (i % 50 === 0) fs.commit();
      }
      return performance.now() - start;
    };
    const first = time(0);
    for (let from = 2000; from < 12_000; from += 2000) time(from);
    expect(time(12_000)).toBeLessThan(first * 3 + 100);
  });
});
