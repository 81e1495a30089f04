/** Carries out the methods of the interfaces `filesystem`, `vfs` and `file` on volumes, by way of a batch. */
import { file } from '../../../protocol/file.ts';
import type { filesystem } from '../../../protocol/filesystem.ts';
import type { Handlers, LATER, Reply, Request } from '../../../protocol/interface.ts';
import type { RequestContext } from '../index.ts';
import type { Batch, Caller } from './batch.ts';
import { fileMethods } from './file-methods.ts';
import { mapPlaces, type PathMethodName, type PathRequest, pathMethodNames, pathMethods } from './path-methods.ts';
import { LeadsOut, type Volume } from './volume.ts';

type PathInterface = typeof filesystem.methods;
type FileInterface = typeof file.methods;

/**
 * Carries out a method with paths, which begin at the root of the volume. If one leads out, `goOn` gets the request
 * with absolute paths instead; that can be later, when the batch is answered. Throws SystemError.
 */
export function performPath<K extends PathMethodName>(
  batch: Batch,
  volume: Volume,
  name: K,
  request: Request<PathInterface[K]>,
  caller: Caller,
  goOn: (request: Request<PathInterface[K]>) => Reply<PathInterface[K]> | typeof LATER,
): Reply<PathInterface[K]> | typeof LATER {
  const work = pathMethods[name](volume, request, caller);
  return batch.perform(volume.core, caller, work, (thrown) => {
    if (!(thrown instanceof LeadsOut)) throw thrown;
    const { from, to } = thrown;
    const absolute = mapPlaces(request as PathRequest, (place) =>
      place === from ? to : { path: volume.absolute(place.path), links: place.links },
    );
    return goOn(absolute as Request<PathInterface[K]>);
  });
}

/** Carries out a method on an open file of the volume: that of the badge. Throws SystemError. */
export function performFile<K extends keyof FileInterface>(
  batch: Batch,
  volume: Volume,
  name: K,
  request: Request<FileInterface[K]>,
  context: RequestContext,
): Reply<FileInterface[K]> | typeof LATER {
  return batch.perform(volume.core, context, fileMethods[name](volume, request, context.badge));
}

/** Handlers of all methods with paths, which differ in nothing but their names. */
export function pathHandlers(
  handle: <K extends PathMethodName>(
    name: K,
    request: Request<PathInterface[K]>,
    context: RequestContext,
  ) => Reply<PathInterface[K]> | typeof LATER,
): Pick<Handlers<PathInterface, RequestContext>, PathMethodName> {
  return table(pathMethodNames, (name) => (request: never, context: RequestContext) => handle(name, request, context));
}

/** The same for the interface `file`. */
export function fileHandlers(
  handle: <K extends keyof FileInterface>(
    name: K,
    request: Request<FileInterface[K]>,
    context: RequestContext,
  ) => Reply<FileInterface[K]> | typeof LATER,
): Handlers<FileInterface, RequestContext> {
  const names = Object.keys(file.methods) as (keyof FileInterface)[];
  return table(names, (name) => (request: never, context: RequestContext) => handle(name, request, context));
}

function table<N extends string, T>(names: readonly N[], make: (name: N) => unknown): T {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as T;
}
