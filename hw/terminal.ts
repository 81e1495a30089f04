/**
 * The host's terminal as what is plugged into the serial port.
 *
 * Read: Node.js documentation, "TTY" and "Stream". Input is kept raw, so that every key reaches the guest; the mode the
 * terminal had comes back with `close`. Both directions have back-pressure: the input stream is paused while the UART
 * has no room, and the UART holds its byte while the output stream is full. A stream that ends or breaks is a change of
 * the modem inputs, never an error of the machine.
 */

import type { SerialLine, SerialPort } from './serial-line.ts';

/** How much of what the user has typed waits here for the UART, in bytes; the rest stays in the stream. */
export const INPUT_LIMIT_BYTES = 65_536;

/** How much output is collected within one turn of the event loop, in bytes, before it is written. */
const BATCH_BYTES = 4096;

/** Where input comes from: `process.stdin`, or any stream. */
export interface TerminalInput {
  /** True for a terminal. */
  readonly isTTY?: boolean | undefined;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  off(event: 'end' | 'close', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Puts back what has been delivered and not been used. */
  unshift(chunk: Buffer): void;
}

/** Where output goes: `process.stdout`, or any stream. */
export interface TerminalOutput {
  /** True for a terminal; only then has it a size. */
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** False when the caller should wait for `drain`; `done` is called when the chunk is out, or never will be. */
  write(chunk: Buffer, done: () => void): boolean;
  on(event: 'drain' | 'close' | 'resize', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'drain' | 'close' | 'resize', listener: () => void): unknown;
}

/**
 * A stream of this process that never keeps it waiting. Node writes to a terminal until all of it is out, so one that
 * nobody reads would stop everything (Node.js documentation, "A note on process I/O"); only the handle can take that
 * back. Other streams stay as they are.
 */
export function neverWaiting<S extends object>(stream: S): S {
  const { _handle: handle } = stream as { _handle?: { setBlocking?(on: boolean): unknown } | null };
  handle?.setBlocking?.(false);
  return stream;
}

/** A terminal on a pair of streams. */
export class HostTerminal implements SerialLine {
  readonly #input: TerminalInput;
  readonly #output: TerminalOutput;
  #port: SerialPort | null = null;
  #raw = false;
  #closed = false;
  /** What the UART has not taken yet. */
  #waiting: Buffer = Buffer.alloc(0);
  #paused = false;
  #deliveryPlanned = false;
  #inputEnded = false;
  #batch = Buffer.allocUnsafe(BATCH_BYTES);
  #batchLength = 0;
  #flushPlanned = false;
  #outputFull = false;
  #outputLost = false;
  #failure: string | null = null;
  /** Chunks that have been written and are not out. */
  #unfinished = 0;
  #whenOut: (() => void) | null = null;
  readonly #resizeListeners: ((columns: number, rows: number) => void)[] = [];

  constructor(streams: { input: TerminalInput; output: TerminalOutput }) {
    this.#input = streams.input;
    this.#output = streams.output;
  }

  /** Whether a user sits there: both directions are a terminal. */
  get isTerminal(): boolean {
    return this.#input.isTTY === true && this.#output.isTTY === true;
  }

  /** Begins to read keys, in raw mode where the input is a terminal. */
  connect(port: SerialPort): void {
    this.#port = port;
    this.#setRaw(true);
    const { onData, onInputEnd, onDrain, onOutputError, onOutputLost, onResize } = this.#listeners;
    // These stay after `close`: an error that nobody listens to ends the process.
    this.#input.on('error', onInputEnd);
    this.#output.on('error', onOutputError);
    this.#output.on('close', onOutputLost);
    this.#output.on('drain', onDrain);
    this.#output.on('resize', onResize);
    this.#input.on('end', onInputEnd);
    this.#input.on('close', onInputEnd);
    this.#input.on('data', onData);
  }

  readonly #listeners = {
    onData: (chunk: Buffer): void => this.#takeInput(chunk),
    onInputEnd: (): void => {
      this.#inputEnded = true;
      this.#deliver();
    },
    onDrain: (): void => {
      this.#outputFull = false;
      this.#port?.transmitReady();
    },
    onOutputLost: (): void => this.#loseOutput(),
    onOutputError: (error: NodeJS.ErrnoException): void => {
      // EPIPE, EIO: the reader, or the terminal, has gone.
      if (error.code !== 'EPIPE' && error.code !== 'EIO') this.#failure ??= error.message;
      this.#loseOutput();
    },
    onResize: (): void => {
      const { columns, rows } = this.size;
      for (const listener of this.#resizeListeners) listener(columns, rows);
    },
  };

  /** Why what was written is not all out; null when it is, or when nobody wanted to read it. */
  get failure(): string | null {
    return this.#failure;
  }

  /**
   * The size of the window; 0 by 0 when nobody sits there. A terminal that does not know its size counts as 80 by 24.
   */
  get size(): { columns: number; rows: number } {
    if (!this.isTerminal) return { columns: 0, rows: 0 };
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 };
  }

  /** Calls `listener` whenever the window has changed its size. */
  onResize(listener: (columns: number, rows: number) => void): void {
    this.#resizeListeners.push(listener);
  }

  transmit(byte: number): boolean {
    if (this.#outputLost || this.#closed) return true; // into the void
    if (this.#batchLength === BATCH_BYTES) this.#flush();
    if (this.#outputFull) return false;
    this.#batch[this.#batchLength++] = byte;
    if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      queueMicrotask(() => {
        this.#flushPlanned = false;
        this.#flush();
      });
    }
    return true;
  }

  receiveReady(): void {
    // Once for all the bytes that are being read in this turn.
    if (this.#deliveryPlanned) return;
    this.#deliveryPlanned = true;
    queueMicrotask(() => {
      this.#deliveryPlanned = false;
      this.#deliver();
    });
  }

  /** Writes a text of the host's own, in order with what the guest writes, whether there is room or not. */
  print(text: string): void {
    this.#flush();
    this.#write(Buffer.from(text));
  }

  /**
   * Gives the terminal back: its mode as it was, nothing read any more. Ends when what was written is out, or nobody
   * reads it any more. May be called twice.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#release();
    if (this.#unfinished === 0 || this.#outputLost) return;
    await new Promise<void>((resolve) => {
      this.#whenOut = resolve;
    });
  }

  #release(): void {
    this.restore();
    const { onData, onInputEnd, onDrain, onResize } = this.#listeners;
    this.#input.off('data', onData);
    this.#input.off('end', onInputEnd);
    this.#input.off('close', onInputEnd);
    this.#output.off('drain', onDrain);
    this.#output.off('resize', onResize);
    this.#input.pause();
  }

  /** Only puts the terminal's mode back: for the exit handlers of a process, where nothing else is possible. */
  restore(): void {
    this.#setRaw(false);
  }

  #setRaw(raw: boolean): void {
    if (this.#input.isTTY !== true || this.#raw === raw) return;
    this.#raw = raw;
    try {
      this.#input.setRawMode?.(raw);
    } catch {
      // The terminal has gone: there is no mode left to set.
    }
  }

  #takeInput(chunk: Buffer): void {
    const room = INPUT_LIMIT_BYTES - this.#waiting.length;
    if (chunk.length > room) {
      this.#pause();
      this.#input.unshift(chunk.subarray(room));
    }
    const taken = chunk.subarray(0, room);
    this.#waiting = this.#waiting.length === 0 ? taken : Buffer.concat([this.#waiting, taken]);
    this.#deliver();
  }

  /** Offers the UART what waits, and pauses or resumes the stream by what is left. */
  #deliver(): void {
    const port = this.#port;
    if (port === null || this.#closed) return;
    if (this.#waiting.length > 0) {
      const taken = port.receive(this.#waiting);
      this.#waiting = this.#waiting.subarray(taken);
    }
    if (this.#waiting.length > 0) {
      this.#pause();
    } else if (this.#inputEnded) {
      port.setCarrier(false, !this.#outputLost);
    } else if (this.#paused) {
      this.#paused = false;
      this.#input.resume();
    }
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#input.pause();
  }

  #flush(): void {
    if (this.#batchLength === 0) return;
    const chunk = Buffer.from(this.#batch.subarray(0, this.#batchLength));
    this.#batchLength = 0;
    this.#write(chunk);
  }

  #write(chunk: Buffer): void {
    if (this.#outputLost || this.#closed) return;
    this.#unfinished++;
    try {
      this.#outputFull = !this.#output.write(chunk, () => {
        this.#unfinished--;
        if (this.#unfinished === 0) this.#whenOut?.();
      });
    } catch {
      this.#loseOutput();
    }
  }

  /** Nobody reads any more. The UART must not wait for room that never comes. */
  #loseOutput(): void {
    if (this.#outputLost) return;
    this.#outputLost = true;
    this.#outputFull = false;
    this.#whenOut?.();
    queueMicrotask(() => {
      this.#port?.setCarrier(false);
      this.#port?.transmitReady();
    });
  }
}
