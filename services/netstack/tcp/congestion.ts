/**
 * Congestion control: how much may be under way. Slow start and the reaction to loss as in RFC 5681 and RFC 6582,
 * growth in congestion avoidance as in CUBIC (RFC 9438). Bytes and milliseconds.
 */

/** CUBIC's constants (RFC 9438, 4.1 and 4.6). */
const C = 0.4;
const BETA = 0.7;
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);

/** Least slow-start threshold, in segments (RFC 5681, equation 4). */
const MIN_THRESHOLD_SEGMENTS = 2;

/** Segments of the initial window (RFC 6928). */
const INITIAL_SEGMENTS = 10;

/**
 * Segments that one acknowledgement makes slow start grow by at most: it may stand for several (RFC 3465; RFC 9406,
 * 4.2, has 8), after a time-out for one (RFC 3465, 2.3).
 */
const MAX_GROWTH_SEGMENTS = 8;

/** What is put back when a time-out turns out to have been too early. */
export interface SavedWindow {
  readonly window: number;
  readonly threshold: number;
}

/** The window of one connection. */
export class Congestion {
  /** Bytes that may be under way. */
  window: number;
  /** Above this the window grows by CUBIC, below it doubles each round trip. */
  threshold = Number.POSITIVE_INFINITY;
  private segmentBytes: number;
  /** Window before the last reduction, and when congestion avoidance began after it. */
  private maximum = 0;
  private epoch: number | null = null;
  /** Seconds until the window is back at its maximum (equation 2). */
  private k = 0;
  /** The window that Reno would have (4.3). */
  private reno = 0;

  constructor(segmentBytes: number) {
    this.segmentBytes = segmentBytes;
    this.window = initialWindow(segmentBytes);
  }

  /** The segment size became known, before anything was sent. */
  begin(segmentBytes: number): void {
    this.segmentBytes = segmentBytes;
    this.window = initialWindow(segmentBytes);
  }

  /** The SYN was lost: begin with one segment (RFC 6928, 2). */
  synWasLost(): void {
    this.window = this.segmentBytes;
  }

  /** The path turned out to be narrower. */
  setSegmentBytes(bytes: number): void {
    this.segmentBytes = bytes;
  }

  get inSlowStart(): boolean {
    return this.window < this.threshold;
  }

  /** New data was acknowledged outside of fast recovery, while the window was in use. */
  acknowledged(bytes: number, now: number, roundTrip: number, afterTimeout: boolean): void {
    if (this.inSlowStart) {
      this.window += Math.min(bytes, (afterTimeout ? 1 : MAX_GROWTH_SEGMENTS) * this.segmentBytes);
      return;
    }
    this.avoid(bytes, now, roundTrip);
  }

  private avoid(bytes: number, now: number, roundTrip: number): void {
    if (this.epoch === null) {
      this.epoch = now;
      this.reno = this.window;
      if (this.maximum < this.window) this.maximum = this.window;
      this.k = Math.cbrt((this.maximum - this.window) / this.segmentBytes / C);
    }
    const seconds = (now - this.epoch + roundTrip) / 1000;
    const cubic = (C * (seconds - this.k) ** 3 + this.maximum / this.segmentBytes) * this.segmentBytes;
    const alpha = this.reno >= this.maximum ? 1 : ALPHA;
    this.reno += (alpha * this.segmentBytes * bytes) / this.window;
    // Target (4.2), no more than half above the window, and not below what Reno would have (4.3).
    const target = Math.min(Math.max(cubic, this.window), 1.5 * this.window);
    this.window = Math.max(this.window + ((target - this.window) * bytes) / this.window, this.reno);
  }

  /** A loss was found, with so much under way (RFC 9438, 4.6). The window becomes the new threshold. */
  lost(underWay: number): void {
    // Fast convergence (4.7): a connection that has not got back to its maximum makes room.
    this.maximum = this.window < this.maximum ? (this.window * (1 + BETA)) / 2 : this.window;
    this.threshold = Math.max(Math.min(underWay, this.window) * BETA, MIN_THRESHOLD_SEGMENTS * this.segmentBytes);
    this.window = this.threshold;
    this.epoch = null;
  }

  /**
   * The retransmission timer ran out (RFC 5681, 3.1): back to one segment. `again`: for a segment that had timed out
   * before, whose loss has been counted.
   */
  timedOut(underWay: number, again: boolean): void {
    if (!again) this.lost(underWay);
    this.window = this.segmentBytes;
    this.epoch = null;
  }

  /** Nothing was sent for longer than a time-out: what the window says is old (RFC 5681, 4.1). */
  idle(): void {
    this.window = Math.min(this.window, initialWindow(this.segmentBytes));
    this.epoch = null;
  }

  save(): SavedWindow {
    return { window: this.window, threshold: this.threshold };
  }

  restore(saved: SavedWindow): void {
    this.window = Math.max(this.window, saved.window);
    this.threshold = saved.threshold;
    this.epoch = null;
  }
}

/** RFC 6928, 2. */
function initialWindow(segmentBytes: number): number {
  return Math.min(INITIAL_SEGMENTS * segmentBytes, Math.max(2 * segmentBytes, 14_600));
}
