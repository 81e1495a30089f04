/**
 * What is known of the segments under way: acknowledged out of order (SACK), lost, sent again. Read RFC 6675 and RFC
 * 2018. Positions are those of the stream; SYN and FIN count as bytes. Bounded by MAX_SEGMENTS_UNDER_WAY, which the
 * sender keeps.
 */

/** A piece of the stream that was sent as one segment. */
export interface Sent {
  start: number;
  end: number;
  /** The receiver has it, out of order. */
  acknowledged: boolean;
  /** It is taken for lost and not sent again yet. */
  lost: boolean;
  /** Times that it was sent, and when last. */
  transmissions: number;
  sentAt: number;
}

/** Segments behind a hole that are enough to call it lost (RFC 6675, DupThresh). */
export const DUPLICATE_THRESHOLD = 3;

/** Positions from `start` up to but not including `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** See the head of this file. */
export class Scoreboard {
  private sent: Sent[] = [];
  /** Bytes that are taken to be under way (RFC 6675, pipe): neither acknowledged nor lost. */
  pipe = 0;
  private lostCount = 0;
  private acknowledgedCount = 0;
  /** Behind the last byte acknowledged out of order. */
  private highest = Number.NEGATIVE_INFINITY;
  /**
   * Of the segment sent last of those that are known to have arrived: when it was sent, its end, and how long it took
   * (RFC 8985, RACK.xmit_ts, RACK.end_seq, RACK.rtt).
   */
  private delivered = { sentAt: Number.NEGATIVE_INFINITY, end: 0, took: 0 };
  /** When `findLost` should look again: what is not lost yet may only be late. */
  lookAgainAt = Number.POSITIVE_INFINITY;
  /**
   * Segments overtake each other on this way: something came, or was found to have come, behind what was sent later
   * (RFC 8985, RACK.reordering_seen).
   */
  reordered = false;
  /**
   * Behind the last byte known to have arrived, now and when the present acknowledgement began (RFC 8985, RACK.fack).
   */
  private arrivedUpTo = Number.NEGATIVE_INFINITY;
  private frontier = Number.NEGATIVE_INFINITY;

  get count(): number {
    return this.sent.length;
  }

  /** Whether something was reported to have arrived out of order. */
  get hasReports(): boolean {
    return this.acknowledgedCount > 0;
  }

  get hasLost(): boolean {
    return this.lostCount > 0;
  }

  get first(): Sent | undefined {
    return this.sent[0];
  }

  /** An acknowledgement has come: what it says of several segments says nothing about their order. */
  begin(): void {
    this.frontier = this.arrivedUpTo;
  }

  /** A piece goes out for the first time. */
  add(start: number, end: number, now: number): void {
    this.sent.push({ start, end, acknowledged: false, lost: false, transmissions: 1, sentAt: now });
    this.pipe += end - start;
  }

  /** A piece goes out again. */
  resend(segment: Sent, now: number): void {
    this.setLost(segment, false);
    segment.transmissions++;
    segment.sentAt = now;
  }

  private setLost(segment: Sent, lost: boolean): void {
    if (segment.lost === lost || segment.acknowledged) return;
    segment.lost = lost;
    const bytes = segment.end - segment.start;
    this.pipe += lost ? -bytes : bytes;
    this.lostCount += lost ? 1 : -1;
  }

  /**
   * All up to a position has arrived. Answers when the newest segment among it was sent, if none of it was sent twice
   * (Karn), else null. `leastRoundTrip`: what arrives sooner after it was sent again is the first copy.
   */
  acknowledge(position: number, now: number, leastRoundTrip: number): number | null {
    let sentAt: number | null = null;
    let sentTwice = false;
    let done = 0;
    for (const segment of this.sent) {
      if (segment.end > position) break;
      sentTwice ||= segment.transmissions > 1;
      sentAt = segment.sentAt;
      this.arrived(segment, now, leastRoundTrip);
      if (segment.acknowledged) this.acknowledgedCount--;
      done++;
    }
    if (done > 0) this.sent.splice(0, done);
    const first = this.sent[0];
    if (first !== undefined && first.start < position) {
      if (!first.acknowledged && !first.lost) this.pipe -= position - first.start;
      first.start = position;
    }
    return sentTwice ? null : sentAt;
  }

  /** Whether something sent at a time was sent after what is known to have arrived. */
  private isLater(sentAt: number, end: number): boolean {
    return sentAt > this.delivered.sentAt || (sentAt === this.delivered.sentAt && end > this.delivered.end);
  }

  /** A segment has arrived: it is under way no more. */
  private arrived(segment: Sent, now: number, leastRoundTrip: number): void {
    if (!segment.acknowledged) {
      this.setLost(segment, false);
      this.pipe -= segment.end - segment.start;
    }
    const ambiguous = segment.transmissions > 1 && now - segment.sentAt < leastRoundTrip;
    const { sentAt, end } = segment;
    if (!segment.acknowledged && segment.transmissions === 1 && end <= this.frontier) this.reordered = true;
    this.arrivedUpTo = Math.max(this.arrivedUpTo, end);
    if (!ambiguous && this.isLater(sentAt, end)) this.delivered = { sentAt, end, took: now - sentAt };
  }

  /** The receiver reports ranges that it has out of order. Answers how many bytes of it are news. */
  report(ranges: readonly Range[], now: number, leastRoundTrip: number): number {
    let news = 0;
    for (const { start, end } of ranges) {
      for (let index = this.firstFrom(start); index < this.sent.length; index++) {
        const segment = this.sent[index];
        if (segment === undefined || segment.end > end) break;
        if (segment.acknowledged) continue;
        this.arrived(segment, now, leastRoundTrip);
        segment.acknowledged = true;
        this.acknowledgedCount++;
        news += segment.end - segment.start;
      }
      if (news > 0 && end > this.highest) this.highest = end;
    }
    return news;
  }

  /** Index of the first segment that begins at a position or behind it. */
  private firstFrom(position: number): number {
    let low = 0;
    let high = this.sent.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.sent[middle]?.start ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Marks as lost what has enough behind it that arrived (RFC 6675, IsLost): three segments, or more than two segment
   * sizes; not where segments are known to overtake each other. Lost is also what was sent, or sent again, before
   * something that arrived, and has taken longer than that and the time that reordering may take (RFC 8985, 6.2).
   */
  findLost(segmentBytes: number, reordering: number, now: number): void {
    let segments = 0;
    let bytes = 0;
    this.lookAgainAt = Number.POSITIVE_INFINITY;
    for (let index = this.sent.length - 1; index >= 0; index--) {
      const segment = this.sent[index];
      if (segment === undefined) break;
      if (segment.acknowledged) {
        segments++;
        bytes += segment.end - segment.start;
        continue;
      }
      if (segment.lost || this.isLater(segment.sentAt, segment.end)) continue;
      const many = segments >= DUPLICATE_THRESHOLD || bytes > (DUPLICATE_THRESHOLD - 1) * segmentBytes;
      const enough = many && !this.reordered;
      const due = segment.sentAt + this.delivered.took + reordering;
      if ((enough && segment.transmissions === 1) || now >= due) this.setLost(segment, true);
      else if (due < this.lookAgainAt) this.lookAgainAt = due;
    }
  }

  /** The first segment is lost: duplicate acknowledgements say so where there is no SACK. */
  firstIsLost(): void {
    const first = this.sent[0];
    if (first !== undefined) this.setLost(first, true);
  }

  /**
   * A time-out: all that is under way counts as lost, and what was reported out of order may have been thrown away (RFC
   * 2018, 8).
   */
  allAreLost(): void {
    for (const segment of this.sent) {
      segment.acknowledged = false;
      segment.lost = true;
    }
    this.acknowledgedCount = 0;
    this.lostCount = this.sent.length;
    this.pipe = 0;
    this.highest = Number.NEGATIVE_INFINITY;
    this.arrivedUpTo = Number.NEGATIVE_INFINITY;
    this.lookAgainAt = Number.POSITIVE_INFINITY;
  }

  /** The time-out, or recovery, was too early: what was not sent again is under way as before. */
  noneAreLost(): void {
    for (const segment of this.sent) this.setLost(segment, false);
  }

  /** Segments larger than this do not reach the peer: those are lost. Answers whether there are some. */
  tooLarge(bytes: number): boolean {
    let marked = false;
    for (const segment of this.sent) {
      if (segment.acknowledged || segment.end - segment.start <= bytes) continue;
      this.setLost(segment, true);
      marked = true;
    }
    return marked;
  }

  /** The first segment that is to be sent again, cut to `most` bytes. */
  nextLost(most: number): Sent | undefined {
    if (this.lostCount === 0) return undefined;
    return this.cut(
      this.sent.findIndex(({ lost }) => lost),
      most,
    );
  }

  /** The last segment, if it has not arrived. */
  get last(): Sent | undefined {
    const last = this.sent.at(-1);
    return last === undefined || last.acknowledged || last.lost ? undefined : last;
  }

  /**
   * A segment before something that arrived, not lost by the rules and sent once only (RFC 6675, NextSeg (3)): sent
   * again when there is nothing better to send.
   */
  nextHole(most: number): Sent | undefined {
    if (this.acknowledgedCount === 0) return undefined;
    const index = this.sent.findIndex(({ acknowledged, transmissions }) => !acknowledged && transmissions === 1);
    const segment = this.sent[index];
    return segment === undefined || segment.end > this.highest ? undefined : this.cut(index, most);
  }

  private cut(index: number, most: number): Sent | undefined {
    const segment = this.sent[index];
    if (segment === undefined || segment.end - segment.start <= most) return segment;
    const rest = { ...segment, start: segment.start + most };
    segment.end = rest.start;
    this.sent.splice(index + 1, 0, rest);
    if (segment.lost) this.lostCount++;
    return segment;
  }
}
