/** An operation on ext2 that fails has changed nothing: neither in memory nor on the disk. */
import { describe, expect, it } from 'vitest';
import { ext2 } from '../../../filesystems/ext2/index.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { codeOf, OPERATIONS, picture, sample } from '../../support/filesystem/failures.ts';
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

  it('has changed nothing when there is no inode left, and one that is given up can be used again', () => {
    const device = made(512, 64);
    const fs = mounted(device);
    let count = 0;
    while (codeOf(() => fs.create(fs.root, `file ${count}`, 0o644)) === 'none') count++;
    fs.commit();
    expect(count).toBeGreaterThan(40);
    const before = picture(fs);
    const free = fs.information();
    expect(codeOf(() => fs.create(fs.root, 'more', 0o644))).toBe('ENOSPC');
    expect(codeOf(() => fs.makeDirectory(fs.root, 'more', 0o755))).toBe('ENOSPC');
    expect(codeOf(() => fs.makeSymlink(fs.root, 'more', 'target'))).toBe('ENOSPC');
    expect(picture(fs)).toEqual(before);
    expect(fs.information()).toEqual(free);
    fs.unlink(fs.root, 'file 7');
    fs.create(fs.root, 'instead', 0o644);
    expect(codeOf(() => fs.create(fs.root, 'more', 0o644))).toBe('ENOSPC');
    fs.close();
    expect(ext2.check(device, false).problems).toEqual([]);
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
        const next = mounted(copy, new MemoryKeeper(keeper.values));
        expect(picture(next), message).toEqual(before);
        next.close();
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
