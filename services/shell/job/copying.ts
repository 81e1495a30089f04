/** Copies and moves files and trees, for cp and mv. */
import { type FileAttributes, type Files, SystemError } from '../../lib/index.ts';
import type { CommandContext } from '../command.ts';
import { aboutFile, CommandError } from '../errors.ts';
import { unlessRefused } from '../name-source.ts';
import { baseName, joined, piecesOf } from '../operands.ts';
import { type Visited, walk } from '../walk.ts';

/** How to copy. */
export interface CopyOptions {
  readonly recursive: boolean;
  /** Copies have the times of what they are made from. */
  readonly keepTimes: boolean;
}

/** Holes of a file are looked for in blocks of this size. */
const BLOCK_BYTES = 4096;

const zeros = new Uint8Array(BLOCK_BYTES);

/** Where something goes: into a directory under its own name, or to a path. */
export function destinationOf(files: Files, from: string, to: string): string {
  const isDirectory = unlessRefused(false, () => files.attributes(to).type === 'directory');
  return isDirectory ? joined(to, baseName(from)) : to;
}

/** Throws CommandError unless the last of several operands is a directory. */
export function expectDirectory(files: Files, path: string): void {
  const { type } = aboutFile(path, () => files.attributes(path));
  if (type !== 'directory') throw new CommandError(`${path}: not a directory`);
}

/** Whether two paths are the same file. */
function isSame(files: Files, from: FileAttributes, to: string): boolean {
  const other = unlessRefused(undefined, () => files.attributes(to));
  return other?.node === from.node && other.fileSystem === from.fileSystem;
}

/** Copies the content of a file. What is a hole stays one where the file has less on the disk than it has bytes. */
function copyContent(files: Files, from: string, attributes: FileAttributes, to: string): void {
  const { mode, size, allocated } = attributes;
  const sparse = attributes.type === 'file' && allocated < size;
  files.with(from, { read: true }, (source) => {
    const make = { write: true, create: true, truncate: true, mode: mode & 0o777 };
    const target = aboutFile(to, () => files.open(to, make));
    try {
      for (const piece of piecesOf(from, () => source.read())) {
        aboutFile(to, () => {
          if (sparse) writeSparse(target, piece);
          else target.write(piece);
        });
      }
      if (sparse) aboutFile(to, () => target.truncate(target.position));
    } finally {
      target.close();
    }
  });
}

/** Writes a piece but for the blocks of zeros in it. */
function writeSparse(target: { position: number; write(data: Uint8Array): void }, piece: Uint8Array): void {
  const isHole = (at: number): boolean => Buffer.compare(piece.subarray(at, at + BLOCK_BYTES), zeros) === 0;
  for (let at = 0; at < piece.length; ) {
    let end = at;
    const hole = isHole(at);
    do end += BLOCK_BYTES;
    while (end < piece.length && isHole(end) === hole);
    const part = piece.subarray(at, end);
    if (hole) target.position += part.length;
    else target.write(part);
    at = end;
  }
}

/** Copies one file that is no directory. Throws CommandError, SystemError. */
function copyFile(files: Files, from: string, attributes: FileAttributes, to: string): void {
  if (isSame(files, attributes, to)) throw new CommandError(`${from} and ${to} are the same file`);
  if (attributes.type === 'symlink') {
    const target = files.readLink(from);
    aboutFile(to, () => files.makeSymlink(target, to));
    return;
  }
  copyContent(files, from, attributes, to);
}

/**
 * Copies a tree that is to be at `to`. Answers whether nothing went wrong; what did has been told. Throws CommandError.
 */
export function copyTree(context: CommandContext, from: string, to: string, options: CopyOptions): boolean {
  const { files } = context;
  const top = files.attributes(from, options.recursive === false);
  if (top.type === 'directory') {
    if (!options.recursive) throw new CommandError(`${from}: is a directory; -r copies it with everything in it`);
    const parent = aboutFile(to, () => files.resolve(/^(.*\/)?[^/]+\/*$/.exec(to)?.[1] ?? '.'));
    if (`${parent}/`.startsWith(`${files.resolve(from)}/`))
      throw new CommandError(`${from}: cannot be copied into itself, ${to}`);
  }
  const targetOf = ({ path }: Visited): string => to + path.slice(from.length);
  const times = ({ accessed, modified }: FileAttributes): { accessed: number; modified: number } => ({
    accessed,
    modified,
  });
  if (top.type !== 'directory') {
    copyFile(files, from, top, to);
    if (options.keepTimes && top.type === 'file') aboutFile(to, () => files.setAttributes(to, times(top)));
    return true;
  }
  return walk(context, from, {
    before: (visited) => {
      const target = targetOf(visited);
      const attributes = files.attributes(visited.path, false);
      if (visited.type === 'directory') makeDirectory(files, target, attributes.mode);
      else if (visited.type === 'file' || visited.type === 'symlink') copyFile(files, visited.path, attributes, target);
      else throw new CommandError(`${visited.path}: devices and pipes are not copied`);
      return undefined;
    },
    after: (visited) => {
      if (!options.keepTimes || visited.type === 'symlink') return;
      const attributes = files.attributes(visited.path, false);
      aboutFile(targetOf(visited), () => files.setAttributes(targetOf(visited), times(attributes)));
    },
  });
}

/** Makes a directory, if it is not there already. */
function makeDirectory(files: Files, path: string, mode: number): void {
  aboutFile(path, () => {
    try {
      files.makeDirectory(path, mode & 0o777);
    } catch (error) {
      const exists = error instanceof SystemError && error.code === 'EEXIST';
      if (!exists || files.attributes(path).type !== 'directory') throw error;
    }
  });
}
