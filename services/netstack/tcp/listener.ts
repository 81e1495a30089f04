/**
 * A listening end: connections in the making (SYN queue, bounded, the oldest makes room), and established ones that
 * wait to be accepted. layer.ts fills it.
 */
import type { TcpConnection } from './connection.ts';
import type { Endpoint } from './environment.ts';
import { MAX_BACKLOG, MAX_SYN_QUEUE } from './limits.ts';

/** See the head of this file. */
export class TcpListener {
  /** Address 0: all of ours. */
  readonly local: Endpoint;
  /** Called when a connection has come, or one that waited has gone. */
  changed: (() => void) | null = null;
  /** Connections in SYN-RECEIVED, oldest first. */
  private readonly pending = new Set<TcpConnection>();
  private readonly established: TcpConnection[] = [];
  private readonly whenClosed: (listener: TcpListener) => void;
  private most: number;

  constructor(local: Endpoint, backlog: number, whenClosed: (listener: TcpListener) => void) {
    this.local = local;
    this.whenClosed = whenClosed;
    this.most = bounded(backlog);
  }

  /** Connections that may wait, 1 to MAX_BACKLOG. */
  get backlog(): number {
    return this.most;
  }

  set backlog(value: number) {
    this.most = bounded(value);
  }

  /** Established connections that wait, oldest first. */
  get waiting(): readonly TcpConnection[] {
    return this.established;
  }

  /** Connections whose handshake is not over. */
  get half(): number {
    return this.pending.size;
  }

  get isFull(): boolean {
    return this.established.length >= this.most;
  }

  /** The one that has waited longest. It has to be kept by id (see TcpLayer.adopt) before the answer to `accept`. */
  accept(): TcpConnection | undefined {
    const connection = this.established.shift();
    if (connection !== undefined) connection.changed = null;
    return connection;
  }

  /** Takes a connection in SYN-RECEIVED. */
  begun(connection: TcpConnection): void {
    this.pending.add(connection);
    if (this.pending.size <= MAX_SYN_QUEUE) return;
    const [oldest] = this.pending;
    oldest?.drop();
  }

  /** A connection of the SYN queue is established, or one of an earlier incarnation waits here. */
  arrived(connection: TcpConnection): void {
    this.pending.delete(connection);
    this.established.push(connection);
    this.changed?.();
  }

  /** A connection is over. */
  gone(connection: TcpConnection): void {
    this.pending.delete(connection);
    const index = this.established.indexOf(connection);
    // One that has ended in order still has something to be read; one that was reset has not (and the next `accept`
    // should not find it).
    if (index < 0 || connection.error === null) return;
    this.established.splice(index, 1);
    this.changed?.();
  }

  /** Resets what waits and listens no more. */
  close(now: number): void {
    this.whenClosed(this);
    for (const connection of [...this.pending]) connection.drop();
    for (const connection of this.established.splice(0)) connection.close(0, now);
  }
}

function bounded(backlog: number): number {
  return Math.min(Math.max(backlog, 1), MAX_BACKLOG);
}
