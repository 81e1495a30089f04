/**
 * The model that file systems are compared with: the simplest thing that behaves as POSIX says (IEEE Std 1003.1) where
 * POSIX leaves no choice, and as Linux does where it leaves one. It has nothing in common with the file systems it
 * judges but the interface, and is itself compared with the host's file system.
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
} from '../../../filesystems/file-system.ts';
import { type ErrorName, SystemError } from '../../../protocol/errno.ts';

const PAGE_BYTES = 4096;
const ROOT: NodeNumber = 1;

interface ModelNode {
  readonly number: NodeNumber;
  readonly type: FileType;
  mode: number;
  size: number;
  links: number;
  accessed: number;
  modified: number;
  changed: number;
  readonly created: number;
  readonly target: string;
  /** Of a file; what is not there is zeros. */
  readonly pages: Map<number, Uint8Array>;
  /** Of a directory. */
  readonly entries: Map<string, ModelNode>;
  /** Of a directory that has not been removed; the root is its own. */
  parent: ModelNode | null;
}

function refuse(code: ErrorName): never {
  throw new SystemError(code);
}

function checkName(name: string): void {
  if (Buffer.byteLength(name) > 255) refuse('ENAMETOOLONG');
}

/** See the head of this file. */
export class ModelFileSystem implements FileSystem {
  readonly root: NodeNumber = ROOT;
  private nodes = new Map<NodeNumber, ModelNode>();
  private readonly retained = new Map<NodeNumber, number>();
  private readonly now: () => number;
  private nextNumber = ROOT;

  constructor(now: () => number) {
    this.now = now;
    const root = this.make('directory', 0o755);
    root.parent = root;
    root.links = 2;
  }

  /** Another model in the same state, with its own clock; nothing is retained in it, as after a crash. */
  copy(now: () => number): ModelFileSystem {
    const copy = new ModelFileSystem(now);
    copy.nodes = structuredClone(this.nodes);
    copy.nextNumber = this.nextNumber;
    copy.restoreRetained([]);
    return copy;
  }

  information(): FileSystemInformation {
    return {
      ...{ type: 'model', label: '', readOnly: false, readOnlyReason: '', blockBytes: PAGE_BYTES },
      ...{ blocks: 0, freeBlocks: 0, nodes: 0, freeNodes: 0 },
    };
  }

  attributes(number: NodeNumber): Attributes {
    const { type, mode, links, size, accessed, modified, changed, created, pages } = this.node(number);
    const allocated = pages.size * PAGE_BYTES;
    return { node: number, type, mode, links, size, allocated, accessed, modified, changed, created };
  }

  setAttributes(number: NodeNumber, { mode, accessed, modified }: AttributeChange): void {
    const node = this.node(number);
    if (mode !== undefined) node.mode = mode & 0o7777;
    if (accessed !== undefined) node.accessed = accessed;
    if (modified !== undefined) node.modified = modified;
    node.changed = this.now();
  }

  lookup(directory: NodeNumber, name: string): NodeNumber {
    return this.entry(this.directory(directory), name).number;
  }

  parent(number: NodeNumber): NodeNumber {
    return this.directory(number).parent?.number ?? refuse('ENOENT');
  }

  readDirectory(number: NodeNumber, cursor: string, most: number): DirectoryPart {
    const names = [...this.directory(number).entries.keys()].sort().filter((name) => name > cursor);
    const entries = names.slice(0, most).map((name) => {
      const node = this.entry(this.node(number), name);
      return { name, node: node.number, type: node.type };
    });
    return { entries, cursor: names.length > most ? (names[most - 1] ?? null) : null };
  }

  readLink(number: NodeNumber): string {
    const { type, target } = this.node(number);
    return type === 'symlink' ? target : refuse('EINVAL');
  }

  create(directory: NodeNumber, name: string, mode: number): NodeNumber {
    const parent = this.vacant(directory, name);
    return this.enter(parent, name, this.make('file', mode)).number;
  }

  makeDirectory(directory: NodeNumber, name: string, mode: number): NodeNumber {
    const parent = this.vacant(directory, name);
    const node = this.enter(parent, name, this.make('directory', mode));
    node.links = 2;
    return node.number;
  }

  makeSymlink(directory: NodeNumber, name: string, target: string): NodeNumber {
    if (target === '') refuse('ENOENT');
    if (Buffer.byteLength(target) > 4096) refuse('ENAMETOOLONG');
    const parent = this.vacant(directory, name);
    return this.enter(parent, name, this.make('symlink', 0o777, target)).number;
  }

  link(number: NodeNumber, directory: NodeNumber, name: string): void {
    const node = this.node(number);
    const parent = this.vacant(directory, name);
    if (node.type === 'directory') refuse('EPERM');
    if (node.links === 0) refuse('ENOENT');
    this.enter(parent, name, node);
    node.changed = this.now();
  }

  unlink(directory: NodeNumber, name: string): void {
    const parent = this.directory(directory);
    const node = this.entry(parent, name);
    if (node.type === 'directory') refuse('EISDIR');
    this.leave(parent, name, node);
  }

  removeDirectory(directory: NodeNumber, name: string): void {
    const parent = this.directory(directory);
    const node = this.entry(parent, name);
    if (node.type !== 'directory') refuse('ENOTDIR');
    if (node.entries.size > 0) refuse('ENOTEMPTY');
    this.leave(parent, name, node);
  }

  rename(directory: NodeNumber, name: string, newDirectory: NodeNumber, newName: string): void {
    const from = this.directory(directory);
    const to = this.directory(newDirectory);
    const node = this.entry(from, name);
    checkName(newName);
    const old = to.entries.get(newName);
    if (this.isAbove(node, to)) refuse('EINVAL');
    if (old !== undefined && this.isAbove(old, from)) refuse('ENOTEMPTY');
    if (old === node) return;
    if (old === undefined) {
      if (to.parent === null) refuse('ENOENT');
    } else {
      if (node.type === 'directory' && old.type !== 'directory') refuse('ENOTDIR');
      if (node.type !== 'directory' && old.type === 'directory') refuse('EISDIR');
      if (old.entries.size > 0) refuse('ENOTEMPTY');
      this.leave(to, newName, old);
    }
    // The name goes, the node stays: a retained mark keeps `leave` from freeing it.
    this.retain(node.number);
    this.leave(from, name, node);
    this.enter(to, newName, node);
    if (node.type === 'directory') node.links = 2 + [...node.entries.values()].filter(isDirectory).length;
    node.changed = this.now();
    this.release(node.number);
  }

  read(number: NodeNumber, offset: number, count: number): Uint8Array {
    const node = this.file(number);
    const length = Math.max(0, Math.min(count, node.size - offset));
    const result = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const page = Math.floor((offset + at) / PAGE_BYTES);
      const within = offset + at - page * PAGE_BYTES;
      const part = Math.min(PAGE_BYTES - within, length - at);
      const bytes = node.pages.get(page);
      if (bytes !== undefined) result.set(bytes.subarray(within, within + part), at);
      at += part;
    }
    return result;
  }

  write(number: NodeNumber, offset: number, data: Uint8Array): void {
    const node = this.file(number);
    if (data.length === 0) return;
    for (let at = 0; at < data.length; ) {
      const page = Math.floor((offset + at) / PAGE_BYTES);
      const within = offset + at - page * PAGE_BYTES;
      const part = Math.min(PAGE_BYTES - within, data.length - at);
      const bytes = node.pages.get(page) ?? new Uint8Array(PAGE_BYTES);
      bytes.set(data.subarray(at, at + part), within);
      node.pages.set(page, bytes);
      at += part;
    }
    node.size = Math.max(node.size, offset + data.length);
    this.touch(node);
  }

  truncate(number: NodeNumber, size: number): void {
    const node = this.file(number);
    for (const [page, bytes] of node.pages) {
      const left = size - page * PAGE_BYTES;
      if (left <= 0) node.pages.delete(page);
      else if (left < PAGE_BYTES) bytes.fill(0, left);
    }
    node.size = size;
    this.touch(node);
  }

  retain(number: NodeNumber): void {
    this.node(number);
    this.retained.set(number, (this.retained.get(number) ?? 0) + 1);
  }

  release(number: NodeNumber): void {
    const count = this.retained.get(number) ?? 0;
    if (count > 1) this.retained.set(number, count - 1);
    else this.retained.delete(number);
    this.freeUnused(number);
  }

  restoreRetained(numbers: readonly NodeNumber[]): void {
    this.retained.clear();
    for (const number of numbers) this.retain(number);
    for (const number of [...this.nodes.keys()]) this.freeUnused(number);
  }

  note(_request: RequestNumber, _result: RequestResult): void {}

  completed(_request: RequestNumber): RequestResult | undefined {
    return undefined;
  }

  commit(): void {}

  sync(): void {}

  close(): void {}

  private make(type: FileType, mode: number, target = ''): ModelNode {
    const now = this.now();
    const node: ModelNode = {
      number: this.nextNumber++,
      ...{ type, mode: mode & 0o7777, target, size: Buffer.byteLength(target), links: 0 },
      ...{ accessed: now, modified: now, changed: now, created: now },
      ...{ pages: new Map(), entries: new Map(), parent: null },
    };
    this.nodes.set(node.number, node);
    return node;
  }

  private enter(directory: ModelNode, name: string, node: ModelNode): ModelNode {
    directory.entries.set(name, node);
    node.links++;
    if (node.type === 'directory') {
      node.parent = directory;
      directory.links++;
    }
    this.touch(directory);
    return node;
  }

  private leave(directory: ModelNode, name: string, node: ModelNode): void {
    directory.entries.delete(name);
    node.links--;
    if (node.type === 'directory') {
      node.links = 0;
      node.parent = null;
      directory.links--;
    }
    this.touch(directory);
    node.changed = this.now();
    this.freeUnused(node.number);
  }

  private touch(node: ModelNode): void {
    node.modified = this.now();
    node.changed = node.modified;
  }

  private freeUnused(number: NodeNumber): void {
    if (this.nodes.get(number)?.links === 0 && !this.retained.has(number)) this.nodes.delete(number);
  }

  private isAbove(node: ModelNode, directory: ModelNode): boolean {
    for (let at: ModelNode | null = directory; at !== null; at = at.parent === at ? null : at.parent) {
      if (at === node) return true;
    }
    return false;
  }

  private node(number: NodeNumber): ModelNode {
    return this.nodes.get(number) ?? refuse('ENOENT');
  }

  private directory(number: NodeNumber): ModelNode {
    const node = this.node(number);
    return node.type === 'directory' ? node : refuse('ENOTDIR');
  }

  private file(number: NodeNumber): ModelNode {
    const node = this.node(number);
    if (node.type === 'directory') refuse('EISDIR');
    return node.type === 'file' ? node : refuse('EINVAL');
  }

  private entry(directory: ModelNode, name: string): ModelNode {
    checkName(name);
    return directory.entries.get(name) ?? refuse('ENOENT');
  }

  private vacant(number: NodeNumber, name: string): ModelNode {
    const directory = this.directory(number);
    checkName(name);
    if (directory.entries.has(name)) refuse('EEXIST');
    return directory.parent === null ? refuse('ENOENT') : directory;
  }
}

const isDirectory = ({ type }: ModelNode): boolean => type === 'directory';
