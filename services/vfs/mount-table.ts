/**
 * Which file system owns a path: the one whose directory is the longest prefix of its components. Only components up to
 * the first `..` count, and symbolic links are taken as names: what a path really means is found out by the file
 * systems on the way, which hand it back when it leads out of them.
 */
import { SystemError } from '../../protocol/errno.ts';

/** What the table needs of a mount. */
export interface Mounted {
  /** Absolute, without dots, symbolic links, and a slash at the end; the root is `/`. */
  readonly path: string;
}

/** An owner, and the path inside of it: no slash in front, '' is its root. */
export interface Located<M> {
  readonly mount: M;
  readonly inner: string;
}

/** See the head of this file. */
export class MountTable<M extends Mounted> {
  private readonly byPath = new Map<string, M>();

  /** All mounts, in the order of mounting. */
  get all(): readonly M[] {
    return [...this.byPath.values()];
  }

  /** What is mounted on exactly this path. */
  at(path: string): M | undefined {
    return this.byPath.get(path);
  }

  add(mount: M): void {
    this.byPath.set(mount.path, mount);
  }

  remove(mount: M): void {
    this.byPath.delete(mount.path);
  }

  /** The owner of an absolute path. */
  locate(path: string): Located<M> {
    let mount = this.byPath.get('/');
    let restAt = 0;
    let prefix = '';
    for (const { 0: component, index } of path.matchAll(/[^/]+/g)) {
      if (component === '.') continue;
      if (component === '..') break;
      prefix += `/${component}`;
      const found = this.byPath.get(prefix);
      if (found === undefined) continue;
      mount = found;
      restAt = index + component.length;
    }
    if (mount === undefined) throw new SystemError('ENOENT', 'nothing is mounted on /');
    return { mount, inner: path.slice(restAt).replace(/^\/+/, '') };
  }

  /** Mounts that are on a directory of this one, or further below. */
  below(path: string): M[] {
    return this.all.filter((mount) => mount.path !== path && isInside(mount.path, path));
  }
}

/** Whether a path without dots is `directory` or below it. */
export function isInside(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}

/** A path as seen from a directory, absolute. Throws SystemError ENOENT: it is empty. */
export function absolutePath(path: string, directory: string): string {
  if (path === '') throw new SystemError('ENOENT', 'the path is empty');
  if (path.startsWith('/')) return path;
  return directory === '/' ? `/${path}` : `${directory}/${path}`;
}
