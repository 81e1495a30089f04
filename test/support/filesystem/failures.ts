/**
 * What the tests of failing operations share: operations of every kind, and what a file system looks like to those who
 * use it.
 */
import { crc32c } from '../../../filesystems/crc32c.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';

/** Runs it; the code of the error it ends with, or 'none'. */
export function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}

/** Names, attributes and contents. */
export function picture(fs: FileSystem, directory = fs.root, path = ''): string[] {
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

/** Fills a file system with some of everything. */
export function sample(fs: FileSystem): { directory: number; file: number } {
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
export const OPERATIONS: Readonly<Record<string, (fs: FileSystem, directory: number, file: number) => unknown>> = {
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
