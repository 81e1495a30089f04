/** The command `vros` on images of every format: made, filled from the host, listed, read back, emptied, checked. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { formats } from '../../filesystems/formats.ts';
import { Random } from '../support/random.ts';

const program = path.resolve(import.meta.dirname, '../../dist/vros.cjs');

function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-host-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function vros(folder: string, ...words: readonly string[]): { status: number | null; stdout: Buffer; stderr: string } {
  const ended = spawnSync(process.execPath, [program, ...words], { cwd: folder, maxBuffer: 2 ** 26 });
  return { status: ended.status, stdout: ended.stdout, stderr: ended.stderr.toString() };
}

/** Runs the command, which has to succeed, and answers what it printed. */
function good(folder: string, ...words: readonly string[]): string {
  const { status, stdout, stderr } = vros(folder, ...words);
  expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: '' });
  return stdout.toString();
}

/** A tree of the host with files of many sizes. */
function makeTree(folder: string, random: Random): void {
  const sizes = [0, 1, 511, 512, 4096, 4097, 100_000, 700_000];
  fs.mkdirSync(path.join(folder, 'tree/deep/er'), { recursive: true });
  fs.mkdirSync(path.join(folder, 'tree/empty'));
  for (const [index, size] of sizes.entries()) {
    const place = ['tree', 'tree/deep', 'tree/deep/er'][index % 3] ?? 'tree';
    fs.writeFileSync(path.join(folder, place, `file ${size} ä.dat`), random.bytes(size));
  }
}

/** Relative paths with content of everything in a tree. */
function contentOf(folder: string, below = ''): Record<string, string> {
  const all: Record<string, string> = {};
  for (const entry of fs.readdirSync(path.join(folder, below), { withFileTypes: true })) {
    const name = path.join(below, entry.name);
    if (entry.isDirectory()) Object.assign(all, { [name]: 'directory' }, contentOf(folder, name));
    else all[name] = fs.readFileSync(path.join(folder, name)).toString('base64');
  }
  return all;
}

describe.each(formats.map(({ name }) => name))('an image with %s', (type) => {
  it('is made, filled, listed, read back, emptied and sound', () => {
    const folder = temporaryFolder();
    const random = new Random();
    makeTree(folder, random);
    expect(good(folder, 'mkfs', '-t', type, '-L', 'LABEL', '-s', '16M', 'disk.img')).toContain('16 MiB');
    good(folder, 'cp', '-r', 'tree', 'disk.img:/');
    expect(good(folder, 'ls', 'disk.img', '/tree').split('\n')).toContain('deep');
    expect(good(folder, 'ls', '-l', 'disk.img', '/tree')).toMatch(/^drwx.* deep$/m);
    expect(good(folder, 'ls', '-R', 'disk.img')).toContain('/tree/deep/er:\n');
    good(folder, 'fsck', 'disk.img');
    const largest = 'tree/deep/file 700000 ä.dat';
    const bytes = vros(folder, 'cat', 'disk.img', `/${largest}`).stdout;
    expect(bytes.equals(fs.readFileSync(path.join(folder, largest))), `seed ${random.seed}`).toBe(true);
    good(folder, 'cp', '-r', 'disk.img:/tree', 'back');
    expect(contentOf(path.join(folder, 'back')), `seed ${random.seed}`).toEqual(contentOf(path.join(folder, 'tree')));
    good(folder, 'mkfs', '-t', type, '-s', '16M', 'other.img');
    good(folder, 'cp', '-r', 'disk.img:/tree', 'other.img:/copy');
    good(folder, 'cp', '-r', 'other.img:/copy', 'twice');
    expect(contentOf(path.join(folder, 'twice'))).toEqual(contentOf(path.join(folder, 'tree')));
    good(folder, 'mkdir', 'disk.img', '/new');
    good(folder, 'rm', '-r', 'disk.img', '/tree');
    expect(good(folder, 'ls', 'disk.img')).toMatch(/^(lost\+found\n)?new\n$/);
    good(folder, 'fsck', 'disk.img');
  });

  it('is found in a partition', () => {
    const folder = temporaryFolder();
    const image = path.join(folder, 'disk.img');
    const table = Buffer.alloc(512);
    table.writeUInt8(0x83, 450);
    table.writeUInt32LE(64, 454);
    table.writeUInt32LE(32_000, 458);
    table.writeUInt16LE(0xaa55, 510);
    fs.writeFileSync(image, table);
    fs.truncateSync(image, 16 * 1024 * 1024);
    expect(vros(folder, 'mkfs', '-t', type, 'disk.img')).toMatchObject({ status: 1 });
    good(folder, 'mkfs', '-t', type, 'disk.img@1');
    fs.writeFileSync(path.join(folder, 'a'), 'content');
    good(folder, 'cp', 'a', 'disk.img:/b');
    expect(good(folder, 'cat', 'disk.img@1', '/b')).toBe('content');
    const complaint = (...words: string[]): string => vros(folder, ...words).stderr;
    expect(complaint('cat', 'disk.img@1', '/none')).toBe('vros cat: disk.img@1: /none: no such file or directory\n');
    expect(complaint('rm', '-r', 'disk.img@1', '/')).toBe('vros rm: disk.img@1: /: the root cannot be removed\n');
    expect(complaint('ls', 'disk.img@7')).toBe('vros ls: disk.img@7: there is no such partition, but disk.img@1\n');
    expect(vros(folder, 'ls', 'disk.img@2')).toMatchObject({ status: 1 });
  });
});

describe('the command vros', () => {
  it('says what is wrong', () => {
    const folder = temporaryFolder();
    fs.writeFileSync(path.join(folder, 'zeros.img'), Buffer.alloc(1024 * 1024));
    fs.writeFileSync(path.join(folder, 'odd.img'), Buffer.alloc(1000));
    const wrong: [string[], number, RegExp][] = [
      [[], 64, /a command is missing[\s\S]*usage/],
      [['frobnicate'], 64, /no command frobnicate/],
      [['ls'], 64, /an argument is missing/],
      [['ls', '-x', 'zeros.img'], 64, /-x/],
      [['mkfs', '-s', '5X', 'new.img'], 64, /a size such as/],
      [['ls', 'nothing.img'], 1, /does not exist/],
      [['ls', 'odd.img'], 1, /multiple of 512/],
      [['ls', 'zeros.img'], 1, /no known file system/],
      [['fsck', 'zeros.img'], 8, /no known file system/],
      [['mkfs', '-t', 'ntfs', 'zeros.img'], 64, /no format ntfs: vrfs, fat, fat12, fat16, fat32, ext2/],
      [['mkfs', '-s', '10K', 'small.img'], 1, /too few for a file system/],
      [['mkfs', '-s', '10K', 'small.img'], 1, /too few for a file system/],
      [['mkfs', '-s', '1M', 'zeros.img'], 1, /zeros.img: is there already/],
      [['cp', 'nothing', 'zeros.img:/x'], 1, /no known file system/],
      [['cp', 'nothing', 'elsewhere'], 1, /nothing: no such file/],
    ];
    for (const [words, status, message] of wrong) {
      const ended = vros(folder, ...words);
      expect({ words, status: ended.status }).toEqual({ words, status });
      expect(ended.stderr).toMatch(message);
      expect(ended.stderr, 'no stack').not.toMatch(/\n\s+at /);
    }
    expect(good(folder, '--help')).toContain('usage: vros');
  });
});
