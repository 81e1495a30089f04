/**
 * The interface `file` on everything that this process has opened: files of its volumes, ends of pipes, and its own
 * devices. The badge says which.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { file } from '../../protocol/file.ts';
import type { Reply, Request } from '../../protocol/interface.ts';
import { type Batch, performFile } from '../lib/filesystem/index.ts';
import type { LATER, RequestContext } from '../lib/index.ts';
import { badgeKind, kindOf } from './badges.ts';
import { builtinOf, readBuiltin, streamAttributes, writeBuiltin } from './builtin-devices.ts';
import { builtinDevices } from './devices.ts';
import type { Pipes } from './pipes.ts';
import type { Volumes } from './volumes.ts';

type Methods = typeof file.methods;
type Name = keyof Methods;

/** What answers for open files. */
export interface OpenThings {
  readonly batch: Batch;
  readonly volumes: Volumes;
  readonly pipes: Pipes;
  now(): number;
  random(count: number): Uint8Array;
}

/** Carries out a method on what the badge of a request stands for. Throws SystemError. */
export function performOnOpen<K extends Name>(
  things: OpenThings,
  name: K,
  request: Request<Methods[K]>,
  context: RequestContext,
): Reply<Methods[K]> | typeof LATER {
  const { badge } = context;
  const kind = kindOf(badge);
  if (kind === badgeKind.PIPE) return pipeMethods(things, context)[name](request as never) as Reply<Methods[K]>;
  if (kind === badgeKind.DEVICE) return deviceMethods(things, badge)[name](request as never) as Reply<Methods[K]>;
  const volume = things.volumes.ofKind(kind);
  if (volume === undefined) throw new SystemError('EBADF', 'not an open file');
  return performFile(things.batch, volume, name, request, context);
}

/** What the methods answer on a stream. */
type Answers = { readonly [K in Name]: (request: Request<Methods[K]>) => Reply<Methods[K]> | typeof LATER };

function pipeMethods({ pipes, now }: OpenThings, context: RequestContext): Answers {
  const { badge } = context;
  return {
    read: ({ count }) => context.later<Uint8Array>((deferred) => pipes.read(badge, count, context, deferred)),
    write: ({ offset, data }) =>
      context.later<number>(({ reply, fail }) => {
        pipes.write(badge, data, context, { reply: (length) => reply((offset ?? 0) + length), fail });
      }),
    attributes: () => streamAttributes('pipe', { fileSystem: 0, node: pipes.describe(badge).slot }, 0o600, now()),
    ...refusals('a pipe', () => pipes.describe(badge)),
  };
}

function deviceMethods({ now, random }: OpenThings, badge: number): Answers {
  return {
    read: ({ count }) => readBuiltin(badge, count, random),
    write: ({ offset, data }) => writeBuiltin(badge, offset, data),
    attributes: () => {
      const node = builtinDevices.indexOf(builtinOf(badge));
      return streamAttributes('character', { fileSystem: 0, node }, 0o666, now());
    },
    ...refusals('a device', () => builtinOf(badge)),
  };
}

/** What is the same for every stream. `check` throws SystemError EBADF. */
function refusals(
  what: string,
  check: () => unknown,
): Pick<Answers, 'set_attributes' | 'truncate' | 'sync' | 'read_directory' | 'is_terminal'> {
  const refuse = (code: 'EINVAL' | 'ENOTDIR', why: string): never => {
    check();
    throw new SystemError(code, `${what} ${why}`);
  };
  return {
    set_attributes: () => refuse('EINVAL', 'has no attributes that could be set'),
    truncate: () => refuse('EINVAL', 'has no length'),
    sync: () => refuse('EINVAL', 'is on no medium'),
    read_directory: () => refuse('ENOTDIR', 'has no entries'),
    is_terminal: () => check() === undefined,
  };
}
