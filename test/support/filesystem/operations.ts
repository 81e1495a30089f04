/**
 * Operations on a file system by path, as a program makes them: path resolution with symbolic links as POSIX 4.13 says, then one call of the core. They are plain
 * values, so that they can be generated, printed and carried out on several file systems.
 */
import type { FileSystem, NodeNumber } from '../../../filesystems/file-system.ts';
import { type ErrorName, SystemError } from '../../../protocol/errno.ts';

/** Symbolic links followed in one path at most, as on Linux. */
const MAX_LINKS_FOLLOWED = 40;

/** An operation. `data` of a write is made from `seed`. */
export type Operation =
  | { readonly kind: 'create'; readonly path: string; readonly mode: number }
  | { readonly kind: 'mkdir'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rmdir'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly offset: number;
      readonly length: number;
      readonly seed: number;
    }
  | { readonly kind: 'append'; readonly path: string; readonly length: number; readonly seed: number }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'attributes'; readonly path: string; readonly mode?: number; readonly modified?: number };

/** The bytes of a write: never zeros, and different for every seed and position. */
export function operationData(seed: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = (seed * 2654435761 + 12345) >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = (state >>> 24) | 1;
  }
  return bytes;
}

/** Short text of an operation. */
export function operationText(operation: Operation): string {
  const { kind, ...rest } = operation;
  const values = Object.values(rest).map((value) => (typeof value === 'string' ? shorten(value) : String(value)));
  return `${kind}(${values.join(', ')})`;
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 18)}…${text.length}…${text.slice(-8)}` : text;
}

/** The directory a path leads to and the last name in it, which may not be there. */
export interface Place {
  readonly directory: NodeNumber;
  readonly name: string;
}

/** Resolves paths; '' is the root. A path that leaves the root upwards, and an absolute symbolic link, stay within the file system. */
export class PathWalker {
  private readonly fs: FileSystem;
  private followed = 0;

  constructor(fs: FileSystem) {
    this.fs = fs;
  }

  /** The place of the last name of a path; symbolic links before it are followed. */
  place(path: string, from: NodeNumber = this.fs.root): Place {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    const last = names.pop();
    if (last === undefined || last === '..')
      throw new SystemError('EINVAL', 'the test asks for a place without a name');
    let directory = path.startsWith('/') ? this.fs.root : from;
    for (const name of names) directory = this.step(directory, name, true);
    if (this.fs.attributes(directory).type !== 'directory') throw new SystemError('ENOTDIR');
    return { directory, name: last };
  }

  /** The node of a path. */
  node(path: string, follow: boolean, from: NodeNumber = this.fs.root): NodeNumber {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    let at = path.startsWith('/') ? this.fs.root : from;
    for (const [index, name] of names.entries()) at = this.step(at, name, follow || index < names.length - 1);
    return at;
  }

  private step(directory: NodeNumber, name: string, follow: boolean): NodeNumber {
    if (name === '..') return this.fs.parent(directory);
    const node = this.fs.lookup(directory, name);
    if (!follow || this.fs.attributes(node).type !== 'symlink') return node;
    if (++this.followed > MAX_LINKS_FOLLOWED) throw new SystemError('ELOOP');
    return this.node(this.fs.readLink(node), true, directory);
  }
}

/** Carries an operation out. Throws what the file system throws. */
export function perform(fs: FileSystem, operation: Operation): void {
  const walker = new PathWalker(fs);
  switch (operation.kind) {
    case 'create': {
      const { directory, name } = walker.place(operation.path);
      fs.create(directory, name, operation.mode);
      return;
    }
    case 'mkdir': {
      const { directory, name } = walker.place(operation.path);
      fs.makeDirectory(directory, name, operation.mode);
      return;
    }
    case 'symlink': {
      if (operation.target === '') throw new SystemError('ENOENT');
      const { directory, name } = walker.place(operation.path);
      fs.makeSymlink(directory, name, operation.target);
      return;
    }
    case 'link': {
      const node = walker.node(operation.path, false);
      const { directory, name } = new PathWalker(fs).place(operation.to);
      fs.link(node, directory, name);
      return;
    }
    case 'unlink': {
      const { directory, name } = walker.place(operation.path);
      fs.unlink(directory, name);
      return;
    }
    case 'rmdir': {
      const { directory, name } = walker.place(operation.path);
      fs.removeDirectory(directory, name);
      return;
    }
    case 'rename': {
      const from = walker.place(operation.path);
      const to = new PathWalker(fs).place(operation.to);
      fs.rename(from.directory, from.name, to.directory, to.name);
      return;
    }
    case 'write': {
      const node = walker.node(operation.path, true);
      fs.write(node, operation.offset, operationData(operation.seed, operation.length));
      return;
    }
    case 'append': {
      const node = walker.node(operation.path, true);
      fs.write(node, fs.attributes(node).size, operationData(operation.seed, operation.length));
      return;
    }
    case 'truncate':
      fs.truncate(walker.node(operation.path, true), operation.size);
      return;
    case 'attributes': {
      const { path, kind, ...change } = operation;
      fs.setAttributes(walker.node(path, true), change);
      return;
    }
  }
}

/** The error an action ends with, null: none. What is no SystemError is thrown on. */
export function errorOf(action: () => unknown): ErrorName | null {
  try {
    action();
    return null;
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}

/** Carries an operation out and answers its error, null: none. */
export function attempt(fs: FileSystem, operation: Operation): ErrorName | null {
  return errorOf(() => perform(fs, operation));
}
