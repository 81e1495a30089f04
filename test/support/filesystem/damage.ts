/** Damages file systems at random, and sees to it that nothing but clear errors comes of it. */
import { expect } from 'vitest';
import { SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import type { FileSystem, Format, FormatOptions } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { MemoryDevice } from '../memory-device.ts';
import type { Random } from '../random.ts';

/** What damage may lead to; '' is that it was harmless or mended. */
const CODES = [
  '',
  'EUCLEAN',
  'EINVAL',
  'EOPNOTSUPP',
  'EROFS',
  'ENOTDIR',
  'EISDIR',
  'ENOENT',
  'ENOSPC',
  'EEXIST',
  'EFBIG',
];

/** What a check may be refused with; damage that looks like a feature is taken for one. */
const CHECK_CODES = ['', 'EOPNOTSUPP'];

const tools = { now: () => 1.7e12, random: (count: number) => Buffer.alloc(count, 9) };
const options = { ...tools, readOnly: false, keeper: null, log: () => {} };

/** An image with files, directories and links of every kind. */
export function sampleImage(format: Format, more: Partial<FormatOptions> = {}): Buffer {
  const device = new MemoryDevice(8192);
  format.format(device, { ...tools, ...more });
  const fs = format.mount(device, options);
  fs.restoreRetained([]);
  for (let index = 0; index < 20; index++) {
    const directory = fs.makeDirectory(fs.root, `directory-${index}`, 0o755);
    for (let file = 0; file < 10; file++) {
      const node = fs.create(directory, `file-${file}`, 0o644);
      fs.write(node, 0, Buffer.alloc(200 * file * index, file));
      fs.commit();
    }
    fs.makeSymlink(directory, 'short', 'target');
    fs.makeSymlink(directory, 'long', 'x/'.repeat(100));
    fs.commit();
  }
  fs.write(fs.create(fs.root, 'sparse', 0o644), 70_000_000, Buffer.from('end'));
  fs.close();
  return device.bytes;
}

function codeOf(action: () => void): string {
  try {
    action();
    return '';
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}

/** Reads all that can be read, to a bounded depth and size. */
function walk(fs: FileSystem, directory: number, depth: number): void {
  const { entries } = fs.readDirectory(directory, '', 1024);
  for (const { name, node, type } of entries) {
    const code = codeOf(() => {
      fs.lookup(directory, name);
      const { size } = fs.attributes(node);
      if (type === 'file') fs.read(node, Math.max(0, size - 5000), 10_000);
      else if (type === 'symlink') fs.readLink(node);
      else if (type === 'directory' && depth < 6) walk(fs, node, depth + 1);
    });
    expect(CODES).toContain(code);
  }
}

/** Changes a little of everything. */
function change(fs: FileSystem): void {
  fs.restoreRetained([]);
  const { root } = fs;
  for (const { name, node, type } of fs.readDirectory(root, '', 8).entries) {
    const acts = [
      () => fs.write(fs.create(root, `new ${name}`, 0o644), 3000, Buffer.alloc(9000)),
      () => (type === 'file' ? fs.truncate(node, 10) : undefined),
      () => (type === 'directory' ? fs.unlink(node, 'file-3') : fs.unlink(root, name)),
      () => (type === 'directory' ? fs.rename(node, 'file-4', root, `moved ${name}`) : undefined),
      () => fs.commit(),
    ];
    for (const act of acts) expect(CODES).toContain(codeOf(act));
  }
  fs.close();
}

/** Damages copies of an image, so many times: single bytes, whole blocks, and its length. */
export function damage(format: Format, random: Random, source: Buffer, rounds: number): void {
  const sectors = source.length / SECTOR_BYTES;
  for (let round = 0; round < rounds; round++) {
    const message = `seed ${random.seed}, round ${round}`;
    const bytes = Buffer.from(source);
    const kind = random.below(8);
    // Metadata is at the front, and what is damaged there does most harm.
    const place = (): number => random.below(random.below(2) === 0 ? 256 * 1024 : source.length - 1024);
    if (kind < 5) for (let times = 1 + random.below(4); times > 0; times--) bytes[place()] = random.below(256);
    else if (kind < 7) random.bytes(1024).copy(bytes, place() & ~1023);
    const device = new MemoryDevice(
      kind === 7 ? bytes.subarray(0, (1 + random.below(sectors - 1)) * SECTOR_BYTES) : bytes,
    );
    const readOnly = { ...options, readOnly: true };
    expect(CODES, message).toContain(
      codeOf(() => {
        const fs = format.mount(device, readOnly);
        walk(fs, fs.root, 0);
      }),
    );
    expect(CHECK_CODES, message).toContain(
      codeOf(() => {
        format.check(device, false);
        const report = format.check(device, true);
        // What is mended stays so.
        if (report.problems.length === 0) expect(format.check(device, false).problems, message).toEqual([]);
      }),
    );
    expect(CODES, message).toContain(codeOf(() => change(format.mount(device, options))));
  }
}
