/**
 * The file system `/proc`: figures of the running system as files. A file's content is made when it is opened, and
 * stays the same for whoever has it open: it is put into a file without a name in a small ramfs, so that it is read
 * consistently in pieces, and survives the death of this process.
 */
import type { Attributes, DirectoryEntry, FileSystem, NodeNumber } from '../../filesystems/file-system.ts';
import { SystemError } from '../../protocol/errno.ts';
import { type ProcSource, rootTexts, taskTexts } from './proc-texts.ts';
import { ReadOnlyFileSystem, ROOT } from './read-only.ts';

/** Nodes from here on are opened files: the number behind it is that in the ramfs. */
const OPENED = 2 ** 50;

/** Numbers for each task: its folder, then the files in it. */
const NODES_PER_TASK = 16;

const rootNames = Object.keys(rootTexts);
const taskNames = Object.keys(taskTexts);

/** What a node stands for. */
type Place =
  | { readonly kind: 'root' }
  | { readonly kind: 'file'; readonly name: string }
  | { readonly kind: 'folder'; readonly pid: number }
  | { readonly kind: 'task file'; readonly pid: number; readonly name: string };

/** See the head of this file. */
export class ProcFileSystem extends ReadOnlyFileSystem {
  protected readonly type = 'proc';
  private readonly source: ProcSource;
  private readonly contents: FileSystem;
  private readonly now: () => number;
  /** Opened files that are not retained yet by whoever opens them. */
  private readonly fresh = new Set<NodeNumber>();

  /** `contents`: the ramfs for what is opened. */
  constructor(source: ProcSource, contents: FileSystem, now: () => number) {
    super();
    this.source = source;
    this.contents = contents;
    this.now = now;
  }

  attributes(node: NodeNumber): Attributes {
    if (node >= OPENED) return { ...this.contents.attributes(node - OPENED), node, links: 1, mode: 0o444 };
    const place = this.place(node);
    const directory = place.kind === 'root' || place.kind === 'folder';
    const now = this.now();
    const times = { accessed: now, modified: now, changed: now, created: 0 };
    const sizes = { links: directory ? 2 : 1, size: 0, allocated: 0 };
    return { node, type: directory ? 'directory' : 'file', mode: directory ? 0o555 : 0o444, ...sizes, ...times };
  }

  lookup(directory: NodeNumber, name: string): NodeNumber {
    const place = this.place(directory);
    if (place.kind === 'folder') {
      const index = taskNames.indexOf(name);
      if (index >= 0) return place.pid * NODES_PER_TASK + 1 + index;
    } else if (place.kind === 'root') {
      const index = rootNames.indexOf(name);
      if (index >= 0) return ROOT + 1 + index;
      if (/^[1-9]\d{0,9}$/.test(name) && this.exists(Number(name))) return Number(name) * NODES_PER_TASK;
    } else throw new SystemError('ENOTDIR');
    throw new SystemError('ENOENT');
  }

  parent(directory: NodeNumber): NodeNumber {
    const { kind } = this.place(directory);
    if (kind !== 'root' && kind !== 'folder') throw new SystemError('ENOTDIR');
    return ROOT;
  }

  protected list(directory: NodeNumber): DirectoryEntry[] {
    const place = this.place(directory);
    if (place.kind === 'folder') {
      return taskNames.map((name, index) => ({ name, node: directory + 1 + index, type: 'file' }));
    }
    if (place.kind !== 'root') throw new SystemError('ENOTDIR');
    const files = rootNames.map((name, index) => ({ name, node: ROOT + 1 + index, type: 'file' as const }));
    const pids = this.source.tasks().map(({ pid }) => pid);
    const folders = pids
      .sort((a, b) => a - b)
      .map((pid) => ({ name: String(pid), node: pid * NODES_PER_TASK, type: 'directory' as const }));
    return [...files, ...folders];
  }

  /**
   * The node of a file that is being opened: one with the content of this moment. Whoever opens it retains it next.
   * Throws ENOENT, ENOSPC.
   */
  opened(node: NodeNumber): NodeNumber {
    const place = this.place(node);
    if (place.kind === 'root' || place.kind === 'folder') return node;
    const text = this.text(place);
    const { contents } = this;
    // Whoever opened one of these has not got as far as retaining it.
    for (const lost of this.fresh) contents.release(lost);
    this.fresh.clear();
    const file = contents.create(contents.root, 'opened', 0o444);
    contents.retain(file);
    contents.unlink(contents.root, 'opened');
    try {
      contents.write(file, 0, Buffer.from(text));
    } catch (error) {
      contents.release(file);
      throw error;
    }
    this.fresh.add(file);
    return OPENED + file;
  }

  override read(node: NodeNumber, offset: number, count: number): Uint8Array {
    return node >= OPENED ? this.contents.read(node - OPENED, offset, count) : super.read(node, offset, count);
  }

  override retain(node: NodeNumber): void {
    if (node < OPENED) this.attributes(node);
    else if (!this.fresh.delete(node - OPENED)) this.contents.retain(node - OPENED);
  }

  override release(node: NodeNumber): void {
    if (node >= OPENED) this.contents.release(node - OPENED);
  }

  override restoreRetained(nodes: readonly NodeNumber[]): void {
    this.contents.restoreRetained(nodes.filter((node) => node >= OPENED).map((node) => node - OPENED));
  }

  override commit(): void {
    this.contents.commit();
  }

  private text(place: Extract<Place, { name: string }>): string {
    try {
      const { name } = place;
      if (place.kind === 'task file') return taskTexts[name]?.(this.source, place.pid) ?? '';
      return rootTexts[name]?.(this.source) ?? '';
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ESRCH') throw new SystemError('ENOENT', 'the task has ended');
      throw error;
    }
  }

  private exists(pid: number): boolean {
    try {
      this.source.capabilities(pid);
      return true;
    } catch (error) {
      if (error instanceof SystemError) return false;
      throw error;
    }
  }

  private place(node: NodeNumber): Place {
    if (node === ROOT) return { kind: 'root' };
    const pid = Math.floor(node / NODES_PER_TASK);
    if (pid === 0) {
      const name = rootNames[node - ROOT - 1];
      if (name !== undefined) return { kind: 'file', name };
    } else if (node < OPENED && this.exists(pid)) {
      const index = node % NODES_PER_TASK;
      if (index === 0) return { kind: 'folder', pid };
      const name = taskNames[index - 1];
      if (name !== undefined) return { kind: 'task file', pid, name };
    }
    throw new SystemError('ENOENT', 'no such file, or its task has ended');
  }
}
