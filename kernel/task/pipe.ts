/**
 * The kernel's end of a task's pipe. Reading is event driven into one buffer per pipe; frames are handed on in place.
 * Writing goes straight to the descriptor; when the pipe is full the rest waits in the socket's queue, and then
 * everything that follows waits behind it.
 *
 * Each direction has a socket of its own. With one for both, a task that waits for its answer would be woken each time
 * that the kernel takes what it has sent: Linux wakes whoever blocks in read(2) at a socket when it has room again for
 * what is written there, since only who waits in poll(2) says what for.
 *
 * A task can slow down itself, and nobody else: what it sends is handled in short turns, between which the other tasks
 * have theirs; and while it does not take its answers, nothing more is read from it.
 */
import fs from 'node:fs';
import net from 'node:net';
import { copyBytes } from '../../protocol/bytes.ts';
import { FrameCutter } from '../../protocol/frame.ts';
import { bufferPool } from '../mm/buffer-pool.ts';

/** Bytes read at once. */
const READ_BYTES = 256 * 1024;

/** Unread answers at which the kernel stops reading from the task, in bytes. */
const QUEUE_BYTES = 2 * 1024 * 1024;

/**
 * Unread answers at which the task is given up, in bytes: many large ones may be under way when the kernel stops
 * reading.
 */
const UNREAD_BYTES = 64 * 1024 * 1024;

/** After how long the other tasks have their turn, in milliseconds. */
const TURN_MILLISECONDS = 1;

/** Room for what goes out soon, at first. */
const SOON_BYTES = 4096;

const NOTHING = Buffer.alloc(0);

/** The engine looks a function of a module with many up at every call. */
const { writeSync } = fs;

/** What Node keeps behind a pipe's socket; its descriptor is not part of the public interface. */
interface PipeHandle {
  readonly fd: number;
}

/** What the pipe tells its owner. */
export interface PipeEvents {
  /** A whole frame; the bytes are valid during the call only. */
  frame(buffer: Buffer, start: number, end: number): void;
  /** The task has done what nobody may do with a pipe, as words that follow its name: nothing can be read any more. */
  abused(how: string): void;
  /** The other end is closed. */
  closed(): void;
}

/** One pipe. */
export class TaskPipe {
  readonly cutter: FrameCutter;
  private readonly input: net.Socket;
  private readonly output: net.Socket;
  private readonly descriptor: number;
  private readonly events: PipeEvents;
  private open = true;
  private held = false;
  private turnEnd = 0;
  /** What goes out with the next answer, or at the end of this turn of the kernel: so many bytes of `soon`. */
  private soonBytes = 0;
  private soon: Buffer = NOTHING;
  /** Times the kernel stopped reading because the task did not take its answers. */
  heldCount = 0;
  bytesRead = 0;
  bytesWritten = 0;

  /** Takes over the parent's ends of what child_process has made. */
  constructor(fromTask: net.Socket, toTask: net.Socket, events: PipeEvents) {
    this.events = events;
    this.cutter = new FrameCutter(
      (buffer, start, end) => {
        events.frame(buffer, start, end);
        return !this.held && performance.now() < this.turnEnd;
      },
      (length) => events.abused(`sent a frame of ${length} bytes, which is over the bound`),
    );
    const sink = handleOf(toTask);
    this.descriptor = sink.fd;
    this.output = new net.Socket({ handle: sink } as unknown as net.SocketConstructorOpts);
    const options = {
      handle: handleOf(fromTask),
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (count: number, buffer: Uint8Array): boolean => {
          this.bytesRead += count;
          this.turnEnd = performance.now() + TURN_MILLISECONDS;
          this.cutter.feed(buffer as Buffer, 0, count);
          this.endTurn();
          return true;
        },
      },
    };
    this.input = new net.Socket(options as unknown as net.SocketConstructorOpts);
    const close = (): void => {
      if (!this.open) return;
      this.open = false;
      events.closed();
    };
    // What the task has sent before it ended is still to be read: the end is that of the input.
    for (const event of ['error', 'end', 'close']) this.input.on(event, close);
    this.output.on('error', () => {});
    this.output.on('drain', () => this.release());
    this.output.on('data', () =>
      events.abused('wrote to descriptor 3, which is for reading: frames go to descriptor 4'),
    );
    this.input.resume();
  }

  /** Answers waiting to be taken, in bytes. */
  get queuedBytes(): number {
    return this.output.writableLength;
  }

  /**
   * Like `write`, for what the task does not wait for: it is woken once by this and by the answer that follows, which
   * costs more than all the rest.
   */
  writeSoon(buffer: Buffer, start: number, end: number): void {
    this.flush();
    this.append(buffer, start, end);
    queueMicrotask(() => this.flush());
  }

  /** Writes the bytes `start` to `end`; they may be reused as soon as this returns. */
  write(buffer: Buffer, start: number, end: number): void {
    if (this.soonBytes === 0) this.send(buffer, start, end);
    else {
      this.append(buffer, start, end);
      this.flush();
    }
  }

  private append(buffer: Buffer, start: number, end: number): void {
    const total = this.soonBytes + end - start;
    if (total > this.soon.length) {
      const longer = bufferPool.take(Math.max(total, SOON_BYTES));
      this.soon.copy(longer, 0, 0, this.soonBytes);
      bufferPool.give(this.soon);
      this.soon = longer;
    }
    this.soonBytes += copyBytes(buffer, this.soon, this.soonBytes, start, end);
  }

  private flush(): void {
    const bytes = this.soonBytes;
    if (bytes === 0) return;
    const { soon } = this;
    this.soonBytes = 0;
    this.soon = NOTHING;
    this.send(soon, 0, bytes);
    bufferPool.give(soon);
  }

  private send(buffer: Buffer, start: number, end: number): void {
    if (!this.open) return;
    this.bytesWritten += end - start;
    let at = start;
    if (this.output.writableLength === 0) {
      try {
        while (at < end) at += writeSync(this.descriptor, buffer, at, end - at);
        return;
      } catch (error) {
        // EAGAIN: the pipe is full. Any other error shows as the end of the stream, which is handled there.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      }
    }
    this.output.write(Buffer.from(buffer.subarray(at, end)));
    const unread = this.output.writableLength;
    if (unread > QUEUE_BYTES && !this.held) {
      this.held = true;
      this.heldCount++;
      this.input.pause();
    }
    if (unread > UNREAD_BYTES)
      this.events.abused(`does not read its answers: ${Math.floor(unread / 1048576)} MiB wait`);
  }

  /** Closes the kernel's end. */
  destroy(): void {
    this.open = false;
    this.cutter.close();
    this.input.destroy();
    this.output.destroy();
  }

  private release(): void {
    if (!this.held) return;
    this.held = false;
    this.turn();
  }

  /** Handles frames that were kept, then reads on. */
  private turn(): void {
    if (!this.open || this.held) return;
    this.turnEnd = performance.now() + TURN_MILLISECONDS;
    this.cutter.goOn();
    if (!this.cutter.stopped && !this.held) this.input.resume();
    this.endTurn();
  }

  /** Frames are left: they have their turn after the others'. */
  private endTurn(): void {
    if (!this.cutter.stopped || this.held) return;
    this.input.pause();
    setImmediate(() => this.turn());
  }
}

/** Takes the handle out of a socket, which is of no more use then. */
function handleOf(parentEnd: net.Socket): PipeHandle {
  const owner = parentEnd as unknown as { _handle: PipeHandle | null };
  const handle = owner._handle;
  if (handle === null) throw new Error('the pipe is closed');
  owner._handle = null;
  return handle;
}
