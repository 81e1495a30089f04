/**
 * What the network needs of the host: its sockets, its name servers. Given from outside, so that everything else here
 * is tested without any.
 *
 * Handlers are never called from within the call that opens or uses a socket, but later.
 */

import type { Endpoint } from '../options.ts';

/** A TCP connection of the host. */
export interface HostStream {
  /** Sends bytes. It takes all of them; `pending` says how many the host has not taken yet. */
  write(bytes: Buffer): void;
  readonly pending: number;
  /** No more bytes will be sent; what is pending still is. */
  end(): void;
  /** Stops the delivery of data, and goes on with it. */
  pause(): void;
  resume(): void;
  /** Ends it at once with a reset. No handler is called any more. */
  destroy(): void;
}

export interface HostStreamHandler {
  connected(): void;
  data(bytes: Buffer): void;
  /** Pending bytes have been taken. */
  drained(): void;
  /** The other end will send no more. */
  ended(): void;
  /** Both directions have ended in order. The last call. */
  closed(): void;
  /** The connection could not be made, or has broken. The last call. @param code such as ECONNREFUSED */
  failed(code: string): void;
}

/** A UDP socket of the host that speaks with one other end. */
export interface HostDatagrams {
  /** Sends a datagram, or drops it when too many wait. */
  send(data: Buffer): void;
  close(): void;
}

export interface HostDatagramsHandler {
  data(data: Buffer): void;
  /** The other end does not exist, or cannot be reached. @param code such as ECONNREFUSED */
  failed(code: string): void;
}

/** The host. */
export interface Host {
  connectStream(to: Endpoint, handler: HostStreamHandler): HostStream;
  connectDatagrams(to: Endpoint, handler: HostDatagramsHandler): HostDatagrams;
  /** Addresses of the host's name servers, as it has them now; none where it has none. */
  nameServers(): readonly string[];
}
