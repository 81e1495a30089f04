/**
 * The host's own file system as a model: the same steps are made on a file system under test and in a temporary
 * directory, and answer the same texts. The permissions of what is made always leave the owner everything, so that an
 * ordinary user and root see the same.
 */
import { createHash } from 'node:crypto';
import nodeFs, { constants } from 'node:fs';
import type { FileSystem, NodeNumber } from '../../../filesystems/file-system.ts';
import { errorName } from '../../../protocol/errno.ts';
import { errorOf, nodeAt, type Operation, operationData, perform } from './operations.ts';
import { listDirectory, type NamedNode, readTree, treeText, wholeTree } from './tree.ts';

/** What is compared at the host: its times are its own. */
export const hostTreeOptions = { ...wholeTree, times: false };

/** A step of a comparison. `slot` is an open file. */
export type Step =
  | Exclude<Operation, { readonly kind: 'hold' }>
  | { readonly kind: 'read'; readonly path: string; readonly offset: number; readonly length: number }
  | { readonly kind: 'stat'; readonly path: string }
  | { readonly kind: 'list'; readonly path: string }
  | { readonly kind: 'readlink'; readonly path: string }
  | { readonly kind: 'open'; readonly slot: number; readonly path: string }
  | { readonly kind: 'close'; readonly slot: number }
  | {
      readonly kind: 'slot-write';
      readonly slot: number;
      readonly offset: number;
      readonly length: number;
      readonly seed: number;
    }
  | { readonly kind: 'slot-read'; readonly slot: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'slot-truncate'; readonly slot: number; readonly size: number }
  | { readonly kind: 'slot-stat'; readonly slot: number }
  /** The file system under test commits, or commits and loses its process, or is synced; nothing for the host. */
  | { readonly kind: 'commit' }
  | { readonly kind: 'die' }
  | { readonly kind: 'sync' };

const digest = (bytes: Uint8Array): string => `${bytes.length} bytes ${createHash('md5').update(bytes).digest('hex')}`;

interface Facts {
  readonly type: string;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
}

function factsText({ type, mode, links, size }: Facts): string {
  const words = [type, `links ${links}`];
  if (type !== 'symlink') words.push(mode.toString(8));
  if (type !== 'directory') words.push(`size ${size}`);
  return words.join(' ');
}

/** Makes steps on a file system under test. */
export class CoreFiles {
  fs: FileSystem;
  private readonly remount: () => FileSystem;
  private readonly slots = new Map<number, NodeNumber>();

  /** `remount`: mounts anew what a process that has died has left. */
  constructor(fs: FileSystem, remount: () => FileSystem) {
    this.fs = fs;
    this.remount = remount;
  }

  /** Makes a step and answers what came of it. */
  run(step: Step): string {
    let answer = 'done';
    const error = errorOf(() => {
      answer = this.make(step);
    });
    return error ?? answer;
  }

  tree(): string {
    return readTree(this.fs, hostTreeOptions);
  }

  private make(step: Step): string {
    const { fs } = this;
    const find = (path: string, follow: boolean): NodeNumber => nodeAt(fs, path, follow);
    switch (step.kind) {
      case 'read':
        return digest(fs.read(find(step.path, true), step.offset, step.length));
      case 'stat':
        return factsText(fs.attributes(find(step.path, false)));
      case 'list':
        return listDirectory(fs, find(step.path, true), 5)
          .map(({ name, type }) => `${name}:${type}`)
          .sort()
          .join(' ');
      case 'readlink':
        return fs.readLink(find(step.path, false));
      case 'open': {
        if (this.slots.has(step.slot)) return 'in use';
        const node = find(step.path, true);
        if (fs.attributes(node).type === 'directory') return 'EISDIR';
        fs.retain(node);
        this.slots.set(step.slot, node);
        return 'done';
      }
      case 'commit':
        fs.commit();
        return 'done';
      case 'sync':
        fs.sync();
        return 'done';
      case 'die':
        fs.commit();
        this.fs = this.remount();
        this.fs.restoreRetained([...this.slots.values()]);
        return 'done';
      case 'close':
      case 'slot-write':
      case 'slot-read':
      case 'slot-truncate':
      case 'slot-stat': {
        const node = this.slots.get(step.slot);
        return node === undefined ? 'not open' : this.useSlot(step, node);
      }
      default:
        perform(fs, step);
        return 'done';
    }
  }

  private useSlot(step: Step & { readonly slot: number }, node: NodeNumber): string {
    switch (step.kind) {
      case 'close':
        this.slots.delete(step.slot);
        this.fs.release(node);
        return 'done';
      case 'slot-write':
        this.fs.write(node, step.offset, operationData(step.seed, step.length));
        return 'done';
      case 'slot-read':
        return digest(this.fs.read(node, step.offset, step.length));
      case 'slot-truncate':
        this.fs.truncate(node, step.size);
        return 'done';
      default:
        return factsText(this.fs.attributes(node));
    }
  }
}

function hostType(stat: nodeFs.Stats): string {
  if (stat.isDirectory()) return 'directory';
  return stat.isSymbolicLink() ? 'symlink' : 'file';
}

function hostFacts(stat: nodeFs.Stats): Facts {
  return { type: hostType(stat), mode: stat.mode & 0o7777, links: stat.nlink, size: stat.size };
}

/** Makes steps in a directory of the host. The process must have no umask. */
export class HostFiles {
  private readonly root: string;
  private readonly slots = new Map<number, number>();

  constructor(root: string) {
    this.root = root;
  }

  /** Makes a step and answers what came of it. */
  run(step: Step): string {
    try {
      return this.make(step);
    } catch (error) {
      const number = (error as NodeJS.ErrnoException).errno;
      if (number === undefined) throw error;
      return errorName(-number);
    }
  }

  tree(): string {
    const rootFacts = hostFacts(nodeFs.statSync(this.root));
    const names: NamedNode[] = [{ path: '/', node: 0, text: this.describe(this.root, rootFacts) }];
    const visit = (path: string): void => {
      for (const name of nodeFs.readdirSync(this.root + path)) {
        const full = `${path}/${name}`;
        const stat = nodeFs.lstatSync(this.root + full);
        names.push({ path: full, node: stat.ino, text: this.describe(this.root + full, hostFacts(stat)) });
        if (stat.isDirectory()) visit(full);
      }
    };
    visit('');
    return treeText(names, hostTreeOptions);
  }

  /** Closes what is open. */
  dispose(): void {
    for (const descriptor of this.slots.values()) nodeFs.closeSync(descriptor);
    this.slots.clear();
  }

  private describe(path: string, { type, mode, links, size }: Facts): string {
    const words: (string | number)[] = [type];
    if (type !== 'symlink') words.push(mode.toString(8));
    words.push(`links ${links}`);
    if (type !== 'directory') words.push(`size ${size}`);
    if (type === 'symlink') words.push(`-> ${nodeFs.readlinkSync(path)}`);
    if (type === 'file') words.push(createHash('md5').update(nodeFs.readFileSync(path)).digest('hex').slice(0, 16));
    return words.join(' ');
  }

  private make(step: Step): string {
    const path = 'path' in step ? `${this.root}/${step.path}` : '';
    switch (step.kind) {
      case 'create':
        nodeFs.closeSync(nodeFs.openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, step.mode));
        return 'done';
      case 'mkdir':
        nodeFs.mkdirSync(path, step.mode);
        return 'done';
      case 'symlink':
        nodeFs.symlinkSync(step.target, path);
        return 'done';
      case 'link':
        nodeFs.linkSync(path, `${this.root}/${step.to}`);
        return 'done';
      case 'unlink':
        nodeFs.unlinkSync(path);
        return 'done';
      case 'rmdir':
        nodeFs.rmdirSync(path);
        return 'done';
      case 'rename':
        nodeFs.renameSync(path, `${this.root}/${step.to}`);
        return 'done';
      case 'truncate':
        return this.withFile(path, constants.O_WRONLY, (file) => nodeFs.ftruncateSync(file, step.size));
      case 'write':
        return this.withFile(path, constants.O_WRONLY, (file) => {
          nodeFs.writeSync(file, operationData(step.seed, step.length), 0, step.length, step.offset);
        });
      case 'append':
        return this.withFile(path, constants.O_WRONLY | constants.O_APPEND, (file) => {
          nodeFs.writeSync(file, operationData(step.seed, step.length));
        });
      case 'attributes':
        if (step.mode !== undefined) nodeFs.chmodSync(path, step.mode);
        if (step.modified !== undefined) nodeFs.utimesSync(path, step.modified / 1000, step.modified / 1000);
        return 'done';
      case 'read':
        return this.withFile(path, constants.O_RDONLY, (file) => hostRead(file, step.offset, step.length));
      case 'stat':
        return factsText(hostFacts(nodeFs.lstatSync(path)));
      case 'list':
        return nodeFs
          .readdirSync(path, { withFileTypes: true })
          .map((entry) => {
            const type = entry.isDirectory() ? 'directory' : entry.isSymbolicLink() ? 'symlink' : 'file';
            return `${entry.name}:${type}`;
          })
          .sort()
          .join(' ');
      case 'readlink':
        return nodeFs.readlinkSync(path);
      case 'open':
        if (this.slots.has(step.slot)) return 'in use';
        this.slots.set(step.slot, nodeFs.openSync(path, constants.O_RDWR));
        return 'done';
      case 'commit':
      case 'sync':
      case 'die':
        return 'done';
      default: {
        const file = this.slots.get(step.slot);
        return file === undefined ? 'not open' : this.useSlot(step, file);
      }
    }
  }

  private withFile(path: string, flags: number, use: (file: number) => unknown): string {
    const file = nodeFs.openSync(path, flags);
    try {
      const answer = use(file);
      return typeof answer === 'string' ? answer : 'done';
    } finally {
      nodeFs.closeSync(file);
    }
  }

  private useSlot(step: Step & { readonly slot: number }, file: number): string {
    switch (step.kind) {
      case 'close':
        this.slots.delete(step.slot);
        nodeFs.closeSync(file);
        return 'done';
      case 'slot-write':
        nodeFs.writeSync(file, operationData(step.seed, step.length), 0, step.length, step.offset);
        return 'done';
      case 'slot-read':
        return hostRead(file, step.offset, step.length);
      case 'slot-truncate':
        nodeFs.ftruncateSync(file, step.size);
        return 'done';
      default:
        return factsText(hostFacts(nodeFs.fstatSync(file)));
    }
  }
}

function hostRead(file: number, offset: number, length: number): string {
  const bytes = Buffer.alloc(length);
  return digest(bytes.subarray(0, nodeFs.readSync(file, bytes, 0, length, offset)));
}
