/**
 * Names in directories: looking them up, listing them, and the operations that make, move and remove them. Each is
 * called within an operation of the volume, so one that throws in the middle leaves nothing behind. Semantics are those
 * of POSIX as Linux has them.
 */
import { type ErrorName, SystemError } from '../../protocol/errno.ts';
import { type DirectoryPart, type FileType, MAX_NAME_BYTES, type NodeNumber } from '../file-system.ts';
import type { Directories } from './directory.ts';
import type { Key } from './directory-node.ts';
import { ROOT } from './geometry.ts';
import { damaged } from './metadata.ts';
import { MAX_NAMES, type Node, typeNumber, typeOf } from './node.ts';
import type { Orphans } from './orphans.ts';
import type { Volume } from './volume.ts';

const REPLACEMENT = '\ufffd';
const HASH_DIGITS = 8;

function refuse(code: ErrorName, text: string): never {
  throw new SystemError(code, text);
}

/** The bytes of a name. EINVAL: it cannot be one; ENAMETOOLONG. */
function nameBytes(name: string): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length > MAX_NAME_BYTES) refuse('ENAMETOOLONG', `a name has at most ${MAX_NAME_BYTES} bytes`);
  if (!isName(name)) refuse('EINVAL', 'this cannot be a name');
  return bytes;
}

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

/** The text of a name on the disk; undefined: it cannot be one. */
export function nameText(bytes: Buffer): string | undefined {
  const name = bytes.toString();
  if (!isName(name) || (name.includes(REPLACEMENT) && !Buffer.from(name).equals(bytes))) return undefined;
  return name;
}

function cursorOf({ hash, name }: Key): string {
  return hash.toString(16).padStart(HASH_DIGITS, '0') + name.toString();
}

/** EINVAL: no such cursor. */
function keyOfCursor(cursor: string): Key | undefined {
  if (cursor === '') return undefined;
  if (!/^[0-9a-f]{8}./s.test(cursor)) refuse('EINVAL', 'no such cursor');
  const name = Buffer.from(cursor.slice(HASH_DIGITS));
  if (name.length > MAX_NAME_BYTES) refuse('EINVAL', 'no such cursor');
  return { hash: Number.parseInt(cursor.slice(0, HASH_DIGITS), 16), name };
}

/** See the head of this file. */
export class Namespace {
  private readonly volume: Volume;
  private readonly directories: Directories;
  private readonly orphans: Orphans;
  private readonly now: () => number;

  constructor(volume: Volume, directories: Directories, orphans: Orphans, now: () => number) {
    this.volume = volume;
    this.directories = directories;
    this.orphans = orphans;
    this.now = now;
  }

  private directory(number: NodeNumber): Node {
    const node = this.volume.nodes.read(number);
    if (node.type !== 'directory') refuse('ENOTDIR', `node ${number} is not a directory`);
    return node;
  }

  /** A directory in which names are made or removed. ENOENT: it has been removed itself. */
  private directoryForChange(number: NodeNumber): Node {
    if (this.directory(number).links === 0) refuse('ENOENT', 'the directory has been removed');
    return this.volume.nodes.change(number);
  }

  lookup(directory: NodeNumber, name: string): NodeNumber {
    const parent = this.directory(directory);
    const found = this.directories.find(parent, nameBytes(name));
    return found === undefined ? refuse('ENOENT', `${name}: no such file or directory`) : found.node;
  }

  parent(directory: NodeNumber): NodeNumber {
    const node = this.directory(directory);
    if (directory === ROOT) return ROOT;
    if (node.links === 0) refuse('ENOENT', 'the directory has been removed');
    return node.parent;
  }

  list(directory: NodeNumber, cursor: string, most: number): DirectoryPart {
    const after = keyOfCursor(cursor);
    if (!Number.isSafeInteger(most) || most < 1) refuse('EINVAL', 'at least one entry has to be asked for');
    const found = this.directories.list(this.directory(directory), after, most + 1);
    const entries = found.slice(0, most).map(({ name: bytes, pointer, type: number }) => {
      const name = nameText(bytes);
      const type = typeOf(number);
      if (name === undefined || type === undefined) throw damaged(`directory ${directory} has an entry that cannot be`);
      return { name, node: pointer, type };
    });
    const last = found[most - 1];
    return { entries, cursor: found.length > most && last !== undefined ? cursorOf(last) : null };
  }

  /** Makes a node with a name. The caller completes it. */
  create(directory: NodeNumber, name: string, type: FileType, mode: number): Node {
    const parent = this.directoryForChange(directory);
    const bytes = nameBytes(name);
    if (this.directories.find(parent, bytes) !== undefined) refuse('EEXIST', `${name} exists already`);
    if (type === 'directory') this.addLink(parent);
    const node = this.volume.nodes.allocate(type);
    const now = this.now();
    node.mode = mode;
    node.links = type === 'directory' ? 2 : 1;
    if (type === 'directory') node.parent = directory;
    for (const time of ['accessed', 'modified', 'changed', 'created'] as const) node.setTime(time, now);
    this.directories.insert(parent, bytes, node.number, typeNumber(type));
    this.touch(parent, now);
    return node;
  }

  private addLink(node: Node): void {
    if (node.links >= MAX_NAMES) refuse('EMLINK', 'there are too many links');
    node.links++;
  }

  private dropLink(node: Node): void {
    if (node.links === 0) throw damaged(`inode ${node.number} has fewer links than names`);
    node.links--;
  }

  private touch(directory: Node, now: number): void {
    directory.setTime('modified', now);
    directory.setTime('changed', now);
  }

  link(number: NodeNumber, directory: NodeNumber, name: string): void {
    const bytes = nameBytes(name);
    const seen = this.volume.nodes.read(number);
    const parent = this.directoryForChange(directory);
    if (this.directories.find(parent, bytes) !== undefined) refuse('EEXIST', `${name} exists already`);
    if (seen.type === 'directory') refuse('EPERM', 'a directory has one name only');
    if (seen.links === 0) refuse('ENOENT', 'the file has been removed');
    const node = this.volume.nodes.change(number);
    this.addLink(node);
    const now = this.now();
    node.setTime('changed', now);
    this.directories.insert(parent, bytes, number, typeNumber(seen.type ?? 'file'));
    this.touch(parent, now);
  }

  /** What is under a name in a directory that is to be changed. */
  private found(parent: Node, name: string, bytes: Buffer): Node {
    const found = this.directories.find(parent, bytes);
    if (found === undefined) return refuse('ENOENT', `${name}: no such file or directory`);
    try {
      return this.volume.nodes.change(found.node);
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'ENOENT') throw error;
      throw damaged(`${name} leads to inode ${found.node}, which does not exist`);
    }
  }

  unlink(directory: NodeNumber, name: string): void {
    const parent = this.directoryForChange(directory);
    const bytes = nameBytes(name);
    const node = this.found(parent, name, bytes);
    if (node.type === 'directory') refuse('EISDIR', `${name} is a directory`);
    this.directories.remove(parent, bytes);
    const now = this.now();
    this.touch(parent, now);
    this.dropName(node, now);
  }

  private dropName(node: Node, now: number): void {
    this.dropLink(node);
    node.setTime('changed', now);
    if (node.links === 0) this.orphans.dispose(node);
  }

  removeDirectory(directory: NodeNumber, name: string): void {
    const parent = this.directoryForChange(directory);
    const bytes = nameBytes(name);
    const node = this.found(parent, name, bytes);
    this.checkRemovable(node, name);
    this.directories.remove(parent, bytes);
    const now = this.now();
    this.touch(parent, now);
    this.dropDirectory(parent, node, now);
  }

  private checkRemovable(node: Node, name: string): void {
    if (node.type !== 'directory') refuse('ENOTDIR', `${name} is not a directory`);
    if (node.number === ROOT) refuse('EBUSY', 'the root directory cannot be removed');
    if (!this.directories.isEmpty(node)) refuse('ENOTEMPTY', `${name} is not empty`);
  }

  /** An empty directory has lost its name in `parent`. */
  private dropDirectory(parent: Node, node: Node, now: number): void {
    this.dropLink(parent);
    node.links = 0;
    node.setTime('changed', now);
    this.orphans.dispose(node);
  }

  rename(directory: NodeNumber, name: string, newDirectory: NodeNumber, newName: string): void {
    const source = this.directoryForChange(directory);
    const target = this.directoryForChange(newDirectory);
    const from = nameBytes(name);
    const node = this.found(source, name, from);
    const to = nameBytes(newName);
    const isDirectory = node.type === 'directory';
    if (node.number === ROOT) refuse('EBUSY', 'the root directory cannot be moved');
    if (isDirectory && this.isWithin(newDirectory, node.number))
      refuse('EINVAL', 'a directory cannot be moved into itself');
    const replaced = this.directories.find(target, to);
    if (replaced !== undefined && this.isWithin(directory, replaced.node))
      refuse('ENOTEMPTY', `${newName} is not empty`);
    if (replaced?.node === node.number) return;
    const now = this.now();
    if (replaced === undefined) {
      this.directories.insert(target, to, node.number, typeNumber(node.type ?? 'file'));
      if (isDirectory) this.addLink(target);
    } else {
      const old = this.found(target, newName, to);
      if (isDirectory) this.checkRemovable(old, newName);
      else if (old.type === 'directory') refuse('EISDIR', `${newName} is a directory`);
      this.directories.replace(target, to, node.number, typeNumber(node.type ?? 'file'));
      if (old.type === 'directory') {
        this.addLink(target);
        this.dropDirectory(target, old, now);
      } else this.dropName(old, now);
    }
    this.directories.remove(source, from);
    if (isDirectory) {
      this.dropLink(source);
      node.parent = newDirectory;
    }
    node.setTime('changed', now);
    this.touch(source, now);
    this.touch(target, now);
  }

  /** Whether `directory` is `ancestor` or somewhere in it. */
  private isWithin(directory: NodeNumber, ancestor: NodeNumber): boolean {
    let at = directory;
    for (let count = 0; at !== ancestor; count++) {
      if (at === ROOT) return false;
      if (count > this.volume.geometry.nodes) throw damaged('the directories go in a circle');
      at = this.directory(at).parent;
    }
    return true;
  }
}
