/**
 * A file system whose names are made by the system: it is looked at, and nothing can be made, moved or removed in it.
 * What is in it, a subclass says.
 */
import {
  type Attributes,
  type DirectoryEntry,
  type DirectoryPart,
  type FileSystem,
  type FileSystemInformation,
  MAX_NAME_BYTES,
  type NodeNumber,
  type RequestResult,
} from '../../filesystems/file-system.ts';
import { SystemError } from '../../protocol/errno.ts';

/** Number of the root of all of these. */
export const ROOT: NodeNumber = 1;

/** See the head of this file. */
export abstract class ReadOnlyFileSystem implements FileSystem {
  readonly root = ROOT;

  abstract attributes(node: NodeNumber): Attributes;
  /** Entries of a directory, by ascending number of their nodes. Throws ENOTDIR, ENOENT. */
  protected abstract list(directory: NodeNumber): readonly DirectoryEntry[];
  abstract lookup(directory: NodeNumber, name: string): NodeNumber;
  abstract parent(directory: NodeNumber): NodeNumber;
  protected abstract readonly type: string;

  information(): FileSystemInformation {
    const figures = { blockBytes: 4096, blocks: 0, freeBlocks: 0, nodes: 0, freeNodes: 0 };
    return { type: this.type, label: '', readOnly: true, readOnlyReason: '', ...figures };
  }

  readDirectory(directory: NodeNumber, cursor: string, most: number): DirectoryPart {
    const after = Number(cursor);
    if (!Number.isSafeInteger(after) || after < 0) throw new SystemError('EINVAL', 'no such cursor');
    const left = this.list(directory).filter(({ node }) => node > after);
    const entries = left.slice(0, most);
    return { entries, cursor: entries.length < left.length ? String(entries.at(-1)?.node ?? after) : null };
  }

  readLink(node: NodeNumber): string {
    this.attributes(node);
    throw new SystemError('EINVAL', 'not a symbolic link');
  }

  create(directory: NodeNumber, name: string, _mode: number): NodeNumber {
    return this.refuseName(directory, name);
  }

  makeDirectory(directory: NodeNumber, name: string, _mode: number): NodeNumber {
    return this.refuseName(directory, name);
  }

  makeSymlink(directory: NodeNumber, name: string, _target: string): NodeNumber {
    return this.refuseName(directory, name);
  }

  link(_node: NodeNumber, directory: NodeNumber, name: string): void {
    this.refuseName(directory, name);
  }

  unlink(directory: NodeNumber, name: string): void {
    if (this.attributes(this.lookup(directory, name)).type === 'directory') throw new SystemError('EISDIR');
    this.refuse();
  }

  removeDirectory(directory: NodeNumber, name: string): void {
    if (this.attributes(this.lookup(directory, name)).type !== 'directory') throw new SystemError('ENOTDIR');
    this.refuse();
  }

  rename(directory: NodeNumber, name: string, newDirectory: NodeNumber, _newName: string): void {
    this.lookup(directory, name);
    this.list(newDirectory);
    this.refuse();
  }

  setAttributes(node: NodeNumber): void {
    this.attributes(node);
    this.refuse();
  }

  read(node: NodeNumber, _offset: number, _count: number): Uint8Array {
    return this.refuseContent(node);
  }

  write(node: NodeNumber, _offset: number, _data: Uint8Array): void {
    this.refuseContent(node);
  }

  truncate(node: NodeNumber, _size: number): void {
    this.refuseContent(node);
  }

  retain(node: NodeNumber): void {
    this.attributes(node);
  }

  // There is nothing to keep.
  release(_node: NodeNumber): void {}
  restoreRetained(_nodes: readonly NodeNumber[]): void {}
  note(): void {}
  commit(): void {}
  sync(): void {}
  close(): void {}

  completed(): RequestResult | undefined {
    return undefined;
  }

  protected refuse(): never {
    throw new SystemError('EROFS', 'what is here is made by the system');
  }

  private refuseContent(node: NodeNumber): never {
    if (this.attributes(node).type === 'directory') throw new SystemError('EISDIR');
    return this.refuse();
  }

  private refuseName(directory: NodeNumber, name: string): never {
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw new SystemError('ENAMETOOLONG');
    if (this.list(directory).some((entry) => entry.name === name)) throw new SystemError('EEXIST');
    return this.refuse();
  }
}
