/**
 * Two of our TCP connections at the ends of a simulated wire that delays, loses, repeats and reorders, in simulated
 * time.
 */

import {
  TcpConnection,
  type TcpEnd,
  type TcpOwner,
  type TcpSettings,
} from '../../../hw/network/user/tcp-connection.ts';
import { FLAG, type TcpSegment } from '../../../wire/tcp.ts';
import type { Random } from '../../support/random.ts';

/** What the wire does to each segment. */
export interface Faults {
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly loss: number;
  readonly duplicates: number;
}

export const NO_FAULTS: Faults = { delayMs: 1, jitterMs: 0, loss: 0, duplicates: 0 };

interface Travelling {
  readonly at: number;
  readonly order: number;
  readonly to: End;
  readonly segment: TcpSegment;
}

/** One end, with a program that sends given bytes and closes, and keeps what it receives. */
export class End implements TcpOwner {
  readonly name: string;
  connection: TcpConnection | null = null;
  readonly chunks: Buffer[] = [];
  /** Bytes that the program reads in one millisecond; what it has not read fills the window. */
  readonly readRate: number;
  unread = 0;
  toSend: Buffer;
  closes = true;
  end: TcpEnd | null = null;
  peerHasClosed = false;
  isEstablished = false;
  sentSegments = 0;
  readonly #wire: TcpPair;

  constructor(name: string, wire: TcpPair, toSend: Buffer, readRate: number) {
    this.name = name;
    this.#wire = wire;
    this.toSend = toSend;
    this.readRate = readRate;
  }

  get receivedBytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  send(segment: TcpSegment): void {
    this.sentSegments++;
    this.#wire.carry(this, segment);
  }

  receiveRoom(): number {
    return Math.max(0, 20_000 - this.unread);
  }

  established(): void {
    this.isEstablished = true;
  }

  received(data: Buffer): void {
    this.chunks.push(data);
    this.unread += data.length;
  }

  peerClosed(): void {
    this.peerHasClosed = true;
  }

  sendSpace(): void {}

  over(reason: TcpEnd): void {
    this.end = reason;
  }

  /** What the program does at a time. */
  run(now: number, elapsed: number): void {
    const read = Math.min(this.unread, Math.floor(this.readRate * elapsed));
    this.unread -= read;
    if (read > 0) this.connection?.windowOpened();
    if (!this.isEstablished || this.connection === null) return;
    const room = 30_000 - this.connection.queued;
    if (room > 0 && this.toSend.length > 0) {
      this.connection.write(this.toSend.subarray(0, room), now);
      this.toSend = this.toSend.subarray(Math.min(room, this.toSend.length));
    }
    if (this.toSend.length === 0 && this.closes) this.connection.close(now);
  }
}

export class TcpPair {
  now = 0;
  readonly client: End;
  readonly server: End;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #travelling: Travelling[] = [];
  #order = 0;
  /** Every segment, for tests that look at them. */
  readonly log: { from: string; segment: TcpSegment }[] = [];

  constructor(random: Random, faults: Faults, clientSends: Buffer, serverSends: Buffer, readRate = Infinity) {
    this.#random = random;
    this.#faults = faults;
    this.client = new End('client', this, clientSends, readRate);
    this.server = new End('server', this, serverSends, readRate);
    const initialSequence = random.pick([0, 0xffff_ff00, random.below(2 ** 32)]);
    this.client.connection = TcpConnection.open({ localPort: 1, peerPort: 2, initialSequence }, this.client, 0);
  }

  carry(from: End, segment: TcpSegment): void {
    this.log.push({ from: from.name, segment });
    const to = from === this.client ? this.server : this.client;
    const copies = this.#random.next() < this.#faults.duplicates ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#random.next() < this.#faults.loss) continue;
      const at = this.now + this.#faults.delayMs + this.#random.below(this.#faults.jitterMs + 1);
      this.#travelling.push({ at, order: this.#order++, to, segment });
    }
  }

  /** Lets time pass until both ends are over, or until `limitMs`. Returns whether they are. */
  run(limitMs: number): boolean {
    const ends = [this.client, this.server];
    while (this.now < limitMs) {
      const next = this.#nextTime();
      const elapsed = next - this.now;
      this.now = next;
      this.#travelling.sort((a, b) => a.at - b.at || a.order - b.order);
      while ((this.#travelling[0]?.at ?? Infinity) <= this.now) this.#arrive(this.#travelling.shift());
      for (const end of ends) {
        end.connection?.advance(this.now);
        end.run(this.now, elapsed);
      }
      if (ends.every((end) => end.end !== null) && this.#travelling.length === 0) return true;
    }
    return false;
  }

  /** A millisecond while programs have something to do, else the next event. */
  #nextTime(): number {
    const busy = [this.client, this.server].some((end) => end.unread > 0 || end.toSend.length > 0);
    const arrivals = this.#travelling.map((each) => each.at);
    const timeouts = [this.client, this.server].map((end) => end.connection?.nextTimeout ?? Infinity);
    return Math.max(this.now + (busy ? 1 : 0.001), busy ? 0 : Math.min(...arrivals, ...timeouts, this.now + 60_000));
  }

  #arrive(travelling: Travelling | undefined): void {
    if (travelling === undefined) return;
    const { to, segment } = travelling;
    if (to.connection === null && (segment.flags & FLAG.SYN) !== 0) {
      const settings: TcpSettings = { localPort: 2, peerPort: 1, initialSequence: this.#random.below(2 ** 32) };
      to.connection = TcpConnection.accept(settings, to, segment, this.now);
      return;
    }
    if (to.end === null) to.connection?.receive(segment, this.now);
    else if ((segment.flags & FLAG.RST) === 0) this.carry(to, answerOfNobody(segment));
  }
}

/**
 * What is answered where there is no connection any more (RFC 9293, 3.10.7.1), to a segment with an acknowledgement.
 */
function answerOfNobody(segment: TcpSegment): TcpSegment {
  return { ...segment, sequence: segment.acknowledgment, flags: FLAG.RST, data: Buffer.alloc(0) };
}
