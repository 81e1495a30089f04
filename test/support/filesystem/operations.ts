/**
 * Operations on a file system by path, as a program makes them: path resolution, then one call of the core. They are
 * plain values, so that they can be generated, printed and carried out on several file systems.
 */
import type { FileSystem, NodeNumber } from '../../../filesystems/file-system.ts';
import { findName, findNode, type Surroundings } from '../../../filesystems/walk.ts';
import { type ErrorName, SystemError } from '../../../protocol/errno.ts';

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
  | { readonly kind: 'attributes'; readonly path: string; readonly mode?: number; readonly modified?: number }
  /** Keeps a file alive without a name, as an open file does, until the end. */
  | { readonly kind: 'hold'; readonly path: string };

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

/** Nothing is mounted anywhere else. */
const alone: Surroundings = { mountedOn: '', covered: new Map() };

/** The node of a path. */
export function nodeAt(fs: FileSystem, path: string, follow: boolean): NodeNumber {
  const found = findNode(fs, alone, { path, links: 0 }, follow);
  if (found.kind === 'outside') throw new Error(`the test leaves the file system with ${path}`);
  return found.node;
}

/** The directory that a path leads to, and the last name in it, which may not be there. */
function placeOf(fs: FileSystem, path: string): { readonly directory: NodeNumber; readonly name: string } {
  const found = findName(fs, alone, { path, links: 0 }, false);
  if (found.kind !== 'name') throw new Error(`the test asks for a name in ${path}`);
  if (fs.attributes(found.directory).type !== 'directory') throw new SystemError('ENOTDIR');
  return found;
}

/** Carries an operation out. Throws what the file system throws. */
export function perform(fs: FileSystem, operation: Operation): void {
  switch (operation.kind) {
    case 'create': {
      const { directory, name } = placeOf(fs, operation.path);
      fs.create(directory, name, operation.mode);
      return;
    }
    case 'mkdir': {
      const { directory, name } = placeOf(fs, operation.path);
      fs.makeDirectory(directory, name, operation.mode);
      return;
    }
    case 'symlink': {
      if (operation.target === '') throw new SystemError('ENOENT');
      const { directory, name } = placeOf(fs, operation.path);
      fs.makeSymlink(directory, name, operation.target);
      return;
    }
    case 'link': {
      const node = nodeAt(fs, operation.path, false);
      const { directory, name } = placeOf(fs, operation.to);
      fs.link(node, directory, name);
      return;
    }
    case 'unlink': {
      const { directory, name } = placeOf(fs, operation.path);
      fs.unlink(directory, name);
      return;
    }
    case 'rmdir': {
      const { directory, name } = placeOf(fs, operation.path);
      fs.removeDirectory(directory, name);
      return;
    }
    case 'rename': {
      const from = placeOf(fs, operation.path);
      const to = placeOf(fs, operation.to);
      fs.rename(from.directory, from.name, to.directory, to.name);
      return;
    }
    case 'write': {
      const node = nodeAt(fs, operation.path, true);
      fs.write(node, operation.offset, operationData(operation.seed, operation.length));
      return;
    }
    case 'append': {
      const node = nodeAt(fs, operation.path, true);
      fs.write(node, fs.attributes(node).size, operationData(operation.seed, operation.length));
      return;
    }
    case 'truncate':
      fs.truncate(nodeAt(fs, operation.path, true), operation.size);
      return;
    case 'hold':
      fs.retain(nodeAt(fs, operation.path, false));
      return;
    case 'attributes': {
      const { path, kind, ...change } = operation;
      fs.setAttributes(nodeAt(fs, path, true), change);
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
