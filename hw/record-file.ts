/**
 * A file of the host to which is written while the machine runs, such as a recording or the log. Nobody ever waits for
 * it: what is to be written waits here, within a bound, and what does not fit is left out and counted.
 *
 * Read: open(2) and fifo(7) for O_NONBLOCK.
 */
import fs from 'node:fs';

const { O_NONBLOCK, O_WRONLY } = fs.constants;

/** Bytes that one call of the host gets, about. */
const WRITE_BYTES = 1 << 20;

/** Time until a pipe whose reader takes nothing is tried again, in milliseconds. */
const RETRY_MS = 20;

/** How long `close` lets what waits be written, in milliseconds. */
const CLOSE_MS = 1000;

const NOTHING = Buffer.alloc(0);

/** See the head of this file. */
export class RecordFile {
  readonly #descriptor: number;
  readonly #mostBytes: number;
  readonly #failed: (reason: string) => void;
  #queue: Buffer[] = [];
  /** Taken from the queue, and not written yet. */
  #unfinished: Buffer = NOTHING;
  #queuedBytes = 0;
  #busy = false;
  #closing = false;
  #closed = false;
  #failure: string | null = null;
  #dropped = 0;
  #whenIdle: (() => void) | null = null;

  /**
   * Opens the file. Throws what the file system throws.
   *
   * @param flags `a`: goes on behind what is there, `w`: empties it
   * @param mostBytes bytes that may wait
   * @param failed called once, when nothing can be written any more
   */
  constructor(path: string, flags: 'a' | 'w', mostBytes: number, failed: (reason: string) => void = () => {}) {
    this.#descriptor = withoutWaiting(fs.openSync(path, flags));
    this.#mostBytes = mostBytes;
    this.#failed = failed;
  }

  /** Why nothing is written any more; null as long as it is. */
  get failure(): string | null {
    return this.#failure;
  }

  /** How many writes have been left out because too much waited. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Writes bytes, later, all of them or none; the buffer is kept. */
  write(bytes: Buffer): void {
    if (this.#failure !== null || this.#closing) return;
    if (this.#queuedBytes + bytes.length > this.#mostBytes) {
      this.#dropped++;
      return;
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (!this.#busy) this.#start();
  }

  /** Ends when everything is written, or that takes too long. May be called twice. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#busy) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, CLOSE_MS);
        this.#whenIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    // A write under way keeps the descriptor until it ends.
    if (!this.#busy) this.#release();
  }

  #start(): void {
    this.#busy = true;
    const bytes = this.#take();
    fs.write(this.#descriptor, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null) {
        this.#queuedBytes -= written;
        this.#unfinished = bytes.subarray(written);
      } else if (error.code !== 'EAGAIN') this.#fail(error.message);
      if (error?.code === 'EAGAIN') setTimeout(() => this.#start(), RETRY_MS);
      else if (this.#queuedBytes > 0) this.#start();
      else this.#rest();
    });
  }

  /** What is written next: what the last call has not taken, else as much as one call should get. */
  #take(): Buffer {
    if (this.#unfinished.length > 0) return this.#unfinished;
    let bytes = 0;
    let count = 0;
    while (bytes < WRITE_BYTES && count < this.#queue.length) bytes += this.#queue[count++]?.length ?? 0;
    this.#unfinished = Buffer.concat(this.#queue.splice(0, count));
    return this.#unfinished;
  }

  #rest(): void {
    this.#busy = false;
    if (this.#closing) this.#release();
    this.#whenIdle?.();
  }

  #fail(reason: string): void {
    this.#failure = reason;
    this.#queue = [];
    this.#unfinished = NOTHING;
    this.#queuedBytes = 0;
    this.#failed(reason);
  }

  #release(): void {
    if (this.#closed) return;
    this.#closed = true;
    fs.closeSync(this.#descriptor);
  }
}

/** The same file, such that a write to it does not wait. A pipe has to be open before, for its opening does wait. */
function withoutWaiting(descriptor: number): number {
  try {
    if (!fs.fstatSync(descriptor).isFIFO()) return descriptor;
    const other = fs.openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK);
    fs.closeSync(descriptor);
    return other;
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
}
