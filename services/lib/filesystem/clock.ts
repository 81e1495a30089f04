import { time } from '../index.ts';

/** The time, asked for once per request at most. */
export class Clock {
  private known: number | undefined;

  /** A new request is carried out. */
  expire(): void {
    this.known = undefined;
  }

  /** Milliseconds since 1970. */
  now(): number {
    this.known ??= time();
    return this.known;
  }
}
