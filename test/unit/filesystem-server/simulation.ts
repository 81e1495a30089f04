/**
 * A file system service without processes: a volume on a core (ramfs if none is given), its batch, and as much of a
 * kernel as they need: a queue of requests that come again after a death, rights with badges, notices, a recovery
 * store. The process can die at every single thing it does.
 */
import type { BlockDevice, Keeper } from '../../../filesystems/block-device.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { ramfs } from '../../../filesystems/ram/ramfs.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { file } from '../../../protocol/file.ts';
import type { filesystem } from '../../../protocol/filesystem.ts';
import { LATER, type Reply, type Request } from '../../../protocol/interface.ts';
import type { Handle } from '../../../protocol/schema.ts';
import {
  Batch,
  type PathMethodName,
  partOf,
  performFile,
  performPath,
  Volume,
} from '../../../services/lib/filesystem/index.ts';
import type { Deferred, RequestContext } from '../../../services/lib/index.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { Death, MemoryKeeper } from '../../support/memory-keeper.ts';

type PathInterface = typeof filesystem.methods;
type FileInterface = typeof file.methods;

/** How a request ended. */
export type Outcome = { readonly value: unknown } | { readonly error: SystemError };

/** A request on its way. */
export interface Pending {
  readonly sender: number;
  readonly sequence: number;
  deliveries: number;
  outcome: Outcome | null;
  carryOut(context: RequestContext): unknown;
}

/** Where the process is to die: after so many effects, and whether the last of them still happens. */
export interface Fate {
  effects: number;
  happens: boolean;
}

/** What a core is mounted with. */
export interface Ground {
  readonly keeper: Keeper;
  /** The same for all incarnations. */
  readonly device: BlockDevice;
}

/** Mounts the file system that is served. */
export type Mount = (ground: Ground) => FileSystem;

const onRamfs: Mount = ({ keeper }) => ramfs({ keeper, now: () => 0, bytes: 2 ** 22, keys: 4096 });

const NEVER: Fate = { effects: Number.POSITIVE_INFINITY, happens: false };

/** See the head of this file. */
export class Simulation {
  readonly store = new MemoryKeeper();
  /** Absolute requests that were handed back. */
  readonly handedBack: [name: string, request: unknown][] = [];
  /** Commits of ramfs that changed something. */
  commits = 0;
  syncs = 0;
  deaths = 0;
  fate: Fate = NEVER;
  /** Decides the fate of each further incarnation. */
  nextFate: () => Fate = () => NEVER;
  batch = new Batch();
  volume: Volume;
  private readonly path: string;
  private readonly mount: Mount;
  private readonly disk: BlockDevice;
  private readonly pending: Pending[] = [];
  /** Requests that this incarnation has received. */
  private received = new Set<Pending>();
  private settled = true;
  private readonly forgotten = new Set<Pending>();
  private sequence = 0;
  /** Holders of rights, by badge. */
  private readonly holders = new Map<number, number>();
  /** Badges of which the last right is gone. */
  private notices: number[] = [];
  /** Rights that the process itself holds. */
  private held = new Map<Handle, number>();
  private nextHandle = 1;

  constructor({
    mount = onRamfs,
    disk = new MemoryDevice(0),
    path = '/mnt/disk',
  }: {
    mount?: Mount;
    disk?: BlockDevice;
    path?: string;
  } = {}) {
    this.path = path;
    this.mount = mount;
    this.disk = disk;
    this.volume = this.start();
    this.volume.settle();
  }

  get core(): FileSystem {
    return this.volume.core;
  }

  /** Rights that exist. */
  get rights(): number {
    return [...this.holders.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Starts an incarnation. */
  protected start(): Volume {
    const keeper = {
      get: (key: string) => this.store.get(key),
      put: (key: string, value: unknown) => {
        if (key === 'core.ramfs.commit') this.commits++;
        this.effect(() => this.store.put(key, value));
      },
      delete: (key: string) => this.effect(() => this.store.delete(key)),
      keys: () => this.store.keys(),
    };
    const { disk } = this;
    const device: BlockDevice = {
      sectors: disk.sectors,
      readOnly: disk.readOnly,
      read: (sector, count) => disk.read(sector, count),
      write: (sector, data) => this.effect(() => disk.write(sector, data)),
      flush: () => this.effect(() => disk.flush()),
    };
    const core = this.mount({ keeper: partOf(keeper, 'core.'), device });
    const sync = core.sync.bind(core);
    core.sync = () => {
      this.syncs++;
      sync();
    };
    this.batch = new Batch();
    this.volume = new Volume({
      ...{ core, path: this.path, number: 7, badgeKind: 9, keeper: partOf(keeper, 'volume.') },
      mint: (badge) => this.effect(() => this.mint(badge)),
      release: (right) => this.effect(() => this.release(right)),
    });
    return this.volume;
  }

  /** Ends the process and starts the next one. */
  restart(): void {
    for (;;) {
      this.deaths++;
      this.fate = NEVER;
      for (const right of [...this.held.keys()]) this.release(right);
      this.received = new Set(this.forgotten);
      this.settled = false;
      this.fate = this.nextFate();
      try {
        this.start();
        return;
      } catch (error) {
        if (!(error instanceof Death)) throw error;
      }
    }
  }

  /** Something the process does to the world. */
  private effect<T>(act: () => T): T {
    this.fate.effects--;
    // One that has died does nothing more, whatever it would have mended.
    const dead = this.fate.effects < -1;
    if (dead || (this.fate.effects < 0 && !this.fate.happens)) throw new Death('before');
    const result = act();
    if (this.fate.effects < 0) throw new Death('after');
    return result;
  }

  private mint(badge: number): Handle {
    this.holders.set(badge, (this.holders.get(badge) ?? 0) + 1);
    this.notices = this.notices.filter((told) => told !== badge);
    const handle = this.nextHandle++ as Handle;
    this.held.set(handle, badge);
    return handle;
  }

  private release(right: Handle): void {
    const badge = this.held.get(right) ?? 0;
    this.held.delete(right);
    this.close(badge);
  }

  /** A holder gives its right up. */
  close(badge: number): void {
    const left = (this.holders.get(badge) ?? 0) - 1;
    if (left > 0) this.holders.set(badge, left);
    else {
      this.holders.delete(badge);
      this.notices.push(badge);
    }
  }

  // Requests

  /** Sends a request with paths; `settle` lets it be answered. */
  sendPath<K extends PathMethodName>(name: K, request: Request<PathInterface[K]>, sender = 1): Pending {
    return this.send(sender, (context) =>
      performPath(this.batch, this.volume, name, request, context, (absolute): Reply<PathInterface[K]> => {
        this.handedBack.push([name, absolute]);
        throw new SystemError('EXDEV', 'handed back');
      }),
    );
  }

  /** Sends a request on an open file. */
  sendFile<K extends keyof FileInterface>(
    badge: number,
    name: K,
    request: Request<FileInterface[K]>,
    sender = 1,
  ): Pending {
    return this.send(sender, (context) => performFile(this.batch, this.volume, name, request, { ...context, badge }));
  }

  private send(sender: number, carryOut: (context: RequestContext) => unknown): Pending {
    const pending = { sender, sequence: ++this.sequence, deliveries: 0, outcome: null, carryOut };
    this.pending.push(pending);
    return pending;
  }

  /** The sender of a request dies, too, when the process does: it does not come again. */
  forget(pending: Pending): void {
    this.forgotten.add(pending);
  }

  /** Answers everything that waits, dying and starting again as `fate` has it. */
  settle(): void {
    for (;;) {
      try {
        this.live();
        this.pending.length = 0;
        return;
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        this.restart();
      }
    }
  }

  /** The loop of a server (services/lib/server.ts), until nothing is left to do. */
  private live(): void {
    for (;;) {
      const [badge] = this.notices;
      const next = this.pending.find((request) => request.outcome === null && !this.received.has(request));
      if (badge !== undefined) this.takeNotice(badge);
      else if (next !== undefined && !this.batch.full) {
        if (next.deliveries === 0) this.settleVolume();
        this.deliver(next);
      } else if (this.batch.pending) this.batch.finish();
      else if (!this.settled) this.settleVolume();
      else return;
    }
  }

  private settleVolume(): void {
    if (this.settled) return;
    this.settled = true;
    this.volume.settle();
  }

  /** A notice counts as handled when the process asks for the next message. */
  private takeNotice(badge: number): void {
    if (this.volume.close(badge)) this.batch.touch(this.volume.core);
    this.notices = this.notices.filter((told) => told !== badge);
  }

  private deliver(pending: Pending): void {
    const retry = pending.deliveries > 0;
    pending.deliveries++;
    this.received.add(pending);
    const answered = (outcome: Outcome): void =>
      this.effect(() => {
        if (pending.outcome !== null) throw new Error('a request was answered twice');
        pending.outcome = outcome;
        if ('value' in outcome) this.take(outcome.value);
      });
    const context: RequestContext = {
      ...{ sender: pending.sender, badge: 0, sequence: pending.sequence, retry, deliveries: pending.deliveries },
      port: 1 as Handle,
      reply: 0 as Handle,
      later: <A>(keep: (deferred: Deferred<A>) => void) => {
        keep({ reply: (value) => answered({ value }), fail: (error) => answered({ error }) });
        return LATER;
      },
      forward: () => {
        throw new Error('handing on is up to the caller');
      },
    };
    try {
      const value = pending.carryOut(context);
      if (value !== LATER) answered({ value });
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      answered({ error });
    }
  }

  /** The client gets the right in an answer; its badge takes the place of the handle. */
  private take(value: unknown): void {
    if (typeof value !== 'object' || value === null || !('file' in value)) return;
    const right = value.file as Handle;
    const badge = this.held.get(right) ?? 0;
    this.held.delete(right);
    value.file = badge;
  }

  // Short forms for one request at a time

  /** The answer to a request with paths. Throws SystemError. */
  onPath<K extends PathMethodName>(name: K, request: Request<PathInterface[K]>): Reply<PathInterface[K]> {
    return this.now(this.sendPath(name, request));
  }

  /** The answer to a request on an open file. Throws SystemError. */
  onFile<K extends keyof FileInterface>(
    badge: number,
    name: K,
    request: Request<FileInterface[K]>,
  ): Reply<FileInterface[K]> {
    return this.now(this.sendFile(badge, name, request));
  }

  private now<A>(pending: Pending): A {
    this.settle();
    return answerOf(pending) as A;
  }
}

/** The value of an answered request. Throws its SystemError. */
export function answerOf({ outcome }: Pending): unknown {
  if (outcome === null) throw new Error('the request was not answered');
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** A place that nobody has followed links to. */
export const at = (path: string): { path: string; links: number } => ({ path, links: 0 });
