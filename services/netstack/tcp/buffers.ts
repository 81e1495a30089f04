/**
 * How large the two buffers of a connection are. They begin with INITIAL_BUFFER_BYTES and double while that is what
 * holds the connection up, as long as all connections together have room for it; an option fixes them.
 */
import { INITIAL_BUFFER_BYTES, LEAST_BUFFER_BYTES, MAX_BUFFER_BYTES } from './limits.ts';

/** Round trip that is assumed before one was measured, in milliseconds. */
const UNKNOWN_ROUND_TRIP_MS = 50;

/** Takes bytes from what all connections have together, or (negative) gives them back. */
export type Growth = (bytes: number) => boolean;

const bounded = (bytes: number): number => Math.min(Math.max(bytes, LEAST_BUFFER_BYTES), MAX_BUFFER_BYTES);

/** See the head of this file. */
export class Buffers {
  send = INITIAL_BUFFER_BYTES;
  receive = INITIAL_BUFFER_BYTES;
  private readonly growth: Growth;
  private sendFixed = false;
  private receiveFixed = false;
  /** Bytes read since a time. */
  private consumedBytes = 0;
  private consumedSince = 0;

  constructor(growth: Growth) {
    this.growth = growth;
  }

  /** Bytes taken from what all have together. */
  private static extra(bytes: number): number {
    return Math.max(0, bytes - INITIAL_BUFFER_BYTES);
  }

  private resized(from: number, to: number): number {
    const size = bounded(to);
    return this.growth(Buffers.extra(size) - Buffers.extra(from)) ? size : from;
  }

  fixSend(bytes: number): void {
    this.sendFixed = true;
    this.send = this.resized(this.send, bytes);
  }

  fixReceive(bytes: number): void {
    this.receiveFixed = true;
    this.receive = this.resized(this.receive, bytes);
  }

  /** The sizes that an earlier incarnation had. */
  resume(send: number, receive: number): void {
    this.send = this.resized(this.send, send);
    this.receive = this.resized(this.receive, receive);
  }

  /** Something was acknowledged: twice the congestion window should fit, so that the owner has time to write more. */
  acknowledged(congestionWindow: number): void {
    if (this.sendFixed || congestionWindow * 2 <= this.send || this.send >= MAX_BUFFER_BYTES) return;
    this.send = this.resized(this.send, 2 * this.send);
  }

  /** The owner has read so much. A reader that takes half of the buffer within a round trip could take more. */
  consumed(bytes: number, roundTrip: number, now: number): void {
    if (this.receiveFixed || this.receive >= MAX_BUFFER_BYTES) return;
    this.consumedBytes += bytes;
    if (now - this.consumedSince < (roundTrip || UNKNOWN_ROUND_TRIP_MS)) return;
    if (2 * this.consumedBytes >= this.receive) this.receive = this.resized(this.receive, 2 * this.receive);
    this.consumedBytes = 0;
    this.consumedSince = now;
  }

  /** Nothing more is sent: gives that share back. */
  releaseSend(): void {
    this.send = this.resized(this.send, Math.min(this.send, INITIAL_BUFFER_BYTES));
  }

  /** There is nothing left to read: gives that share back. */
  releaseReceive(): void {
    this.receive = this.resized(this.receive, Math.min(this.receive, INITIAL_BUFFER_BYTES));
  }
}
