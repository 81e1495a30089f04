/**
 * Trees of files to copy from and to: one in an image, and the host's. Paths in an image begin at its root; symbolic
 * links in it lead to places in it, whatever the host has under that name.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { DirectoryEntry, FileSystem, NodeNumber } from '../filesystems/file-system.ts';
import { findName, findNode, type Surroundings } from '../filesystems/walk.ts';
import { SystemError } from '../protocol/errno.ts';

/** Bytes moved at a time. */
const PIECE_BYTES = 256 * 1024;

/** Entries asked for at a time. */
const LISTED_ENTRIES = 512;

/** Hand-overs of one path, by absolute links, after which it is given up. */
const MAX_ROUNDS = 64;

/** What is known of something in a tree. Times in milliseconds since 1970. */
export interface Item {
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  readonly mode: number;
  readonly size: number;
  readonly modified: number;
}

/** A tree. Every method throws SystemError, or an error of the host, naming no path: callers know it. */
export interface Tree {
  /** Undefined: nothing is there. Symbolic links are followed if asked. */
  item(at: string, follow: boolean): Item | undefined;
  names(at: string): string[];
  pieces(at: string): Iterable<Uint8Array>;
  readLink(at: string): string;
  /** Makes or replaces a file. */
  write(at: string, pieces: Iterable<Uint8Array>, mode: number): void;
  makeDirectory(at: string, mode: number): void;
  makeSymlink(at: string, target: string): void;
  setModified(at: string, modified: number): void;
  join(directory: string, name: string): string;
}

const EVERYTHING: Surroundings = { mountedOn: '', covered: new Map() };

/** The tree in an image. */
export class ImageTree implements Tree {
  readonly fileSystem: FileSystem;

  constructor(fileSystem: FileSystem) {
    this.fileSystem = fileSystem;
  }

  /** The node of a path. Throws SystemError as findNode. */
  node(at: string, follow = true): NodeNumber {
    let place = { path: at, links: 0 };
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const found = findNode(this.fileSystem, EVERYTHING, relative(place), follow);
      if (found.kind === 'node') return found.node;
      place = found;
    }
    throw new SystemError('ELOOP');
  }

  /**
   * Directory and name of a path under which something is to be made or removed. Throws SystemError as findName;
   * EEXIST: it has no name.
   */
  name(at: string): { directory: NodeNumber; name: string } {
    let place = { path: at, links: 0 };
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const found = findName(this.fileSystem, EVERYTHING, relative(place), false);
      if (found.kind === 'name') return found;
      if (found.kind === 'node') throw new SystemError('EEXIST', 'that is a directory');
      place = found;
    }
    throw new SystemError('ELOOP');
  }

  item(at: string, follow: boolean): Item | undefined {
    return ifThere(() => {
      const { type, mode, size, modified } = this.fileSystem.attributes(this.node(at, follow));
      const known = type === 'file' || type === 'directory' || type === 'symlink' ? type : 'other';
      return { type: known, mode, size, modified };
    });
  }

  /** The entries of a directory, sorted by name. */
  entries(at: string): DirectoryEntry[] {
    const node = this.node(at);
    const all: DirectoryEntry[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const part: { entries: readonly DirectoryEntry[]; cursor: string | null } = this.fileSystem.readDirectory(
        node,
        cursor,
        LISTED_ENTRIES,
      );
      all.push(...part.entries);
      cursor = part.cursor;
    }
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  names(at: string): string[] {
    return this.entries(at).map(({ name }) => name);
  }

  *pieces(at: string): Iterable<Uint8Array> {
    const node = this.node(at);
    for (let offset = 0; ; ) {
      const piece = this.fileSystem.read(node, offset, PIECE_BYTES);
      if (piece.length === 0) return;
      offset += piece.length;
      yield piece;
    }
  }

  readLink(at: string): string {
    return this.fileSystem.readLink(this.node(at, false));
  }

  write(at: string, pieces: Iterable<Uint8Array>, mode: number): void {
    const { fileSystem } = this;
    const { directory, name } = this.name(at);
    const there = ifThere(() => this.node(at));
    const node = there ?? fileSystem.create(directory, name, mode);
    if (there !== undefined) fileSystem.truncate(there, 0);
    let offset = 0;
    for (const piece of pieces) {
      fileSystem.commit();
      fileSystem.write(node, offset, piece);
      offset += piece.length;
    }
    fileSystem.commit();
  }

  makeDirectory(at: string, mode: number): void {
    const { directory, name } = this.name(at);
    this.fileSystem.makeDirectory(directory, name, mode);
    this.fileSystem.commit();
  }

  makeSymlink(at: string, target: string): void {
    const { directory, name } = this.name(at);
    this.fileSystem.makeSymlink(directory, name, target);
    this.fileSystem.commit();
  }

  setModified(at: string, modified: number): void {
    this.fileSystem.setAttributes(this.node(at), { modified });
    this.fileSystem.commit();
  }

  join(directory: string, name: string): string {
    return path.posix.join('/', directory, name);
  }
}

function relative({ path: at, links }: { path: string; links: number }): { path: string; links: number } {
  return { path: at.replace(/^\/+/, ''), links };
}

/** What `look` answers, or undefined when it fails because nothing is there. */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}

/** The files of the host. */
export const hostTree: Tree = {
  item: (at, follow) =>
    ifThere(() => {
      const stat = follow ? fs.statSync(at) : fs.lstatSync(at);
      const type = stat.isFile()
        ? 'file'
        : stat.isDirectory()
          ? 'directory'
          : stat.isSymbolicLink()
            ? 'symlink'
            : 'other';
      return { type, mode: stat.mode & 0o7777, size: stat.size, modified: stat.mtimeMs };
    }),
  names: (at) => fs.readdirSync(at).sort(),
  *pieces(at) {
    const descriptor = fs.openSync(at, 'r');
    try {
      for (;;) {
        const piece = Buffer.allocUnsafe(PIECE_BYTES);
        const count = fs.readSync(descriptor, piece, 0, PIECE_BYTES, null);
        if (count === 0) return;
        yield piece.subarray(0, count);
      }
    } finally {
      fs.closeSync(descriptor);
    }
  },
  readLink: (at) => fs.readlinkSync(at),
  write: (at, pieces, mode) => {
    const descriptor = fs.openSync(at, 'w', mode);
    try {
      for (const piece of pieces)
        for (let done = 0; done < piece.length; ) done += fs.writeSync(descriptor, piece, done);
    } finally {
      fs.closeSync(descriptor);
    }
  },
  makeDirectory: (at, mode) => fs.mkdirSync(at, { mode }),
  makeSymlink: (at, target) => fs.symlinkSync(target, at),
  setModified: (at, modified) => fs.utimesSync(at, modified / 1000, modified / 1000),
  join: (directory, name) => path.join(directory, name),
};
