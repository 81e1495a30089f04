/**
 * Files that a server gives out again and again: small ones with their content, large ones open, and directories, under
 * a path with a slash at its end, with the page that shows them. What is known of a file is looked at again when it is
 * older than a tick (a second); what has changed is read anew, and so is what had only just been changed when it was
 * read. Everything is asynchronous, and who asks for the same meanwhile waits for the same answer.
 */
import type { Handle } from '../../../../protocol/schema.ts';
import { openFlags } from '../../../../protocol/vfs.ts';
import {
  type AsynchronousClient,
  type FileAttributes,
  type FileType,
  file as fileInterface,
  ipcRelease,
  type Outcome,
  SystemError,
  time,
  vfs as vfsInterface,
} from '../../../lib/index.ts';
import type { EventLoop } from '../event-loop.ts';
import { DirectoryPages } from './directory-pages.ts';

/** Files with at most so many bytes are kept in memory. */
const MAX_CONTENT_BYTES = 64 * 1024;
/** Bytes of them and of all pages, also of those that are only still being sent, and files in all. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_ENTRIES = 256;

/** Reads of one small file: it may grow meanwhile. */
const MAX_READS = 8;

/**
 * How far apart two changes can be that have the same time, in milliseconds: so coarse are the times of FAT, and those
 * of no other file system are coarser.
 */
const TIME_STEP_MS = 2000;

type Done<T> = (outcome: Outcome<T>) => void;

/** A file or directory that can be given out. Whoever gets one has to `release` it. */
export interface CachedFile {
  readonly path: string;
  readonly type: FileType;
  readonly size: number;
  readonly modified: number;
  readonly node: number;
  /** Whether any change after it was read shows in `modified`. */
  readonly settled: boolean;
  /** All of it, if it is small; of a directory its page, if that was asked for. */
  readonly content: Uint8Array | null;
  /** The open file, if it is large. */
  readonly right: Handle | null;
  readonly server: AsynchronousClient<typeof fileInterface.methods> | null;
}

/** What is in memory, or open. */
type Held = Pick<CachedFile, 'content' | 'right' | 'server'>;

interface Entry extends CachedFile {
  /** What the file system said before it was read. */
  readonly seen: FileAttributes;
  /** Tick of the last look. */
  looked: number;
  users: number;
  /** Not to be found any more: it is closed with its last user. */
  dropped: boolean;
}

/** What the cache needs. */
export interface FileCacheSurroundings {
  readonly loop: Pick<EventLoop, 'client'>;
  /** A session with vfs. */
  readonly files: Handle;
  /** The directory that is served: without links, and no slash at its end but for the root. */
  readonly root: string;
}

/** See the head of this file. */
export class FileCache {
  private readonly surroundings: FileCacheSurroundings;
  private readonly vfs: AsynchronousClient<typeof vfsInterface.methods>;
  /** In the order of their last use. */
  private readonly entries = new Map<string, Entry>();
  private readonly waiting = new Map<string, Done<CachedFile>[]>();
  private readonly pages = new DirectoryPages();
  private bytes = 0;
  private tick = 0;

  constructor(surroundings: FileCacheSurroundings) {
    this.surroundings = surroundings;
    this.vfs = surroundings.loop.client(vfsInterface, surroundings.files);
  }

  /** A second has passed: what is known has to be looked at again before it is used. */
  grow(): void {
    this.tick += 1;
  }

  /**
   * The file at a path below the root, which begins with a slash. ENOENT, EACCES: it leads out of the root; EAGAIN: a
   * page has no room beside those that are being sent; and what opening it can bring.
   */
  find(path: string, done: Done<CachedFile>): void {
    const known = this.entries.get(path);
    if (known !== undefined && known.looked === this.tick) {
      this.use(known);
      done({ ok: true, value: known });
      return;
    }
    const others = this.waiting.get(path);
    if (others !== undefined) {
      others.push(done);
      return;
    }
    this.waiting.set(path, [done]);
    this.look(path);
  }

  release(file: CachedFile): void {
    const entry = file as Entry;
    entry.users -= 1;
    if (entry.users === 0 && entry.dropped) this.close(entry);
  }

  private close({ right, content }: Entry): void {
    this.bytes -= content?.length ?? 0;
    if (right !== null) ipcRelease(right);
  }

  private use(entry: Entry): void {
    entry.users += 1;
    this.entries.delete(entry.path);
    this.entries.set(entry.path, entry);
  }

  private finish(path: string, outcome: Outcome<Entry>): void {
    const all = this.waiting.get(path) ?? [];
    this.waiting.delete(path);
    for (const done of all) {
      if (outcome.ok) this.use(outcome.value);
      done(outcome);
    }
    this.makeRoom(0);
  }

  private absolute(path: string): { path: string; links: number } {
    const { root } = this.surroundings;
    return { path: root === '/' ? path : root + path, links: 0 };
  }

  private look(path: string): void {
    this.vfs.attributes({ place: this.absolute(path), follow: true }, (outcome) => {
      const known = this.entries.get(path);
      if (outcome.ok && known?.settled === true && isSame(known.seen, outcome.value)) {
        known.looked = this.tick;
        this.finish(path, { ok: true, value: known });
        return;
      }
      if (known !== undefined) this.drop(known);
      if (outcome.ok) this.resolve(path);
      else this.finish(path, outcome);
    });
  }

  /** Links must not lead out of what is served. */
  private resolve(path: string): void {
    const { root } = this.surroundings;
    this.vfs.resolve({ place: this.absolute(path), directory: false }, (outcome) => {
      if (!outcome.ok) this.finish(path, outcome);
      else if (root !== '/' && outcome.value.path !== root && !outcome.value.path.startsWith(`${root}/`))
        this.finish(path, { ok: false, error: new SystemError('EACCES') });
      else this.open(path);
    });
  }

  private open(path: string): void {
    this.vfs.open({ place: this.absolute(path), flags: openFlags.READ, mode: 0 }, (outcome) => {
      if (!outcome.ok) {
        this.finish(path, outcome);
        return;
      }
      const { file: right, type } = outcome.value;
      const server = this.surroundings.loop.client(fileInterface, right);
      const fail = (error: SystemError): void => {
        ipcRelease(right);
        this.finish(path, { ok: false, error });
      };
      if (type !== 'file' && type !== 'directory') {
        fail(new SystemError('EACCES'));
        return;
      }
      const before = time();
      server.attributes(undefined, (attributes) => {
        if (!attributes.ok) {
          fail(attributes.error);
          return;
        }
        const seen = attributes.value;
        const enter = (held: Held): void => {
          if (held.right === null) ipcRelease(right);
          this.enter(path, seen, isSettled(seen, before), held);
        };
        const keep = (content: Outcome<Uint8Array>): void => {
          if (content.ok) enter({ content: content.value, right: null, server: null });
          else fail(content.error);
        };
        if (type === 'directory' && path.endsWith('/')) this.pages.make(path, server, keep);
        else if (type === 'directory') enter({ content: null, right: null, server: null });
        else if (seen.size <= MAX_CONTENT_BYTES) this.readAll(server, [], MAX_READS, keep);
        else enter({ content: null, right, server });
      });
    });
  }

  private readAll(
    server: AsynchronousClient<typeof fileInterface.methods>,
    pieces: Uint8Array[],
    reads: number,
    done: Done<Uint8Array>,
  ): void {
    const offset = pieces.reduce((sum, piece) => sum + piece.length, 0);
    server.read({ offset, count: MAX_CONTENT_BYTES }, (outcome) => {
      if (!outcome.ok) done(outcome);
      else if (outcome.value.length === 0) done({ ok: true, value: Buffer.concat(pieces) });
      else if (reads === 0) done({ ok: false, error: new SystemError('EAGAIN', 'the file grows all the time') });
      else this.readAll(server, [...pieces, outcome.value], reads - 1, done);
    });
  }

  private enter(path: string, seen: FileAttributes, settled: boolean, held: Held): void {
    const { type, modified, node } = seen;
    const bytes = held.content?.length ?? 0;
    // A file that is small takes no more than its connection may.
    if (!this.makeRoom(bytes) && bytes > MAX_CONTENT_BYTES) {
      this.finish(path, { ok: false, error: new SystemError('EAGAIN', 'too much is being sent') });
      return;
    }
    const entry: Entry = {
      ...{ path, type, size: held.content?.length ?? seen.size, modified, node, settled, ...held },
      ...{ seen, looked: this.tick, users: 0, dropped: false },
    };
    this.entries.set(path, entry);
    this.bytes += bytes;
    this.finish(path, { ok: true, value: entry });
  }

  private drop(entry: Entry): void {
    if (this.entries.get(entry.path) === entry) this.entries.delete(entry.path);
    entry.dropped = true;
    if (entry.users === 0) this.close(entry);
  }

  /** Drops what nobody uses, as far as need be. Answers whether so many more bytes have room. */
  private makeRoom(more: number): boolean {
    for (const entry of this.entries.values()) {
      if (this.bytes + more <= MAX_BYTES && this.entries.size <= MAX_ENTRIES) return true;
      if (entry.users === 0) this.drop(entry);
    }
    return this.bytes + more <= MAX_BYTES;
  }
}

/** Whether a file is still what was seen of it. */
function isSame(seen: FileAttributes, { type, size, modified, node }: FileAttributes): boolean {
  return seen.type === type && seen.size === size && seen.modified === modified && seen.node === node;
}

/** Whether a change after `now` shows in the time of a file. FAT has none for its root: that is 0. */
function isSettled({ modified }: FileAttributes, now: number): boolean {
  return modified > 0 && modified <= now - TIME_STEP_MS;
}
