/**
 * ext2 as a FileSystem. Read: D. Poirier, "The Second Extended File System", and docs/ext2.md.
 *
 * Each operation looks everything up first, and changes only then, within Volume.change, which takes all of it back
 * should it fail.
 */
import type {
  AttributeChange,
  Attributes,
  DirectoryPart,
  FileSystem,
  FileSystemInformation,
  FileType,
  NodeNumber,
  RequestNumber,
  RequestResult,
} from '../file-system.ts';
import { MAX_NAME_BYTES, MAX_PATH_BYTES } from '../file-system.ts';
import { Content } from './content.ts';
import type { Entry } from './directory.ts';
import { damaged, refuse } from './errors.ts';
import { hasBlocks, type Inode, isDirectory, newInode, typeOf } from './inode.ts';
import { entryType, inodeFlag, inodeType, MAX_LINKS, POINTER_BYTES, POINTERS, ROOT_INODE } from './layout.ts';
import type { Volume } from './volume.ts';

const MODE_MASK = 0o7777;

/** Deepest nesting of directories: they are not looked through further up. */
const MAX_DEPTH = 4096;

/** Bytes of a target that fit into the pointers, with the zero behind it. */
const FAST_LINK_BYTES = POINTERS * POINTER_BYTES;

const typeNames: Readonly<Record<number, FileType>> = {
  [inodeType.file]: 'file',
  [inodeType.directory]: 'directory',
  [inodeType.symlink]: 'symlink',
  [inodeType.character]: 'character',
  [inodeType.block]: 'block',
  [inodeType.pipe]: 'pipe',
  [inodeType.socket]: 'pipe',
};

const typesByEntry = new Map(
  Object.entries(entryType).map(([type, number]) => [number, typeNames[Number(type)] ?? 'file']),
);

/** See the head of this file. */
export class Ext2FileSystem implements FileSystem {
  readonly root = ROOT_INODE;
  private readonly volume: Volume;
  private readonly content: Content;

  constructor(volume: Volume) {
    this.volume = volume;
    this.content = new Content(volume);
  }

  information(): FileSystemInformation {
    const { geometry, groups, readOnly, reason, superblock } = this.volume;
    return {
      ...{ type: 'ext2', label: superblock.label, readOnly: readOnly || reason !== '', readOnlyReason: reason },
      blockBytes: geometry.blockBytes,
      blocks: geometry.parameters.blocks - geometry.overheadBlocks - geometry.parameters.firstDataBlock,
      freeBlocks: groups.freeBlocks + this.volume.blocks.pendingBlocks,
      nodes: geometry.parameters.inodes,
      freeNodes: groups.freeInodes,
    };
  }

  /** The inode of a node. Throws SystemError: ENOENT, EUCLEAN. */
  private inode(node: NodeNumber): Inode {
    if (!this.volume.geometry.isOrdinaryInode(node)) refuse('ENOENT', `there is no inode ${node}`);
    const inode = this.volume.inodes.read(node);
    if (inode.links === 0 && !this.volume.isRetained(node)) refuse('ENOENT', `inode ${node} is not in use`);
    return this.volume.inodes.checked(node, inode);
  }

  /** The inode of a directory that can have names. Throws SystemError: ENOTDIR; ENOENT: it has been removed. */
  private directory(node: NodeNumber): Inode {
    const inode = this.inode(node);
    if (!isDirectory(inode)) refuse('ENOTDIR');
    if (inode.links === 0) refuse('ENOENT', 'the directory has been removed');
    return inode;
  }

  attributes(node: NodeNumber): Attributes {
    const inode = this.inode(node);
    return {
      node,
      type: typeNames[typeOf(inode)] ?? 'file',
      mode: inode.mode & MODE_MASK,
      links: inode.links,
      size: inode.size,
      allocated: inode.sectors * 512,
      ...{ accessed: inode.accessed, modified: inode.modified, changed: inode.changed, created: inode.created },
    };
  }

  setAttributes(node: NodeNumber, { mode, accessed, modified }: AttributeChange): void {
    this.volume.change(() => {
      const inode = this.inode(node);
      if (mode !== undefined) inode.mode = typeOf(inode) | (mode & MODE_MASK);
      if (accessed !== undefined) inode.accessed = accessed;
      if (modified !== undefined) inode.modified = modified;
      inode.changed = this.volume.now();
      this.volume.inodes.store(node, inode);
    });
  }

  lookup(directory: NodeNumber, name: string): NodeNumber {
    const inode = this.directory(directory);
    checkName(name);
    return this.target(this.volume.directories.find(directory, inode, name) ?? refuse('ENOENT'));
  }

  private target({ inode, name }: Entry): NodeNumber {
    if (!this.volume.geometry.isOrdinaryInode(inode))
      damaged(`the name ${name} leads to inode ${inode}, which no name may`);
    if (this.volume.inodes.read(inode).links === 0)
      damaged(`the name ${name} leads to inode ${inode}, which is not in use`);
    return inode;
  }

  parent(directory: NodeNumber): NodeNumber {
    const inode = this.directory(directory);
    if (directory === ROOT_INODE) return ROOT_INODE;
    const parent = this.volume.directories.parentOf(directory, inode);
    if (!isDirectory(this.inode(parent))) damaged(`the parent of directory ${directory} is none`);
    return parent;
  }

  readDirectory(directory: NodeNumber, cursor: string, most: number): DirectoryPart {
    if (!/^\d{0,12}$/.test(cursor)) refuse('EINVAL', 'no such cursor');
    const inode = this.inode(directory);
    if (!isDirectory(inode)) refuse('ENOTDIR');
    if (inode.links === 0) return { entries: [], cursor: null };
    const entries: DirectoryPart['entries'][number][] = [];
    for (const entry of this.volume.directories.entries(inode, Number(cursor))) {
      if (entry.name === '.' || entry.name === '..') continue;
      if (entries.length === most) return { entries, cursor: String(entry.position) };
      const node = this.target(entry);
      const type = typesByEntry.get(entry.type) ?? typeNames[typeOf(this.inode(node))] ?? 'file';
      entries.push({ name: entry.name, node, type });
    }
    return { entries, cursor: null };
  }

  readLink(node: NodeNumber): string {
    const inode = this.inode(node);
    if (typeOf(inode) !== inodeType.symlink) refuse('EINVAL', 'no symbolic link');
    if (inode.size > MAX_PATH_BYTES) damaged(`the target of symbolic link ${node} has ${inode.size} bytes`);
    if (!hasBlocks(inode, this.volume.geometry.blockBytes)) {
      const bytes = Buffer.alloc(FAST_LINK_BYTES);
      for (const [index, pointer] of inode.pointers.entries()) bytes.writeUInt32LE(pointer, index * POINTER_BYTES);
      return bytes.toString('utf8', 0, Math.min(inode.size, FAST_LINK_BYTES));
    }
    const { blockBytes } = this.volume.geometry;
    const parts: Buffer[] = [];
    for (let index = 0; index * blockBytes < inode.size; index++) {
      const block = this.volume.map.lookup(inode, index);
      if (block === 0) damaged(`the target of symbolic link ${node} has a hole`);
      parts.push(this.volume.cache.read(block));
    }
    return Buffer.concat(parts).toString('utf8', 0, inode.size);
  }

  create(directory: NodeNumber, name: string, mode: number): NodeNumber {
    return this.make(directory, name, inodeType.file | (mode & MODE_MASK), () => {});
  }

  makeDirectory(directory: NodeNumber, name: string, mode: number): NodeNumber {
    if (this.directory(directory).links >= MAX_LINKS) {
      this.vacant(directory, name);
      refuse('EMLINK');
    }
    return this.make(directory, name, inodeType.directory | (mode & MODE_MASK), (node, inode, parent) => {
      inode.links = 2;
      this.volume.directories.begin(node, inode, directory);
      parent.links++;
    });
  }

  makeSymlink(directory: NodeNumber, name: string, target: string): NodeNumber {
    const bytes = Buffer.from(target);
    const { blockBytes } = this.volume.geometry;
    if (bytes.length > MAX_PATH_BYTES || bytes.length >= blockBytes) {
      this.vacant(directory, name);
      refuse('ENAMETOOLONG', `a target has fewer than ${Math.min(MAX_PATH_BYTES + 1, blockBytes)} bytes here`);
    }
    return this.make(directory, name, inodeType.symlink | 0o777, (node, inode) => {
      inode.size = bytes.length;
      if (bytes.length < FAST_LINK_BYTES) {
        const room = Buffer.alloc(FAST_LINK_BYTES);
        bytes.copy(room);
        inode.pointers = inode.pointers.map((_, index) => room.readUInt32LE(index * POINTER_BYTES));
        return;
      }
      const { geometry } = this.volume;
      const { start } = this.volume.blocks.allocate(geometry.firstBlock(geometry.groupOfInode(node)), 1);
      bytes.copy(this.volume.cache.zero(start));
      inode.pointers[0] = start;
      inode.sectors = blockBytes / 512;
    });
  }

  /** Makes an inode with a name. `fill` completes it; it can change the directory's inode, too. */
  private make(
    directory: NodeNumber,
    name: string,
    mode: number,
    fill: (node: NodeNumber, inode: Inode, parent: Inode) => void,
  ): NodeNumber {
    this.vacant(directory, name);
    return this.volume.change(() => {
      const parent = this.directory(directory);
      const node = this.volume.inodeNumbers.allocate(directory, (mode & inodeType.directory) === inodeType.directory);
      if (this.volume.inodes.read(node).links > 0) damaged(`inode ${node} is in use and marked as free`);
      const inode = newInode(mode, 1, this.volume.now());
      fill(node, inode, parent);
      this.volume.inodes.store(node, inode, true);
      this.volume.directories.add(directory, parent, name, node, mode);
      this.touched(directory, parent);
      return node;
    });
  }

  /** Refuses a name that is taken or cannot be. Throws SystemError: EEXIST, ENAMETOOLONG, ENOTDIR, ENOENT. */
  private vacant(directory: NodeNumber, name: string): void {
    const inode = this.directory(directory);
    checkName(name);
    if (this.volume.directories.find(directory, inode, name) !== undefined) refuse('EEXIST');
  }

  /** What is in a directory has changed: stores its inode, within an operation. */
  private touched(directory: NodeNumber, inode: Inode): void {
    inode.modified = this.volume.now();
    inode.changed = inode.modified;
    inode.flags &= ~inodeFlag.indexed;
    this.volume.inodes.store(directory, inode);
  }

  link(node: NodeNumber, directory: NodeNumber, name: string): void {
    this.vacant(directory, name);
    const { links } = this.inode(node);
    if (isDirectory(this.inode(node))) refuse('EPERM');
    if (links === 0) refuse('ENOENT', 'the file has no name any more');
    if (links >= MAX_LINKS) refuse('EMLINK');
    this.volume.change(() => {
      const inode = this.inode(node);
      const parent = this.directory(directory);
      inode.links++;
      inode.changed = this.volume.now();
      this.volume.inodes.store(node, inode);
      this.volume.directories.add(directory, parent, name, node, inode.mode);
      this.touched(directory, parent);
    });
  }

  unlink(directory: NodeNumber, name: string): void {
    const node = this.lookup(directory, name);
    if (isDirectory(this.inode(node))) refuse('EISDIR');
    this.volume.change(() => {
      const parent = this.directory(directory);
      this.volume.directories.remove(directory, parent, this.entry(directory, parent, name));
      this.touched(directory, parent);
      this.dropName(node);
    });
  }

  private entry(directory: NodeNumber, inode: Inode, name: string): Entry {
    return this.volume.directories.find(directory, inode, name) ?? refuse('ENOENT');
  }

  /** An inode that is no directory has a name less, within an operation. */
  private dropName(node: NodeNumber): void {
    const inode = this.inode(node);
    inode.changed = this.volume.now();
    if (inode.links > 1) {
      inode.links--;
      this.volume.inodes.store(node, inode);
    } else this.volume.unnamed(node, inode);
  }

  removeDirectory(directory: NodeNumber, name: string): void {
    const node = this.lookup(directory, name);
    this.checkEmpty(node);
    this.volume.change(() => {
      const parent = this.directory(directory);
      this.volume.directories.remove(directory, parent, this.entry(directory, parent, name));
      parent.links = Math.max(2, parent.links - 1);
      this.touched(directory, parent);
      this.dropDirectory(node);
    });
  }

  private checkEmpty(node: NodeNumber): void {
    const inode = this.inode(node);
    if (!isDirectory(inode)) refuse('ENOTDIR');
    if (!this.volume.directories.isEmpty(node, inode)) refuse('ENOTEMPTY');
  }

  private dropDirectory(node: NodeNumber): void {
    const inode = this.inode(node);
    inode.changed = this.volume.now();
    this.volume.unnamed(node, inode);
  }

  rename(directory: NodeNumber, name: string, newDirectory: NodeNumber, newName: string): void {
    const node = this.lookup(directory, name);
    const moved = isDirectory(this.inode(node));
    const target = this.volume.directories.find(newDirectory, this.directory(newDirectory), checkName(newName));
    if (moved) this.checkOutside(node, newDirectory);
    // Linux looks at what would be replaced only after it has made sure that neither directory lies in what is moved or
    // replaced.
    if (target !== undefined && target.inode !== node && this.isAbove(this.target(target), directory))
      refuse('ENOTEMPTY');
    if (target?.inode === node) return;
    const replaced = target === undefined ? undefined : this.inode(this.target(target));
    if (replaced !== undefined) {
      if (moved && !isDirectory(replaced)) refuse('ENOTDIR');
      if (!moved && isDirectory(replaced)) refuse('EISDIR');
      if (target !== undefined && moved) this.checkEmpty(target.inode);
    } else if (moved && directory !== newDirectory && this.directory(newDirectory).links >= MAX_LINKS) refuse('EMLINK');
    this.volume.change(() => this.move(node, moved, [directory, name], [newDirectory, newName]));
  }

  private move(
    node: NodeNumber,
    moved: boolean,
    [directory, name]: [NodeNumber, string],
    [newDirectory, newName]: [NodeNumber, string],
  ): void {
    const { directories, inodes } = this.volume;
    const from = this.directory(directory);
    const to = directory === newDirectory ? from : this.directory(newDirectory);
    const { mode } = this.inode(node);
    const target = directories.find(newDirectory, to, newName);
    if (target === undefined) directories.add(newDirectory, to, newName, node, mode);
    else directories.redirect(newDirectory, to, target, node, mode);
    directories.remove(directory, from, this.entry(directory, from, name));
    if (moved) {
      if (target !== undefined) from.links = Math.max(2, from.links - 1);
      else if (from !== to) {
        from.links = Math.max(2, from.links - 1);
        to.links++;
      }
    }
    this.touched(directory, from);
    if (to !== from) this.touched(newDirectory, to);
    const inode = this.inode(node);
    inode.changed = this.volume.now();
    inodes.store(node, inode);
    if (moved && from !== to) directories.setParent(node, inode, newDirectory);
    if (target !== undefined && moved) this.dropDirectory(target.inode);
    else if (target !== undefined) this.dropName(target.inode);
  }

  /** Throws SystemError EINVAL: a directory would be moved into itself. */
  private checkOutside(outer: NodeNumber, inner: NodeNumber): void {
    if (this.isAbove(outer, inner)) refuse('EINVAL', 'a directory cannot be moved into itself');
  }

  /** Whether `inner` is `outer` or a directory below it. */
  private isAbove(outer: NodeNumber, inner: NodeNumber): boolean {
    let at = inner;
    for (let depth = 0; at !== ROOT_INODE; depth++) {
      if (at === outer) return true;
      if (depth > MAX_DEPTH) damaged('directories are nested without end');
      at = this.parent(at);
    }
    return outer === ROOT_INODE;
  }

  read(node: NodeNumber, offset: number, count: number): Uint8Array {
    return this.content.read(this.checked(node), offset, count);
  }

  write(node: NodeNumber, offset: number, data: Uint8Array): void {
    this.content.write(this.checked(node), offset, data);
  }

  truncate(node: NodeNumber, size: number): void {
    this.content.truncate(this.checked(node), size);
  }

  private checked(node: NodeNumber): NodeNumber {
    this.inode(node);
    return node;
  }

  retain(node: NodeNumber): void {
    this.inode(node);
    this.volume.retain(node);
  }

  release(node: NodeNumber): void {
    this.volume.release(node);
  }

  restoreRetained(nodes: readonly NodeNumber[]): void {
    this.volume.restore(nodes);
  }

  note(request: RequestNumber, result: RequestResult): void {
    this.volume.log.note(request, result);
  }

  completed(request: RequestNumber): RequestResult | undefined {
    return this.volume.log.completed(request);
  }

  commit(): void {
    this.volume.commit();
  }

  sync(): void {
    this.volume.sync();
  }

  close(): void {
    this.volume.close();
  }
}

function checkName(name: string): string {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) refuse('ENAMETOOLONG');
  return name;
}
