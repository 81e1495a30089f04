/**
 * The remote DMA channel: moves bytes between the card's memory and its data port, one per access or two in word mode.
 *
 * Read: DP8390D data sheet, chapter 9 (remote DMA) and 10.7. What it leaves open is as in QEMU: in word mode the lowest
 * address bit counts for nothing, an access of 32 bits moves four bytes in any mode, and a transfer of no bytes is complete
 * at once.
 */

import type { Width } from '../device.ts';
import type { CardMemory } from './memory.ts';
import type { ReceiveRing } from './receive-ring.ts';
import { HEADER_BYTES, PAGE_BYTES } from './receive-ring.ts';

/** What the channel is doing. */
export type Transfer = 'none' | 'read' | 'write' | 'send-packet';

/** Start address, byte count and direction of the transfer. */
export class RemoteDma {
  readonly #memory: CardMemory;
  readonly #ring: ReceiveRing;
  readonly #completed: () => void;
  #transfer: Transfer = 'none';
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
  start(transfer: 'read' | 'write'): void {
    this.#transfer = transfer;
    if (this.count === 0) this.#complete();
  }

  /** The send packet command: a remote read of the packet at BNRY, which frees its pages in the end. */
  sendPacket(): void {
    if (this.#transfer === 'send-packet') return;
    this.#transfer = 'send-packet';
    this.address = this.#ring.boundary * PAGE_BYTES;
    this.count = this.#headerWord(2);
    if (this.count === 0) this.#complete();
  }

  /** Stops a transfer where it is. */
  abort(): void {
    this.#transfer = 'none';
  }

  /** An access to the data port. Without a transfer in this direction, reads give all ones and writes are lost. */
  read(width: Width): number {
    const bytes = this.#bytesMoved(width);
    if (this.#transfer !== 'read' && this.#transfer !== 'send-packet')
      return width === 4 ? 0xffff_ffff : 2 ** (8 * width) - 1;
    let value = 0;
    for (let index = 0; index < bytes; index++)
      value += this.#memory.readByte(this.#aligned + index) * 2 ** (8 * index);
    this.#advance(bytes);
    return width === 1 ? value & 0xff : value;
  }

  write(width: Width, value: number): void {
    if (this.#transfer !== 'write') return;
    const bytes = this.#bytesMoved(width);
    for (let index = 0; index < bytes; index++)
      this.#memory.writeByte(this.#aligned + index, (value >>> (8 * index)) & 0xff);
    this.#advance(bytes);
  }

  /** As many reads as fill `target`. */
  readRun(width: Width, target: Buffer): void {
    for (let at = 0; at < target.length; ) {
      const run = this.#transfer === 'read' ? this.#straightRun(width, target.length - at) : 0;
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
      const run = this.#transfer === 'write' ? this.#straightRun(width, source.length - at) : 0;
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
    this.#transfer = 'none';
    this.address = 0;
    this.count = 0;
    this.wordMode = false;
  }

  get #aligned(): number {
    return this.wordMode ? this.address & ~1 : this.address;
  }

  #bytesMoved(width: Width): number {
    if (width === 4) return 4;
    return this.wordMode ? 2 : 1;
  }

  /** Bytes of the next accesses that lie side by side in the packet memory, before the end of ring or transfer; or 0. */
  #straightRun(width: Width, wanted: number): number {
    if (this.#bytesMoved(width) !== width || this.#aligned !== this.address) return 0;
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
    if (this.#transfer === 'send-packet') this.#ring.boundary = this.#headerWord(0) >>> 8;
    this.#transfer = 'none';
    this.#completed();
  }

  /** Two bytes of the header of the packet at BNRY. */
  #headerWord(offset: 0 | 2): number {
    const header = this.#memory.read(this.#ring.boundary * PAGE_BYTES, HEADER_BYTES);
    return header.readUInt16LE(offset);
  }
}
