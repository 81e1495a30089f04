/**
 * Time of the service: asked for at most once per turn of its loop, and one alarm for the earliest of all deadlines.
 */

/** Milliseconds since power-on, as of the first question since `expire`. */
export class TurnClock {
  private readonly read: () => number;
  private known: number | undefined;

  constructor(read: () => number) {
    this.read = read;
  }

  now(): number {
    this.known ??= this.read();
    return this.known;
  }

  /** Time has passed. */
  expire(): void {
    this.known = undefined;
  }
}

/**
 * The one alarm. It is set when something is due earlier than it would go off, and never put off or cancelled:
 * deadlines move with every packet, and one alarm in vain is cheaper than a call for each of them. When nothing is due
 * there is none, so an idle machine is idle.
 */
export class Alarm {
  private readonly set: (milliseconds: number) => void;
  private due = Number.POSITIVE_INFINITY;

  /** `set`: asks for an alarm after so many milliseconds, in place of an earlier one. */
  constructor(set: (milliseconds: number) => void) {
    this.set = set;
  }

  /** Sees to it that the alarm goes off at `deadline` (Infinity: no need) or earlier. */
  want(deadline: number, now: number): void {
    if (deadline >= this.due) return;
    const milliseconds = Math.min(Math.max(Math.ceil(deadline - now), 1), LONGEST_ALARM_MS);
    this.due = now + milliseconds;
    this.set(milliseconds);
  }

  /** It has gone off. */
  fired(): void {
    this.due = Number.POSITIVE_INFINITY;
  }
}

const LONGEST_ALARM_MS = 0x7fffffff;
