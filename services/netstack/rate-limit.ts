/** So many events a second, and some at once (a token bucket). */
export class RateLimit {
  /** Events that were refused. */
  refused = 0;
  readonly #perSecond: number;
  readonly #atOnce: number;
  #tokens: number;
  #since = 0;

  constructor(perSecond: number, atOnce: number) {
    this.#perSecond = perSecond;
    this.#atOnce = atOnce;
    this.#tokens = atOnce;
  }

  /** Whether one more may happen at `now` (milliseconds). */
  allow(now: number): boolean {
    this.#tokens = Math.min(this.#atOnce, this.#tokens + (Math.max(0, now - this.#since) / 1000) * this.#perSecond);
    this.#since = now;
    if (this.#tokens < 1) {
      this.refused++;
      return false;
    }
    this.#tokens--;
    return true;
  }
}
