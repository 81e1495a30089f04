/**
 * The timestamps option of one connection: round-trip times, and protection against old segments (PAWS). Read RFC 7323,
 * 3 to 5. The clock counts milliseconds from a random number on (5.4), and goes on over the death of this process,
 * since the clock of the machine does.
 */
import { sequenceDifference, TCP_TIMESTAMP_BYTES } from '../../../wire/tcp.ts';

/** A timestamp that has not been renewed for so long says nothing any more: the clock may have gone round (5.5). */
const OUTDATED_MS = 24 * 24 * 3600 * 1000;

/** See the head of this file. */
export class Timestamps {
  /** Both ends have agreed to send them. */
  enabled = false;
  /** What our clock shows when `now` is 0. */
  readonly offset: number;
  /** The peer's timestamp that is to be echoed (TS.Recent), and when it came. */
  recent = 0;
  private recentAt = 0;

  constructor(offset: number) {
    this.offset = offset;
  }

  /** Bytes of every header that the option takes. */
  get bytes(): number {
    return this.enabled ? TCP_TIMESTAMP_BYTES : 0;
  }

  /** TSval now. */
  value(now: number): number {
    return (Math.floor(now) + this.offset) >>> 0;
  }

  /** Milliseconds since the segment was sent that an echo belongs to. */
  age(echo: number, now: number): number {
    return (this.value(now) - echo) >>> 0;
  }

  /** Begins with the peer's SYN. */
  begin(value: number, now: number): void {
    this.enabled = true;
    this.recent = value;
    this.recentAt = now;
  }

  /** Whether a segment is older than one that has come already (5.3, R1). */
  isOld(value: number, now: number): boolean {
    return sequenceDifference(value, this.recent) < 0 && now - this.recentAt < OUTDATED_MS;
  }

  /** Whether a segment is newer than all that have come. */
  isNewer(value: number): boolean {
    return sequenceDifference(value, this.recent) > 0;
  }

  /** A segment was accepted that begins at or before the last acknowledgement sent (4.3, (2), and 5.3, R3). */
  accept(value: number, now: number): void {
    if (sequenceDifference(value, this.recent) < 0 && now - this.recentAt < OUTDATED_MS) return;
    this.recent = value;
    this.recentAt = now;
  }
}
