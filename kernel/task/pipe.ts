/**
 * The kernel's end of a task's pipe. Reading is event driven into one buffer per pipe; frames are handed on in place. Writing goes straight to the
 * descriptor; when the pipe is full the rest waits in the socket's queue, and then everything that follows waits behind it. A task whose queue is too
 * long is not read from until it has taken its answers: it can slow down itself, and nobody else.
 */
import fs from 'node:fs';
import net from 'node:net';
import { FrameCutter } from '../../protocol/frame.ts';

/** Bytes read at once. */
const READ_BYTES = 256 * 1024;

/** Unread answers at which the kernel stops reading from the task, in bytes. */
const QUEUE_BYTES = 2 * 1024 * 1024;

/** What Node keeps behind a pipe's socket; its descriptor is not part of the public interface. */
interface PipeHandle {
  readonly fd: number;
}

/** What the pipe tells its owner. */
export interface PipeEvents {
  /** A whole frame; the bytes are valid during the call only. */
  frame(buffer: Buffer, start: number, end: number): void;
  /** A frame over the bound: the stream is lost. */
  overflow(length: number): void;
  /** The other end is closed. */
  closed(): void;
}

/** One pipe. */
export class TaskPipe {
  readonly cutter: FrameCutter;
  private readonly socket: net.Socket;
  private readonly descriptor: number;
  private open = true;
  private held = false;
  /** Times the kernel stopped reading because the task did not take its answers. */
  heldCount = 0;
  bytesRead = 0;
  bytesWritten = 0;

  /** Takes over the parent's end of a pipe made by child_process. */
  constructor(parentEnd: net.Socket, events: PipeEvents) {
    this.cutter = new FrameCutter(
      (buffer, start, end) => events.frame(buffer, start, end),
      (length) => events.overflow(length),
    );
    const owner = parentEnd as unknown as { _handle: PipeHandle | null };
    const handle = owner._handle;
    if (handle === null) throw new Error('the pipe is closed');
    owner._handle = null;
    this.descriptor = handle.fd;
    const options = {
      handle,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (count: number, buffer: Uint8Array): boolean => {
          this.bytesRead += count;
          this.cutter.feed(buffer as Buffer, 0, count);
          return !this.held;
        },
      },
    };
    this.socket = new net.Socket(options as unknown as net.SocketConstructorOpts);
    const close = (): void => {
      if (!this.open) return;
      this.open = false;
      events.closed();
    };
    this.socket.on('error', close);
    this.socket.on('end', close);
    this.socket.on('close', close);
    this.socket.on('drain', () => this.release());
    this.socket.resume();
  }

  /** Answers waiting to be taken, in bytes. */
  get queuedBytes(): number {
    return this.socket.writableLength;
  }

  /** Writes the bytes `start` to `end`; they may be reused as soon as this returns. */
  write(buffer: Buffer, start: number, end: number): void {
    if (!this.open) return;
    this.bytesWritten += end - start;
    let at = start;
    if (this.socket.writableLength === 0) {
      try {
        while (at < end) at += fs.writeSync(this.descriptor, buffer, at, end - at);
        return;
      } catch (error) {
        // EAGAIN: the pipe is full. Any other error shows as the end of the stream, which is handled there.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      }
    }
    this.socket.write(Buffer.from(buffer.subarray(at, end)));
    if (this.socket.writableLength > QUEUE_BYTES && !this.held) {
      this.held = true;
      this.heldCount++;
      this.socket.pause();
    }
  }

  /** Closes the kernel's end. */
  destroy(): void {
    this.open = false;
    this.cutter.close();
    this.socket.destroy();
  }

  private release(): void {
    if (!this.held) return;
    this.held = false;
    this.socket.resume();
  }
}
