/**
 * How many lines a task may put into the kernel log: a reserve for what comes all at once, refilled at a steady rate (a
 * token bucket; see A. Tanenbaum and D. Wetherall, Computer Networks, "Traffic Shaping"). So one that writes without
 * end does not push everybody else's lines out of the log.
 */

/** Lines that may come at once. */
export const RESERVE_LINES = 1000;

/** Lines per second in the long run. */
export const LINES_PER_SECOND = 200;

/** Time between two notes on dropped lines, in milliseconds. */
const NOTE_MILLISECONDS = 1000;

/** The limit of one task. */
export class LineLimit {
  private reserve = RESERVE_LINES;
  private refilledAt = 0;
  private dropped = 0;
  private notedAt = Number.NEGATIVE_INFINITY;

  /** Whether a line may be written at the time `now` (milliseconds). Lines that may not are counted. */
  take(now: number): boolean {
    const earned = Math.max(0, now - this.refilledAt) * (LINES_PER_SECOND / 1000);
    this.reserve = Math.min(RESERVE_LINES, this.reserve + earned);
    this.refilledAt = now;
    if (this.reserve < 1) {
      this.dropped++;
      return false;
    }
    this.reserve--;
    return true;
  }

  /**
   * What to say of the lines dropped since the last note, once a second at most; '' for nothing. Without a time it is
   * the last note.
   */
  takeNote(now = Number.POSITIVE_INFINITY): string {
    const { dropped } = this;
    if (dropped === 0 || now < this.notedAt + NOTE_MILLISECONDS) return '';
    this.dropped = 0;
    this.notedAt = now;
    return `(${dropped} lines dropped: more than ${LINES_PER_SECOND} a second)`;
  }
}
