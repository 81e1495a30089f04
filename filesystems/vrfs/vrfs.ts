/** The file system as its server sees it: see filesystems/file-system.ts for what each method means. */
import { SystemError } from '../../protocol/errno.ts';
import {
  type AttributeChange,
  type Attributes,
  type DirectoryPart,
  type FileSystem,
  type FileSystemInformation,
  type FileType,
  MAX_PATH_BYTES,
  type MountOptions,
  type NodeNumber,
  type RequestNumber,
  type RequestResult,
} from '../file-system.ts';
import { BlockMap } from './block-map.ts';
import { Directories } from './directory.ts';
import { FileReader } from './file-reader.ts';
import { FileWriter } from './file-writer.ts';
import { ROOT } from './geometry.ts';
import { BLOCK_BYTES } from './metadata.ts';
import { Namespace } from './namespace.ts';
import { MAX_FILE_BYTES, type Node } from './node.ts';
import { Orphans } from './orphans.ts';
import { Symlinks } from './symlinks.ts';
import type { Volume } from './volume.ts';

/** See the head of this file. */
export class Vrfs implements FileSystem {
  readonly root = ROOT;
  private readonly volume: Volume;
  private readonly label: string;
  private readonly options: Pick<MountOptions, 'now' | 'log'>;
  private readonly reader: FileReader;
  private readonly writer: FileWriter;
  private readonly symlinks: Symlinks;
  private readonly orphans: Orphans;
  private readonly names: Namespace;

  constructor(volume: Volume, label: string, options: Pick<MountOptions, 'now' | 'log'>) {
    const { space, verify, cache, device } = volume;
    this.volume = volume;
    this.label = label;
    this.options = options;
    const map = new BlockMap(space, verify.indirect);
    this.reader = new FileReader(cache, device, map);
    this.writer = new FileWriter(space, map);
    this.symlinks = new Symlinks(space, verify.symlink);
    this.orphans = new Orphans(volume, map, this.symlinks);
    const directories = new Directories(space, verify.directory);
    this.names = new Namespace(volume, directories, this.orphans, () => options.now());
  }

  information(): FileSystemInformation {
    const { geometry, state, readOnly, reason: readOnlyReason } = this.volume;
    return {
      ...{ type: 'vrfs', label: this.label, readOnly, readOnlyReason, blockBytes: BLOCK_BYTES },
      blocks: geometry.dataEnd - geometry.dataStart,
      freeBlocks: state.freeBlocks,
      nodes: geometry.nodes - 1,
      freeNodes: state.freeNodes,
    };
  }

  /** Runs an operation. If there is no room, what was freed before is made usable, and it is tried once more. */
  private change<T>(work: () => T): T {
    try {
      return this.volume.change(work);
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'ENOSPC' || !this.makeRoom()) throw error;
      return this.volume.change(work);
    }
  }

  private makeRoom(): boolean {
    this.volume.commitEarly();
    const free = this.volume.state.freeNodes;
    this.work();
    return this.volume.makeRoom() || this.volume.state.freeNodes > free;
  }

  private work(): void {
    this.orphans.work((text) => this.options.log(text, 'warning'));
  }

  attributes(number: NodeNumber): Attributes {
    const node = this.volume.nodes.read(number);
    const allocated = node.blocks * BLOCK_BYTES;
    const type = node.type ?? 'file';
    return {
      ...{ node: number, type, mode: node.mode, links: node.links, allocated },
      size: type === 'directory' ? allocated : node.size,
      accessed: node.time('accessed'),
      modified: node.time('modified'),
      changed: node.time('changed'),
      created: node.time('created'),
    };
  }

  setAttributes(number: NodeNumber, { mode, accessed, modified }: AttributeChange): void {
    this.change(() => {
      const node = this.volume.nodes.change(number);
      if (mode !== undefined) node.mode = mode;
      if (accessed !== undefined) node.setTime('accessed', accessed);
      if (modified !== undefined) node.setTime('modified', modified);
      node.setTime('changed', this.options.now());
    });
  }

  lookup(directory: NodeNumber, name: string): NodeNumber {
    return this.names.lookup(directory, name);
  }

  parent(directory: NodeNumber): NodeNumber {
    return this.names.parent(directory);
  }

  readDirectory(directory: NodeNumber, cursor: string, most: number): DirectoryPart {
    return this.names.list(directory, cursor, most);
  }

  readLink(number: NodeNumber): string {
    const node = this.volume.nodes.read(number);
    if (node.type !== 'symlink') throw new SystemError('EINVAL', `node ${number} is not a symbolic link`);
    return this.symlinks.read(node).toString();
  }

  create(directory: NodeNumber, name: string, mode: number): NodeNumber {
    return this.make(directory, name, 'file', mode);
  }

  makeDirectory(directory: NodeNumber, name: string, mode: number): NodeNumber {
    return this.make(directory, name, 'directory', mode);
  }

  private make(directory: NodeNumber, name: string, type: FileType, mode: number): NodeNumber {
    return this.change(() => this.names.create(directory, name, type, mode).number);
  }

  makeSymlink(directory: NodeNumber, name: string, target: string): NodeNumber {
    const bytes = Buffer.from(target);
    if (bytes.length > MAX_PATH_BYTES)
      throw new SystemError('ENAMETOOLONG', `a target has at most ${MAX_PATH_BYTES} bytes`);
    return this.change(() => {
      const node = this.names.create(directory, name, 'symlink', 0o777);
      this.symlinks.write(node, bytes);
      return node.number;
    });
  }

  link(node: NodeNumber, directory: NodeNumber, name: string): void {
    this.change(() => this.names.link(node, directory, name));
  }

  unlink(directory: NodeNumber, name: string): void {
    this.change(() => this.names.unlink(directory, name));
  }

  removeDirectory(directory: NodeNumber, name: string): void {
    this.change(() => this.names.removeDirectory(directory, name));
  }

  rename(directory: NodeNumber, name: string, newDirectory: NodeNumber, newName: string): void {
    this.change(() => this.names.rename(directory, name, newDirectory, newName));
  }

  read(number: NodeNumber, offset: number, count: number): Uint8Array {
    checkRange(offset);
    checkRange(count);
    return this.reader.read(this.file(number), offset, count);
  }

  private file(number: NodeNumber): Node {
    const node = this.volume.nodes.read(number);
    if (node.type === 'directory') throw new SystemError('EISDIR', `node ${number} is a directory`);
    if (node.type !== 'file') throw new SystemError('EINVAL', `node ${number} is not a file`);
    return node;
  }

  write(number: NodeNumber, offset: number, data: Uint8Array): void {
    checkRange(offset);
    const { size, truncating } = this.file(number);
    if (truncating && offset + data.length > size) this.orphans.finish(number);
    this.change(() => {
      if (data.length === 0) return;
      const node = this.volume.nodes.change(number);
      this.writer.write(node, offset, data);
      this.touch(node);
    });
  }

  truncate(number: NodeNumber, size: number): void {
    checkRange(size);
    if (size > MAX_FILE_BYTES) throw new SystemError('EFBIG', `a file has at most ${MAX_FILE_BYTES} bytes`);
    const seen = this.file(number);
    if (seen.truncating && size > seen.size) this.orphans.finish(number);
    this.change(() => {
      const node = this.volume.nodes.change(number);
      const shorter = size < node.size;
      node.size = size;
      if (shorter) {
        this.writer.clearTail(node, size);
        this.orphans.shorten(node);
      }
      this.touch(node);
    });
  }

  private touch(node: Node): void {
    const now = this.options.now();
    node.setTime('modified', now);
    node.setTime('changed', now);
  }

  retain(node: NodeNumber): void {
    this.orphans.retain(node);
  }

  release(node: NodeNumber): void {
    this.orphans.release(node);
  }

  restoreRetained(nodes: readonly NodeNumber[]): void {
    this.orphans.restore(nodes, (text) => this.options.log(text, 'warning'));
  }

  note(request: RequestNumber, result: RequestResult): void {
    this.volume.note(request, result);
  }

  completed(request: RequestNumber): RequestResult | undefined {
    return this.volume.completed(request);
  }

  commit(): void {
    this.volume.commit();
    this.work();
  }

  sync(): void {
    this.volume.sync();
    this.work();
  }

  close(): void {
    this.commit();
    this.volume.close();
  }
}

/** EINVAL: no offset, size or count. */
function checkRange(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new SystemError('EINVAL', `${value} is no place in a file`);
}
