/** What commands read and write, whatever is behind it: the terminal, a file, a pipe, a text. */
import { SystemError } from '../lib/index.ts';
import { CommandError, fileReason } from './errors.ts';

/** Bytes that come in. */
export interface Input {
  /** Waits for some bytes; none are the end. Throws CommandError. */
  read(): Uint8Array;
}

/**
 * Bytes that go out. What is written is collected; all methods throw CommandError, or BrokenPipe when nobody will read
 * it.
 */
export interface Output {
  write(bytes: Uint8Array): void;
  print(text: string): void;
  /** Sends what has been collected; returns when it is out. */
  flush(): void;
}

/** Nobody reads what a command writes. It ends in silence, as by SIGPIPE. */
export class BrokenPipe extends Error {}

/** Status of a command that has met a broken pipe: 128 + SIGPIPE. */
export const BROKEN_PIPE_STATUS = 141;

const nothing = new Uint8Array(0);

/** Collects output until there is enough to send. */
export class BufferedOutput implements Output {
  private readonly send: (bytes: Uint8Array) => void;
  private readonly encoder = new TextEncoder();
  private readonly size: number;
  private buffer: Uint8Array = nothing;
  private used = 0;

  /** `send` must not keep the bytes. At most `size` bytes are collected. */
  constructor(send: (bytes: Uint8Array) => void, size: number) {
    this.send = send;
    this.size = size;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > this.size - this.used) this.flush();
    if (bytes.length >= this.size) {
      this.send(bytes);
      return;
    }
    this.buffer = this.buffer === nothing ? new Uint8Array(this.size) : this.buffer;
    this.buffer.set(bytes, this.used);
    this.used += bytes.length;
  }

  print(text: string): void {
    this.buffer = this.buffer === nothing ? new Uint8Array(this.size) : this.buffer;
    for (let rest = text; rest !== ''; ) {
      const { read, written } = this.encoder.encodeInto(rest, this.buffer.subarray(this.used));
      this.used += written;
      rest = rest.slice(read);
      if (rest !== '') this.flush();
    }
  }

  flush(): void {
    if (this.used === 0) return;
    const bytes = this.buffer.subarray(0, this.used);
    this.used = 0;
    this.send(bytes);
  }
}

/** A text to be read. */
export class TextInput implements Input {
  private rest: Uint8Array;

  constructor(text: string) {
    this.rest = new TextEncoder().encode(text);
  }

  read(): Uint8Array {
    const bytes = this.rest;
    this.rest = nothing;
    return bytes;
  }
}

/** Input of which `wait` gets the next bytes. */
export function inputFrom(wait: () => Uint8Array): Input {
  return {
    read: () => {
      try {
        return wait();
      } catch (error) {
        if (error instanceof SystemError) throw new CommandError(`standard input: ${fileReason(error)}`);
        throw error;
      }
    },
  };
}

/** Output that is sent with `send`. */
export function outputTo(send: (bytes: Uint8Array) => void, size: number): Output {
  return new BufferedOutput((bytes) => {
    try {
      send(bytes);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.code === 'EPIPE') throw new BrokenPipe();
      throw new CommandError(`write error: ${fileReason(error)}`);
    }
  }, size);
}
