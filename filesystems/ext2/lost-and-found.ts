/** Names for inodes that nothing leads to. */
import { SystemError } from '../../protocol/errno.ts';
import type { CheckState } from './check-state.ts';
import { type Inode, isDirectory, newInode } from './inode.ts';
import { inodeType, ROOT_INODE } from './layout.ts';

const LOST_AND_FOUND = 'lost+found';

/** See the head of this file. */
export class LostAndFound {
  private readonly state: CheckState;

  constructor(state: CheckState) {
    this.state = state;
  }

  /**
   * Gives inodes that nothing leads to names in lost+found. Only on a file system whose bitmaps are right, since that
   * can take blocks; the counts of names are to be checked again then.
   */
  attach(lost: readonly number[]): void {
    this.state.cache.operation(() => {
      const root = this.state.inodes.read(ROOT_INODE);
      const number =
        this.state.directories.find(ROOT_INODE, root, LOST_AND_FOUND)?.inode ?? this.makeLostAndFound(root);
      const directory = this.state.inodes.read(number);
      if (!isDirectory(directory)) throw new SystemError('EUCLEAN', 'lost+found is no directory');
      for (const inode of lost) this.name(inode, number, directory);
      this.state.inodes.store(number, directory);
    });
  }

  private makeLostAndFound(root: Inode): number {
    const number = this.state.inodeNumbers.allocate(ROOT_INODE, true);
    const inode = newInode(inodeType.directory | 0o700, 2, root.changed);
    this.state.directories.begin(number, inode, ROOT_INODE);
    this.state.inodes.store(number, inode, true);
    this.state.directories.add(ROOT_INODE, root, LOST_AND_FOUND, number, inode.mode);
    root.links++;
    this.state.inodes.store(ROOT_INODE, root);
    return number;
  }

  private name(number: number, directoryNumber: number, directory: Inode): void {
    const inode = this.state.inodes.read(number);
    const name = `#${number}`;
    if (this.state.directories.find(directoryNumber, directory, name) !== undefined) return;
    this.state.directories.add(directoryNumber, directory, name, number, inode.mode);
    if (isDirectory(inode)) this.state.directories.setParent(number, inode, directoryNumber);
    this.state.repaired.push(`inode ${number}, which nothing led to, is ${LOST_AND_FOUND}/${name} now`);
  }
}
