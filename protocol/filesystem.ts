/**
 * Interface `filesystem` (11): what `vfs` asks of the service of a mounted disk. The methods up to `figures` are those
 * of `vfs`, forwarded: the server answers the client itself, or hands the request back to the port `vfs`, with absolute
 * paths, when a path leads out. They and the methods before them are answered on the right without a badge only: those
 * with badges are open files.
 */
import { fileAttributes, fileType } from './file.ts';
import { defineInterface, method } from './interface.ts';
import { bool, nothing, nullable, real, record, right, text, u8, u16, u32, u53 } from './schema.ts';
import { fileSystemFigures, path } from './vfs.ts';

/** A path from the root of the file system (no leading `/`; '' is the root), and how many symbolic links led here. */
export const innerPlace = record({ path, links: u8 });

const opened = record({ file: right, type: fileType, size: u53, stream: bool });

export const filesystem = defineInterface('filesystem', 11, {
  /**
   * Attaches the device; the same again changes nothing. `path`: where it is mounted, absolute; `number`: `fileSystem`
   * of its files' attributes. Answers what is mounted. EINVAL: it holds none of this type; EUCLEAN, EOPNOTSUPP, ENODEV,
   * EIO, EROFS; EBUSY: another device is attached. `format`: makes an empty file system first if the device begins with
   * nothing but zeros.
   */
  attach: method(
    1,
    record({ device: text(64), path, number: u32, readOnly: bool, format: bool }),
    record({ figures: fileSystemFigures, state: text(300) }),
  ),
  /**
   * Syncs and lets the device go; again, nothing is left to do. EBUSY: the message says who has which files open; EIO.
   */
  detach: method(2, nothing, nothing),
  /**
   * A directory on which another file system is mounted from now on, or no more: paths that come to it go back to
   * `vfs`. ENOTDIR, EBUSY.
   */
  cover: method(3, record({ place: innerPlace, covered: bool }), nothing),
  sync: method(4, nothing, nothing),

  resolve: method(5, record({ place: innerPlace, directory: bool }), record({ path, attributes: fileAttributes })),
  open: method(6, record({ place: innerPlace, flags: u16, mode: u16 }), opened),
  attributes: method(7, record({ place: innerPlace, follow: bool }), fileAttributes),
  set_attributes: method(
    8,
    record({
      place: innerPlace,
      follow: bool,
      mode: nullable(u16),
      accessed: nullable(real),
      modified: nullable(real),
    }),
    nothing,
  ),
  truncate: method(9, record({ place: innerPlace, size: u53 }), nothing),
  make_directory: method(10, record({ place: innerPlace, mode: u16 }), nothing),
  remove_directory: method(11, innerPlace, nothing),
  unlink: method(12, innerPlace, nothing),
  rename: method(13, record({ from: innerPlace, to: innerPlace }), nothing),
  link: method(14, record({ from: innerPlace, to: innerPlace }), nothing),
  make_symlink: method(15, record({ place: innerPlace, target: path }), nothing),
  read_link: method(16, innerPlace, path),
  figures: method(17, innerPlace, fileSystemFigures),
});
