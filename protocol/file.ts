/**
 * Interface `file` (9): what an open file, directory, pipe or device answers on the right that `vfs.open` gave.
 *
 * The position in a file belongs to its holder: every read and write names its offset, so no server can lose it, and
 * reading again does no harm. Streams (pipes, terminals) take bytes as they come and ignore offsets.
 */
import { defineInterface, method } from './interface.ts';
import {
  bool,
  bytes,
  type Infer,
  list,
  nothing,
  nullable,
  oneOf,
  real,
  record,
  text,
  u16,
  u32,
  u53,
} from './schema.ts';

/** Bytes that one read or write moves at most (256 KiB). */
export const MAX_FILE_BYTES = 256 * 1024;

/** Longest name in a directory, in bytes of UTF-8. */
export const MAX_FILE_NAME_BYTES = 255;

/** Entries that one `read_directory` answers at most. */
export const MAX_DIRECTORY_ENTRIES = 1024;

export const fileType = oneOf('file', 'directory', 'symlink', 'character', 'block', 'pipe');

/**
 * What is known of a file. Times are milliseconds since 1970; `fileSystem` tells file systems apart, `node` files
 * within one.
 */
export const fileAttributes = record({
  fileSystem: u32,
  node: u53,
  type: fileType,
  mode: u16,
  links: u32,
  size: u53,
  allocated: u53,
  accessed: real,
  modified: real,
  changed: real,
  created: real,
});

/** An entry of a directory; '.' and '..' are not listed. */
export const directoryEntry = record({ name: text(4 * MAX_FILE_NAME_BYTES), node: u53, type: fileType });

export type FileType = Infer<typeof fileType>;
export type FileAttributes = Infer<typeof fileAttributes>;
export type DirectoryEntry = Infer<typeof directoryEntry>;

export const file = defineInterface('file', 9, {
  /**
   * Reads up to `count` bytes; none is the end of the file. A stream waits until there is something. EBADF: not open
   * for reading; EISDIR; EIO; EUCLEAN: the disk is damaged there.
   */
  read: method(1, record({ offset: u53, count: u32 }), bytes(MAX_FILE_BYTES)),
  /**
   * Writes all of `data`, at its end when the file was opened with APPEND or `offset` is null. Answers the offset
   * behind it. EBADF: not open for writing; ENOSPC; EFBIG; EROFS; EIO; EPIPE: nobody will read it.
   */
  write: method(2, record({ offset: nullable(u53), data: bytes(MAX_FILE_BYTES) }), u53),
  attributes: method(3, nothing, fileAttributes),
  /** Changes what is not null. EROFS. */
  set_attributes: method(
    4,
    record({ mode: nullable(u16), accessed: nullable(real), modified: nullable(real) }),
    nothing,
  ),
  /** Sets the length. EBADF: not open for writing; EINVAL: no file; EFBIG; ENOSPC; EROFS. */
  truncate: method(5, u53, nothing),
  /** Returns when what was written to this file is on the medium. EIO. */
  sync: method(6, nothing, nothing),
  /**
   * The entries after `cursor` ('' at the start); the answer's cursor goes on, and is null at the end. ENOTDIR; EINVAL:
   * no such cursor.
   */
  read_directory: method(
    7,
    record({ cursor: text(2048), most: u16 }),
    record({ entries: list(directoryEntry, MAX_DIRECTORY_ENTRIES), cursor: nullable(text(2048)) }),
  ),
  /** Whether it is a terminal, for programs that behave differently then. */
  is_terminal: method(8, nothing, bool),
});
