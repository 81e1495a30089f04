/**
 * A network tally counter: stops at 192 and is cleared by reading it.
 *
 * Read: DP8390D data sheet, 10.9 (network tally counters).
 */

const LAST = 192;
const HIGHEST_BIT = 0x80;

export class TallyCounter {
  #value = 0;

  /** Counts one. Returns whether the highest bit is set, which asks the driver to read the counter. */
  count(): boolean {
    if (this.#value < LAST) this.#value++;
    return (this.#value & HIGHEST_BIT) !== 0;
  }

  /** Reads and clears the counter. */
  take(): number {
    const value = this.#value;
    this.#value = 0;
    return value;
  }
}
