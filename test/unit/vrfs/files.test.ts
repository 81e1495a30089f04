/** Files of VRFS: block map at the borders of its levels, sparse files, truncation, full disk. */
import { describe, expect, it } from 'vitest';
import { DIRECT, FANOUT, MAX_FILE_BYTES } from '../../../filesystems/vrfs/node.ts';
import { Random } from '../../support/random.ts';
import { BLOCK_BYTES, contentOf, copyOf, expectSound, mount, newDevice } from './support.ts';

const random = new Random();

describe(`files (seed ${random.seed})`, () => {
  it('keeps data at the borders of direct, single, double and triple indirect blocks, and holes between', () => {
    const device = newDevice(1024);
    const fileSystem = mount(device);
    const { freeBlocks } = fileSystem.information();
    const file = fileSystem.create(1, 'sparse', 0o644);
    const borders = [0, DIRECT, DIRECT + FANOUT, DIRECT + FANOUT + FANOUT ** 2].map((index) => index * BLOCK_BYTES);
    const data = random.bytes(3 * BLOCK_BYTES);
    for (const border of borders) fileSystem.write(file, Math.max(0, border - BLOCK_BYTES - 7), data);
    fileSystem.commit();
    for (const system of [fileSystem, mount(copyOf(device))]) {
      for (const border of borders) {
        const at = Math.max(0, border - BLOCK_BYTES - 7);
        expect(Buffer.from(system.read(file, at, data.length)).equals(data)).toBe(true);
      }
      const hole = system.read(file, 100 * BLOCK_BYTES, 5000);
      expect(Buffer.from(hole).equals(Buffer.alloc(5000))).toBe(true);
    }
    expect(fileSystem.attributes(file).allocated).toBeLessThan(40 * BLOCK_BYTES);
    for (const border of [...borders].reverse()) {
      fileSystem.truncate(file, border + 1);
      fileSystem.commit();
      expectSound(copyOf(device));
    }
    fileSystem.unlink(1, 'sparse');
    fileSystem.commit();
    // One block is the root directory's no more.
    expect(fileSystem.information().freeBlocks).toBe(freeBlocks);
    expectSound(device);
  });

  it('refuses what is too large, and places that are none', () => {
    const fileSystem = mount(newDevice());
    const file = fileSystem.create(1, 'file', 0o644);
    expect(() => fileSystem.write(file, MAX_FILE_BYTES, Buffer.alloc(1))).toThrow('EFBIG');
    expect(() => fileSystem.truncate(file, MAX_FILE_BYTES + 1)).toThrow('EFBIG');
    expect(() => fileSystem.read(file, -1, 1)).toThrow('EINVAL');
    expect(() => fileSystem.read(1, 0, 1)).toThrow('EISDIR');
    expect(() => fileSystem.attributes(1_000_000)).toThrow('ENOENT');
  });

  it('reads zeros where a file was shortened and made longer again', () => {
    const device = newDevice();
    const fileSystem = mount(device);
    const file = fileSystem.create(1, 'file', 0o644);
    fileSystem.write(file, 0, Buffer.alloc(10_000, 1));
    fileSystem.commit();
    fileSystem.truncate(file, 5000);
    fileSystem.truncate(file, 10_000);
    const expected = Buffer.concat([Buffer.alloc(5000, 1), Buffer.alloc(5000)]);
    expect(Buffer.from(fileSystem.read(file, 0, 20_000)).equals(expected)).toBe(true);
    fileSystem.commit();
    expect(contentOf(mount(copyOf(device)))).toBe(contentOf(fileSystem));
  });

  it('takes back a write that does not fit, overwrites on a full disk, and uses what is deleted at once', () => {
    const device = newDevice(256);
    const fileSystem = mount(device);
    const file = fileSystem.create(1, 'file', 0o644);
    const piece = random.bytes(64 * 1024);
    let size = 0;
    const fill = (): void => {
      for (;;) {
        fileSystem.write(file, size, piece);
        size += piece.length;
        fileSystem.commit();
      }
    };
    expect(fill).toThrow('ENOSPC');
    const before = contentOf(fileSystem);
    expect(() => fileSystem.write(file, size, piece)).toThrow('ENOSPC');
    expect(contentOf(fileSystem)).toBe(before);
    expectSound(copyOf(device));
    for (let at = size; fileSystem.information().freeBlocks > 0; at += BLOCK_BYTES) {
      try {
        fileSystem.write(file, at, piece.subarray(0, BLOCK_BYTES));
      } catch {
        break;
      }
    }
    const other = random.bytes(256 * 1024);
    fileSystem.write(file, 0, other);
    fileSystem.commit();
    expect(Buffer.from(fileSystem.read(file, 0, other.length)).equals(other)).toBe(true);
    expect(contentOf(mount(copyOf(device)))).toBe(contentOf(fileSystem));
    fileSystem.truncate(file, 0);
    for (let at = 0; at < size; at += piece.length) fileSystem.write(file, at, piece);
    fileSystem.commit();
    fileSystem.unlink(1, 'file');
    fileSystem.commit();
    fileSystem.close();
    expectSound(device);
  });

  it('says when no inode is left, and gives freed ones out again', () => {
    const device = newDevice(512, 20);
    const fileSystem = mount(device);
    const { freeNodes } = fileSystem.information();
    for (let count = 0; count < freeNodes; count++) fileSystem.create(1, `file${count}`, 0o644);
    expect(() => fileSystem.create(1, 'more', 0o644)).toThrow('ENOSPC');
    expect(() => fileSystem.lookup(1, 'more')).toThrow('ENOENT');
    fileSystem.unlink(1, 'file3');
    fileSystem.create(1, 'more', 0o644);
    fileSystem.close();
    expectSound(device);
  });
});
