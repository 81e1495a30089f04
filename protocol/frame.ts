/**
 * Frames: the unit on the pipe between the kernel and a task, in both directions.
 *
 *     offset  size  field     from a task to the kernel             from the kernel to a task
 *     0       u32   length    bytes of the body that follows        the same
 *     4       u16   type      number of the system call             RESULT (0x8000)
 *     6       u16   flags     status (errno) in ipc_reply,          errno of the call, 0 = success
 *                             CALL_ASYNCHRONOUS in ipc_call and
 *                             ipc_find_port, FIND_PATIENT in the
 *                             latter, else 0
 *     8       u32   id        chosen by the task; 0 = posted: no    the id of the call that is answered
 *                             result is wanted
 *     12      u32   handle    a capability, or the call's only      a capability, or the call's only
 *                             number (see protocol/syscall.ts)      number
 *
 * All fields are little endian. The body is one msgpack value or empty. Only plain msgpack: no extension types. A task
 * may have several calls under way and gets each result when it is ready; the service library waits for each before it
 * makes the next.
 */
import { HEADER_BYTES, MAX_FRAME_BYTES } from './bounds.ts';
import { readUint32, writeUint16, writeUint32 } from './bytes.ts';

/** Type of every frame from the kernel to a task. */
export const RESULT = 0x8000;

/**
 * Flag of an ipc_call or ipc_find_port: the task goes on and takes the result from its pipe later. Without it the
 * kernel counts the task as waiting until the result is there.
 */
export const CALL_ASYNCHRONOUS = 1;

/**
 * Flag of an ipc_find_port: waits also while the service that has the port has been stopped or given up, for somebody
 * to start it again.
 */
export const FIND_PATIENT = 2;

/** Byte offsets of the header fields. */
export const OFFSET_LENGTH = 0;
export const OFFSET_TYPE = 4;
export const OFFSET_FLAGS = 6;
export const OFFSET_ID = 8;
export const OFFSET_HANDLE = 12;

/** Writes a frame header at `at` (16 bytes). `length` counts the body only. */
export function writeHeader(
  target: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number,
  handle: number,
): void {
  writeUint32(target, length, at);
  writeUint16(target, type, at + OFFSET_TYPE);
  writeUint16(target, flags, at + OFFSET_FLAGS);
  writeUint32(target, id, at + OFFSET_ID);
  writeUint32(target, handle, at + OFFSET_HANDLE);
}

/** A frame without a body. */
export function emptyFrame(type: number, flags: number, id: number, handle: number): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES);
  writeHeader(frame, 0, 0, type, flags, id, handle);
  return frame;
}

/** Memory for frames that come in parts that is kept for the next one. */
const KEPT_BYTES = 256 * 1024;

/**
 * Cuts a byte stream into frames. `feed` calls `onFrame(buffer, start, end)` for each whole frame: `start` is the first
 * byte of the header, `end` the byte after the body; the bytes are valid only during the call. When it answers false,
 * further frames are kept until `goOn`. A length over the bound calls `onOverflow` once; the stream is lost then and
 * everything further is dropped.
 */
export class FrameCutter {
  private readonly onFrame: (buffer: Buffer, start: number, end: number) => unknown;
  private readonly onOverflow: (length: number) => void;
  private partial: Buffer = Buffer.alloc(0);
  private filled = 0;
  private lost = false;
  /** True while whole frames may be kept back, because `onFrame` answered false. */
  stopped = false;

  constructor(onFrame: (buffer: Buffer, start: number, end: number) => unknown, onOverflow: (length: number) => void) {
    this.onFrame = onFrame;
    this.onOverflow = onOverflow;
  }

  /** Bytes of a frame that has not arrived whole. */
  get pending(): number {
    return this.filled;
  }

  /** Drops what is buffered and everything that is still to come. */
  close(): void {
    this.lost = true;
    this.filled = 0;
    this.partial = Buffer.alloc(0);
  }

  /** Takes the bytes `start` to `end` of `source`. */
  feed(source: Buffer, start: number, end: number): void {
    if (this.lost) return;
    let at = start;
    if (this.filled === 0) {
      at = this.cut(source, at, end);
      if (at === end || this.lost) return;
    }
    this.reserve(this.filled + end - at);
    source.copy(this.partial, this.filled, at, end);
    this.filled += end - at;
    if (!this.stopped) this.cutPartial();
  }

  /** Hands on the frames that were kept. */
  goOn(): void {
    this.stopped = false;
    this.cutPartial();
  }

  private cutPartial(): void {
    const used = this.cut(this.partial, 0, this.filled);
    if (this.lost) return;
    if (used > 0) {
      this.partial.copyWithin(0, used, this.filled);
      this.filled -= used;
    }
    if (this.filled === 0 && this.partial.length > KEPT_BYTES) this.partial = Buffer.alloc(0);
  }

  private reserve(bytes: number): void {
    if (bytes <= this.partial.length) return;
    let wanted = bytes;
    if (this.filled >= HEADER_BYTES) wanted = Math.max(wanted, HEADER_BYTES + readUint32(this.partial, 0));
    const grown = Buffer.allocUnsafeSlow(Math.max(4096, wanted));
    this.partial.copy(grown, 0, 0, this.filled);
    this.partial = grown;
  }

  private cut(buffer: Buffer, start: number, end: number): number {
    let at = start;
    while (end - at >= HEADER_BYTES) {
      const length = readUint32(buffer, at);
      if (length > MAX_FRAME_BYTES) {
        this.close();
        this.onOverflow(length);
        return end;
      }
      const next = at + HEADER_BYTES + length;
      if (next > end) break;
      const answer = this.onFrame(buffer, at, next);
      if (this.lost) return end;
      at = next;
      if (answer === false) {
        this.stopped = true;
        break;
      }
    }
    return at;
  }
}
