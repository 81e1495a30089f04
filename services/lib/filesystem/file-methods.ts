/** What the methods of the interface `file` do on an open file of a volume. */
import type { AttributeChange, RequestResult } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { type file, MAX_DIRECTORY_ENTRIES, MAX_FILE_BYTES } from '../../../protocol/file.ts';
import type { Reply, Request } from '../../../protocol/interface.ts';
import { openFlags } from '../../../protocol/vfs.ts';
import type { Work } from './batch.ts';
import type { OpenFile } from './open-files.ts';
import type { Volume } from './volume.ts';

type Methods = typeof file.methods;

/** What each method does. */
export type FileMethods = {
  readonly [K in keyof Methods]: (
    volume: Volume,
    request: Request<Methods[K]>,
    badge: number,
  ) => Work<Reply<Methods[K]>>;
};

/** The change of attributes that a request asks for. */
export function changeOf({
  mode,
  accessed,
  modified,
}: {
  mode: number | null;
  accessed: number | null;
  modified: number | null;
}): AttributeChange {
  return {
    ...(mode === null ? {} : { mode: mode & 0o7777 }),
    ...(accessed === null ? {} : { accessed }),
    ...(modified === null ? {} : { modified }),
  };
}

/** An open file that may be used so. Throws SystemError EBADF. */
function opened(volume: Volume, badge: number, flag: number): OpenFile {
  const found = volume.files.get(badge);
  if ((found.flags & flag) === 0)
    throw new SystemError('EBADF', flag === openFlags.WRITE ? 'not open for writing' : 'not open for reading');
  return found;
}

function write(volume: Volume, { offset, data }: Request<Methods['write']>, badge: number): RequestResult {
  const { node, flags } = opened(volume, badge, openFlags.WRITE);
  const appends = offset === null || (flags & openFlags.APPEND) !== 0;
  const start = appends ? volume.core.attributes(node).size : offset;
  volume.core.write(node, start, data);
  return [start + data.length];
}

/** See the head of this file. */
export const fileMethods: FileMethods = {
  read: (volume, { offset, count }, badge) => ({
    answer: () => volume.core.read(opened(volume, badge, openFlags.READ).node, offset, Math.min(count, MAX_FILE_BYTES)),
  }),
  write: (volume, request, badge) => ({
    change: () => write(volume, request, badge),
    answer: (result) => result?.[0] ?? 0,
  }),
  attributes: (volume, _request, badge) => ({ answer: () => volume.attributes(volume.files.get(badge).node) }),
  set_attributes: (volume, request, badge) => ({
    change: () => {
      volume.core.setAttributes(volume.files.get(badge).node, changeOf(request));
      return [];
    },
    answer: () => undefined,
  }),
  truncate: (volume, size, badge) => ({
    change: () => {
      volume.core.truncate(opened(volume, badge, openFlags.WRITE).node, size);
      return [];
    },
    answer: () => undefined,
  }),
  sync: (volume, _request, badge) => {
    volume.files.get(badge);
    return { answer: () => undefined, sync: true };
  },
  read_directory: (volume, { cursor, most }, badge) => ({
    answer: () => {
      const { node } = opened(volume, badge, openFlags.READ);
      const part = volume.core.readDirectory(node, cursor, Math.min(Math.max(most, 1), MAX_DIRECTORY_ENTRIES));
      return { entries: [...part.entries], cursor: part.cursor };
    },
  }),
  is_terminal: (volume, _request, badge) => ({
    answer: () => {
      volume.files.get(badge);
      return false;
    },
  }),
};
