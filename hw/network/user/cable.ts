/** The network `user` at the end of a cable: sockets, timers and forwarded ports around the network itself. */

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import type { Cable, CableStatistics, NetworkPort } from '../cable.ts';
import type { Endpoint, PortForward } from '../options.ts';
import { ReceiveQueue } from '../receive-queue.ts';
import { UserNetwork } from './network.ts';
import { NodeHost } from './node-host.ts';

const DATAGRAM_QUEUE = 256;

interface Listener {
  readonly description: string;
  close(): Promise<void>;
}

export class UserCable implements Cable {
  readonly linked = true;
  readonly #network: UserNetwork;
  readonly #host: NodeHost;
  readonly #listeners: Listener[] = [];
  readonly #queue = new ReceiveQueue();
  #timer: NodeJS.Timeout | null = null;
  #timerAt = Infinity;
  #sent = 0;

  constructor(restricted: boolean) {
    this.#host = new NodeHost(() => this.#armTimer());
    this.#network = new UserNetwork({
      host: this.#host,
      restricted,
      clock: () => performance.now(),
      random32: () => randomBytes(4).readUInt32BE(),
      transmit: (frame) => this.#queue.push(frame),
    });
  }

  /** Opens the forwarded ports too. Rejects when the host does not let us. */
  static async open(forwards: readonly PortForward[], restricted: boolean): Promise<UserCable> {
    const cable = new UserCable(restricted);
    try {
      for (const forward of forwards) cable.#listeners.push(await cable.#listen(forward));
    } catch (error) {
      await cable.close();
      throw error;
    }
    return cable;
  }

  get description(): string {
    return ['user, guest 10.0.2.15', ...this.#listeners.map((listener) => listener.description)].join(', ');
  }

  get statistics(): CableStatistics {
    return { sent: this.#sent, sendDrops: 0, received: this.#queue.received, receiveDrops: this.#queue.drops };
  }

  connect(port: NetworkPort): void {
    this.#queue.connect(port);
  }

  send(frame: Uint8Array): void {
    this.#sent++;
    this.#network.receive(Buffer.from(frame.buffer, frame.byteOffset, frame.length));
    this.#armTimer();
  }

  receiveReady(): void {
    this.#queue.deliver();
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerAt = Infinity;
    this.#network.close();
    this.#queue.clear();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  #armTimer(): void {
    const at = this.#network.nextTimeout;
    if (at === this.#timerAt) return;
    // A timer that comes early finds nothing to do.
    if (at > this.#timerAt) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, Math.ceil(at - performance.now())));
    this.#timer.unref();
  }

  #tick(): void {
    this.#timer = null;
    this.#timerAt = Infinity;
    this.#network.advance();
    this.#armTimer();
  }

  #listen(forward: PortForward): Promise<Listener> {
    return forward.protocol === 'tcp' ? this.#listenTcp(forward) : this.#listenUdp(forward);
  }

  async #listenTcp({ host, guest }: PortForward): Promise<Listener> {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.#network.forwardStream(guest, (handler) => this.#host.takeStream(socket, handler));
      this.#armTimer();
    });
    server.listen(host.port, host.address);
    await once(server, 'listening');
    // Such as no descriptor for one more connection: the next one may have better luck.
    server.on('error', () => {});
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : host.port;
    const close = async (): Promise<void> => {
      const closed = once(server, 'close');
      server.close();
      await closed;
    };
    return { description: describe('tcp', { ...host, port }, guest), close };
  }

  async #listenUdp({ host, guest }: PortForward): Promise<Listener> {
    const socket = createSocket('udp4');
    try {
      socket.bind(host.port, host.address);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.on('error', () => {});
    socket.on('message', (data, sender) => {
      // From port 0: it wants no answer (RFC 768), and none can be sent.
      if (sender.port === 0) return;
      const answer = (bytes: Buffer): void => {
        if (socket.getSendQueueCount() < DATAGRAM_QUEUE) {
          socket.send(Buffer.from(bytes), sender.port, sender.address, () => {});
        }
      };
      this.#network.forwardDatagram(guest, { address: sender.address, port: sender.port }, data, answer);
      this.#armTimer();
    });
    const close = async (): Promise<void> => {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    };
    return { description: describe('udp', { ...host, port: socket.address().port }, guest), close };
  }
}

function describe(protocol: string, host: Endpoint, guest: Endpoint): string {
  return `${protocol} ${host.address}:${host.port} to ${guest.address}:${guest.port}`;
}
