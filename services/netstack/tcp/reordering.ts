/**
 * How long a segment may be overtaken by others before it counts as lost. Read RFC 8985, 6.2: the time is a quarter of
 * the least round trip, and grows with each recovery that proves needless, up to the round trip; after sixteen
 * recoveries that were right it is as at first. That one was needless, duplicate SACKs tell, as in the RFC, and
 * timestamps (RFC 3522), which need nothing of the peer.
 */
import type { RoundTrip } from './round-trip.ts';

/** Least time, in milliseconds: the clock of timestamps knows no shorter one. */
const LEAST_MS = 1;
const SHARE_OF_ROUND_TRIP = 1 / 4;
const GREATEST_FACTOR = 1024;
const RECOVERIES_REMEMBERED = 16;

/** See the head of this file. */
export class Reordering {
  private factor = 1;
  private remembered = 0;

  /** The time, in milliseconds. */
  window({ least, smoothed }: Pick<RoundTrip, 'least' | 'smoothed'>): number {
    const first = Math.max(least * SHARE_OF_ROUND_TRIP, LEAST_MS);
    return Math.max(first, Math.min(first * this.factor, smoothed));
  }

  /** A recovery has begun because of something that was only late. */
  wasNeedless(): void {
    this.factor = Math.min(2 * this.factor, GREATEST_FACTOR);
    this.remembered = RECOVERIES_REMEMBERED;
  }

  /** A recovery was right. */
  wasRight(): void {
    if (this.remembered > 0 && --this.remembered === 0) this.factor = 1;
  }
}
