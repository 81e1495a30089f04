/** A listening end: connections in the making (SYN queue), and those that wait to be accepted. */
import type { TcpConnection } from './connection.ts';
import type { Endpoint } from './environment.ts';

export declare class TcpListener {
  readonly local: Endpoint;
  /** Connections that may wait, 1 to 128. */
  backlog: number;
  /** Called when a connection has come, or one that waited has gone. */
  changed: (() => void) | null;
  /** Established connections that wait, oldest first. */
  readonly waiting: readonly TcpConnection[];
  /** The one that has waited longest. It has to be kept by id (see TcpLayer.adopt) before the answer to `accept`. */
  accept(): TcpConnection | undefined;
  /** Resets what waits and listens no more. */
  close(now: number): void;
}
