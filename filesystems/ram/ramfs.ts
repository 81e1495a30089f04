/**
 * ramfs: a file system in memory that lives as long as the machine. It is kept in the recovery store of its service
 * (store.ts), so that it survives the death of the process. Semantics are those of POSIX as Linux has them.
 *
 * Every operation checks everything first and changes things only then, so none has to be taken back halfway.
 */
import { type ErrorName, SystemError } from '../../protocol/errno.ts';
import type { Keeper } from '../block-device.ts';
import {
  type AttributeChange,
  type Attributes,
  type DirectoryPart,
  type FileSystem,
  type FileSystemInformation,
  type FileType,
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
  type NodeNumber,
  type RequestNumber,
  type RequestResult,
} from '../file-system.ts';
import { type Chunks, growth, readContent, truncateContent, writeContent } from './content.ts';
import { allocatedBytes, type Chunk, type Entry, NODE_COST, type Node, nameCost, newNode, nodeCost } from './node.ts';
import { RamStore } from './store.ts';

const BLOCK_BYTES = 4096;

/** What `stat` says a directory takes. */
const DIRECTORY_BYTES = 4096;

/** Names of one file at most: they are kept in one record. */
export const MAX_LINKS = 1000;

/** Largest size of a file. */
export const MAX_FILE_SIZE: number = Number.MAX_SAFE_INTEGER;

const ROOT: NodeNumber = 1;

/** What a ramfs stands on and how large it may become. */
export interface RamfsOptions {
  readonly keeper: Keeper;
  /** The time, in milliseconds since 1970. */
  now(): number;
  /** Bytes and keys of the store it may use. While it commits it needs room beyond them for what the commit changes. */
  readonly bytes: number;
  readonly keys: number;
}

/** Makes a ramfs, or takes up the one that is kept. */
export function ramfs(options: RamfsOptions): FileSystem {
  return new RamFileSystem(options);
}

function refuse(code: ErrorName, text?: string): never {
  throw new SystemError(code, text);
}

class RamFileSystem implements FileSystem {
  readonly root = ROOT;
  private readonly options: RamfsOptions;
  private readonly store: RamStore;
  private nodes = new Map<NodeNumber, Node>();
  private readonly retained = new Map<NodeNumber, number>();
  private usedBytes = 0;
  private usedKeys = 0;
  // Since the last commit.
  private readonly changed = new Set<Node>();
  private readonly removed = new Set<NodeNumber>();
  private readonly newChunks = new Set<Chunk>();
  private readonly dropped = new Set<number>();
  private readonly chunks: Chunks = {
    bytes: (chunk) => {
      chunk.bytes ??= this.store.read(chunk);
      return chunk.bytes;
    },
    replace: (old, capacity) => {
      const bytes = Buffer.alloc(capacity);
      if (old !== undefined) {
        this.chunks.bytes(old).copy(bytes, 0, 0, old.length);
        this.chunks.drop(old);
      }
      const chunk: Chunk = { id: this.store.counters.chunk++, length: old?.length ?? 0, bytes };
      this.newChunks.add(chunk);
      return chunk;
    },
    isNew: (chunk) => this.newChunks.has(chunk),
    drop: (chunk) => {
      if (!this.newChunks.delete(chunk)) this.dropped.add(chunk.id);
    },
  };

  constructor(options: RamfsOptions) {
    this.options = options;
    this.store = new RamStore(options.keeper);
    this.load();
  }

  /** Takes up what is kept, and forgets whatever has been done since. */
  private load(): void {
    for (const set of [this.changed, this.removed, this.newChunks, this.dropped]) set.clear();
    this.nodes = new Map(this.store.load().map((node) => [node.number, node]));
    if (!this.nodes.has(ROOT)) {
      this.store.counters.node = ROOT;
      this.add('directory', 0o755);
    }
    this.usedBytes = 0;
    this.usedKeys = 0;
    for (const node of this.nodes.values()) {
      this.usedBytes += nodeCost(node);
      this.usedKeys += 1 + node.chunks.size;
    }
    this.makeEntries();
  }

  private makeEntries(): void {
    const entries = [...this.nodes.values()].flatMap((node) => node.names.map((name) => ({ ...name, node })));
    entries.sort((a, b) => a.position - b.position);
    for (const { directory, name, position, node } of entries) {
      const parent = this.nodes.get(directory);
      if (parent === undefined) continue;
      parent.entries.set(name, { node, position });
      if (node.type === 'directory') parent.directories++;
    }
  }

  information(): FileSystemInformation {
    const { bytes, keys } = this.options;
    return {
      ...{ type: 'ramfs', label: '', readOnly: false, readOnlyReason: '' },
      blockBytes: BLOCK_BYTES,
      blocks: Math.floor(bytes / BLOCK_BYTES),
      freeBlocks: Math.floor(Math.max(0, bytes - this.usedBytes) / BLOCK_BYTES),
      nodes: keys,
      freeNodes: Math.max(0, keys - this.usedKeys),
    };
  }

  attributes(number: NodeNumber): Attributes {
    const node = this.node(number);
    const { type, mode, accessed, modified, changed, created } = node;
    const times = { accessed, modified, changed, created };
    if (type !== 'directory') {
      return {
        node: number,
        type,
        mode,
        links: node.names.length,
        size: node.size,
        allocated: allocatedBytes(node),
        ...times,
      };
    }
    const links = this.isRemoved(node) ? 0 : 2 + node.directories;
    return { node: number, type, mode, links, size: DIRECTORY_BYTES, allocated: DIRECTORY_BYTES, ...times };
  }

  setAttributes(number: NodeNumber, { mode, accessed, modified }: AttributeChange): void {
    const node = this.node(number);
    if (mode !== undefined) node.mode = mode & 0o7777;
    if (accessed !== undefined) node.accessed = accessed;
    if (modified !== undefined) node.modified = modified;
    node.changed = this.options.now();
    this.changed.add(node);
  }

  lookup(directory: NodeNumber, name: string): NodeNumber {
    return this.entry(this.directory(directory), name).node.number;
  }

  parent(number: NodeNumber): NodeNumber {
    const node = this.directory(number);
    if (number === ROOT) return ROOT;
    return node.names[0]?.directory ?? refuse('ENOENT', 'the directory has been removed');
  }

  readDirectory(number: NodeNumber, cursor: string, most: number): DirectoryPart {
    const directory = this.directory(number);
    const after = cursor === '' ? 0 : Number(cursor);
    if (!Number.isSafeInteger(after) || after < 0) return refuse('EINVAL', 'no such cursor');
    const entries = [];
    let last = after;
    for (const [name, { node, position }] of directory.entries) {
      if (position <= after) continue;
      if (entries.length === most) return { entries, cursor: String(last) };
      entries.push({ name, node: node.number, type: node.type });
      last = position;
    }
    return { entries, cursor: null };
  }

  readLink(number: NodeNumber): string {
    const { type, target } = this.node(number);
    return type === 'symlink' ? target : refuse('EINVAL', 'not a symbolic link');
  }

  create(directory: NodeNumber, name: string, mode: number): NodeNumber {
    return this.make(directory, name, 'file', mode);
  }

  makeDirectory(directory: NodeNumber, name: string, mode: number): NodeNumber {
    return this.make(directory, name, 'directory', mode);
  }

  makeSymlink(directory: NodeNumber, name: string, target: string): NodeNumber {
    if (target === '') refuse('ENOENT', 'a symbolic link needs a target');
    if (Buffer.byteLength(target) > MAX_PATH_BYTES) refuse('ENAMETOOLONG');
    return this.make(directory, name, 'symlink', 0o777, target);
  }

  link(number: NodeNumber, directory: NodeNumber, name: string): void {
    const node = this.node(number);
    const parent = this.vacant(directory, name);
    if (node.type === 'directory') refuse('EPERM', 'a directory has one name only');
    if (this.isRemoved(node)) refuse('ENOENT', 'the file has been removed');
    if (node.names.length >= MAX_LINKS) refuse('EMLINK', `a file has at most ${MAX_LINKS} names here`);
    this.claim(nameCost(name), 0);
    this.enter(parent, name, node);
    this.touch(node, false);
  }

  unlink(directory: NodeNumber, name: string): void {
    const parent = this.directory(directory);
    const { node } = this.entry(parent, name);
    if (node.type === 'directory') refuse('EISDIR');
    this.leave(parent, name, node);
    this.touch(parent, true);
    this.touch(node, false);
    this.freeUnused(node);
  }

  removeDirectory(directory: NodeNumber, name: string): void {
    const parent = this.directory(directory);
    const { node } = this.entry(parent, name);
    if (node.type !== 'directory') refuse('ENOTDIR');
    if (node.entries.size > 0) refuse('ENOTEMPTY');
    this.leave(parent, name, node);
    this.touch(parent, true);
    this.touch(node, false);
    this.freeUnused(node);
  }

  rename(directory: NodeNumber, name: string, newDirectory: NodeNumber, newName: string): void {
    const from = this.directory(directory);
    const to = this.directory(newDirectory);
    const { node } = this.entry(from, name);
    checkName(newName);
    const target = to.entries.get(newName)?.node;
    if (this.isWithin(to, node)) refuse('EINVAL', 'a directory cannot be moved into itself');
    if (target !== undefined && this.isWithin(from, target)) refuse('ENOTEMPTY');
    if (target === node) return;
    if (target === undefined && this.isRemoved(to)) refuse('ENOENT', 'the directory has been removed');
    if (target !== undefined) {
      if (node.type === 'directory' && target.type !== 'directory') refuse('ENOTDIR');
      if (node.type !== 'directory' && target.type === 'directory') refuse('EISDIR');
      if (target.entries.size > 0) refuse('ENOTEMPTY');
    }
    const longer = Math.max(0, nameCost(newName) - nameCost(name));
    this.claim(longer, 0);
    this.usedBytes += nameCost(newName) - longer;
    this.move(from, name, to, newName, node, target);
  }

  private move(from: Node, name: string, to: Node, newName: string, node: Node, target: Node | undefined): void {
    const position = target === undefined ? undefined : to.entries.get(newName)?.position;
    this.leave(from, name, node);
    if (target !== undefined) this.leave(to, newName, target, true);
    this.enter(to, newName, node, position);
    this.touch(from, true);
    this.touch(to, true);
    this.touch(node, false);
    if (target === undefined) return;
    this.touch(target, false);
    this.freeUnused(target);
  }

  read(number: NodeNumber, offset: number, count: number): Uint8Array {
    return readContent(this.file(number), offset, count, this.chunks);
  }

  write(number: NodeNumber, offset: number, data: Uint8Array): void {
    const node = this.file(number);
    if (data.length === 0) return;
    if (offset > MAX_FILE_SIZE - data.length) refuse('EFBIG');
    const { bytes, keys } = growth(node, offset, data.length);
    this.claim(bytes, keys);
    writeContent(node, offset, data, this.chunks);
    this.touch(node, true);
  }

  truncate(number: NodeNumber, size: number): void {
    const node = this.file(number);
    if (size > MAX_FILE_SIZE) refuse('EFBIG');
    const { bytes, keys } = truncateContent(node, size, this.chunks);
    this.usedBytes -= bytes;
    this.usedKeys -= keys;
    this.touch(node, true);
  }

  retain(number: NodeNumber): void {
    this.node(number);
    this.retained.set(number, (this.retained.get(number) ?? 0) + 1);
  }

  release(number: NodeNumber): void {
    const count = this.retained.get(number) ?? 0;
    if (count > 1) {
      this.retained.set(number, count - 1);
      return;
    }
    this.retained.delete(number);
    const node = this.nodes.get(number);
    if (node !== undefined) this.freeUnused(node);
  }

  restoreRetained(numbers: readonly NodeNumber[]): void {
    for (const number of numbers) if (this.nodes.has(number)) this.retain(number);
    for (const node of [...this.nodes.values()]) this.freeUnused(node);
  }

  note(request: RequestNumber, result: RequestResult): void {
    this.store.note(request, result);
  }

  completed(request: RequestNumber): RequestResult | undefined {
    return this.store.completed(request);
  }

  commit(): void {
    const sets = [this.changed, this.removed, this.newChunks, this.dropped];
    if (!this.store.isNoted && sets.every((set) => set.size === 0)) return;
    const changes = {
      nodes: [...this.changed],
      removed: [...this.removed],
      chunks: [...this.newChunks],
      dropped: [...this.dropped],
    };
    try {
      this.store.commit(changes);
    } catch (error) {
      this.load();
      throw error;
    }
    for (const set of sets) set.clear();
  }

  /** There is no medium below. */
  sync(): void {
    this.commit();
  }

  close(): void {
    this.commit();
  }

  private node(number: NodeNumber): Node {
    return this.nodes.get(number) ?? refuse('ENOENT', 'the file is gone');
  }

  private directory(number: NodeNumber): Node {
    const node = this.node(number);
    return node.type === 'directory' ? node : refuse('ENOTDIR');
  }

  private file(number: NodeNumber): Node {
    const node = this.node(number);
    if (node.type === 'directory') refuse('EISDIR');
    return node.type === 'file' ? node : refuse('EINVAL', 'not a file');
  }

  private entry(directory: Node, name: string): Entry {
    checkName(name);
    return directory.entries.get(name) ?? refuse('ENOENT');
  }

  /** A directory in which a name can be made. */
  private vacant(number: NodeNumber, name: string): Node {
    const directory = this.directory(number);
    checkName(name);
    if (directory.entries.has(name)) refuse('EEXIST');
    if (this.isRemoved(directory)) refuse('ENOENT', 'the directory has been removed');
    return directory;
  }

  private isRemoved(node: Node): boolean {
    return node.names.length === 0 && node.number !== ROOT;
  }

  /** Whether a directory is `other` or somewhere below it. */
  private isWithin(directory: Node, other: Node): boolean {
    for (let at: Node | undefined = directory; at !== undefined; ) {
      if (at === other) return true;
      const [name]: Node['names'] = at.names;
      at = name === undefined ? undefined : this.nodes.get(name.directory);
    }
    return false;
  }

  private make(directory: NodeNumber, name: string, type: FileType, mode: number, target = ''): NodeNumber {
    const parent = this.vacant(directory, name);
    this.claim(NODE_COST + Buffer.byteLength(target) + nameCost(name), 1);
    const node = this.add(type, mode, target);
    this.enter(parent, name, node);
    return node.number;
  }

  private add(type: FileType, mode: number, target = ''): Node {
    const node = newNode(this.store.counters.node++, type, mode, this.options.now(), target);
    this.nodes.set(node.number, node);
    this.changed.add(node);
    return node;
  }

  /** Takes room in the store. */
  private claim(bytes: number, keys: number): void {
    const full = this.usedBytes + bytes > this.options.bytes || this.usedKeys + keys > this.options.keys;
    if (full && (bytes > 0 || keys > 0)) refuse('ENOSPC');
    this.usedBytes += bytes;
    this.usedKeys += keys;
  }

  /** Gives a node a name, at the end of the listing or in the place of what had it. */
  private enter(directory: Node, name: string, node: Node, place?: number): void {
    const position = place ?? this.store.counters.position++;
    const entry = directory.entries.get(name);
    if (entry === undefined) directory.entries.set(name, { node, position });
    else entry.node = node;
    node.names.push({ directory: directory.number, name, position });
    if (node.type === 'directory') directory.directories++;
    this.touch(directory, true);
    this.changed.add(node);
  }

  /** Takes a name away. `keepEntry`: another node is about to get it. */
  private leave(directory: Node, name: string, node: Node, keepEntry = false): void {
    if (!keepEntry) directory.entries.delete(name);
    const index = node.names.findIndex((known) => known.directory === directory.number && known.name === name);
    node.names.splice(index, 1);
    if (node.type === 'directory') directory.directories--;
    this.usedBytes -= nameCost(name);
  }

  /** Sets the time of change, and with `content` that of modification. */
  private touch(node: Node, content: boolean): void {
    node.changed = this.options.now();
    if (content) node.modified = node.changed;
    this.changed.add(node);
  }

  private freeUnused(node: Node): void {
    if (!this.isRemoved(node) || this.retained.has(node.number)) return;
    this.usedBytes -= nodeCost(node);
    this.usedKeys -= 1 + node.chunks.size;
    for (const chunk of node.chunks.values()) this.chunks.drop(chunk);
    this.nodes.delete(node.number);
    this.changed.delete(node);
    this.removed.add(node.number);
  }
}

function checkName(name: string): void {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) refuse('ENAMETOOLONG', `a name has at most ${MAX_NAME_BYTES} bytes`);
  if (name === '' || name.includes('/') || name.includes('\0')) refuse('EINVAL', 'not a name');
}
