/**
 * What UDP and raw sockets share: their options, and the bounded queue of what has come.
 */
import { type ErrorName, SystemError } from '../../protocol/errno.ts';
import type { Endpoint } from './environment.ts';

/** Datagrams that wait in one socket at most, besides the bound in bytes. */
const QUEUE_DATAGRAMS = 256;

/** What a datagram takes in the queue besides its data. */
const DATAGRAM_OVERHEAD_BYTES = 128;

const DEFAULT_RECEIVE_BUFFER_BYTES = 212_992;
const LEAST_RECEIVE_BUFFER_BYTES = 2048;
const MOST_RECEIVE_BUFFER_BYTES = 1024 * 1024;
const DEFAULT_TIME_TO_LIVE = 64;

/** A datagram that has come. */
export interface Datagram {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly timeToLive: number;
  readonly data: Buffer;
}

/** Options of a datagram socket (protocol/socket.ts). */
export class DatagramOptions {
  timeToLive = DEFAULT_TIME_TO_LIVE;
  typeOfService = 0;
  dontFragment = false;
  broadcast = false;
  #receiveBuffer = DEFAULT_RECEIVE_BUFFER_BYTES;

  /**
   * Bytes that may wait, each datagram with what it takes besides; what is out of range becomes the nearest value in
   * it.
   */
  get receiveBuffer(): number {
    return this.#receiveBuffer;
  }

  set receiveBuffer(bytes: number) {
    this.#receiveBuffer = Math.min(Math.max(bytes, LEAST_RECEIVE_BUFFER_BYTES), MOST_RECEIVE_BUFFER_BYTES);
  }
}

/** What has come for a socket, oldest first, and the error that the next call is to be told. */
export class DatagramQueue {
  /** Datagrams that found no room. */
  drops = 0;
  readonly #options: DatagramOptions;
  readonly #changed: () => void;
  #datagrams: Datagram[] = [];
  #bytes = 0;
  #error: ErrorName | null = null;

  /**
   * @param changed called when there is something new: a datagram or an error; not from within a call of the socket's
   * owner
   */
  constructor(options: DatagramOptions, changed: () => void) {
    this.#options = options;
    this.#changed = changed;
  }

  /** Bytes of data that wait. */
  get bytes(): number {
    return this.#bytes - this.#datagrams.length * DATAGRAM_OVERHEAD_BYTES;
  }

  get length(): number {
    return this.#datagrams.length;
  }

  /** An error that has come and nobody has been told. */
  get error(): ErrorName | null {
    return this.#error;
  }

  /** Takes a datagram, whose data is copied, or drops it when there is no room. Returns whether there was. */
  add(datagram: Datagram): boolean {
    const bytes = datagram.data.length + DATAGRAM_OVERHEAD_BYTES;
    // As elsewhere, one datagram of any size is taken by an empty queue.
    const full = this.#datagrams.length > 0 && this.#bytes + bytes > this.#options.receiveBuffer;
    if (full || this.#datagrams.length >= QUEUE_DATAGRAMS) {
      this.drops++;
      return false;
    }
    this.#bytes += bytes;
    this.#datagrams.push({ ...datagram, data: Buffer.from(datagram.data) });
    this.#changed();
    return true;
  }

  take(): Datagram | undefined {
    const datagram = this.#datagrams.shift();
    if (datagram !== undefined) this.#bytes -= datagram.data.length + DATAGRAM_OVERHEAD_BYTES;
    return datagram;
  }

  fail(error: ErrorName): void {
    this.#error = error;
    this.#changed();
  }

  /** The pending error, which is cleared. */
  takeError(): ErrorName | null {
    const error = this.#error;
    this.#error = null;
    return error;
  }

  /** Throws the pending error, if there is one, and clears it. */
  throwPending(): void {
    const error = this.takeError();
    if (error !== null) throw new SystemError(error);
  }

  clear(): void {
    this.#datagrams = [];
    this.#bytes = 0;
  }
}
