/** What a file system has to answer: the same requests on a ramfs in this process, one at a time, that nobody kills. */
import type { Keeper } from '../../../filesystems/block-device.ts';
import { ramfs } from '../../../filesystems/ram/ramfs.ts';
import type { file } from '../../../protocol/file.ts';
import type { filesystem } from '../../../protocol/filesystem.ts';
import { LATER, type Reply, type Request } from '../../../protocol/interface.ts';
import {
  Batch,
  type PathMethodName,
  performFile,
  performPath,
  Volume,
} from '../../../services/lib/filesystem/index.ts';
import type { Handle, RequestContext, SystemError } from '../../../services/lib/index.ts';

type PathInterface = typeof filesystem.methods;
type FileInterface = typeof file.methods;

function memoryKeeper(): Keeper {
  const values = new Map<string, unknown>();
  return {
    get: (key) => values.get(key),
    put: (key, value) => values.set(key, copyOf(value)),
    delete: (key) => values.delete(key),
    keys: () => [...values.keys()],
  };
}

/** A copy of what msgpack can carry and ramfs keeps. */
function copyOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  return Array.isArray(value) ? value.map(copyOf) : value;
}

/** See the head of this file. */
export class Expected {
  private readonly batch = new Batch();
  private readonly volume: Volume;
  private sequence = 0;

  constructor() {
    const core = ramfs({ keeper: memoryKeeper(), now: () => 0, bytes: 2 ** 24, keys: 2 ** 14 });
    const mint = (badge: number): Handle => badge as Handle;
    this.volume = new Volume({
      core,
      path: '/',
      number: 1,
      keeper: memoryKeeper(),
      badgeKind: 1,
      mint,
      release: () => {},
    });
    this.volume.settle();
  }

  /** The answer to a request with paths. Throws SystemError. */
  path<K extends PathMethodName>(name: K, request: Request<PathInterface[K]>): Reply<PathInterface[K]> {
    return this.answer((context) =>
      performPath(this.batch, this.volume, name, request, context, () => {
        throw new Error(`${name} leads out of the file system`);
      }),
    );
  }

  /** The answer to a request on an open file: what `open` answers as its right is the badge. Throws SystemError. */
  file<K extends keyof FileInterface>(
    badge: number,
    name: K,
    request: Request<FileInterface[K]>,
  ): Reply<FileInterface[K]> {
    return this.answer((context) => performFile(this.batch, this.volume, name, request, { ...context, badge }));
  }

  close(badge: number): void {
    if (this.volume.close(badge)) this.batch.touch(this.volume.core);
  }

  private answer<A>(perform: (context: RequestContext) => A | typeof LATER): A {
    let outcome: { value: A } | { error: SystemError } | undefined;
    const value = perform({
      ...{
        sender: 1,
        badge: 0,
        sequence: ++this.sequence,
        retry: false,
        deliveries: 1,
        port: 0 as Handle,
        reply: 0 as Handle,
      },
      later: (keep) => {
        keep({
          reply: (late) => {
            outcome = { value: late as unknown as A };
          },
          fail: (error) => {
            outcome = { error };
          },
        });
        return LATER;
      },
      forward: () => {
        throw new Error('nothing leads out');
      },
    });
    if (value !== LATER) return value as A;
    this.batch.finish();
    if (outcome === undefined) throw new Error('not answered');
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }
}
