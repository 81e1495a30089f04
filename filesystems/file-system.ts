/**
 * What every file system here is to the server in front of it (services/lib/filesystem) and to the tools of the host
 * (host/): nodes by number, names in directories, bytes in files. Paths, open files and rights are the server's
 * business.
 *
 * Every method is one operation: it happens whole or, when it throws, not at all. Errors are SystemError with the errno
 * that POSIX gives for the call of the same purpose; what is damaged on the disk is EUCLEAN with a sentence that says
 * where, and changes nothing.
 *
 * What operations change is in memory until `commit`, which makes everything since the last `commit` survive the death
 * of this process, all of it or nothing. Nothing may be answered before that. `sync` makes it survive the loss of power
 * as well. When much has come together, an operation may begin with a commit of those before it; if that fails, the
 * next `commit` throws as well, for they are lost.
 *
 * An operation that must not be done twice is noted with the number of the request that asked for it (`note`), in the
 * same commit. A request that comes again, because the process died between commit and answer, is looked up with
 * `completed` first.
 *
 * Names are 1 to 255 bytes of UTF-8 without '/' and NUL; callers never pass '.' or '..' where a name is made or removed
 * (the server answers EINVAL, ENOTEMPTY or EEXIST itself, as POSIX wants). Times are milliseconds since
 * 1970-01-01T00:00:00Z, with fractions.
 */
import type { BlockDevice, Keeper } from './block-device.ts';

/** Longest name in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;

/** Longest path and longest target of a symbolic link, in bytes of UTF-8. */
export const MAX_PATH_BYTES = 4096;

/** Symbolic links that one look-up follows at most. */
export const MAX_LINKS = 40;

/** Number of a node in its file system. It stays the same as long as the node exists or is retained. */
export type NodeNumber = number;

export type FileType = 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'pipe';

/** What is known of a node. */
export interface Attributes {
  readonly node: NodeNumber;
  readonly type: FileType;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  /** Names that lead to it; of a directory 2 and one for each directory in it. */
  readonly links: number;
  /** Length in bytes; of a symbolic link that of its target. */
  readonly size: number;
  /** Bytes it takes on the disk. */
  readonly allocated: number;
  readonly accessed: number;
  readonly modified: number;
  readonly changed: number;
  /** 0 where the format does not know it. */
  readonly created: number;
}

/** Attributes that can be set; those left out stay. */
export interface AttributeChange {
  readonly mode?: number;
  readonly accessed?: number;
  readonly modified?: number;
}

/** An entry of a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly node: NodeNumber;
  readonly type: FileType;
}

/**
 * Part of a listing. `cursor` continues it and is null at the end; it stays good while the directory changes and over
 * restarts: entries that are there from the first part to the last are listed exactly once. '.' and '..' are not
 * listed.
 */
export interface DirectoryPart {
  readonly entries: readonly DirectoryEntry[];
  readonly cursor: string | null;
}

/** Figures of a file system. */
export interface FileSystemInformation {
  /** `vrfs`, `fat12`, `fat16`, `fat32`, `ext2`, `ramfs` … */
  readonly type: string;
  readonly label: string;
  readonly readOnly: boolean;
  /** Why it is read-only although it was not asked to be; empty otherwise. */
  readonly readOnlyReason: string;
  readonly blockBytes: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  /** 0 where nodes are not limited by number. */
  readonly nodes: number;
  readonly freeNodes: number;
}

/** The number of a request: who sent it, and its number there. */
export interface RequestNumber {
  readonly sender: number;
  readonly sequence: number;
}

/** What a finished request was answered: a few numbers, kept with the request's number. */
export type RequestResult = readonly number[];

export interface FileSystem {
  readonly root: NodeNumber;
  information(): FileSystemInformation;

  /** ENOENT: no such node. */
  attributes(node: NodeNumber): Attributes;
  /** EROFS. What a format cannot keep is left out without an error, as `chmod` on FAT does on Linux. */
  setAttributes(node: NodeNumber, change: AttributeChange): void;

  /** The node under a name; the name is not '.' or '..'. ENOENT, ENOTDIR. */
  lookup(directory: NodeNumber, name: string): NodeNumber;
  /** The directory that a directory is in; the root is its own. ENOTDIR. */
  parent(directory: NodeNumber): NodeNumber;
  /** Up to `most` entries after `cursor` ('' at the start). ENOTDIR; EINVAL: no such cursor. */
  readDirectory(directory: NodeNumber, cursor: string, most: number): DirectoryPart;
  /** EINVAL: not a symbolic link. */
  readLink(node: NodeNumber): string;

  /**
   * Makes an empty file. EEXIST, ENOTDIR, ENOENT (the directory has been removed), ENOSPC, EROFS, ENAMETOOLONG, EINVAL
   * (the format cannot have the name).
   */
  create(directory: NodeNumber, name: string, mode: number): NodeNumber;
  /** Errors as `create`; EMLINK. */
  makeDirectory(directory: NodeNumber, name: string, mode: number): NodeNumber;
  /** Errors as `create`; EOPNOTSUPP: the format has none. ENAMETOOLONG: the target has more than 4,096 bytes. */
  makeSymlink(directory: NodeNumber, name: string, target: string): NodeNumber;
  /** A second name. EPERM: a directory; EOPNOTSUPP: the format has none; EMLINK; else as `create`. */
  link(node: NodeNumber, directory: NodeNumber, name: string): void;
  /** Removes a name; the file goes with its last one, or when it is retained no more. ENOENT, EISDIR, EROFS. */
  unlink(directory: NodeNumber, name: string): void;
  /** ENOENT, ENOTDIR, ENOTEMPTY, EBUSY (the root), EROFS. */
  removeDirectory(directory: NodeNumber, name: string): void;
  /**
   * Moves a name; what has the new one is replaced in the same step. ENOENT, EISDIR, ENOTDIR, ENOTEMPTY, EINVAL (a
   * directory into itself), EMLINK, ENOSPC, EROFS. Two names of one file: nothing happens.
   */
  rename(directory: NodeNumber, name: string, newDirectory: NodeNumber, newName: string): void;

  /**
   * Up to `count` bytes from `offset` on; fewer at the end of the file, none behind it. EISDIR. The bytes must not be
   * changed and are valid until the next call.
   */
  read(node: NodeNumber, offset: number, count: number): Uint8Array;
  /**
   * Writes all of `data`, which can always be 256 KiB; a gap before it reads as zeros. EINVAL: more than one operation
   * can hold; EISDIR, ENOSPC, EFBIG, EROFS.
   */
  write(node: NodeNumber, offset: number, data: Uint8Array): void;
  /** Sets the length. EISDIR, EFBIG, ENOSPC, EROFS. */
  truncate(node: NodeNumber, size: number): void;

  /**
   * Keeps a node alive, and its number the same, without a name; counts. Also over the death of this process, until
   * `release` or `forgetRetained`.
   */
  retain(node: NodeNumber): void;
  release(node: NodeNumber): void;
  /**
   * Called once after mounting: these nodes (each as often as it is listed) are retained by an earlier incarnation's
   * open files and covered directories, all others by nobody, so that those without a name are freed.
   */
  restoreRetained(nodes: readonly NodeNumber[]): void;

  /** Notes that a request has been carried out, with what the operations since the last commit did for it. */
  note(request: RequestNumber, result: RequestResult): void;
  /**
   * The result of a request that was committed and may not have been answered; undefined: it has not been carried out.
   */
  completed(request: RequestNumber): RequestResult | undefined;
  /**
   * Makes what was done survive the death of this process. EIO: the disk refuses; then nothing of it has been done, and
   * the file system is read-only from now on.
   */
  commit(): void;
  /** Commits, and returns when everything is on the medium. EIO. */
  sync(): void;
  /** Syncs and marks the file system as cleanly unmounted. Nothing may be called afterwards. EIO. */
  close(): void;
}

/** What to mount with. */
export interface MountOptions {
  readonly readOnly: boolean;
  /** The time, in milliseconds since 1970. */
  now(): number;
  /** What the last incarnation of this process kept; null in a tool, where nothing has to survive. */
  readonly keeper: Keeper | null;
  log(text: string, level: 'info' | 'warning' | 'error'): void;
  /** Random bytes, for identifiers. */
  random(count: number): Uint8Array;
}

/** What a check of a file system found; each finding is a sentence. */
export interface CheckReport {
  /** What is wrong. Empty: the file system is sound. */
  readonly problems: readonly string[];
  /** What was repaired, where repair was asked for. */
  readonly repaired: readonly string[];
  /** One line of figures: files, directories, blocks in use. */
  readonly summary: string;
}

/** Tells how far long work has come, from 0 to 1. */
export type Progress = (fraction: number) => void;

/** How to make a file system; what a format does not know is refused with EINVAL. */
export interface FormatOptions {
  readonly label?: string;
  /** Of FAT: bits of a table entry, 12, 16 or 32. */
  readonly fatBits?: 12 | 16 | 32;
  /** Of ext2: bytes of a block; of FAT: bytes of a cluster. */
  readonly blockBytes?: number;
  /** Number of nodes, where the format fixes it. */
  readonly nodes?: number;
  now(): number;
  random(count: number): Uint8Array;
  readonly progress?: Progress;
}

/** A format of file systems: `filesystems/formats.ts` lists them all. */
export interface Format {
  /** Name for `mkfs -t` and `mount -t`. */
  readonly name: string;
  /** Whether the device looks like holding this format; never throws for what it reads. Throws SystemError EIO. */
  probe(device: BlockDevice): boolean;
  /**
   * Throws SystemError: EUCLEAN with the reason: damaged; EOPNOTSUPP: a feature that is not known; EINVAL: not this
   * format; EIO; EROFS.
   */
  mount(device: BlockDevice, options: MountOptions): FileSystem;
  /** Makes an empty file system. EINVAL: an option, or a size that cannot be; EIO, EROFS. */
  format(device: BlockDevice, options: FormatOptions): void;
  /**
   * Checks, and with `repair` mends what can be mended. Throws SystemError: EOPNOTSUPP: a feature that is not known,
   * which is no damage; EIO, EROFS; nothing else for what it reads.
   */
  check(device: BlockDevice, repair: boolean, progress?: Progress): CheckReport;
}
