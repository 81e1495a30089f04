/** A line that tells how far long work has come; only where standard error is a terminal. */

/** Milliseconds between two updates. */
const PERIOD = 100;

/** Shows progress of `title`. */
export class ProgressLine {
  private readonly title: string;
  private readonly shown: boolean;
  private last = 0;

  constructor(title: string) {
    this.title = title;
    this.shown = process.stderr.isTTY === true;
  }

  /** `fraction` from 0 to 1. */
  readonly fraction = (fraction: number): void => this.text(() => `${Math.floor(fraction * 100)} %`);

  /** Anything else, at most ten times a second. */
  text(what: () => string): void {
    const now = performance.now();
    if (!this.shown || now - this.last < PERIOD) return;
    this.last = now;
    process.stderr.write(`\r\x1b[K${this.title}: ${what()}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.last > 0) process.stderr.write('\r\x1b[K');
  }
}
