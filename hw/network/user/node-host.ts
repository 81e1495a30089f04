/** The host's sockets and name servers, as Node.js has them. */

import { createSocket } from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import type { Endpoint } from '../options.ts';
import { ByteQueue } from './byte-queue.ts';
import type { Host, HostDatagrams, HostDatagramsHandler, HostStream, HostStreamHandler } from './host.ts';

const RESOLVER_CONFIGURATION = '/etc/resolv.conf';
const RESOLVER_CONFIGURATION_LIMIT = 64 * 1024;
/** The configuration is read anew after this time. */
const RESOLVER_LIFETIME_MS = 5000;
/** Datagrams that wait for their socket to be connected, or for the host to take them. */
const DATAGRAM_QUEUE = 64;

export class NodeHost implements Host {
  readonly #after: () => void;
  #servers: readonly string[] = [];
  #serversRead = Number.NEGATIVE_INFINITY;

  /** @param after called when a socket has called its handler */
  constructor(after: () => void) {
    this.#after = after;
  }

  connectStream(to: Endpoint, handler: HostStreamHandler): HostStream {
    const socket = net.connect({ host: to.address, port: to.port, allowHalfOpen: true });
    return new NodeStream(socket, handler, this.#after);
  }

  /** Ties a connection that came to one of our ports to its handler. */
  takeStream(socket: net.Socket, handler: HostStreamHandler): HostStream {
    return new NodeStream(socket, handler, this.#after);
  }

  connectDatagrams(to: Endpoint, handler: HostDatagramsHandler): HostDatagrams {
    return new NodeDatagrams(to, handler, this.#after);
  }

  nameServers(): readonly string[] {
    const now = performance.now();
    if (now - this.#serversRead > RESOLVER_LIFETIME_MS) {
      this.#serversRead = now;
      this.#servers = readNameServers();
    }
    return this.#servers;
  }
}

/**
 * A connection of the host. What goes to it waits here in one buffer while the socket has not taken what came before: a
 * socket keeps an entry for each of its writes, which takes far more than a small one has bytes.
 */
export class NodeStream implements HostStream {
  readonly #socket: net.Socket;
  #handler: HostStreamHandler | null;
  readonly #waiting = new ByteQueue();
  /** The socket has a write that it has not finished. */
  #busy = false;
  /** The end is to be sent behind what waits. */
  #ending = false;

  constructor(socket: net.Socket, handler: HostStreamHandler, after: () => void) {
    this.#socket = socket;
    this.#handler = handler;
    const tell = (event: (handler: HostStreamHandler) => void): void => {
      if (this.#handler === null) return;
      event(this.#handler);
      after();
    };
    // Whoever sends has decided already what goes together.
    socket.setNoDelay(true);
    socket.on('connect', () => tell((each) => each.connected()));
    socket.on('data', (bytes) => tell((each) => each.data(bytes)));
    socket.on('end', () => tell((each) => each.ended()));
    socket.on('error', (error) => {
      tell((each) => each.failed(codeOf(error)));
      this.#handler = null;
    });
    socket.on('close', () => tell((each) => each.closed()));
    this.#drained = () => tell((each) => each.drained());
  }

  readonly #drained: () => void;

  get pending(): number {
    return this.#socket.writableLength + this.#waiting.length;
  }

  write(bytes: Buffer): void {
    if (this.#busy) this.#waiting.push(bytes);
    else this.#send(bytes);
  }

  end(): void {
    this.#ending = true;
    if (!this.#busy) this.#socket.end();
  }

  #send(bytes: Buffer): void {
    this.#busy = true;
    this.#socket.write(bytes, (error) => {
      this.#busy = false;
      // The socket tells by itself of its error.
      if (error != null) return;
      const next = this.#waiting.copy(0, this.#waiting.length);
      this.#waiting.drop(next.length);
      if (next.length > 0) this.#send(next);
      else if (this.#ending) this.#socket.end();
      this.#drained();
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#handler = null;
    if (this.#socket.connecting) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
}

class NodeDatagrams implements HostDatagrams {
  readonly #socket;
  /** Until it is connected. */
  #waiting: Buffer[] | null = [];
  #closed = false;

  constructor(to: Endpoint, handler: HostDatagramsHandler, after: () => void) {
    const socket = createSocket(net.isIPv6(to.address) ? 'udp6' : 'udp4');
    this.#socket = socket;
    const tell = (event: () => void): void => {
      if (this.#closed) return;
      event();
      after();
    };
    socket.on('message', (data) => tell(() => handler.data(data)));
    socket.on('error', (error) => tell(() => handler.failed(codeOf(error))));
    socket.on('connect', () => {
      const waiting = this.#waiting ?? [];
      this.#waiting = null;
      for (const data of waiting) this.send(data);
    });
    socket.connect(to.port, to.address);
  }

  send(data: Buffer): void {
    if (this.#closed) return;
    if (this.#waiting !== null) {
      if (this.#waiting.length < DATAGRAM_QUEUE) this.#waiting.push(data);
    } else if (this.#socket.getSendQueueCount() < DATAGRAM_QUEUE) {
      // What the host cannot send is lost, as on any network; what it says about it comes as an error of the socket.
      this.#socket.send(data, () => {});
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}

function codeOf(error: Error & { readonly code?: unknown }): string {
  return typeof error.code === 'string' ? error.code : 'EIO';
}

/** The addresses after `nameserver` (resolv.conf(5)); none when there is no such file. */
function readNameServers(): readonly string[] {
  let text: string;
  try {
    text = fs.readFileSync(RESOLVER_CONFIGURATION, 'latin1').slice(0, RESOLVER_CONFIGURATION_LIMIT);
  } catch {
    return [];
  }
  const words = [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map((match) => match[1] ?? '');
  return words.filter((word) => net.isIP(word) !== 0);
}
