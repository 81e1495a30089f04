/**
 * Files that a server gives out again and again: small ones with their content, large ones open. What is known of a
 * file is looked at again when it is older than a tick (a second); what has changed is read anew, and so is what had
 * only just been changed when it was read. Everything is asynchronous, and who asks for the same meanwhile waits for
 * the same answer.
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

/** Files with at most so many bytes are kept in memory. */
const MAX_CONTENT_BYTES = 64 * 1024;
/** Bytes of all of them, and files in all. */
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
  /** All of it, if it is small. */
  readonly content: Uint8Array | null;
  /** The open file, or directory. Null with `content`. */
  readonly right: Handle | null;
  readonly server: AsynchronousClient<typeof fileInterface.methods> | null;
}

interface Entry extends CachedFile {
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
   * The file at a path below the root, which begins with a slash. ENOENT, EACCES: it leads out of the root; and what
   * opening it can bring.
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
    if (entry.users === 0 && entry.dropped) close(entry);
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
    this.evict();
  }

  private absolute(path: string): { path: string; links: number } {
    const { root } = this.surroundings;
    return { path: root === '/' ? path : root + path, links: 0 };
  }

  private look(path: string): void {
    this.vfs.attributes({ place: this.absolute(path), follow: true }, (outcome) => {
      const known = this.entries.get(path);
      if (outcome.ok && known?.settled === true && isSame(known, outcome.value)) {
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
        const facts = { ...attributes.value, settled: attributes.value.modified <= before - TIME_STEP_MS };
        if (type !== 'file' || facts.size > MAX_CONTENT_BYTES)
          this.enter(path, facts, { content: null, right, server });
        else
          this.readAll(server, [], MAX_READS, (content) => {
            if (!content.ok) {
              fail(content.error);
              return;
            }
            ipcRelease(right);
            const { length } = content.value;
            this.enter(path, { ...facts, size: length }, { content: content.value, right: null, server: null });
          });
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

  private enter(
    path: string,
    { type, size, modified, node, settled }: Pick<Entry, 'type' | 'size' | 'modified' | 'node' | 'settled'>,
    held: Pick<Entry, 'content' | 'right' | 'server'>,
  ): void {
    const entry: Entry = {
      path,
      type,
      size,
      modified,
      node,
      settled,
      ...held,
      looked: this.tick,
      users: 0,
      dropped: false,
    };
    this.entries.set(path, entry);
    this.bytes += entry.content?.length ?? 0;
    this.finish(path, { ok: true, value: entry });
  }

  private drop(entry: Entry): void {
    if (this.entries.get(entry.path) === entry) this.entries.delete(entry.path);
    this.bytes -= entry.content?.length ?? 0;
    entry.dropped = true;
    if (entry.users === 0) close(entry);
  }

  private evict(): void {
    for (const entry of this.entries.values()) {
      if (this.bytes <= MAX_BYTES && this.entries.size <= MAX_ENTRIES) return;
      this.drop(entry);
    }
  }
}

function close({ right }: CachedFile): void {
  if (right !== null) ipcRelease(right);
}

/** Whether a file is still what is known of it. */
function isSame(known: CachedFile, { type, size, modified, node }: FileAttributes): boolean {
  return known.type === type && known.size === size && known.modified === modified && known.node === node;
}
