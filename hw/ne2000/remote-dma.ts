/**
 * The remote DMA channel: moves bytes between the card's memory and its data port, one per access or two in word mode.
 *
 * Read: DP8390D data sheet, chapter 9 (remote DMA) and 10.7. What it leaves open is as in QEMU: an access of 32 bits
 * moves four bytes in any mode, the lowest address bit counts for nothing in it and in word mode, a transfer of no
 * bytes is complete at once, and the data port goes on where it is without a command too: reads always, writes while
 * bytes are left.
 */

import type { Width } from '../device.ts';
import type { CardMemory } from './memory.ts';
import type { ReceiveRing } from './receive-ring.ts';
import { HEADER_BYTES, PAGE_BYTES } from './receive-ring.ts';

/** Start address and byte count of the transfer. */
export class RemoteDma {
  readonly #memory: CardMemory;
  readonly #ring: ReceiveRing;
  readonly #completed: () => void;
  /** The transfer is that of a send packet command. */
  #sending = false;
  /** RSAR when written, CRDA when read. */
  address = 0;
  /** RBCR: bytes that are left. */
  count = 0;
  /** DCR.WTS: an access moves a word. */
  wordMode = false;

  /** @param completed called when the byte count has reached zero */
  constructor(memory: CardMemory, ring: ReceiveRing, completed: () => void) {
    this.#memory = memory;
    this.#ring = ring;
    this.#completed = completed;
  }

  /** A remote read or write command; the same one again goes on with the transfer. */
  start(): void {
    this.#sending = false;
    if (this.count === 0) this.#complete();
  }

  /** The send packet command: a remote read of the packet at BNRY, which frees its pages in the end. */
  sendPacket(): void {
    if (this.#sending) return;
    this.#sending = true;
    this.address = this.#ring.boundary * PAGE_BYTES;
    this.count = this.#headerWord(2);
    if (this.count === 0) this.#complete();
  }

  /** Leaves a transfer where it is. */
  abort(): void {
    this.#sending = false;
  }

  /** An access to the data port. */
  read(width: Width): number {
    const bytes = this.#bytesMoved(width);
    const address = this.#aligned(width);
    let value = 0;
    for (let index = 0; index < bytes; index++) value += this.#memory.readByte(address + index) * 2 ** (8 * index);
    this.#advance(bytes);
    return width === 1 ? value & 0xff : value;
  }

  write(width: Width, value: number): void {
    if (this.count === 0) return;
    const bytes = this.#bytesMoved(width);
    const address = this.#aligned(width);
    for (let index = 0; index < bytes; index++) this.#memory.writeByte(address + index, (value >>> (8 * index)) & 0xff);
    this.#advance(bytes);
  }

  /** As many reads as fill `target`. */
  readRun(width: Width, target: Buffer): void {
    for (let at = 0; at < target.length; ) {
      const run = this.#straightRun(width, target.length - at);
      if (run > 0) {
        this.#memory.ram(this.address, run).copy(target, at);
        this.#advance(run);
        at += run;
      } else {
        target.writeUIntLE(this.read(width), at, width);
        at += width;
      }
    }
  }

  /** As many writes as empty `source`. */
  writeRun(width: Width, source: Buffer): void {
    for (let at = 0; at < source.length; ) {
      const run = this.#straightRun(width, source.length - at);
      if (run > 0) {
        this.#memory.write(this.address, source.subarray(at, at + run));
        this.#advance(run);
        at += run;
      } else {
        this.write(width, source.readUIntLE(at, width));
        at += width;
      }
    }
  }

  reset(): void {
    this.#sending = false;
    this.address = 0;
    this.count = 0;
    this.wordMode = false;
  }

  #aligned(width: Width): number {
    return this.wordMode || width === 4 ? this.address & ~1 : this.address;
  }

  #bytesMoved(width: Width): number {
    if (width === 4) return 4;
    return this.wordMode ? 2 : 1;
  }

  /**
   * Bytes of the next accesses that lie side by side in the packet memory, before the end of ring or transfer; or 0.
   */
  #straightRun(width: Width, wanted: number): number {
    if (this.#bytesMoved(width) !== width || this.#aligned(width) !== this.address) return 0;
    const stop = this.#ring.stop * PAGE_BYTES;
    const beforeStop = this.address < stop ? stop - this.address : wanted;
    const length = Math.min(wanted, this.count, beforeStop);
    const whole = length - (length % width);
    return this.#memory.isRam(this.address, whole) ? whole : 0;
  }

  #advance(bytes: number): void {
    this.address = this.#ring.wrap(this.address + bytes);
    this.count = Math.max(0, this.count - bytes);
    if (this.count === 0) this.#complete();
  }

  #complete(): void {
    if (this.#sending) this.#ring.boundary = this.#headerWord(0) >>> 8;
    this.#sending = false;
    this.#completed();
  }

  /** Two bytes of the header of the packet at BNRY. */
  #headerWord(offset: 0 | 2): number {
    const header = this.#memory.read(this.#ring.boundary * PAGE_BYTES, HEADER_BYTES);
    return header.readUInt16LE(offset);
  }
}
