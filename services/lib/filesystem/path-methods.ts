/**
 * What the methods with paths do on a volume. The semantics are those of POSIX (IEEE Std 1003.1, System Interfaces:
 * open, mkdir, rename …); where it leaves a choice, those of Linux.
 */
import type { NodeNumber, RequestResult } from '../../../filesystems/file-system.ts';
import type { Found, Named } from '../../../filesystems/walk.ts';
import { type ErrorName, SystemError } from '../../../protocol/errno.ts';
import type { filesystem } from '../../../protocol/filesystem.ts';
import type { Reply, Request } from '../../../protocol/interface.ts';
import { MAX_PATH_BYTES, openFlags } from '../../../protocol/vfs.ts';
import type { Caller, Work } from './batch.ts';
import { changeOf } from './file-methods.ts';
import type { Place, Volume } from './volume.ts';

type Methods = typeof filesystem.methods;

/** Methods that name files by paths. */
export const pathMethodNames = [
  ...(['resolve', 'open', 'attributes', 'set_attributes', 'truncate', 'make_directory', 'remove_directory'] as const),
  ...(['unlink', 'rename', 'link', 'make_symlink', 'read_link', 'figures'] as const),
] as const;
export type PathMethodName = (typeof pathMethodNames)[number];

/** What each method does. The names, requests and answers are the same in the interfaces `vfs` and `filesystem`. */
export type PathMethods = {
  readonly [K in PathMethodName]: (
    volume: Volume,
    request: Request<Methods[K]>,
    caller: Caller,
  ) => Work<Reply<Methods[K]>>;
};

/** A request with one place or two. */
export type PathRequest = Place | { place: Place } | { from: Place; to: Place };

/** A request with other places. */
export function mapPlaces<Q extends PathRequest>(request: Q, map: (place: Place) => Place): Q {
  if ('path' in request) return { ...request, ...map(request) };
  if ('place' in request) return { ...request, place: map(request.place) };
  return { ...request, from: map(request.from), to: map(request.to) };
}

const MODE_BITS = 0o7777;
const NOTHING_TO_TELL: RequestResult = [];

function refuse(code: ErrorName, detail?: string): never {
  throw new SystemError(code, detail);
}

/** Work that only answers. */
function reading<A>(answer: () => A): Work<A> {
  return { answer };
}

/** Work that changes something and answers nothing. */
function changing(change: () => void, removes = false): Work<void> {
  return {
    change: () => {
      change();
      return NOTHING_TO_TELL;
    },
    answer: () => undefined,
    removes,
  };
}

/** The last component of a path: what a path without a name ends in. */
const lastComponent = (path: string): string => /[^/]*(?=\/*$)/.exec(path)?.[0] ?? '';

/** A name that can be made; `place` has to have one. A slash behind it is for directories. */
function vacantName(volume: Volume, place: Place, directory: boolean): Named {
  const found = volume.findName(place);
  if (found.kind === 'node' || volume.child(found) !== undefined) return refuse('EEXIST');
  if (found.directoryWanted && !directory) return refuse('ENOENT', 'a slash stands behind a name that is no directory');
  return found;
}

/** A name that exists, and its node. `without`: the error for a path that ends in no name. */
function existingName(
  volume: Volume,
  place: Place,
  without: (found: Found) => ErrorName,
): { found: Named; node: NodeNumber; isDirectory: boolean } {
  const found = volume.findName(place);
  if (found.kind === 'node') return refuse(without(found));
  const node = volume.child(found) ?? refuse('ENOENT');
  const isDirectory = volume.core.attributes(node).type === 'directory';
  if (found.directoryWanted && !isDirectory) return refuse('ENOTDIR');
  return { found, node, isDirectory };
}

function checkFlags(flags: number): void {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const { READ, WRITE, APPEND, CREATE, EXCLUSIVE, TRUNCATE, DIRECTORY } = openFlags;
  const known = Object.values(openFlags).reduce((sum, flag) => sum | flag, 0);
  if ((flags & ~known) !== 0) refuse('EINVAL', 'unknown flags');
  if (!has(READ | WRITE)) refuse('EINVAL', 'open neither for reading nor for writing');
  if (has(APPEND | TRUNCATE) && !has(WRITE)) refuse('EINVAL', 'append and truncate need write');
  if (has(EXCLUSIVE) && !has(CREATE)) refuse('EINVAL', 'exclusive needs create');
  if (has(CREATE) && has(DIRECTORY)) refuse('EINVAL', 'directories are made by make_directory');
}

/** Whether a node can be opened with these flags. */
function checkOpenable(volume: Volume, node: NodeNumber, flags: number): void {
  const { type } = volume.core.attributes(node);
  const writes = (flags & openFlags.WRITE) !== 0;
  if (type === 'symlink') refuse('ELOOP', 'a symbolic link');
  if ((flags & openFlags.DIRECTORY) !== 0 && type !== 'directory') refuse('ENOTDIR');
  if (type === 'directory' && (writes || (flags & openFlags.CREATE) !== 0)) refuse('EISDIR');
  if (type !== 'directory' && type !== 'file') refuse('ENXIO', `nothing drives this ${type} file`);
  if (writes && volume.core.information().readOnly) refuse('EROFS');
}

/** The node of an `open` that makes nothing. */
function existingNode(volume: Volume, place: Place, flags: number): NodeNumber {
  const { node } = volume.find(place, (flags & openFlags.NO_FOLLOW) === 0);
  checkOpenable(volume, node, flags);
  return node;
}

/** The node of an `open` with CREATE, and whether it was made now. */
function existingOrNew(volume: Volume, place: Place, flags: number, mode: number): { node: NodeNumber; made: boolean } {
  const exclusive = (flags & openFlags.EXCLUSIVE) !== 0;
  const found = volume.findName(place, !exclusive && (flags & openFlags.NO_FOLLOW) === 0);
  const node = found.kind === 'node' ? found.node : volume.child(found);
  if (node === undefined) {
    const { directory, name, directoryWanted } = found as Named;
    if (directoryWanted) refuse('EISDIR', 'a slash stands behind the name of a file');
    return { node: volume.core.create(directory, name, mode & MODE_BITS), made: true };
  }
  if (exclusive) refuse('EEXIST');
  if (found.kind === 'name' && found.directoryWanted && volume.core.attributes(node).type !== 'directory')
    refuse('ENOTDIR');
  checkOpenable(volume, node, flags);
  return { node, made: false };
}

function open(
  volume: Volume,
  { place, flags, mode }: Request<Methods['open']>,
  caller: Caller,
): Work<Reply<Methods['open']>> {
  checkFlags(flags);
  const { CREATE, TRUNCATE } = openFlags;
  let found: NodeNumber | undefined;
  const change = (): RequestResult | null => {
    volume.files.checkRoom(caller.sender);
    const creates = (flags & CREATE) !== 0;
    const { node, made } = creates
      ? existingOrNew(volume, place, flags, mode)
      : { node: existingNode(volume, place, flags), made: false };
    found = node;
    const truncates = (flags & TRUNCATE) !== 0;
    if (truncates && volume.core.attributes(node).size > 0) volume.core.truncate(node, 0);
    // Also noted when there was nothing to cut off: should the request come again, others may have written meanwhile.
    return made || truncates ? NOTHING_TO_TELL : null;
  };
  return {
    ...((flags & (CREATE | TRUNCATE)) === 0 ? {} : { change }),
    // An earlier incarnation may have made it: the path still leads there, for nothing that takes names away is carried
    // out before this is answered. Its number may be another.
    answer: () => volume.open(found ?? existingNode(volume, place, flags), flags, place.path, caller),
    opens: true,
  };
}

function rename(volume: Volume, { from, to }: Request<Methods['rename']>): void {
  const { found: source, node, isDirectory } = existingName(volume, from, () => 'EBUSY');
  const target = volume.findName(to);
  if (target.kind === 'node') throw new SystemError('EBUSY');
  if (target.directoryWanted && !isDirectory) refuse('ENOTDIR');
  if (isDirectory && volume.leadsToCovered(node)) refuse('EBUSY', 'a file system is mounted in it');
  volume.core.rename(source.directory, source.name, target.directory, target.name);
}

function removeDirectory(volume: Volume, place: Place): void {
  const without = ({ node }: Found): ErrorName => {
    if (lastComponent(place.path) === '.') return 'EINVAL';
    return node === volume.core.root && lastComponent(place.path) !== '..' ? 'EBUSY' : 'ENOTEMPTY';
  };
  const { found } = existingName(volume, place, without);
  volume.core.removeDirectory(found.directory, found.name);
}

function checkTarget(target: string): void {
  if (target === '') refuse('ENOENT', 'a symbolic link has to lead somewhere');
  if (target.includes('\0')) refuse('EINVAL', 'a path has no NUL');
  if (Buffer.byteLength(target) >= MAX_PATH_BYTES)
    refuse('ENAMETOOLONG', `a target has less than ${MAX_PATH_BYTES} bytes`);
}

/** See the head of this file. */
export const pathMethods: PathMethods = {
  resolve: (volume, { place, directory }) =>
    reading(() => {
      const { node, path } = volume.find(place, true);
      const attributes = volume.attributes(node);
      if (directory && attributes.type !== 'directory') return refuse('ENOTDIR');
      return { path: volume.absolute(path), attributes };
    }),
  open,
  attributes: (volume, { place, follow }) => reading(() => volume.attributes(volume.find(place, follow).node)),
  set_attributes: (volume, { place, follow, ...change }) =>
    changing(() => volume.core.setAttributes(volume.find(place, follow).node, changeOf(change))),
  truncate: (volume, { place, size }) =>
    changing(() => {
      const { node } = volume.find(place, true);
      const { type } = volume.core.attributes(node);
      if (type !== 'file') refuse(type === 'directory' ? 'EISDIR' : 'EINVAL');
      volume.core.truncate(node, size);
    }),
  make_directory: (volume, { place, mode }) =>
    changing(() => {
      const { directory, name } = vacantName(volume, place, true);
      volume.core.makeDirectory(directory, name, mode & MODE_BITS);
    }),
  remove_directory: (volume, place) => changing(() => removeDirectory(volume, place), true),
  unlink: (volume, place) =>
    changing(() => {
      const { found } = existingName(volume, place, () => 'EISDIR');
      volume.core.unlink(found.directory, found.name);
    }, true),
  rename: (volume, request) => changing(() => rename(volume, request), true),
  link: (volume, { from, to }) =>
    changing(() => {
      const { node } = volume.find(from, false);
      const { directory, name } = vacantName(volume, to, false);
      volume.core.link(node, directory, name);
    }),
  make_symlink: (volume, { place, target }) =>
    changing(() => {
      checkTarget(target);
      const { directory, name } = vacantName(volume, place, false);
      volume.core.makeSymlink(directory, name, target);
    }),
  read_link: (volume, place) => reading(() => volume.core.readLink(volume.find(place, false).node)),
  figures: (volume, place) =>
    reading(() => {
      volume.find(place, true);
      return volume.figures();
    }),
};
