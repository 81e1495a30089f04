/**
 * The receive buffer ring: pages of 256 bytes that the controller fills and the driver empties.
 *
 * The controller writes from CURR on; the driver moves BNRY behind what it has read. Each packet starts on a page of
 * its own, with four bytes before it: status, page of the next packet, length (with the frame check sequence).
 *
 * Read: DP8390D data sheet, chapter 7 (packet reception: linking pages, overflow, end of packet) and 10.6.
 */

import type { CardMemory } from './memory.ts';

export const PAGE_BYTES = 256;
export const HEADER_BYTES = 4;
/**
 * The frame check sequence has a place in the ring and counts in the length; a cable has none, so nothing is written.
 */
const CHECK_BYTES = 4;
/** Pages that a frame of the largest size takes. */
const LARGEST_FRAME_PAGES = 6;

/** The ring's registers, and putting packets into it. */
export class ReceiveRing {
  readonly #memory: CardMemory;
  #start = 0;
  #stop = 0;
  #boundary = 0;
  #current = 0;
  /** CURR has caught up with BNRY: the ring is full, not empty. */
  #full = false;
  /** Where the local DMA stands: CLDA. */
  localAddress = 0;

  constructor(memory: CardMemory) {
    this.#memory = memory;
  }

  /** PSTART: the first page. */
  get start(): number {
    return this.#start;
  }

  set start(page: number) {
    this.#start = page;
  }

  /** PSTOP: the page after the last. */
  get stop(): number {
    return this.#stop;
  }

  set stop(page: number) {
    this.#stop = page;
  }

  /** BNRY: the first page that must not be overwritten. */
  get boundary(): number {
    return this.#boundary;
  }

  set boundary(page: number) {
    this.#boundary = page;
    this.#full = false;
  }

  /** CURR: the page the next packet goes to. */
  get current(): number {
    return this.#current;
  }

  set current(page: number) {
    this.#current = page;
    this.#full = false;
  }

  /** Whether a frame of the largest size fits; in a ring too small for one, whether the ring is empty. */
  get ready(): boolean {
    const pages = this.#stop - this.#start;
    return pages <= 0 || this.#room() >= Math.min(LARGEST_FRAME_PAGES, pages - 1);
  }

  /**
   * Stores a frame with its status. Returns false, having changed nothing, when it would run into the boundary, or when
   * the ring has no pages.
   */
  store(frame: Uint8Array, status: number): boolean {
    const pages = Math.ceil((HEADER_BYTES + frame.length + CHECK_BYTES) / PAGE_BYTES);
    if (pages > this.#room()) return false;
    const next = this.#pageAfter(this.#current, pages);
    const length = frame.length + CHECK_BYTES;
    const header = this.#current * PAGE_BYTES;
    this.#memory.writeByte(header, status);
    this.#memory.writeByte(header + 1, next);
    this.#memory.writeByte(header + 2, length & 0xff);
    this.#memory.writeByte(header + 3, length >>> 8);
    this.#copy(header + HEADER_BYTES, frame);
    this.#current = next;
    this.#full = next === this.#boundary;
    this.localAddress = next * PAGE_BYTES;
    return true;
  }

  /** The address after `address`, from the end of the ring on to its start. */
  wrap(address: number): number {
    return address === this.#stop * PAGE_BYTES ? this.#start * PAGE_BYTES : address & 0xffff;
  }

  reset(): void {
    this.#start = 0;
    this.#stop = 0;
    this.#boundary = 0;
    this.#current = 0;
    this.#full = false;
    this.localAddress = 0;
  }

  /** Pages that can be filled before the boundary is met; a boundary outside of the ring is never met. */
  #room(): number {
    const pages = this.#stop - this.#start;
    if (pages <= 0 || this.#full || !this.#contains(this.#current)) return 0;
    if (!this.#contains(this.#boundary)) return pages;
    const distance = this.#boundary - this.#current;
    return distance > 0 ? distance : pages + distance;
  }

  #contains(page: number): boolean {
    return page >= this.#start && page < this.#stop;
  }

  #pageAfter(page: number, count: number): number {
    return this.#start + ((page - this.#start + count) % (this.#stop - this.#start));
  }

  /** Copies into the ring, over its end if need be. */
  #copy(address: number, frame: Uint8Array): void {
    let at = address;
    for (let done = 0; done < frame.length; ) {
      const length = Math.min(frame.length - done, this.#stop * PAGE_BYTES - at);
      this.#memory.write(at, frame.subarray(done, done + length));
      done += length;
      at = this.wrap(at + length);
    }
  }
}
