/**
 * How much TCP may have under way.
 *
 * Read: RFC 5681 (slow start, congestion avoidance, fast retransmit, fast recovery), RFC 6582 (NewReno), RFC 6928 (ten
 * segments to begin with).
 */

import { sequenceDifference } from '../../../wire/tcp.ts';

const FIRST_SEGMENTS = 10;
const DUPLICATES_FOR_LOSS = 3;
/** No window that the other end can offer is larger. */
const LARGEST_WINDOW = 2 ** 30;

export class CongestionControl {
  readonly #segmentSize: number;
  #window: number;
  #threshold = Infinity;
  #duplicates = 0;
  /** The highest sequence number sent when the recovery began; null outside of one. */
  #recover: number | null = null;

  constructor(segmentSize: number) {
    this.#segmentSize = segmentSize;
    this.#window = FIRST_SEGMENTS * segmentSize;
  }

  /** Bytes that may be under way. */
  get window(): number {
    return this.#window;
  }

  /**
   * New data was acknowledged. Returns whether the segment after it has to be sent again at once (RFC 6582, 3.2 step
   * 3).
   *
   * @param bytes how much, @param acknowledgment up to where
   */
  acknowledged(bytes: number, acknowledgment: number): boolean {
    this.#duplicates = 0;
    if (this.#recover !== null) {
      if (sequenceDifference(acknowledgment, this.#recover) < 0) {
        this.#window = Math.max(this.#segmentSize, this.#window - bytes + this.#segmentSize);
        return true;
      }
      this.#recover = null;
      this.#window = this.#threshold;
      return false;
    }
    const slowStart = this.#window < this.#threshold;
    const growth = slowStart
      ? Math.min(bytes, 2 * this.#segmentSize)
      : Math.max(1, Math.floor((this.#segmentSize * this.#segmentSize) / this.#window));
    this.#window = Math.min(LARGEST_WINDOW, this.#window + growth);
    return false;
  }

  /** The same was acknowledged again. Returns whether the first segment under way counts as lost. */
  duplicate(underWay: number, highestSent: number): boolean {
    this.#duplicates++;
    if (this.#recover !== null) {
      this.#window += this.#segmentSize;
      return false;
    }
    if (this.#duplicates !== DUPLICATES_FOR_LOSS) return false;
    this.#threshold = this.#halved(underWay);
    this.#window = this.#threshold + DUPLICATES_FOR_LOSS * this.#segmentSize;
    this.#recover = highestSent;
    return true;
  }

  /** The retransmission timeout has passed. */
  timedOut(underWay: number): void {
    this.#threshold = this.#halved(underWay);
    this.#window = this.#segmentSize;
    this.#duplicates = 0;
    this.#recover = null;
  }

  #halved(underWay: number): number {
    return Math.max(Math.floor(underWay / 2), 2 * this.#segmentSize);
  }
}
