/**
 * The interface `file` on the terminal: `/dev/tty`. A stream: bytes come and go in order, and offsets say nothing.
 */
import type { Handlers } from '../../protocol/interface.ts';
import { type Deferred, type file, type LATER, type RequestContext, SystemError } from '../lib/index.ts';
import type { TerminalDriver } from './driver.ts';

/** Handlers on the terminal. `now`: milliseconds since 1970. */
export function fileHandlers(driver: TerminalDriver, now: () => number): Handlers<typeof file.methods, RequestContext> {
  return {
    read: ({ count }, context) =>
      count === 0 ? new Uint8Array(0) : driver.read({ maxBytes: count, toReturn: false, watchesSize: false }, context),
    write: ({ offset, data }, context) => driver.write(data, answering(context, (offset ?? 0) + data.length)),
    attributes: () => {
      const times = { accessed: now(), modified: now(), changed: now(), created: 0 };
      const sizes = { links: 1, size: 0, allocated: 0 };
      return { fileSystem: 0, node: 0, type: 'character', mode: 0o666, ...sizes, ...times };
    },
    set_attributes: () => refuse('EROFS', 'has no attributes that could be set'),
    truncate: () => refuse('EINVAL', 'has no length'),
    // A write returns when its bytes are on their way out.
    sync: () => undefined,
    read_directory: () => refuse('ENOTDIR', 'is no directory'),
    is_terminal: () => driver.isTerminal,
  };
}

function refuse(code: 'EROFS' | 'EINVAL' | 'ENOTDIR', why: string): never {
  throw new SystemError(code, `a terminal ${why}`);
}

/** The context of a request that is answered with a value when it is done. */
function answering(context: RequestContext, value: number): RequestContext {
  const later = <A>(keep: (deferred: Deferred<A>) => void): typeof LATER =>
    context.later<number>(({ reply, fail }) => keep({ reply: () => reply(value), fail }));
  return { ...context, later };
}
