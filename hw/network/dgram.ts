/**
 * A cable of UDP datagrams: each carries one Ethernet frame, as with QEMU's `-netdev dgram`. Two machines whose ends point
 * at each other are on one cable.
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Cable, CableStatistics, NetworkPort } from './cable.ts';
import type { Endpoint } from './options.ts';

/** Datagrams that the host has not taken yet. */
const QUEUE_LIMIT = 256;

export class DatagramCable implements Cable {
  readonly linked = true;
  readonly description: string;
  readonly #socket: Socket;
  #port: NetworkPort | null = null;
  readonly #counts = { sent: 0, sendDrops: 0, received: 0, receiveDrops: 0 };

  private constructor(socket: Socket, remote: Endpoint) {
    const local = socket.address();
    this.description = `dgram, ${local.address}:${local.port} to ${remote.address}:${remote.port}`;
    this.#socket = socket;
    socket.on('message', (frame) => this.#deliver(frame));
    // Such as a datagram that came back because nobody is at the other end yet.
    socket.on('error', () => {});
  }

  /** Binds the local end. Rejects when the host does not let us. */
  static async open(local: Endpoint, remote: Endpoint): Promise<DatagramCable> {
    const socket = createSocket('udp4');
    try {
      socket.bind(local.port, local.address);
      await once(socket, 'listening');
      // Connected, it takes datagrams from the other end only.
      socket.connect(remote.port, remote.address);
      await once(socket, 'connect');
    } catch (error) {
      socket.close();
      throw error;
    }
    return new DatagramCable(socket, remote);
  }

  get statistics(): CableStatistics {
    return { ...this.#counts };
  }

  connect(port: NetworkPort): void {
    this.#port = port;
  }

  send(frame: Uint8Array): void {
    this.#counts.sent++;
    if (this.#socket.getSendQueueCount() >= QUEUE_LIMIT) {
      this.#counts.sendDrops++;
      return;
    }
    this.#socket.send(Buffer.from(frame), (error) => {
      if (error) this.#counts.sendDrops++;
    });
  }

  receiveReady(): void {}

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }

  /** A wire does not wait: what the card has no room for, it loses. */
  #deliver(frame: Buffer): void {
    this.#counts.received++;
    if (this.#port === null) this.#counts.receiveDrops++;
    else this.#port.receive(frame);
  }
}
