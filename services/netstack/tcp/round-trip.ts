/**
 * The round-trip time and the retransmission time-out that follows from it. Read RFC 6298; its rules are named where
 * they are kept. Times are milliseconds.
 */

/** First time-out, before anything has been measured (2.1). */
export const INITIAL_TIMEOUT_MS = 1000;

/**
 * What is added to the smoothed round-trip time at least, and the greatest time-out. (2.4) says that the least time-out
 * should be a second; like most systems this one adds 200 ms, since timestamps measure every round trip and
 * acknowledgements are put off for less than that. (2.5) allows a greatest of 60 s or more.
 */
export const LEAST_MARGIN_MS = 200;
export const MAX_TIMEOUT_MS = 60_000;

/** Longer ones are not believed: an echoed timestamp is the peer's to choose. */
const MAX_MEASURED_MS = 120_000;

const ALPHA = 1 / 8;
const BETA = 1 / 4;
const K = 4;

/** See the head of this file. */
export class RoundTrip {
  /** Smoothed time, 0 until the first measurement, and its variation. */
  smoothed = 0;
  variation = 0;
  /** Least time seen, 0 until the first measurement. */
  least = 0;
  private base = INITIAL_TIMEOUT_MS;
  /** Time-outs in a row without progress: each doubles the time-out (5.5). */
  backoff = 0;

  /** The time-out now. */
  get timeout(): number {
    return Math.min(this.base * 2 ** this.backoff, MAX_TIMEOUT_MS);
  }

  /** A round trip was measured, never on a segment that was sent twice unless timestamps tell which copy it was (3). */
  measured(time: number): void {
    if (time < 0 || time > MAX_MEASURED_MS) return;
    if (this.smoothed === 0) {
      this.smoothed = Math.max(time, Number.MIN_VALUE);
      this.variation = time / 2;
      this.least = time;
    } else {
      this.variation = (1 - BETA) * this.variation + BETA * Math.abs(this.smoothed - time);
      this.smoothed = (1 - ALPHA) * this.smoothed + ALPHA * time;
      this.least = Math.min(this.least, time);
    }
    this.setBase();
    this.backoff = 0;
  }

  private setBase(): void {
    this.base = Math.min(this.smoothed + Math.max(LEAST_MARGIN_MS, K * this.variation), MAX_TIMEOUT_MS);
  }

  /** What an earlier incarnation had measured. */
  resume(smoothed: number, variation: number): void {
    if (smoothed <= 0) return;
    this.smoothed = smoothed;
    this.variation = variation;
    this.least = smoothed;
    this.setBase();
  }

  /** The timer has run out (5.5). */
  timedOut(): void {
    if (this.base * 2 ** this.backoff < MAX_TIMEOUT_MS) this.backoff++;
  }

  /** New data was acknowledged: the next time-out is not a repetition. */
  progressed(): void {
    this.backoff = 0;
  }

  /** The SYN had to be sent again and nothing was measured: begin with three seconds (5.7). */
  synWasLost(): void {
    if (this.smoothed === 0) this.base = 3 * INITIAL_TIMEOUT_MS;
    this.backoff = 0;
  }
}
