/**
 * What is mounted somewhere: a file system in this process, one in a process of its own, or a place that is not known
 * yet.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { filesystem } from '../../protocol/filesystem.ts';
import type { Reply, Request } from '../../protocol/interface.ts';
import type { Handle } from '../../protocol/schema.ts';
import type { MountRow } from '../../protocol/vfs.ts';
import type { Volume } from '../lib/filesystem/index.ts';
import type { LATER, RequestContext } from '../lib/index.ts';
import type { Mounted } from './mount-table.ts';
import type { Work } from './work.ts';

/** Requests that may wait at a place. */
export const MAX_WAITING = 256;

/** Where requests wait while something is being mounted or unmounted. */
export class Gate {
  closed: boolean;
  private readonly waiting: (() => void)[] = [];

  constructor(closed: boolean) {
    this.closed = closed;
  }

  /** Calls `goOn` when the gate is opened. Throws SystemError EAGAIN. */
  wait(goOn: () => void): void {
    if (this.waiting.length >= MAX_WAITING)
      throw new SystemError('EAGAIN', 'too many requests wait for a file system to be mounted');
    this.waiting.push(goOn);
  }

  open(): void {
    this.closed = false;
    for (const goOn of this.waiting.splice(0)) goOn();
  }
}

type Open = (typeof filesystem.methods)['open'];

/** A file system in this process. */
export interface MemoryMount extends Mounted {
  readonly kind: 'memory';
  readonly volume: Volume;
  /**
   * Opens its files, where that is more than to enter them as open. `goOn` gets the request when the path leads out.
   */
  open?(
    request: Request<Open>,
    context: RequestContext,
    goOn: (request: Request<Open>) => Reply<Open> | typeof LATER,
  ): Reply<Open> | typeof LATER;
  /** What has to be found out before a path in it is looked up; null: nothing. */
  prepare?(inner: string): Work<void> | null;
}

/** A file system in a process of its own. */
export interface DiskMount extends Mounted {
  readonly kind: 'disk';
  readonly device: string;
  /** Name of the service and of its port. */
  readonly service: string;
  /** What its service said of it last. */
  row: MountRow;
  /** Right to its port; null: it is not known at the moment. */
  right: Handle | null;
  /** Closed while it is being mounted or unmounted. */
  readonly gate: Gate;
}

/** A place of which is to be found out what is mounted there. */
export interface HeldPlace extends Mounted {
  readonly kind: 'held';
  readonly gate: Gate;
}

export type Mount = MemoryMount | DiskMount | HeldPlace;

/** What `mounts` says of a mount; null for a place that is only held. */
export function rowOf(mount: Mount): MountRow | null {
  if (mount.kind === 'held') return null;
  if (mount.kind === 'disk') return mount.row;
  const { type, readOnly } = mount.volume.core.information();
  return { path: mount.path, device: '', type, readOnly, state: '', service: 'vfs' };
}
