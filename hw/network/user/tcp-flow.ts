/**
 * One TCP connection through the network: a connection of ours to the guest and one of the host's, tied together. What
 * comes from one goes to the other, no faster than it is taken; an end, an error, a reset of one becomes the other's.
 */

import type { TcpSegment } from '../../../wire/tcp.ts';
import type { HostStream, HostStreamHandler } from './host.ts';
import type { TcpConnection, TcpEnd, TcpOwner } from './tcp-connection.ts';

/** Bytes for the host that it has not taken: this is the window the guest sees. */
const TO_HOST_LIMIT = 65_535;
/**
 * Bytes for the guest that it has not acknowledged: above the one the host is not read, below the other it is again.
 */
const TO_GUEST_HIGH = 64 * 1024;
const TO_GUEST_LOW = 32 * 1024;

/** What a flow needs of its surroundings. */
export interface TcpFlowContext {
  clock(): number;
  send(segment: TcpSegment): void;
  /** The connection's deadlines may have changed. */
  touched(): void;
  /** The guest's side is over: its segments are no longer this flow's. */
  guestEnded(): void;
  /** Both sides are over. The last call. */
  ended(): void;
  /** The host could not connect. Without a connection to the guest, only the caller can tell it. */
  refused(code: string): void;
}

export class TcpFlow implements TcpOwner, HostStreamHandler {
  readonly #context: TcpFlowContext;
  #stream: HostStream | null = null;
  #connection: TcpConnection | null = null;
  /** Makes the connection to the guest, once the host is connected. */
  #accept: ((owner: TcpOwner) => TcpConnection) | null = null;
  #paused = false;
  /** The guest cannot take data yet. */
  #opening = true;
  #hostOver = false;
  #guestOver = false;
  /** When something last happened. */
  active: number;

  constructor(context: TcpFlowContext) {
    this.#context = context;
    this.active = context.clock();
  }

  /** A flow that the guest opens. @param accept makes the connection that answers the guest's SYN */
  fromGuest(connect: (handler: HostStreamHandler) => HostStream, accept: (owner: TcpOwner) => TcpConnection): void {
    this.#accept = accept;
    this.#stream = connect(this);
  }

  /** A flow that a host opens. @param open makes the connection that sends a SYN to the guest */
  fromHost(take: (handler: HostStreamHandler) => HostStream, open: (owner: TcpOwner) => TcpConnection): void {
    this.#stream = take(this);
    this.#stream.pause();
    this.#paused = true;
    this.#connection = open(this);
    this.#context.touched();
  }

  /** Undefined while the host is still connecting. */
  get connection(): TcpConnection | null {
    return this.#connection;
  }

  /** Only the host's side is left, with what it has not taken yet. */
  get lingering(): boolean {
    return this.#guestOver;
  }

  get nextTimeout(): number {
    return this.#connection?.nextTimeout ?? Infinity;
  }

  receive(segment: TcpSegment): void {
    this.active = this.#context.clock();
    this.#connection?.receive(segment, this.active);
    this.#context.touched();
  }

  advance(now: number): void {
    this.#connection?.advance(now);
  }

  /** Ends both sides at once. */
  abort(): void {
    this.#connection?.abort();
    this.#endHost();
    this.#endGuest();
  }

  // ── from the host ──────────────────────────────────────────────────────────────────────────────────────────────────

  connected(): void {
    if (this.#accept === null) return;
    // What the host sends before the guest has acknowledged waits in the host's socket.
    this.#pause();
    this.#connection = this.#accept(this);
    this.#accept = null;
    this.#context.touched();
  }

  data(bytes: Buffer): void {
    const connection = this.#connection;
    if (connection === null || this.#guestOver) return;
    this.active = this.#context.clock();
    connection.write(bytes, this.active);
    if (connection.queued >= TO_GUEST_HIGH) this.#pause();
    this.#context.touched();
  }

  drained(): void {
    this.#connection?.windowOpened();
    this.#context.touched();
  }

  ended(): void {
    this.#connection?.close(this.#context.clock());
    this.#context.touched();
  }

  closed(): void {
    this.#hostOver = true;
    this.#endIfOver();
  }

  failed(code: string): void {
    this.#hostOver = true;
    if (this.#connection === null) this.#context.refused(code);
    else this.#connection.abort();
    this.#endGuest();
  }

  // ── from the guest ─────────────────────────────────────────────────────────────────────────────────────────────────

  send(segment: TcpSegment): void {
    this.#context.send(segment);
  }

  receiveRoom(): number {
    return Math.max(0, TO_HOST_LIMIT - (this.#stream?.pending ?? 0));
  }

  established(): void {
    this.#opening = false;
    this.#resume();
  }

  received(data: Buffer): void {
    if (!this.#hostOver) this.#stream?.write(data);
  }

  peerClosed(): void {
    if (!this.#hostOver) this.#stream?.end();
  }

  sendSpace(): void {
    if ((this.#connection?.queued ?? 0) <= TO_GUEST_LOW) this.#resume();
  }

  over(reason: TcpEnd): void {
    if (reason !== 'closed') this.#endHost();
    this.#endGuest();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#stream?.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#opening || this.#hostOver) return;
    this.#paused = false;
    this.#stream?.resume();
  }

  #endHost(): void {
    if (this.#hostOver) return;
    this.#hostOver = true;
    this.#stream?.destroy();
  }

  #endGuest(): void {
    if (!this.#guestOver) {
      this.#guestOver = true;
      this.#context.guestEnded();
    }
    this.#endIfOver();
  }

  #endIfOver(): void {
    if (this.#guestOver && this.#hostOver) this.#context.ended();
  }
}
