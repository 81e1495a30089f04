/**
 * Interface `vfs` (10): the name space. Paths begin at `/`, or at the working directory of the session whose right is
 * used; through a right without a session the working directory is `/`. Names have at most 255 bytes, paths 4,096, of
 * UTF-8.
 *
 * What names a path is handed to the file system that owns it, and that answers the client. A file system that comes to
 * a symbolic link or `..` that leads out of it, or to a directory on which another is mounted, hands the request back
 * with the path that is left; `links` counts the symbolic links followed and the file systems left so far (40 at most:
 * ELOOP). Clients pass 0.
 *
 * All methods with paths can answer ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EILSEQ, EIO, EUCLEAN; those that change
 * something EROFS and ENOSPC.
 */
import { SystemError } from './errno.ts';
import { fileAttributes, fileType } from './file.ts';
import { defineInterface, method } from './interface.ts';
import {
  bool,
  type Infer,
  list,
  nameText,
  nothing,
  nullable,
  oneOf,
  real,
  record,
  right,
  type Schema,
  text,
  u8,
  u16,
  u32,
  u53,
} from './schema.ts';

/** Longest path and longest target of a symbolic link, in bytes of UTF-8. */
export const MAX_PATH_BYTES = 4096;

/** Symbolic links that one look-up follows at most. */
export const MAX_LINKS = 40;

/** A path, checked where it is sent and where it is received. EILSEQ: it cannot be written as UTF-8; ENAMETOOLONG. */
export const path: Schema<string> = {
  name: text(MAX_PATH_BYTES).name,
  toWire: checkedPath,
  fromWire: (wire) => checkedPath(typeof wire === 'string' ? wire : text(MAX_PATH_BYTES).fromWire(wire, [])),
};

function checkedPath(value: string): string {
  if (/\p{Surrogate}/u.test(value)) throw new SystemError('EILSEQ', 'a path has to be well-formed Unicode');
  if (Buffer.byteLength(value) > MAX_PATH_BYTES)
    throw new SystemError('ENAMETOOLONG', `a path has at most ${MAX_PATH_BYTES} bytes`);
  return value;
}

/**
 * How to open: bits of `flags`. CREATE makes the file if there is none; with EXCLUSIVE it must not exist. NO_FOLLOW
 * refuses a symbolic link (ELOOP).
 */
export const openFlags = {
  READ: 1,
  WRITE: 2,
  APPEND: 4,
  CREATE: 8,
  EXCLUSIVE: 16,
  TRUNCATE: 32,
  DIRECTORY: 64,
  NO_FOLLOW: 128,
} as const;

/** A path on its way, with what was followed to get there. */
export const place = record({ path, links: u8 });

/**
 * A file system in the tree. `device` is '' where there is none; `state` says why it is read-only although it was not
 * mounted so, else ''.
 */
export const mountRow = record({
  path,
  device: text(64),
  type: text(16),
  readOnly: bool,
  state: text(300),
  service: text(64),
});

/** Figures of a file system; `nodes` is 0 where their number is not limited. */
export const fileSystemFigures = record({
  type: text(16),
  label: text(64),
  readOnly: bool,
  blockBytes: u32,
  blocks: u53,
  freeBlocks: u53,
  nodes: u53,
  freeNodes: u53,
});

export type MountRow = Infer<typeof mountRow>;
export type FileSystemFigures = Infer<typeof fileSystemFigures>;

const opened = record({ file: right, type: fileType, size: u53, stream: bool });

export const vfs = defineInterface('vfs', 10, {
  /** A right with a working directory of its own. */
  session: method(1, record({ directory: path }), record({ session: right })),
  /** The working directory. */
  directory: method(2, nothing, path),
  /** Sets the working directory to a path that `resolve` answered. EBADF: the right has no session. */
  set_directory: method(3, path, nothing),
  /** The path without symbolic links, `.` and `..`. With `directory` set, ENOTDIR for anything else. */
  resolve: method(4, record({ place, directory: bool }), record({ path, attributes: fileAttributes })),

  /**
   * Opens a file, directory or device; closing is giving the right up. EEXIST; EISDIR: a directory, for writing;
   * EINVAL: flags that contradict one another; ENXIO: a device whose driver is gone; EBUSY: writing to a device that is
   * mounted; EMFILE.
   */
  open: method(5, record({ place, flags: u16, mode: u16 }), opened),
  /** `follow`: of what a symbolic link leads to. */
  attributes: method(6, record({ place, follow: bool }), fileAttributes),
  set_attributes: method(
    7,
    record({ place, follow: bool, mode: nullable(u16), accessed: nullable(real), modified: nullable(real) }),
    nothing,
  ),
  /** EISDIR, EINVAL, EFBIG. */
  truncate: method(8, record({ place, size: u53 }), nothing),
  /** EEXIST, EMLINK. */
  make_directory: method(9, record({ place, mode: u16 }), nothing),
  /** ENOTEMPTY, EBUSY, EINVAL. */
  remove_directory: method(10, place, nothing),
  /** EISDIR. */
  unlink: method(11, place, nothing),
  /** EXDEV: on two file systems; EEXIST, EISDIR, ENOTDIR, ENOTEMPTY, EINVAL, EBUSY. */
  rename: method(12, record({ from: place, to: place }), nothing),
  /** A second name. EXDEV, EEXIST, EPERM, EMLINK, EOPNOTSUPP. */
  link: method(13, record({ from: place, to: place }), nothing),
  /** EEXIST, EOPNOTSUPP. */
  make_symlink: method(14, record({ place, target: path }), nothing),
  /** EINVAL: no symbolic link. */
  read_link: method(15, place, path),
  /** Figures of the file system that a path is on. */
  figures: method(16, place, fileSystemFigures),

  /**
   * Mounts the file system of a block device (`hda1`) on a directory; type '' finds it out. ENODEV; EBUSY: mounted
   * already, or the directory is; EINVAL: no file system of this type; EUCLEAN: damaged; EOPNOTSUPP: it has features
   * that are not known.
   */
  mount: method(17, record({ device: text(64), path, type: text(16), readOnly: bool }), mountRow),
  /** Takes it away again. EBUSY: the message says who uses it. EINVAL: nothing is mounted there. */
  unmount: method(18, record({ path }), nothing),
  mounts: method(19, nothing, list(mountRow, 256)),
  /** Returns when everything written to any file system, and to disks past them, is on its medium. EIO. */
  sync: method(20, nothing, nothing),

  /**
   * Makes `/dev/NAME`. Who opens it gets a copy of `device`, on which the interface `file` has to be answered. The
   * request is not answered as long as the name stands, so a driver makes it asynchronously; should `vfs` die, it comes
   * again by itself. A name whose driver has died is free for the next one. EEXIST; EINVAL: not a name; EAGAIN: too
   * many.
   */
  register: method(21, record({ name: nameText, type: oneOf('character', 'block'), device: right }), nothing),
  /** The two ends of a pipe, on which the interface `file` is answered. EAGAIN: too many pipes. */
  pipe: method(22, nothing, record({ reader: right, writer: right })),
});
