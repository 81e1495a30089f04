/** A full file system of any format is one thing to the user, who reads the same of it. */
import { describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { formatNamed, formats } from '../../../filesystems/formats.ts';
import { ramfs } from '../../../filesystems/ram/ramfs.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { fileReason } from '../../../services/shell/errors.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';

const tools = { now: () => 1.7e12, random: (count: number) => Buffer.alloc(count, 9) };

/** An empty one of 2 MiB. */
function made(name: string, nodes?: number): FileSystem {
  if (name === 'ram') return ramfs({ ...tools, keeper: new MemoryKeeper(), bytes: 2 ** 21, keys: 1024 });
  const device = new MemoryDevice(4096);
  const format = formatNamed(name);
  format.format(device, { ...tools, ...(nodes === undefined ? {} : { nodes }) });
  const fs = format.mount(device, { ...tools, readOnly: false, keeper: null, log: () => {} });
  fs.restoreRetained([]);
  return fs;
}

/** What the user reads when this has been done often enough. */
function reasonAfter(act: (step: number) => void): string {
  for (let step = 0; ; step += 1) {
    try {
      act(step);
    } catch (error) {
      if (error instanceof SystemError) return fileReason(error);
      throw error;
    }
  }
}

describe('a full file system', () => {
  it.each([...formats.map(({ name }) => name), 'ram'])('of the format %s has no space left', (name) => {
    const fs = made(name);
    const file = fs.create(fs.root, 'file', 0o644);
    const piece = Buffer.alloc(4096, 1);
    const write = (step: number): unknown => fs.write(file, step * piece.length, piece);
    expect(reasonAfter(write)).toBe('no space left on device');
    const directories = (step: number): unknown => fs.makeDirectory(fs.root, `directory ${step}`, 0o755);
    expect(reasonAfter(directories)).toMatch(/^no space left on device/);
  });

  it.each(['vrfs', 'ext2'])('of the format %s says so when it is names that have no room', (name) => {
    const fs = made(name, 64);
    const create = (step: number): unknown => fs.create(fs.root, `file ${step}`, 0o644);
    expect(reasonAfter(create)).toBe('no space left on device: no inode is free');
  });
});
