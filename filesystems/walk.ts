/**
 * Path resolution inside of one file system. Read POSIX (IEEE Std 1003.1), Base Definitions, 4.16 (Pathname
 * Resolution): a trailing slash wants a directory, a symbolic link is followed where more of the path stands behind it,
 * and the parent of the root is the root.
 *
 * A path that leads out (an absolute symbolic link, `..` at the root, a directory on which another file system is
 * mounted) ends the walk with the absolute path that is left; whoever knows the mounts goes on from there.
 */
import { SystemError } from '../protocol/errno.ts';
import { type FileSystem, MAX_LINKS, MAX_NAME_BYTES, MAX_PATH_BYTES, type NodeNumber } from './file-system.ts';

/** Where a file system stands in the name space. */
export interface Surroundings {
  /** Absolute path of its root, without a slash at the end; '' is the root of everything. */
  readonly mountedOn: string;
  /** Directories on which others are mounted, with the absolute path of each. */
  readonly covered: ReadonlyMap<NodeNumber, string>;
}

/**
 * A node, and its path from the root of the file system (no slash in front, '' is the root) without symbolic links and
 * dots.
 */
export interface Found {
  readonly kind: 'node';
  readonly node: NodeNumber;
  readonly path: string;
}

/** A directory and a name in it, under which there may be nothing. */
export interface Named {
  readonly kind: 'name';
  readonly directory: NodeNumber;
  readonly name: string;
  /** Path of the name, as in `Found`. */
  readonly path: string;
  /** A slash stood behind the name: it has to be that of a directory. */
  readonly directoryWanted: boolean;
}

/** The path goes on elsewhere: absolute, with the number of symbolic links followed and file systems left so far. */
export interface Outside {
  readonly kind: 'outside';
  readonly path: string;
  readonly links: number;
}

interface Position {
  readonly node: NodeNumber;
  readonly path: string;
}

const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

const isTooLong = (name: string): boolean => Buffer.byteLength(name) > MAX_NAME_BYTES;

/** Refuses what can be no path at all. EILSEQ: it is no UTF-8; EINVAL: it has a NUL; ENAMETOOLONG. */
function checkPath(path: string): void {
  if (!isWellFormed(path)) throw new SystemError('EILSEQ', 'the path is not well-formed UTF-8');
  if (path.includes('\0')) throw new SystemError('EINVAL', 'a path has no NUL');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw new SystemError('ENAMETOOLONG', `a path has at most ${MAX_PATH_BYTES} bytes`);
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The walk of one path. */
class Walk {
  private readonly fileSystem: FileSystem;
  private readonly surroundings: Surroundings;
  private at: Position;
  /** Components that are left, the next one last. */
  private readonly left: string[] = [];
  private links: number;
  /** A directory has to stand at the end. */
  private directoryWanted = false;
  /** The path ends in `.`, which is no name that could be made or removed. */
  private endsInDot = false;

  constructor(fileSystem: FileSystem, surroundings: Surroundings, path: string, links: number) {
    this.fileSystem = fileSystem;
    this.surroundings = surroundings;
    this.links = links;
    this.at = { node: fileSystem.root, path: '' };
    checkPath(path);
    this.push(path);
  }

  /** The node at the end; of a symbolic link at the end what it leads to, if `follow`. */
  node(follow: boolean): Found | Outside {
    const end = this.towards(follow, () => false);
    if (end !== undefined) return end.kind === 'name' ? this.refuse() : end;
    this.checkDirectoryWanted();
    return { kind: 'node', ...this.at };
  }

  /**
   * The directory and the last name. A path without one (the root, or one that ends in `.` or `..`) ends in its node.
   */
  name(follow: boolean): Named | Found | Outside {
    const end = this.towards(follow, () => this.left.length === 1 && !this.endsInDot);
    if (end !== undefined) return end;
    this.checkDirectoryWanted();
    return { kind: 'node', ...this.at };
  }

  private refuse(): never {
    throw new SystemError('ENOENT', 'no such file or directory');
  }

  private checkDirectoryWanted(): void {
    if (this.directoryWanted && this.fileSystem.attributes(this.at.node).type !== 'directory')
      throw new SystemError('ENOTDIR', `${this.shown()} is not a directory`);
  }

  /** For people: where the walk is. */
  private shown(): string {
    return `${this.surroundings.mountedOn}/${this.at.path}`;
  }

  private push(path: string): void {
    const components = path.split('/').filter((component) => component !== '' && component !== '.');
    // "a/." means a directory as "a/" does.
    if (/(^|\/)\.?$/.test(path) && this.left.length === 0 && components.length > 0) this.directoryWanted = true;
    if (/(^|\/)\.$/.test(path) && this.left.length === 0) this.endsInDot = true;
    this.left.push(...components.reverse());
  }

  /**
   * Goes on until nothing is left (undefined), the path leads out, or `stop` says that the last component is not to be
   * looked up.
   */
  private towards(follow: boolean, stop: () => boolean): Named | Outside | undefined {
    for (let component = this.left.at(-1); component !== undefined; component = this.left.at(-1)) {
      if (component === '..') {
        this.left.pop();
        const outside = this.up();
        if (outside !== undefined) return outside;
        continue;
      }
      // Whether a name that is to be made or removed is too long is for the operation to say: on Linux other errors
      // come first.
      const child = isTooLong(component) && stop() ? undefined : this.child(component);
      const last = this.left.length === 1;
      const isLink = child !== undefined && this.fileSystem.attributes(child).type === 'symlink';
      if (isLink && (!last || follow || this.directoryWanted)) {
        this.left.pop();
        const outside = this.followLink(child);
        if (outside !== undefined) return outside;
        continue;
      }
      if (stop()) {
        const path = join(this.at.path, component);
        const covering = child === undefined ? undefined : this.surroundings.covered.get(child);
        if (covering !== undefined) return this.outside(covering, 0);
        return {
          ...{ kind: 'name', directory: this.at.node, name: component, path },
          directoryWanted: this.directoryWanted,
        };
      }
      if (child === undefined)
        throw new SystemError(
          'ENOENT',
          `${join(this.shown().replace(/\/$/, ''), component)}: no such file or directory`,
        );
      this.left.pop();
      const covering = this.surroundings.covered.get(child);
      if (covering !== undefined) return this.outside(covering, 1);
      this.at = { node: child, path: join(this.at.path, component) };
    }
    return undefined;
  }

  private child(name: string): NodeNumber | undefined {
    try {
      if (isTooLong(name) && this.fileSystem.attributes(this.at.node).type === 'directory')
        throw new SystemError('ENAMETOOLONG', `a name has at most ${MAX_NAME_BYTES} bytes`);
      return this.fileSystem.lookup(this.at.node, name);
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ENOENT') return undefined;
      if (error instanceof SystemError && error.code === 'ENOTDIR')
        throw new SystemError('ENOTDIR', `${this.shown()} is not a directory`);
      throw error;
    }
  }

  /** To the parent directory; out of the file system at its root. */
  private up(): Outside | undefined {
    if (this.at.node !== this.fileSystem.root) {
      const node = this.fileSystem.parent(this.at.node);
      this.at = { node, path: this.at.path.slice(0, Math.max(0, this.at.path.lastIndexOf('/'))) };
      return undefined;
    }
    const { mountedOn } = this.surroundings;
    if (mountedOn === '') return undefined;
    this.count();
    return this.rest(mountedOn.slice(0, mountedOn.lastIndexOf('/')));
  }

  /**
   * Counts a symbolic link; ways out by `..` and into covered directories count, too, so that no request can circle
   * between file systems for ever.
   */
  private count(): void {
    this.links++;
    if (this.links > MAX_LINKS)
      throw new SystemError('ELOOP', `more than ${MAX_LINKS} symbolic links and file systems`);
  }

  private followLink(node: NodeNumber): Outside | undefined {
    this.count();
    const target = this.fileSystem.readLink(node);
    if (target === '') this.refuse();
    if (target.startsWith('/')) return this.rest(target);
    this.push(target);
    return undefined;
  }

  /** Leads out to a covering file system; the last `dropped` components have been looked up already. */
  private outside(path: string, dropped: 0 | 1): Outside {
    if (dropped === 0) this.left.pop();
    this.count();
    return this.rest(path);
  }

  /** The absolute path that begins with `path` and goes on with what is left. */
  private rest(path: string): Outside {
    const left = [...this.left].reverse().join('/');
    const whole = `${path}${path.endsWith('/') || left === '' ? '' : '/'}${left}`;
    const full = `${whole === '' ? '/' : whole}${this.directoryWanted && !whole.endsWith('/') ? '/' : ''}`;
    checkPath(full);
    return { kind: 'outside', path: full, links: this.links };
  }
}

/**
 * Finds the node of a path (without a slash in front). `links`: symbolic links followed on the way here. Throws
 * SystemError: ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EILSEQ, EINVAL, EIO, EUCLEAN.
 */
export function findNode(
  fileSystem: FileSystem,
  surroundings: Surroundings,
  { path, links }: { readonly path: string; readonly links: number },
  follow: boolean,
): Found | Outside {
  return new Walk(fileSystem, surroundings, path, links).node(follow);
}

/**
 * Finds the directory and the last name of a path; `follow`: a symbolic link under that name leads on. Errors as
 * `findNode`.
 */
export function findName(
  fileSystem: FileSystem,
  surroundings: Surroundings,
  { path, links }: { readonly path: string; readonly links: number },
  follow: boolean,
): Named | Found | Outside {
  return new Walk(fileSystem, surroundings, path, links).name(follow);
}
