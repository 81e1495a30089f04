/**
 * TCP: finds the connection of a segment, makes connections and listeners, and runs their timers. Read RFC 9293; docs/tcp.md has the argument about deaths.
 *
 * A turn of the stack: any number of `input`, `write`, `read` ..., then answers are written to the pipe, then `advance` sends what is due. So an acknowledgement leaves behind the answer
 * that handed its bytes out.
 *
 * After a death: `restore`, then `adopt` each connection that a socket is known for, then `listen` again (connections that waited to be accepted are in its queue again), then
 * `settle`, which resets what nobody has asked for.
 */
import type { Ipv4Address } from '../../../wire/address.ts';
import type { TcpConnection, TcpState } from './connection.ts';
import type { Endpoint, TcpEnvironment } from './environment.ts';
import type { TcpListener } from './listener.ts';

export type UnreachableKind = 'net' | 'host' | 'port' | 'protocol' | 'fragmentation';

/** A row of netstat. */
export interface TcpRow {
  readonly id: number;
  readonly state: TcpState | 'listen';
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Bytes; of a listener: connections that wait, and how many may. */
  readonly receiveQueue: number;
  readonly sendQueue: number;
}

export declare class TcpLayer {
  constructor(environment: TcpEnvironment);
  /** A segment for one of our unicast addresses; `segment` is not kept. */
  input(source: Ipv4Address, destination: Ipv4Address, segment: Buffer, now: number): void;
  /** An ICMP error about a segment of ours: its ends as sent, and its sequence number (RFC 5927). `mtu`: next hop's, for 'fragmentation' (0: not said). */
  unreachable(
    kind: UnreachableKind,
    mtu: number,
    local: Endpoint,
    remote: Endpoint,
    sequence: number,
    now: number,
  ): void;
  /** Begins a connection. `local.port` 0: a free one is chosen. Throws SystemError: EADDRINUSE, EADDRNOTAVAIL (no port is left), ENETUNREACH, EAGAIN (too many). */
  connect(local: Endpoint, remote: Endpoint, now: number): TcpConnection;
  /** EADDRINUSE. */
  listen(local: Endpoint, backlog: number): TcpListener;
  /** Whether a socket can bind here: nobody listens or is connected on it. With `reuse` connections do not count, listeners do; without it not even those in TIME-WAIT may be there. */
  isPortFree(local: Endpoint, reuse?: boolean): boolean;
  /** A port that is free on this address by `isPortFree` and by `taken` (RFC 6056), 0: none. */
  ephemeralPort(address: Ipv4Address, taken?: (port: number) => boolean): number;
  restore(now: number): readonly TcpConnection[];
  /** The connection with this id, which has an owner from now on; undefined: it is gone. */
  adopt(id: number): TcpConnection | undefined;
  settle(now: number): void;
  /** An address of ours went away: its connections end with ECONNABORTED, its listeners stay. */
  addressGone(address: Ipv4Address, now: number): void;
  /** Timers, and all output that is due. Bounded work. */
  advance(now: number): void;
  /** When `advance` has to be called: 0 when something is due now, Infinity when nothing is. */
  deadline(): number;
  list(): TcpRow[];
  /** Counters by name: `tcp.segmentsSent` ... */
  readonly counters: Readonly<Record<string, number>>;
}
