/**
 * Numbers that nobody can guess, taken from the source of random bytes in larger pieces, since each piece is a system
 * call.
 */
import type { RandomBytes } from './environment.ts';

const PIECE_BYTES = 512;

/** See the head of this file. */
export class RandomNumbers {
  readonly #source: RandomBytes;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(source: RandomBytes) {
    this.#source = source;
  }

  /** From 0 to 65,535. */
  u16(): number {
    return this.#take(2).readUInt16BE(0);
  }

  /** From 0 to 2^32 - 1. */
  u32(): number {
    return this.#take(4).readUInt32BE(0);
  }

  /**
   * A whole number from 0 up to but not including `limit`, which is at most 65,536: each as likely as the others to
   * within limit / 2^32.
   */
  below(limit: number): number {
    return Math.floor((this.u32() / 2 ** 32) * limit);
  }

  #take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) {
      const piece = this.#source(PIECE_BYTES);
      this.#bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
      this.#at = 0;
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}
