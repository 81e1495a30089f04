/**
 * Memory for what the kernel has to keep for a while: messages until they are answered, values in the recovery store,
 * answers for tasks that wait for a CPU. It is used again and again: the engine counts all memory of buffers that it
 * hands out, and after each few megabytes looks through its whole heap for some to give back, which takes longer than
 * the copying.
 */
import { copyBytes } from '../../protocol/bytes.ts';

/** Smaller ones the engine cuts out of larger ones by itself. */
const LEAST_BYTES = 4096;

/** Memory that is kept for later. */
const KEPT_BYTES = 8 * 1024 * 1024;

/** Sizes there are: four between a power of two and the next. */
function sizeFor(bytes: number): number {
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 2);
  return Math.ceil(bytes / step) * step;
}

/** See the head of this file. */
export class BufferPool {
  private readonly free = new Map<number, ArrayBuffer[]>();
  /** Bytes of what is kept for later. */
  keptBytes = 0;

  /** A buffer of so many bytes, whose content is left over from whatever was there. */
  take(bytes: number): Buffer {
    if (bytes < LEAST_BYTES) return Buffer.allocUnsafe(bytes);
    const size = sizeFor(bytes);
    const memory = this.free.get(size)?.pop();
    if (memory === undefined) return Buffer.allocUnsafeSlow(size).subarray(0, bytes);
    this.keptBytes -= size;
    return Buffer.from(memory, 0, bytes);
  }

  /** A copy of part of another buffer. */
  copy(source: Buffer, start: number, end: number): Buffer {
    const copy = this.take(end - start);
    copyBytes(source, copy, 0, start, end);
    return copy;
  }

  /** Takes a buffer back that nobody uses any more. */
  give(buffer: Buffer): void {
    const { buffer: memory, byteOffset, length } = buffer;
    if (length < LEAST_BYTES || byteOffset !== 0 || memory.byteLength !== sizeFor(length)) return;
    // What is kept may be of sizes that nobody wants any more.
    if (this.keptBytes + memory.byteLength > KEPT_BYTES) {
      this.free.clear();
      this.keptBytes = 0;
    }
    const others = this.free.get(memory.byteLength);
    if (others === undefined) this.free.set(memory.byteLength, [memory as ArrayBuffer]);
    else others.push(memory as ArrayBuffer);
    this.keptBytes += memory.byteLength;
  }
}

/** The kernel's. */
export const bufferPool = new BufferPool();
