/**
 * The part of a check that reads the directories: entries, '.' and '..', circles, what nothing leads to, and the
 * numbers of names.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { CheckState } from './check-state.ts';
import type { Entry } from './directory.ts';
import { type Inode, isDirectory } from './inode.ts';
import { ROOT_INODE } from './layout.ts';

/** See the head of this file. */
export class TreeCheck {
  private readonly state: CheckState;
  /** Names of directories whose directory has a name already, with what they are in. */
  private readonly further: { readonly directory: number; readonly entry: Entry }[] = [];
  /** The name that each directory was found with first. */
  private readonly first = new Map<number, Entry>();

  constructor(state: CheckState) {
    this.state = state;
  }

  /** Reads all directories. Throws SystemError EIO. */
  readDirectories(): void {
    const root = this.state.found.get(ROOT_INODE);
    if (root !== undefined) root.parent = ROOT_INODE;
    for (const [number, { inode }] of this.state.found) {
      if (!isDirectory(inode) || inode.links === 0) continue;
      try {
        this.readDirectory(number, inode);
      } catch (error) {
        if (!(error instanceof SystemError) || error.code === 'EIO') throw error;
        this.state.problem(`directory ${number}: ${error.message}`);
      }
    }
    for (const { directory, entry } of this.further) this.mendFurther(directory, entry);
  }

  /**
   * A directory has two names when the power fails while it is moved, before the old name has gone. The one that is
   * kept is in the directory where its '..' leads; where that is neither, nobody can tell.
   */
  private mendFurther(directory: number, entry: Entry): void {
    const { found } = this.state;
    const target = found.get(entry.inode);
    if (target === undefined) return;
    const keepsFirst = target.up === target.parent;
    const unwanted = keepsFirst ? entry : this.first.get(entry.inode);
    const place = keepsFirst ? directory : target.parent;
    const inode = found.get(place)?.inode;
    if ((!keepsFirst && target.up !== directory) || unwanted === undefined || inode === undefined) {
      this.state.problem(`directory ${entry.inode} has two names`);
      return;
    }
    const name = JSON.stringify(unwanted.name);
    this.state.mendable(`directory ${place}: ${name} leads to directory ${entry.inode}, which has another name`, () => {
      this.state.directories.remove(place, inode, unwanted);
      this.state.inodes.store(place, inode);
    });
    if (!keepsFirst) target.parent = directory;
  }

  private readDirectory(number: number, inode: Inode): void {
    let dots = 0;
    const gone: Entry[] = [];
    const mistyped: Entry[] = [];
    for (const entry of this.state.directories.entries(inode)) {
      const { name, inode: target } = entry;
      const child = this.state.found.get(target);
      if (name === '.') {
        dots++;
        if (target !== number) this.state.problem(`directory ${number}: '.' leads to inode ${target}`);
        const own = this.state.found.get(number);
        if (own !== undefined) own.names++;
        continue;
      }
      if (name === '..') {
        dots++;
        const own = this.state.found.get(number);
        if (own !== undefined) own.up = target;
        continue;
      }
      if (child === undefined) {
        if (this.isFree(target)) gone.push(entry);
        else
          this.state.problem(
            `directory ${number}: ${JSON.stringify(name)} leads to inode ${target}, which no name may`,
          );
        continue;
      }
      if (isDirectory(child.inode) && child.parent !== 0) {
        this.further.push({ directory: number, entry });
        continue;
      }
      child.names++;
      child.parent = number;
      this.first.set(target, entry);
      if (entry.type !== this.state.directories.recordType(child.inode)) mistyped.push(entry);
      // As names are read here, that is NUL and '/'.
      if (/[\uf700\uf72f]/.test(name))
        this.state.problem(`directory ${number}: the name ${JSON.stringify(name)} cannot be`);
    }
    if (dots !== 2) this.state.problem(`directory ${number} has ${dots} of '.' and '..'`);
    this.mendEntries(number, inode, gone, mistyped);
  }

  /** Whether an inode is free, and not merely damaged. */
  private isFree(number: number): boolean {
    return this.state.geometry.isOrdinaryInode(number) && this.state.inodes.read(number).links === 0;
  }

  /** A name is left over when the power fails while a file is removed, before the directory is written. */
  private mendEntries(number: number, inode: Inode, gone: readonly Entry[], mistyped: readonly Entry[]): void {
    for (const entry of gone) {
      const { name, inode: target } = entry;
      this.state.mendable(
        `directory ${number}: ${JSON.stringify(name)} leads to inode ${target}, which is not in use`,
        () => {
          this.state.directories.remove(number, inode, entry);
          this.state.inodes.store(number, inode);
        },
      );
    }
    for (const entry of mistyped) {
      const mode = this.state.found.get(entry.inode)?.inode.mode ?? 0;
      this.state.mendable(`directory ${number}: ${JSON.stringify(entry.name)} says a wrong type`, () =>
        this.state.directories.redirect(number, inode, entry, entry.inode, mode),
      );
    }
  }

  /** Whether everything hangs together: what nothing leads to, where '..' leads, and circles. */
  checkTree(): void {
    for (const [number, { inode, parent, up }] of this.state.found) {
      if (parent === 0) this.state.lost.push(number);
      else if (isDirectory(inode) && inode.links > 0) this.checkUp(number, inode, parent, up);
    }
    if (!this.state.repair)
      for (const number of this.state.lost) this.state.problem(`nothing leads to inode ${number}`);
    this.checkCircles();
  }

  private checkUp(number: number, inode: Inode, parent: number, up: number): void {
    const above = this.state.found.get(parent);
    if (above !== undefined) above.names++;
    if (up === parent || up === 0) return;
    this.state.mendable(`'..' of directory ${number} leads to inode ${up} and not to ${parent}`, () =>
      this.state.directories.setParent(number, inode, parent),
    );
  }

  /** A directory that is only in itself, or in one below it, is reached from nowhere. Each one is gone through once. */
  private checkCircles(): void {
    const seen = new Set<number>([0, ROOT_INODE]);
    for (const [number, { inode }] of this.state.found) {
      if (!isDirectory(inode)) continue;
      const way = new Set<number>();
      let at = number;
      while (!seen.has(at)) {
        seen.add(at);
        way.add(at);
        at = this.state.found.get(at)?.parent ?? 0;
      }
      // An orphan has itself as its parent here.
      if (way.has(at) && this.state.found.get(at)?.inode.links !== 0)
        this.state.problem(`directory ${at} is in itself`);
    }
  }

  /** Compares the numbers of names with what the inodes say. */
  checkLinks(): void {
    for (const [number, { inode, names, parent }] of this.state.found) {
      if (names === inode.links || parent === 0) continue;
      this.state.mendable(`inode ${number} is said to have ${inode.links} names, and has ${names}`, () => {
        inode.links = names;
        this.state.inodes.store(number, inode);
      });
    }
  }
}
