/**
 * Files as programs use them: paths through a right to vfs (`Files`), open files through the right that `open` answered
 * (`File`). Every call can throw SystemError; the errors of each are in protocol/vfs.ts and protocol/file.ts.
 */
import { SystemError } from '../../protocol/errno.ts';
import {
  type DirectoryEntry,
  type FileAttributes,
  type FileType,
  file,
  MAX_DIRECTORY_ENTRIES,
  MAX_FILE_BYTES,
} from '../../protocol/file.ts';
import type { Client } from '../../protocol/interface.ts';
import type { Handle } from '../../protocol/schema.ts';
import { type FileSystemFigures, type MountRow, openFlags, vfs } from '../../protocol/vfs.ts';
import { client } from './client.ts';
import { ipcFindPort, ipcRelease } from './ipc.ts';

/** How to open a file: as the flags of protocol/vfs.ts, by name. */
export interface OpenOptions {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly append?: boolean;
  readonly create?: boolean;
  readonly exclusive?: boolean;
  readonly truncate?: boolean;
  readonly directory?: boolean;
  readonly noFollow?: boolean;
  /** Permission bits of a file that is made; 0o644 if none are given. */
  readonly mode?: number;
}

/** Attributes to be changed; those left out stay. */
export interface AttributeChange {
  readonly mode?: number;
  readonly accessed?: number;
  readonly modified?: number;
}

const flagsByName = {
  read: openFlags.READ,
  write: openFlags.WRITE,
  append: openFlags.APPEND,
  create: openFlags.CREATE,
  exclusive: openFlags.EXCLUSIVE,
  truncate: openFlags.TRUNCATE,
  directory: openFlags.DIRECTORY,
  noFollow: openFlags.NO_FOLLOW,
} as const;

function flagsOf(options: OpenOptions): number {
  let flags = 0;
  for (const [name, flag] of Object.entries(flagsByName)) if (options[name as keyof typeof flagsByName]) flags |= flag;
  return flags;
}

function changeOf({ mode, accessed, modified }: AttributeChange) {
  return { mode: mode ?? null, accessed: accessed ?? null, modified: modified ?? null };
}

/** An open file, directory, pipe or device. The position is kept here, so no server can lose it. */
export class File {
  readonly right: Handle;
  readonly type: FileType;
  /** Bytes come as they come: there is no position. */
  readonly stream: boolean;
  /** Offset of the next `read` or `write`. */
  position = 0;
  private readonly server: Client<typeof file.methods>;

  constructor(right: Handle, type: FileType = 'pipe', stream = true) {
    this.right = right;
    this.type = type;
    this.stream = stream;
    this.server = client(file, right);
  }

  /** Up to `count` bytes (256 KiB at most) from the position on, which moves; none: the end. */
  read(count: number = MAX_FILE_BYTES): Uint8Array {
    const data = this.readAt(this.position, count);
    this.position += data.length;
    return data;
  }

  /** Up to `count` bytes (256 KiB at most) from `offset` on. */
  readAt(offset: number, count: number): Uint8Array {
    return this.server.read({ offset, count: Math.min(count, MAX_FILE_BYTES) });
  }

  /** The pieces from the position to the end. */
  *pieces(count: number = MAX_FILE_BYTES): Generator<Uint8Array> {
    for (let piece = this.read(count); piece.length > 0; piece = this.read(count)) yield piece;
  }

  /** Writes all of `data` at the position, which moves. */
  write(data: Uint8Array): void {
    this.position = this.writeAt(this.position, data);
  }

  /** Writes up to 256 KiB of `data` at the position, which moves; answers how many bytes that were. */
  writeSome(data: Uint8Array): number {
    const piece = data.subarray(0, MAX_FILE_BYTES);
    this.write(piece);
    return piece.length;
  }

  /** Writes all of `data` at `offset`, null for the end; answers the offset behind it. */
  writeAt(offset: number | null, data: Uint8Array): number {
    let end = offset ?? 0;
    for (let at = 0; at === 0 || at < data.length; at += MAX_FILE_BYTES) {
      const piece = data.subarray(at, at + MAX_FILE_BYTES);
      end = this.server.write({ offset: offset === null ? null : offset + at, data: piece });
    }
    return end;
  }

  /** Writes all of `data` at the end. */
  append(data: Uint8Array): void {
    this.position = this.writeAt(null, data);
  }

  /**
   * Moves the position: from the start, from where it is, or from the end. EINVAL: before the start. ESPIPE: a stream
   * has none.
   */
  seek(offset: number, from: 'start' | 'here' | 'end' = 'start'): number {
    if (this.stream) throw new SystemError('ESPIPE');
    const base = from === 'start' ? 0 : from === 'here' ? this.position : this.attributes().size;
    if (!Number.isSafeInteger(base + offset) || base + offset < 0)
      throw new SystemError('EINVAL', `there is no position ${base + offset}`);
    this.position = base + offset;
    return this.position;
  }

  attributes(): FileAttributes {
    return this.server.attributes();
  }

  setAttributes(change: AttributeChange): void {
    this.server.set_attributes(changeOf(change));
  }

  truncate(size: number): void {
    this.server.truncate(size);
  }

  /** Returns when what was written is on the medium. */
  sync(): void {
    this.server.sync();
  }

  /** The entries of a directory, without '.' and '..', in the order of the file system. */
  *entries(): Generator<DirectoryEntry> {
    for (let cursor: string | null = ''; cursor !== null; ) {
      const part: { entries: DirectoryEntry[]; cursor: string | null } = this.server.read_directory({
        cursor,
        most: MAX_DIRECTORY_ENTRIES,
      });
      yield* part.entries;
      cursor = part.cursor;
    }
  }

  isTerminal(): boolean {
    return this.server.is_terminal();
  }

  /** Gives the right up. The server closes the file when nobody holds it any more. */
  close(): void {
    ipcRelease(this.right);
  }
}

/** The name space, seen from a working directory. */
export class Files {
  /** The right to vfs, that of a session or the plain one. */
  readonly right: Handle;
  private readonly server: Client<typeof vfs.methods>;

  constructor(right: Handle) {
    this.right = right;
    this.server = client(vfs, right);
  }

  /** A session of its own with a working directory. Waits up to `wait` milliseconds for vfs. */
  static connect(directory = '/', wait = 10_000): Files {
    const plain = ipcFindPort('vfs', wait);
    try {
      return new Files(client(vfs, plain).session({ directory }).session);
    } finally {
      ipcRelease(plain);
    }
  }

  /** Gives the right up. Files opened through it stay open. */
  close(): void {
    ipcRelease(this.right);
  }

  /** The working directory. */
  directory(): string {
    return this.server.directory();
  }

  /** Changes the working directory. */
  changeDirectory(path: string): void {
    this.server.set_directory(this.server.resolve({ place: placeOf(path), directory: true }).path);
  }

  /** The path without symbolic links, `.` and `..`. */
  resolve(path: string): string {
    return this.server.resolve({ place: placeOf(path), directory: false }).path;
  }

  /** Opens a file; without options for reading. */
  open(path: string, options: OpenOptions = { read: true }): File {
    const request = { place: placeOf(path), flags: flagsOf(options), mode: options.mode ?? 0o644 };
    const { file: right, type, stream } = this.server.open(request);
    return new File(right, type, stream);
  }

  /** Opens a file, hands it to `work`, and closes it whatever happens. */
  with<T>(path: string, options: OpenOptions, work: (file: File) => T): T {
    const opened = this.open(path, options);
    try {
      return work(opened);
    } finally {
      opened.close();
    }
  }

  /** The whole content of a file. EFBIG: it has more than `most` bytes. */
  read(path: string, most: number): Uint8Array {
    return this.with(path, { read: true }, (opened) => {
      const pieces: Uint8Array[] = [];
      let bytes = 0;
      for (const piece of opened.pieces()) {
        bytes += piece.length;
        if (bytes > most) throw new SystemError('EFBIG', `${path} has more than ${most} bytes`);
        pieces.push(piece);
      }
      return Buffer.concat(pieces);
    });
  }

  /** Makes a file hold this and nothing else. */
  write(path: string, data: Uint8Array): void {
    this.with(path, { write: true, create: true, truncate: true }, (opened) => opened.write(data));
  }

  /** The entries of a directory, without '.' and '..', in the order of the file system. */
  *entries(path: string): Generator<DirectoryEntry> {
    const opened = this.open(path, { read: true, directory: true });
    try {
      yield* opened.entries();
    } finally {
      opened.close();
    }
  }

  /** What is known of a path; of a symbolic link itself unless `follow`. */
  attributes(path: string, follow = true): FileAttributes {
    return this.server.attributes({ place: placeOf(path), follow });
  }

  setAttributes(path: string, change: AttributeChange, follow = true): void {
    this.server.set_attributes({ place: placeOf(path), follow, ...changeOf(change) });
  }

  truncate(path: string, size: number): void {
    this.server.truncate({ place: placeOf(path), size });
  }

  makeDirectory(path: string, mode = 0o755): void {
    this.server.make_directory({ place: placeOf(path), mode });
  }

  removeDirectory(path: string): void {
    this.server.remove_directory(placeOf(path));
  }

  unlink(path: string): void {
    this.server.unlink(placeOf(path));
  }

  rename(from: string, to: string): void {
    this.server.rename({ from: placeOf(from), to: placeOf(to) });
  }

  /** Makes `to` a second name of the file `from`. */
  link(from: string, to: string): void {
    this.server.link({ from: placeOf(from), to: placeOf(to) });
  }

  /** Makes a symbolic link at `path` that leads to `target`. */
  makeSymlink(target: string, path: string): void {
    this.server.make_symlink({ place: placeOf(path), target });
  }

  readLink(path: string): string {
    return this.server.read_link(placeOf(path));
  }

  /** Figures of the file system that a path is on. */
  figures(path: string): FileSystemFigures {
    return this.server.figures(placeOf(path));
  }

  /** Mounts a block device (`hda1`) on a directory; type '' finds it out. */
  mount(device: string, path: string, { type = '', readOnly = false } = {}): MountRow {
    return this.server.mount({ device, path, type, readOnly });
  }

  unmount(path: string): void {
    this.server.unmount({ path });
  }

  mounts(): MountRow[] {
    return this.server.mounts();
  }

  /** Returns when everything written to any file system is on its medium. */
  sync(): void {
    this.server.sync();
  }

  /** The two ends of a new pipe. */
  pipe(): { reader: File; writer: File } {
    const { reader, writer } = this.server.pipe();
    return { reader: new File(reader), writer: new File(writer) };
  }
}

function placeOf(path: string): { path: string; links: number } {
  return { path, links: 0 };
}
