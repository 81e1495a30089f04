/** The name space as patterns and completion look at it: what cannot be read has no entries. */
import { type Files, SystemError } from '../lib/index.ts';
import type { NameSource } from './path-patterns.ts';

/** Answers `otherwise` when the system refuses. */
export function unlessRefused<T>(otherwise: T, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof SystemError) return otherwise;
    throw error;
  }
}

/** See the head of this file. */
export function nameSource(files: Files): NameSource {
  return {
    entries: (directory) => unlessRefused([], () => [...files.entries(directory)]),
    exists: (path) => unlessRefused(false, () => files.attributes(path, false) !== undefined),
    isDirectory: (path) => unlessRefused(false, () => files.attributes(path === '' ? '.' : path).type === 'directory'),
  };
}

/**
 * Paths for completion: what is in the directory that `typed` names so far. Names with a dot in front only if one is
 * typed.
 */
export function pathsFor(files: Files, typed: string, directoriesOnly: boolean): string[] {
  const directory = /^.*\//s.exec(typed)?.[0] ?? '';
  const begun = typed.slice(directory.length);
  const { entries, isDirectory } = nameSource(files);
  return entries(directory === '' ? '.' : directory)
    .filter(({ name }) => name.startsWith(begun) && (begun.startsWith('.') || !name.startsWith('.')))
    .flatMap(({ name, type }) => {
      const path = directory + name;
      if (type === 'directory' || (type === 'symlink' && isDirectory(path))) return [`${path}/`];
      return directoriesOnly ? [] : [path];
    });
}
