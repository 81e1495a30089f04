/**
 * One UDP socket.
 *
 * Read: RFC 768; RFC 1122, 4.1; protocol/socket.ts.
 */
import { SystemError } from '../../../protocol/errno.ts';
import { UNSPECIFIED } from '../../../wire/address.ts';
import { PROTOCOL } from '../../../wire/ipv4.ts';
import { UDP_DATA_LIMIT, UDP_HEADER_BYTES, writeUdpHeader } from '../../../wire/udp.ts';
import { type Datagram, DatagramOptions, DatagramQueue } from '../datagrams.ts';
import type { Endpoint } from '../environment.ts';
import type { IpLayer } from '../ip/layer.ts';
import { HEADROOM_BYTES, packetBuffer } from '../ip/packet.ts';

const ANY: Endpoint = { address: UNSPECIFIED, port: 0 };

/** Made by `UdpTable.bind`. */
export class UdpSocket {
  readonly options: DatagramOptions = new DatagramOptions();
  readonly queue: DatagramQueue;
  readonly #layer: IpLayer;
  readonly #close: (socket: UdpSocket) => void;
  /** The end it was bound to. */
  readonly #bound: Endpoint;
  #local: Endpoint;
  #remote: Endpoint = ANY;

  /** @param close takes it out of the table */
  constructor(layer: IpLayer, local: Endpoint, changed: () => void, close: (socket: UdpSocket) => void) {
    this.#layer = layer;
    this.#bound = local;
    this.#local = local;
    this.#close = close;
    this.queue = new DatagramQueue(this.options, changed);
  }

  get local(): Endpoint {
    return this.#local;
  }

  /** The peer of `connect`; 0.0.0.0 and port 0 when there is none. */
  get remote(): Endpoint {
    return this.#remote;
  }

  /**
   * Only datagrams of this end are wanted from now on, and what is sent without a destination goes there; address 0: of
   * all again. ENETUNREACH, EACCES, EOPNOTSUPP.
   */
  connect(remote: Endpoint): void {
    if (remote.address === UNSPECIFIED) {
      this.#remote = ANY;
      this.#local = this.#bound;
      return;
    }
    if (remote.port === 0) throw new SystemError('EINVAL', 'port 0 is nobody');
    const source = this.#layer.sourceTowards(remote.address, this.options.broadcast);
    this.#remote = remote;
    if (this.#bound.address === UNSPECIFIED) this.#local = { address: source, port: this.#bound.port };
  }

  /**
   * Sends a datagram; null: to the peer of `connect`. EDESTADDRREQ, EMSGSIZE, ENETUNREACH, EHOSTUNREACH, EACCES:
   * broadcast; EOPNOTSUPP: multicast; and a pending error, such as ECONNREFUSED.
   */
  send(to: Endpoint | null, data: Uint8Array, now: number): void {
    this.queue.throwPending();
    const { address, port } = to ?? this.#remote;
    if (address === UNSPECIFIED) throw new SystemError('EDESTADDRREQ');
    if (port === 0) throw new SystemError('EINVAL', 'port 0 is nobody');
    if (data.length > UDP_DATA_LIMIT) throw new SystemError('EMSGSIZE');
    const { timeToLive, typeOfService, dontFragment, broadcast } = this.options;
    const towards = this.#layer.sourceTowards(address, broadcast);
    const source = this.#local.address === UNSPECIFIED ? towards : this.#local.address;
    const payloadBytes = UDP_HEADER_BYTES + data.length;
    const buffer = packetBuffer(payloadBytes);
    buffer.set(data, HEADROOM_BYTES + UDP_HEADER_BYTES);
    const datagram = buffer.subarray(HEADROOM_BYTES, HEADROOM_BYTES + payloadBytes);
    writeUdpHeader(datagram, source, this.#local.port, address, port);
    const error = this.#layer.send(
      {
        source,
        destination: address,
        protocol: PROTOCOL.UDP,
        timeToLive,
        typeOfService,
        dontFragment,
        buffer,
        payloadBytes,
      },
      now,
    );
    if (error !== null) throw new SystemError(error);
  }

  /** The oldest datagram that has come, or undefined. */
  receive(): Datagram | undefined {
    return this.queue.take();
  }

  /** How well this socket fits a datagram: 0 not at all, else the more of its ends are fixed the better. */
  match(source: Endpoint, destination: Endpoint): number {
    const local = this.#local.address;
    if (local !== UNSPECIFIED && local !== destination.address) return 0;
    const remote = this.#remote;
    if (remote.port !== 0 && (remote.port !== source.port || remote.address !== source.address)) return 0;
    return 1 + (local === UNSPECIFIED ? 0 : 1) + (remote.port === 0 ? 0 : 2);
  }

  close(): void {
    this.queue.clear();
    this.#close(this);
  }
}
