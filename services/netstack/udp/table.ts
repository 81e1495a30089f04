/**
 * All UDP sockets: who has which port, and for whom a datagram is.
 *
 * Read: RFC 768; RFC 1122, 4.1.3; RFC 6056, 3.3.1 (ports that cannot be guessed).
 */
import { type ErrorName, SystemError } from '../../../protocol/errno.ts';
import { type Ipv4Address, UNSPECIFIED } from '../../../wire/address.ts';
import { parseUdp } from '../../../wire/udp.ts';
import type { Endpoint, UnreachableKind } from '../environment.ts';
import type { IpLayer } from '../ip/layer.ts';
import type { RandomNumbers } from '../random.ts';
import { UdpSocket } from './socket.ts';

/** Sockets that there are at most. */
const SOCKET_LIMIT = 1024;

/** Ports for who does not care (RFC 6335, 6: dynamic ports). */
const FIRST_EPHEMERAL = 49_152;
const EPHEMERAL_COUNT = 65_536 - FIRST_EPHEMERAL;

const errors: Readonly<Record<UnreachableKind, ErrorName>> = {
  net: 'ENETUNREACH',
  host: 'EHOSTUNREACH',
  protocol: 'ECONNREFUSED',
  port: 'ECONNREFUSED',
  fragmentation: 'EMSGSIZE',
};

/** How a socket is to be bound. */
export interface UdpHandlers {
  /** There is something new in `queue`. Called from within the stack's input; it only may take note. */
  changed(): void;
}

/**
 * What came of a datagram: `taken`; `refused`: it is nobody's (an ICMP error is due); `malformed`; `dropped`: no room,
 * or a broadcast that nobody wants.
 */
export type UdpInput = 'taken' | 'refused' | 'malformed' | 'dropped';

/** See the head of this file. */
export class UdpTable {
  readonly counters = { received: 0, malformed: 0, nobody: 0, dropped: 0 };
  readonly #layer: IpLayer;
  readonly #random: RandomNumbers;
  readonly #ports = new Map<number, UdpSocket[]>();
  /** Who may share its end with others. */
  readonly #shared = new WeakSet<UdpSocket>();
  #size = 0;

  constructor(layer: IpLayer, random: RandomNumbers) {
    this.#layer = layer;
    this.#random = random;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * A socket at an end of ours; port 0: one that is free. EADDRINUSE; EADDRNOTAVAIL: the address is not ours, or no
   * port is free; EMFILE.
   *
   * @param share whether others that want so too may have the same end
   */
  bind(local: Endpoint, handlers: UdpHandlers, share = false): UdpSocket {
    const { address } = local;
    if (address !== UNSPECIFIED && !this.#layer.isOwn(address) && !this.#layer.isBroadcast(address)) {
      throw new SystemError('EADDRNOTAVAIL');
    }
    if (this.#size >= SOCKET_LIMIT) throw new SystemError('EMFILE', `${SOCKET_LIMIT} UDP sockets are open`);
    const port = local.port === 0 ? this.#freePort(address) : local.port;
    if (!this.#isFree(address, port, share)) throw new SystemError('EADDRINUSE');
    const socket = new UdpSocket(this.#layer, { address, port }, handlers.changed, (closed) => this.#remove(closed));
    if (share) this.#shared.add(socket);
    const sockets = this.#ports.get(port);
    if (sockets === undefined) this.#ports.set(port, [socket]);
    else sockets.push(socket);
    this.#size++;
    return socket;
  }

  /** Takes a datagram: the payload of a packet to an address of ours, or to all. */
  input(source: Ipv4Address, destination: Ipv4Address, timeToLive: number, payload: Buffer, toAll: boolean): UdpInput {
    const datagram = parseUdp(payload, source, destination);
    if (datagram === null) {
      this.counters.malformed++;
      return 'malformed';
    }
    this.counters.received++;
    const from = { address: source, port: datagram.sourcePort };
    const to = { address: destination, port: datagram.destinationPort };
    const sockets = this.#ports.get(to.port) ?? [];
    const takers = toAll ? sockets.filter((socket) => socket.match(from, to) > 0) : best(sockets, from, to);
    if (takers.length === 0) {
      this.counters.nobody++;
      return toAll ? 'dropped' : 'refused';
    }
    let taken = false;
    for (const socket of takers) {
      if (socket.queue.add({ from, to, timeToLive, data: datagram.data })) taken = true;
      else this.counters.dropped++;
    }
    return taken ? 'taken' : 'dropped';
  }

  /**
   * An error about a datagram of ours. Only who is connected to that end can be told what it is about (RFC 1122,
   * 4.1.3.3).
   */
  unreachable(kind: UnreachableKind, local: Endpoint, remote: Endpoint): void {
    for (const socket of this.#ports.get(local.port) ?? []) {
      const { remote: peer } = socket;
      if (peer.port !== remote.port || peer.address !== remote.address) continue;
      if (socket.local.address === local.address) socket.queue.fail(errors[kind]);
    }
  }

  /** Whether there is a socket that can have sent from one end to the other. */
  maySend(local: Endpoint, remote: Endpoint): boolean {
    return (this.#ports.get(local.port) ?? []).some(({ local: own, remote: peer }) => {
      const ours = own.address === UNSPECIFIED || own.address === local.address;
      return ours && (peer.port === 0 || (peer.port === remote.port && peer.address === remote.address));
    });
  }

  *[Symbol.iterator](): IterableIterator<UdpSocket> {
    for (const sockets of this.#ports.values()) yield* sockets;
  }

  #isFree(address: Ipv4Address, port: number, share: boolean): boolean {
    return (this.#ports.get(port) ?? []).every((other) => {
      const theirs = other.local.address;
      const apart = address !== UNSPECIFIED && theirs !== UNSPECIFIED && address !== theirs;
      return apart || (share && this.#shared.has(other));
    });
  }

  #freePort(address: Ipv4Address): number {
    const start = this.#random.below(EPHEMERAL_COUNT);
    for (let step = 0; step < EPHEMERAL_COUNT; step++) {
      const port = FIRST_EPHEMERAL + ((start + step) % EPHEMERAL_COUNT);
      if (this.#isFree(address, port, false)) return port;
    }
    throw new SystemError('EADDRNOTAVAIL', 'no UDP port is free');
  }

  #remove(socket: UdpSocket): void {
    const { port } = socket.local;
    const sockets = this.#ports.get(port) ?? [];
    const left = sockets.filter((other) => other !== socket);
    if (left.length === sockets.length) return;
    this.#size--;
    if (left.length === 0) this.#ports.delete(port);
    else this.#ports.set(port, left);
  }
}

/** Whose ends fit best; of several the one that was bound last. */
function best(sockets: readonly UdpSocket[], from: Endpoint, to: Endpoint): UdpSocket[] {
  let found: UdpSocket | undefined;
  let most = 1;
  for (const socket of sockets) {
    const match = socket.match(from, to);
    if (match < most) continue;
    most = match;
    found = socket;
  }
  return found === undefined ? [] : [found];
}
