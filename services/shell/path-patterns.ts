/**
 * Finds the paths that match a pattern of several components. Read POSIX, Shell & Utilities, 2.14.3 (Patterns Used for
 * Filename Expansion).
 */
import type { FileType } from '../../protocol/file.ts';
import { CommandError } from './errors.ts';
import { MAX_FIELDS } from './expand.ts';
import { compilePattern, isPattern, unquotePattern } from './patterns.ts';
import { compareTexts } from './texts.ts';

/** What is asked of a name space. Paths begin where the shell's do. */
export interface NameSource {
  /** Entries of a directory without '.' and '..'; none of what is no directory or cannot be read. */
  entries(directory: string): readonly { readonly name: string; readonly type: FileType }[];
  exists(path: string): boolean;
  isDirectory(path: string): boolean;
}

/** The pattern cut at its slashes, which are never part of a name, quoted or not. */
function componentsOf(pattern: string): string[] {
  return pattern.replaceAll('\\/', '/').split('/');
}

/**
 * All matching paths, sorted by their code points. A name that begins with a dot is matched only by a component that
 * does so too. Throws CommandError when there are too many.
 */
export function pathsMatching(pattern: string, source: NameSource): string[] {
  const components = componentsOf(pattern);
  let found = [''];
  for (const [index, component] of components.entries()) {
    const last = index === components.length - 1;
    const end = last ? '' : '/';
    if (!isPattern(component)) {
      const text = unquotePattern(component);
      found = found.map((path) => path + text + end);
      if (last) found = found.filter((path) => (text === '' ? source.isDirectory(path) : source.exists(path)));
      continue;
    }
    const matches = compilePattern(component);
    const hidden = component.startsWith('.');
    found = found.flatMap((path) =>
      source
        .entries(path === '' ? '.' : path)
        .filter(
          ({ name, type }) => (last || type === 'directory' || type === 'symlink') && name.startsWith('.') === hidden,
        )
        .filter(({ name }) => matches(name))
        .map(({ name }) => path + name + end),
    );
    if (found.length > MAX_FIELDS) throw new CommandError(`${pattern}: matches more than ${MAX_FIELDS} paths`);
  }
  return found.sort(compareTexts);
}
