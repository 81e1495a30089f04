/**
 * Raw sockets: each sees the payload of every packet of one IP protocol that comes, also of those that the stack itself
 * takes, and sends such packets.
 *
 * Read: protocol/socket.ts. ping and traceroute are made of them.
 */
import { SystemError } from '../../protocol/errno.ts';
import { MAX_PACKET_PAYLOAD_BYTES } from '../../protocol/socket.ts';
import { type Ipv4Address, UNSPECIFIED } from '../../wire/address.ts';
import { PROTOCOL } from '../../wire/ipv4.ts';
import { type Datagram, DatagramOptions, DatagramQueue } from './datagrams.ts';
import type { Endpoint } from './environment.ts';
import type { IpLayer } from './ip/layer.ts';
import { HEADROOM_BYTES, packetBuffer } from './ip/packet.ts';

/** Raw sockets that there are at most. */
const SOCKET_LIMIT = 64;

/** One raw socket. */
export class RawSocket {
  readonly protocol: number;
  readonly options: DatagramOptions = new DatagramOptions();
  readonly queue: DatagramQueue;
  local: Ipv4Address = UNSPECIFIED;
  remote: Ipv4Address = UNSPECIFIED;
  readonly #table: RawTable;

  constructor(table: RawTable, protocol: number, changed: () => void) {
    this.#table = table;
    this.protocol = protocol;
    this.queue = new DatagramQueue(this.options, changed);
  }

  /**
   * Only packets to this address of ours are wanted, and it is the source of what is sent; 0 for any. EADDRNOTAVAIL.
   */
  bind(address: Ipv4Address): void {
    if (address !== UNSPECIFIED && !this.#table.layer.isOwn(address)) throw new SystemError('EADDRNOTAVAIL');
    this.local = address;
  }

  /**
   * Only packets from this address are wanted, and what is sent without a destination goes there; 0 for none.
   * ENETUNREACH.
   */
  connect(address: Ipv4Address): void {
    if (address !== UNSPECIFIED && this.#table.layer.sourceFor(address) === null) throw new SystemError('ENETUNREACH');
    this.remote = address;
  }

  /**
   * Sends the payload of a packet. EDESTADDRREQ, EMSGSIZE, ENETUNREACH, EHOSTUNREACH, EACCES, EOPNOTSUPP: to a group;
   * and a pending error.
   */
  send(to: Endpoint | null, data: Uint8Array, now: number): void {
    this.queue.throwPending();
    const destination = to === null ? this.remote : to.address;
    if (destination === UNSPECIFIED) throw new SystemError('EDESTADDRREQ');
    if (data.length > MAX_PACKET_PAYLOAD_BYTES) throw new SystemError('EMSGSIZE');
    const { layer } = this.#table;
    const source = this.local === UNSPECIFIED ? layer.sourceTowards(destination, this.options.broadcast) : this.local;
    const buffer = packetBuffer(data.length);
    buffer.set(data, HEADROOM_BYTES);
    const { timeToLive, typeOfService, dontFragment } = this.options;
    const { protocol } = this;
    const payloadBytes = data.length;
    const error = layer.send(
      { source, destination, protocol, timeToLive, typeOfService, dontFragment, buffer, payloadBytes },
      now,
    );
    if (error !== null) throw new SystemError(error);
  }

  /** The oldest packet that has come, or undefined. */
  receive(): Datagram | undefined {
    return this.queue.take();
  }

  close(): void {
    this.#table.remove(this);
  }
}

/** All raw sockets. */
export class RawTable {
  readonly layer: IpLayer;
  readonly #sockets = new Set<RawSocket>();

  constructor(layer: IpLayer) {
    this.layer = layer;
  }

  /** A socket for a protocol of IP. EMFILE; EOPNOTSUPP: TCP and UDP have sockets of their own; EINVAL. */
  open(protocol: number, changed: () => void): RawSocket {
    if (!Number.isInteger(protocol) || protocol < 1 || protocol > 255) throw new SystemError('EINVAL');
    if (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) throw new SystemError('EOPNOTSUPP');
    if (this.#sockets.size >= SOCKET_LIMIT) throw new SystemError('EMFILE', `${SOCKET_LIMIT} raw sockets are open`);
    const socket = new RawSocket(this, protocol, changed);
    this.#sockets.add(socket);
    return socket;
  }

  /** Gives a packet that has come to whoever wants it. Returns whether anybody does. */
  input(protocol: number, source: Ipv4Address, destination: Ipv4Address, timeToLive: number, payload: Buffer): boolean {
    let wanted = false;
    for (const socket of this.#sockets) {
      if (socket.protocol !== protocol) continue;
      if (socket.local !== UNSPECIFIED && socket.local !== destination) continue;
      if (socket.remote !== UNSPECIFIED && socket.remote !== source) continue;
      wanted = true;
      socket.queue.add({
        from: { address: source, port: 0 },
        to: { address: destination, port: 0 },
        timeToLive,
        data: payload,
      });
    }
    return wanted;
  }

  /** Whether there is a socket that can have sent a packet of this protocol to that host. */
  maySend(protocol: number, { address }: Endpoint): boolean {
    return [...this.#sockets].some(
      (socket) => socket.protocol === protocol && (socket.remote === UNSPECIFIED || socket.remote === address),
    );
  }

  remove(socket: RawSocket): void {
    this.#sockets.delete(socket);
  }

  [Symbol.iterator](): IterableIterator<RawSocket> {
    return this.#sockets.values();
  }
}
