/** `/proc` as its users see it: the content of a file is made when it is opened. */
import type { filesystem } from '../../protocol/filesystem.ts';
import type { Reply, Request } from '../../protocol/interface.ts';
import { openFlags } from '../../protocol/vfs.ts';
import { type Batch, LeadsOut, performPath, type Volume } from '../lib/filesystem/index.ts';
import type { LATER, RequestContext } from '../lib/index.ts';
import type { MemoryMount } from './mount.ts';
import type { ProcFileSystem } from './proc.ts';

type Open = (typeof filesystem.methods)['open'];
type Opened = Reply<Open>;

const { READ, CREATE, NO_FOLLOW } = openFlags;

/** The mount of the volume of `/proc`. */
export function procMount(volume: Volume, proc: ProcFileSystem, batch: Batch): MemoryMount {
  const open = (
    request: Request<Open>,
    context: RequestContext,
    goOn: (request: Request<Open>) => Opened | typeof LATER,
  ): Opened | typeof LATER => {
    const { place, flags } = request;
    const reads = (flags & READ) !== 0 && (flags & ~(READ | CREATE | NO_FOLLOW)) === 0;
    if (!reads) return performPath(batch, volume, 'open', request, context, goOn);
    const work = {
      change: () => [proc.opened(volume.find(place, (flags & NO_FOLLOW) === 0).node)],
      answer: (result: readonly number[] | null) => volume.open(result?.[0] ?? proc.root, READ, place.path, context),
      opens: true,
    };
    return batch.perform(proc, context, work, (thrown) => {
      if (thrown instanceof LeadsOut) return goOn({ ...request, place: thrown.to });
      throw thrown;
    });
  };
  return { kind: 'memory', path: volume.path, volume, open };
}
