/**
 * A file system in the name space: its core, where it is mounted, which of its directories others are mounted on, and
 * its open files. A service of one file system has one volume; vfs has one for each file system that it keeps itself.
 *
 * What is kept in the recovery store is kept before anything is answered that tells of it.
 */
import type { Keeper } from '../../../filesystems/block-device.ts';
import type { FileSystem, NodeNumber } from '../../../filesystems/file-system.ts';
import { type Found, findName, findNode, type Named, type Outside } from '../../../filesystems/walk.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { FileAttributes, FileType } from '../../../protocol/file.ts';
import { type Handle, list } from '../../../protocol/schema.ts';
import { type FileSystemFigures, path } from '../../../protocol/vfs.ts';
import type { Caller } from './batch.ts';
import { type OpenFile, OpenFiles } from './open-files.ts';

/** A path, and the symbolic links followed on the way to it. */
export interface Place {
  path: string;
  links: number;
}

/** Thrown where a path leads out of its file system: the request has to go on with the place `to` instead of `from`. */
export class LeadsOut extends Error {
  readonly from: Place;
  /** An absolute path. */
  readonly to: Place;

  constructor(from: Place, to: Place) {
    super(`${from.path} leads to ${to.path}`);
    this.from = from;
    this.to = to;
  }
}

/** What a volume is made of. */
export interface VolumeSettings {
  readonly core: FileSystem;
  /** Absolute path it is mounted on, without symbolic links, `.` and `..`; '/' is the root of everything. */
  readonly path: string;
  /** Tells file systems apart: `fileSystem` of attributes. */
  readonly number: number;
  /** Keeps the open files and covered directories; nobody else may use it. */
  readonly keeper: Keeper;
  /** Top byte of the badges of its open files, 1 to 255. */
  readonly badgeKind: number;
  /** Makes a right to the port of this service. */
  mint(badge: number): Handle;
  /** Gives one up. */
  release(right: Handle): void;
}

const COVERED_KEY = 'covered';
const keptCovered = list(path, 256);

/** See the head of this file. */
export class Volume {
  readonly core: FileSystem;
  readonly files: OpenFiles;
  private readonly settings: VolumeSettings;
  private readonly covered = new Map<NodeNumber, string>();
  private readonly surroundings: { mountedOn: string; covered: ReadonlyMap<NodeNumber, string> };
  /** What comes again has not come yet: which rights are gone is not believed before. */
  private settled = false;

  /** Takes up what an earlier incarnation kept. The core has just been mounted. Throws SystemError EIO, EUCLEAN. */
  constructor(settings: VolumeSettings) {
    this.settings = settings;
    this.core = settings.core;
    this.surroundings = { mountedOn: settings.path === '/' ? '' : settings.path, covered: this.covered };
    this.restoreCovered();
    this.files = new OpenFiles(settings.keeper, settings.badgeKind);
    const opened = [...this.files.list()].map(({ node }) => node);
    this.core.restoreRetained([...this.covered.keys(), ...opened]);
  }

  /**
   * Their paths are kept, for nobody can move a covered directory; its number need not be the same when the file system
   * has been closed meanwhile.
   */
  private restoreCovered(): void {
    const kept = this.settings.keeper.get(COVERED_KEY);
    if (kept === undefined) return;
    for (const covered of keptCovered.fromWire(kept, [])) {
      const node = this.wayTo(covered).at(-1);
      if (node !== undefined) this.covered.set(node, covered);
    }
  }

  /** Absolute path it is mounted on. */
  get path(): string {
    return this.settings.path;
  }

  // Paths

  /** The node of a place and its path from the root of this file system. Throws SystemError, LeadsOut. */
  find(place: Place, follow: boolean): Found {
    return this.inside(place, findNode(this.core, this.surroundings, place, follow));
  }

  /**
   * The directory and last name of a place; a node where there is no such name: the root, or a path that ends in `.` or
   * `..`. Throws SystemError, LeadsOut.
   */
  findName(place: Place, follow = false): Named | Found {
    return this.inside(place, findName(this.core, this.surroundings, place, follow));
  }

  private inside<R>(from: Place, end: R | Outside): Exclude<R, Outside> {
    if (isOutside(end)) throw new LeadsOut(from, { path: end.path, links: end.links });
    return end as Exclude<R, Outside>;
  }

  /** The absolute path of one from the root of this file system. */
  absolute(inner: string): string {
    const { mountedOn } = this.surroundings;
    return inner === '' ? this.settings.path : `${mountedOn}/${inner}`;
  }

  /** The node under a name, or undefined. */
  child({ directory, name }: Pick<Named, 'directory' | 'name'>): NodeNumber | undefined {
    try {
      return this.core.lookup(directory, name);
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /**
   * The directory of a place is covered by another file system from now on, or no more; the same again changes nothing.
   * The place has no symbolic links and dots. Throws SystemError ENOTDIR, EBUSY, EINVAL.
   */
  cover(place: Place, covered: boolean): void {
    const absolute = this.absolute(place.path.replace(/\/+$/, ''));
    const known = [...this.covered.keys()].find((node) => this.covered.get(node) === absolute);
    if ((known !== undefined) === covered) return;
    const node = known ?? this.coverable(place);
    const others = this.mountedHere.filter((path) => path !== absolute);
    this.settings.keeper.put(COVERED_KEY, keptCovered.toWire(covered ? [...others, absolute] : others, []));
    if (covered) {
      this.core.retain(node);
      this.covered.set(node, absolute);
    } else {
      this.covered.delete(node);
      this.core.release(node);
    }
  }

  private coverable(place: Place): NodeNumber {
    const end = findNode(this.core, this.surroundings, place, true);
    if (isOutside(end)) throw new SystemError('EINVAL', `${this.absolute(place.path)} leads to ${end.path}`);
    if (this.core.attributes(end.node).type !== 'directory')
      throw new SystemError('ENOTDIR', `${this.absolute(end.path)} is no directory`);
    if (end.node === this.core.root) throw new SystemError('EBUSY', `a file system is mounted on ${this.path} already`);
    return end.node;
  }

  /** Absolute paths of the covered directories. */
  get mountedHere(): readonly string[] {
    return [...this.covered.values()];
  }

  /** Whether a directory, or one below it, is covered by another file system. */
  leadsToCovered(node: NodeNumber): boolean {
    return this.mountedHere.some((covered) => this.wayTo(covered).includes(node));
  }

  /**
   * The nodes on the absolute path of a covered directory, the last one undefined if it leads nowhere. It is gone down,
   * name by name: the way up, as the directories of a damaged disk tell it, may go in a circle.
   */
  private wayTo(covered: string): (NodeNumber | undefined)[] {
    const names = covered.slice(this.absolute('').length).split('/');
    const way: (NodeNumber | undefined)[] = [];
    let directory = this.core.root;
    for (const name of names.filter((component) => component !== '')) {
      const child = this.child({ directory, name });
      way.push(child);
      if (child === undefined) break;
      directory = child;
    }
    return way;
  }

  // Attributes

  attributes(node: NodeNumber): FileAttributes {
    const known = this.core.attributes(node);
    return {
      fileSystem: this.settings.number,
      node: known.node,
      type: known.type,
      mode: known.mode,
      links: known.links,
      size: known.size,
      allocated: known.allocated,
      accessed: known.accessed,
      modified: known.modified,
      changed: known.changed,
      created: known.created,
    };
  }

  figures(): FileSystemFigures {
    const { readOnlyReason: _, ...figures } = this.core.information();
    return figures;
  }

  // Open files

  /**
   * Enters a node as open, and makes the right to it. A request that comes again gets the file it has opened already.
   * Throws SystemError EMFILE.
   */
  open(
    node: NodeNumber,
    flags: number,
    way: string,
    caller: Caller,
  ): { file: Handle; type: FileType; size: number; stream: boolean } {
    const { type, size } = this.core.attributes(node);
    const { sender, sequence } = caller;
    const known = caller.retry ? this.files.openedBy(sender, sequence) : undefined;
    const opened = known ?? this.enter({ node, flags, sender, sequence, path: way });
    try {
      return { file: this.settings.mint(opened.badge), type, size, stream: false };
    } catch (error) {
      this.drop(opened.badge);
      throw error;
    }
  }

  /** Retained first, and that permanent: a file in the table has a node, whatever happens to its name. */
  private enter(file: Omit<OpenFile, 'badge'>): OpenFile {
    this.files.checkRoom(file.sender);
    this.core.retain(file.node);
    try {
      this.core.commit();
      return this.files.add(file);
    } catch (error) {
      this.core.release(file.node);
      throw error;
    }
  }

  /** The notice `no_senders`: nobody has a file open any more. True if something has to be committed. */
  close(badge: number): boolean {
    return this.settled && this.drop(badge);
  }

  /**
   * Out of the table first: a node that is retained by nobody is freed at the next start, but one that is gone must not
   * be retained.
   */
  private drop(badge: number): boolean {
    const file = this.files.remove(badge);
    if (file === undefined) return false;
    this.core.release(file.node);
    return true;
  }

  /**
   * What came again has been answered. Files whose answer never reached anybody, or whose notice an earlier incarnation
   * has lost, are told as gone now: a right is made to each and given up, and if that was the only one, the kernel says
   * so.
   */
  settle(): void {
    this.settled = true;
    for (const { badge } of this.files.list()) this.settings.release(this.settings.mint(badge));
  }

  /** For people: who has which files open. `nameOf` answers the name of a task, or undefined. */
  users(nameOf: (pid: number) => string | undefined): string {
    const files = [...this.files.list()];
    const shown = files
      .slice(0, 3)
      .map((file) => `${describe(file)} by ${nameOf(file.sender) ?? 'a task'}[${file.sender}]`);
    const more = files.length - shown.length;
    return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  }
}

function isOutside(end: unknown): end is Outside {
  return (end as Outside).kind === 'outside';
}

function describe({ path: way }: OpenFile): string {
  return way === '' ? 'the root directory' : way;
}
