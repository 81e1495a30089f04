/**
 * Sockets as programs use them: `Network` makes them through a right to the network stack, a `Socket` is one of them.
 * Every call can throw SystemError; the errors of each are in protocol/socket.ts and protocol/network.ts. What has to
 * wait for several things at once uses an asynchronous client of the interface `socket` on `Socket.right`.
 */
import { FOREVER } from '../../protocol/bounds.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { Client, Reply } from '../../protocol/interface.ts';
import { network } from '../../protocol/network.ts';
import type { Handle, Infer } from '../../protocol/schema.ts';
import {
  type endpoint,
  MAX_PACKET_PAYLOAD_BYTES,
  MAX_STREAM_BYTES,
  socket,
  type socketOption,
} from '../../protocol/socket.ts';
import { client } from './client.ts';
import { ipcFindPort, ipcRelease } from './ipc.ts';

/** An IPv4 address (a number, network order) and a port. */
export type Endpoint = Infer<typeof endpoint>;
export type SocketOption = Infer<typeof socketOption>;
/** A datagram that has come. */
export type Datagram = Reply<typeof socket.methods.receive_from>;

/** A socket. It closes with `close`, or with its holder. */
export class Socket {
  readonly right: Handle;
  /** Positions in the two streams: of the next byte to be sent, and to be received. */
  sendOffset = 0;
  receiveOffset = 0;
  private closed = false;
  private readonly server: Client<typeof socket.methods>;

  constructor(right: Handle) {
    this.right = right;
    this.server = client(socket, right);
  }

  bind(local: Endpoint): void {
    this.server.bind(local);
  }

  /** `backlog`: connections that may wait, at most 128. */
  listen(backlog = 128): void {
    this.server.listen(backlog);
  }

  /** Waits for a connection, at most `timeout` milliseconds. */
  accept(timeout = FOREVER): { connection: Socket; local: Endpoint; remote: Endpoint } {
    const { connection, local, remote } = this.server.accept({ timeout });
    return { connection: new Socket(connection), local, remote };
  }

  /** Connects, in at most `timeout` milliseconds. */
  connect(remote: Endpoint, timeout = FOREVER): void {
    this.server.connect({ remote, timeout });
  }

  /** Sends all of `data`, waiting at most `timeout` milliseconds for room each time. */
  send(data: Uint8Array, timeout = FOREVER): void {
    for (let at = 0; at < data.length; ) {
      const offset = this.server.send({
        offset: this.sendOffset,
        data: data.subarray(at, at + MAX_STREAM_BYTES),
        timeout,
      });
      at += offset - this.sendOffset;
      this.sendOffset = offset;
    }
  }

  /** Up to `most` bytes of the stream, as soon as there are some; none is its end. */
  receive(most = MAX_STREAM_BYTES, timeout = FOREVER): Uint8Array {
    const data = this.server.receive({ offset: this.receiveOffset, most: Math.min(most, MAX_STREAM_BYTES), timeout });
    this.receiveOffset += data.length;
    return data;
  }

  /** The pieces of the stream up to its end. */
  *pieces(): Generator<Uint8Array> {
    for (let piece = this.receive(); piece.length > 0; piece = this.receive()) yield piece;
  }

  /** Sends a datagram; without `to`, to the peer of `connect`. */
  sendTo(data: Uint8Array, to: Endpoint | null = null): void {
    this.server.send_to({ to, data });
  }

  receiveFrom(timeout = FOREVER, most = MAX_PACKET_PAYLOAD_BYTES): Datagram {
    return this.server.receive_from({ most, timeout });
  }

  shutdown(how: 'receive' | 'send' | 'both'): void {
    this.server.shutdown(how);
  }

  setOption(option: SocketOption, value: number): void {
    this.server.set_option({ option, value });
  }

  getOption(option: SocketOption): number {
    return this.server.get_option(option);
  }

  names(): Reply<typeof socket.methods.names> {
    return this.server.names();
  }

  /** Waits until one of the events (`pollEvents`) holds; answers those that do. */
  poll(events: number, timeout = FOREVER): number {
    const { receiveOffset, sendOffset } = this;
    return this.server.poll({ events, receiveOffset, sendOffset, timeout });
  }

  /** Gives the right up, once. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    ipcRelease(this.right);
  }
}

/** Protocol number of ICMP, for raw sockets. */
export const ICMP_PROTOCOL = 1;

/** The network, seen by a program. */
export class Network {
  /** What concerns the stack as a whole: interfaces, routes, names, counters. */
  readonly stack: Client<typeof network.methods>;

  constructor(port: Handle) {
    this.stack = client(network, port);
  }

  /**
   * Waits up to `wait` milliseconds for the network stack. ENOENT: none runs; EPERM: the manifest does not let this
   * program look it up.
   */
  static find(wait = 0): Network {
    return new Network(ipcFindPort('netstack', wait));
  }

  stream(): Socket {
    return new Socket(this.stack.socket({ type: 'stream', protocol: 0 }));
  }

  datagram(): Socket {
    return new Socket(this.stack.socket({ type: 'datagram', protocol: 0 }));
  }

  /** Sees the payload of every packet of an IP protocol that comes, and sends such. */
  raw(protocol: number): Socket {
    return new Socket(this.stack.socket({ type: 'raw', protocol }));
  }

  /** Addresses of a host: of its name, or the one that it is already in four numbers. `timeout` in milliseconds. */
  resolve(host: string, timeout = 15000): number[] {
    return literalAddress(host) ?? this.stack.resolve({ name: host, timeout });
  }
}

function literalAddress(text: string): number[] | undefined {
  if (!/^\d+(\.\d+){3}$/.test(text)) return undefined;
  const parts = text.split('.').map(Number);
  if (parts.some((part) => part > 255)) throw new SystemError('EINVAL', `${text} is no IPv4 address`);
  return [parts.reduce((address, part) => address * 256 + part, 0)];
}
