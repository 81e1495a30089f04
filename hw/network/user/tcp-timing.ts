/**
 * How long TCP waits for an acknowledgement before it sends again.
 *
 * Read: RFC 6298. The lower bound is 0.2 s, not 1 s: both ends are in one machine.
 */

const FIRST_TIMEOUT_MS = 1000;
const LEAST_MS = 200;
const MOST_MS = 60_000;
/** The granularity of our clock. */
const CLOCK_MS = 1;

export class RetransmissionTimeout {
  #smoothed: number | null = null;
  #variation = 0;
  #timeout = FIRST_TIMEOUT_MS;

  get milliseconds(): number {
    return this.#timeout;
  }

  /** A segment that was sent once was acknowledged after this time (2.2, 2.3). */
  sample(milliseconds: number): void {
    if (this.#smoothed === null) {
      this.#smoothed = milliseconds;
      this.#variation = milliseconds / 2;
    } else {
      this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - milliseconds);
      this.#smoothed = 0.875 * this.#smoothed + 0.125 * milliseconds;
    }
    this.#timeout = clamp(this.#smoothed + Math.max(CLOCK_MS, 4 * this.#variation));
  }

  /** The time has passed (5.5). */
  backOff(): void {
    this.#timeout = clamp(this.#timeout * 2);
  }
}

function clamp(milliseconds: number): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, milliseconds));
}
