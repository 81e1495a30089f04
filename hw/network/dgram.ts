/**
 * A cable of UDP datagrams: each carries one Ethernet frame, as with QEMU's `-netdev dgram`. Two machines whose ends
 * point at each other are on one cable.
 */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Cable, CableStatistics, NetworkPort } from './cable.ts';
import type { Endpoint } from './options.ts';
import { ReceiveQueue } from './receive-queue.ts';

/** Datagrams that the host has not taken yet. */
const QUEUE_LIMIT = 256;

export class DatagramCable implements Cable {
  readonly linked = true;
  readonly description: string;
  readonly #socket: Socket;
  readonly #remote: Endpoint;
  readonly #queue = new ReceiveQueue();
  #sent = 0;
  #sendDrops = 0;

  private constructor(socket: Socket, remote: Endpoint) {
    const local = socket.address();
    this.description = `dgram, ${local.address}:${local.port} to ${remote.address}:${remote.port}`;
    this.#socket = socket;
    this.#remote = remote;
    socket.on('message', (frame, sender) => this.#deliver(frame, sender));
    socket.on('error', () => {});
  }

  /** Binds the local end. Rejects when the host does not let us. */
  static async open(local: Endpoint, remote: Endpoint): Promise<DatagramCable> {
    // Addresses need no looking up, which would put off each frame. The socket is not connected: one that is reports of
    // an other end that is not there yet, and drops the next datagram over it.
    const lookup = (
      address: string,
      _options: unknown,
      found: (error: null, address: string, family: number) => void,
    ) => found(null, address, 4);
    const socket = createSocket({ type: 'udp4', lookup: lookup as never });
    try {
      const listening = once(socket, 'listening');
      socket.bind(local.port, local.address);
      await listening;
    } catch (error) {
      socket.close();
      throw error;
    }
    return new DatagramCable(socket, remote);
  }

  get statistics(): CableStatistics {
    return {
      sent: this.#sent,
      sendDrops: this.#sendDrops,
      received: this.#queue.received,
      receiveDrops: this.#queue.drops,
    };
  }

  connect(port: NetworkPort): void {
    this.#queue.connect(port);
  }

  send(frame: Uint8Array): void {
    this.#sent++;
    if (this.#socket.getSendQueueCount() >= QUEUE_LIMIT) {
      this.#sendDrops++;
      return;
    }
    this.#socket.send(Buffer.from(frame), this.#remote.port, this.#remote.address, (error) => {
      if (error) this.#sendDrops++;
    });
  }

  receiveReady(): void {
    this.#queue.deliver();
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }

  /** From the other end only. */
  #deliver(frame: Buffer, sender: RemoteInfo): void {
    if (sender.port !== this.#remote.port || sender.address !== this.#remote.address) return;
    this.#queue.push(frame);
  }
}
