/**
 * ext2 against e2fsprogs: what mke2fs makes and fills is read here as it is, what is made and changed here is sound to
 * e2fsck, and debugfs reads it back the same.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ext2 } from '../../filesystems/ext2/index.ts';
import type { FileSystem } from '../../filesystems/file-system.ts';
import { SystemError } from '../../protocol/errno.ts';
import { MemoryDevice } from '../support/memory-device.ts';
import { Random } from '../support/random.ts';
import { missingTools, outcomeOf, run } from '../support/tools.ts';

const missing = missingTools('/usr/sbin/mke2fs', '/usr/sbin/e2fsck', '/usr/sbin/debugfs');
const suite = missing === '' ? describe : describe.skip;

const tools = {
  now: () => Date.UTC(2026, 10, 25),
  random: (count: number) => crypto.getRandomValues(new Uint8Array(count)),
};
const options = { ...tools, readOnly: false, keeper: null, log: () => {} };

let folder = '';
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-ext2-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function mounted(device: MemoryDevice): FileSystem {
  const fileSystem = ext2.mount(device, options);
  fileSystem.restoreRetained([]);
  return fileSystem;
}

/** e2fsck finds nothing, and neither do we. */
function expectSound(device: MemoryDevice, what: string): string {
  const image = path.join(folder, 'sound.img');
  fs.writeFileSync(image, device.bytes);
  const { status, output } = outcomeOf('/usr/sbin/e2fsck', ['-fn', image]);
  expect({ what, status, output: status === 0 ? '' : output }).toEqual({ what, status: 0, output: '' });
  expect(ext2.check(device, false).problems, what).toEqual([]);
  return image;
}

/** Every path with what is behind it: mode, content or target. */
function picture(fileSystem: FileSystem, directory = fileSystem.root, below = ''): Record<string, string> {
  const all: Record<string, string> = {};
  for (let cursor: string | null = ''; cursor !== null; ) {
    const part: ReturnType<FileSystem['readDirectory']> = fileSystem.readDirectory(directory, cursor, 7);
    for (const { name, node, type } of part.entries) {
      const at = `${below}/${name}`;
      const { mode, size } = fileSystem.attributes(node);
      if (type === 'symlink') all[at] = `link ${fileSystem.readLink(node)}`;
      else if (type === 'directory') {
        if (at !== '/lost+found') all[at] = `directory ${mode.toString(8)}`;
        Object.assign(all, picture(fileSystem, node, at));
      } else {
        const content = Buffer.from(fileSystem.read(node, 0, size));
        all[at] = `file ${mode.toString(8)} ${size} ${content.toString('base64').slice(0, 4000)} ${sum(content)}`;
      }
    }
    cursor = part.cursor;
  }
  return all;
}

function sum(content: Uint8Array): number {
  let total = 0;
  for (const byte of content) total = (Math.imul(total, 31) + byte) >>> 0;
  return total;
}

/** The same of a folder of the host. */
function hostPicture(root: string, below = ''): Record<string, string> {
  const all: Record<string, string> = {};
  for (const name of fs.readdirSync(path.join(root, below))) {
    const at = `${below}/${name}`;
    const file = path.join(root, at);
    const stat = fs.lstatSync(file);
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isSymbolicLink()) all[at] = `link ${fs.readlinkSync(file)}`;
    else if (stat.isDirectory()) {
      if (at === '/lost+found') continue;
      Object.assign(all, { [at]: `directory ${mode}` }, hostPicture(root, at));
    } else {
      const content = fs.readFileSync(file);
      all[at] = `file ${mode} ${stat.size} ${content.toString('base64').slice(0, 4000)} ${sum(content)}`;
    }
  }
  return all;
}

/** A random tree on the host, below `root`. */
function makeTree(root: string, random: Random): void {
  const folders = [''];
  for (let count = 0; count < 60; count++) {
    const place = folders[random.below(folders.length)] ?? '';
    const name = `${random.pick(['x', 'long name ', 'Ümläut ', 'y'.repeat(100)])}${count}`;
    const at = path.join(root, place, name);
    const kind = random.below(8);
    if (kind < 2) {
      fs.mkdirSync(at, { mode: 0o755 });
      folders.push(path.join(place, name));
    } else if (kind === 2) fs.symlinkSync(random.pick(['a', '../b', 'c/'.repeat(60)]), at);
    else {
      fs.writeFileSync(at, random.bytes(random.pick([0, 1, 1024, 5000, 70_000])));
      fs.chmodSync(at, random.pick([0o600, 0o644, 0o755]));
    }
  }
  const sparse = fs.openSync(path.join(root, 'sparse'), 'w', 0o644);
  fs.writeSync(sparse, Buffer.from('far away'), 0, 8, 9_000_000);
  fs.closeSync(sparse);
}

/** Random operations; what they are refused with is of no interest here. */
function work(fileSystem: FileSystem, random: Random, steps: number): void {
  const directories = [fileSystem.root];
  const pick = (): number => directories[random.below(directories.length)] ?? fileSystem.root;
  const name = (): string => `${random.pick(['n', 'name', 'm'.repeat(80)])}${random.below(40)}`;
  for (let step = 0; step < steps; step++) {
    try {
      const [directory, label] = [pick(), name()];
      switch (random.below(9)) {
        case 0:
          directories.push(fileSystem.makeDirectory(directory, label, 0o755));
          break;
        case 1:
          fileSystem.makeSymlink(directory, label, 't'.repeat(1 + random.below(200)));
          break;
        case 2:
          fileSystem.unlink(directory, label);
          break;
        case 3:
          fileSystem.removeDirectory(directory, label);
          break;
        case 4:
          fileSystem.rename(directory, label, pick(), name());
          break;
        case 5:
          fileSystem.link(fileSystem.lookup(directory, label), pick(), name());
          break;
        case 6:
          fileSystem.truncate(fileSystem.lookup(directory, label), random.below(400_000));
          break;
        case 7:
          fileSystem.create(directory, label, 0o640);
          break;
        default:
          fileSystem.write(
            fileSystem.lookup(directory, label),
            random.below(300_000),
            random.bytes(random.below(9000)),
          );
      }
    } catch (error) {
      if (!(error instanceof SystemError) || error.code === 'EUCLEAN' || error.code === 'EIO') throw error;
    }
    if (random.below(3) === 0) fileSystem.commit();
  }
}

suite(`ext2 and e2fsprogs${missing === '' ? '' : ` (${missing})`}`, () => {
  const shapes: [string, string[]][] = [
    ['blocks of 1 KiB', ['-b', '1024']],
    ['blocks of 2 KiB, inodes of 128 bytes', ['-b', '2048', '-I', '128']],
    ['blocks of 4 KiB', ['-b', '4096']],
    ['no features', ['-b', '1024', '-O', 'none']],
    ['indexed directories', ['-b', '1024', '-O', 'dir_index']],
  ];
  for (const [title, words] of shapes) {
    it(`reads and changes what mke2fs made: ${title}`, () => {
      const random = new Random();
      const tree = fs.mkdtempSync(path.join(folder, 'tree-'));
      makeTree(tree, random);
      const image = path.join(folder, 'made.img');
      fs.rmSync(image, { force: true });
      run('/usr/sbin/mke2fs', '-q', '-t', 'ext2', ...words, '-d', tree, image, '24M');
      const device = new MemoryDevice(fs.readFileSync(image));
      const fileSystem = mounted(device);
      expect(picture(fileSystem), `seed ${random.seed}`).toEqual(hostPicture(tree));
      work(fileSystem, random, 300);
      fileSystem.close();
      expectSound(device, `seed ${random.seed}`);
    });
  }

  for (const blockBytes of [1024, 2048, 4096]) {
    it(`finds what e2fsck finds in one that is in use: blocks of ${blockBytes} bytes`, () => {
      const device = new MemoryDevice(16 * 2048);
      ext2.format(device, { ...tools, blockBytes });
      const fileSystem = mounted(device);
      fileSystem.write(fileSystem.create(fileSystem.root, 'file', 0o644), 0, Buffer.alloc(20_000, 1));
      fileSystem.commit();
      const image = path.join(folder, 'in-use.img');
      fs.writeFileSync(image, device.bytes);
      const { output } = outcomeOf('/usr/sbin/e2fsck', ['-n', image]);
      expect(output).toMatch(/not cleanly unmounted.*Free blocks count wrong.*Free inodes count wrong/s);
      const found = ['the counts in the superblock are wrong', 'the file system was not unmounted'];
      expect(ext2.check(device, false).problems).toEqual(found);
      expect(ext2.check(device, true)).toMatchObject({ problems: [], repaired: found });
      expectSound(device, 'mended');
    });

    it(`makes and changes what e2fsck finds sound and debugfs reads: blocks of ${blockBytes} bytes`, () => {
      const random = new Random();
      const device = new MemoryDevice(48 * 2048);
      ext2.format(device, { ...tools, blockBytes, label: 'label' });
      expectSound(device, 'just made');
      const fileSystem = mounted(device);
      work(fileSystem, random, 600);
      const far = fileSystem.create(fileSystem.root, 'far', 0o644);
      // Through all levels of indirection where blocks are small.
      for (const at of [0, 13, 300, 70_000]) fileSystem.write(far, at * blockBytes, Buffer.from(`block ${at}`));
      fileSystem.truncate(far, 301 * blockBytes);
      const before = picture(fileSystem);
      fileSystem.close();
      const image = expectSound(device, `seed ${random.seed}`);
      const target = fs.mkdtempSync(path.join(folder, 'dump-'));
      run('/usr/sbin/debugfs', '-R', `rdump / ${target}`, image);
      expect(hostPicture(target), `seed ${random.seed}`).toEqual(before);
    });
  }

  it('refuses what it does not know, and does not write where that is not allowed', () => {
    const image = path.join(folder, 'foreign.img');
    const make = (...words: string[]): MemoryDevice => {
      fs.rmSync(image, { force: true });
      run('/usr/sbin/mke2fs', '-q', ...words, image, '16M');
      return new MemoryDevice(fs.readFileSync(image));
    };
    expect(() => mounted(make('-t', 'ext4'))).toThrow(/EOPNOTSUPP.*(extents|64bit|flex_bg)/);
    const old = mounted(make('-t', 'ext2', '-O', 'huge_file'));
    expect(old.information()).toMatchObject({ readOnly: true });
    expect(old.information().readOnlyReason).toContain('huge_file');
    expect(() => old.create(old.root, 'x', 0o644)).toThrow(/EROFS/);
    const journalled = make('-t', 'ext3');
    const clean = mounted(journalled);
    clean.write(clean.create(clean.root, 'x', 0o644), 0, Buffer.from('content'));
    clean.close();
    expectSound(journalled, 'ext3 without anything in its journal');
  });
});
