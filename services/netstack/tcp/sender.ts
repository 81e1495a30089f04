/**
 * The sending half of a connection: what goes out when, and what an acknowledgement means. Read RFC 5681 and RFC 6675
 * (recovery), RFC 6582 (without SACK), RFC 6298 (time-outs), RFC 9293, 3.8.6 (windows, silly windows, probes) and 3.7.4
 * (Nagle); RFC 8985 for losses that nothing behind them shows. It knows no segments: positions only, SYN and FIN being
 * bytes.
 */
import { Congestion, type SavedWindow } from './congestion.ts';
import { BLACK_HOLE_TIMEOUTS, DEFAULT_SEGMENT_BYTES, MAX_SEGMENTS_UNDER_WAY } from './limits.ts';
import { Reordering } from './reordering.ts';
import { RoundTrip } from './round-trip.ts';
import { DUPLICATE_THRESHOLD, type Range, Scoreboard, type Sent } from './scoreboard.ts';

/**
 * Least time before a probe for a lost tail, and what a peer may put off the acknowledgement of a single segment (RFC
 * 8985, 7.2).
 */
const LEAST_TAIL_PROBE_MS = 10;
const SINGLE_SEGMENT_MS = 200;

/** Sends the stream from `start` up to `end`. */
export type Transmit = (start: number, end: number, now: number) => void;

/** What all connections count together. */
export interface SenderCounters {
  retransmitted: number;
  timeouts: number;
  recoveries: number;
  probes: number;
}

/** What an acknowledgement said. */
export interface Acknowledgement {
  /** Position that it acknowledges up to. */
  readonly position: number;
  readonly ranges: readonly Range[];
  /** Milliseconds since the segment was sent that it answers, by timestamps; undefined without. */
  readonly echoAge: number | undefined;
  /** It came without data, SYN or FIN, and with the window as it was. */
  readonly bare: boolean;
}

/** Whether what a timestamp belongs to was sent before some time. Timestamps know whole milliseconds only. */
const wasSentBefore = (echoAge: number, now: number, time: number): boolean =>
  Math.floor(now) - echoAge < Math.floor(time);

/**
 * What came twice, by the first range: it lies below what is acknowledged, or in the second range (RFC 2883, 4). Null:
 * nothing.
 */
function secondCopy(position: number, [first, second]: readonly Range[]): Range | null {
  if (first === undefined) return null;
  const isInSecond = second !== undefined && first.start >= second.start && first.end <= second.end;
  return first.end <= position || isInSecond ? first : null;
}

/** See the head of this file. */
export class Sender {
  /**
   * Position of the first byte that is not acknowledged (SND.UNA), and of the next one to be sent for the first time
   * (SND.NXT).
   */
  unacknowledged = -1;
  next = -1;
  /** Behind the last byte that may be sent: of the stream, or the FIN. */
  end = 0;
  /** Acknowledgements up to here are believed: SND.NXT, or more, when an earlier incarnation or a probe has sent it. */
  acceptable = -1;
  /** The peer's window (SND.WND), in bytes from `unacknowledged`, and the largest it ever had. */
  window = 1;
  largestWindow = 1;
  /** Bytes of a full segment. */
  segmentBytes = DEFAULT_SEGMENT_BYTES;
  noDelay = false;
  /** The FIN is in the stream: nothing more will come that would be worth waiting for. */
  finishing = false;
  readonly roundTrip = new RoundTrip();
  private readonly reordering = new Reordering();
  readonly congestion = new Congestion(DEFAULT_SEGMENT_BYTES);
  private readonly board = new Scoreboard();
  private readonly transmit: Transmit;
  /** Whether the peer reports what comes out of order. */
  selective = false;
  /** Recovery lasts until this is acknowledged; null: there is none. `timeout`: it was a time-out that began it. */
  private recovery: { readonly until: number; readonly timeout: boolean } | null = null;
  private duplicates = 0;
  /** What a recovery has changed, and when it began, until it is known whether it was right (RFC 3522). */
  private saved: { readonly window: SavedWindow; readonly at: number } | null = null;
  /**
   * The window before the last recovery, and where the segments begin that it has sent again and of which no second
   * copy is reported.
   */
  private copies: { readonly window: SavedWindow; readonly unreported: Set<number> } | null = null;
  /** Further reports of second copies belong to the same round until this is acknowledged. */
  private copiesRound = Number.NEGATIVE_INFINITY;
  retransmitAt = Number.POSITIVE_INFINITY;
  persistAt = Number.POSITIVE_INFINITY;
  /**
   * When the end of what is under way is sent again, since nothing behind it could show its loss (RFC 8985, 7), and the
   * last time that this was done and is not answered yet.
   */
  private tailProbeAt = Number.POSITIVE_INFINITY;
  private tailProbe: { readonly until: number; readonly at: number; readonly again: boolean } | null = null;
  private persistBackoff = 0;
  /** Since when nothing has been acknowledged though something was sent. */
  stalledSince = Number.POSITIVE_INFINITY;
  private lastSentAt = Number.NEGATIVE_INFINITY;
  private timeouts = 0;
  private readonly counters: SenderCounters;

  constructor(transmit: Transmit, counters: SenderCounters) {
    this.transmit = transmit;
    this.counters = counters;
  }

  get underWay(): number {
    return this.next - this.unacknowledged;
  }

  get isIdle(): boolean {
    return this.unacknowledged === this.end;
  }

  get deadline(): number {
    return Math.min(this.retransmitAt, this.persistAt, this.tailProbeAt, this.board.lookAgainAt);
  }

  /** Packets vanish without a word: perhaps they are too large (RFC 2923, 2.1). */
  get suspectsBlackHole(): boolean {
    return this.roundTrip.backoff >= BLACK_HOLE_TIMEOUTS;
  }

  /** The segment size and the initial window, once the peer's SYN is known. */
  begin(segmentBytes: number): void {
    this.segmentBytes = segmentBytes;
    this.congestion.begin(segmentBytes);
    if (this.timeouts > 0) {
      this.congestion.synWasLost();
      this.roundTrip.synWasLost();
    }
  }

  /** Goes on where an earlier incarnation was: everything not acknowledged may have been sent. */
  resume(unacknowledged: number, end: number): void {
    this.unacknowledged = unacknowledged;
    this.next = unacknowledged;
    this.end = end;
    this.acceptable = end;
    // The window is not known; one segment tells.
    this.window = this.segmentBytes;
    this.largestWindow = this.segmentBytes;
  }

  /** The window that the peer has announced. Answers whether it differs. */
  setWindow(bytes: number): boolean {
    const differs = bytes !== this.window;
    this.window = bytes;
    this.largestWindow = Math.max(this.largestWindow, bytes);
    return differs;
  }

  /** The path has become narrower: what is too large goes out again, smaller (RFC 1191, 6.4). */
  setSegmentBytes(bytes: number): void {
    const narrower = bytes < this.segmentBytes;
    this.segmentBytes = bytes;
    this.congestion.setSegmentBytes(bytes);
    if (narrower) this.board.tooLarge(bytes);
  }

  /** An acknowledgement that is not behind `acceptable`. Answers how much is acknowledged for the first time. */
  acknowledge(acknowledgement: Acknowledgement, now: number): number {
    const { position, ranges, echoAge } = acknowledgement;
    const bytes = position - this.unacknowledged;
    const windowUsed = this.board.pipe >= this.congestion.window / 2;
    this.board.begin();
    const news = this.selective && ranges.length > 0 ? this.board.report(ranges, now, this.roundTrip.least) : 0;
    const twice = this.selective ? secondCopy(position, ranges) : null;
    if (twice !== null) this.cameTwice(twice);
    if (bytes > 0) this.advance(position, bytes, echoAge, windowUsed, now);
    else if (this.isDuplicate(acknowledgement, news)) this.duplicates++;
    if (this.window === 0) this.stalledSince = this.underWay > 0 ? now : Number.POSITIVE_INFINITY;
    this.detectLoss(news > 0 || bytes > 0, now);
    return Math.max(0, bytes);
  }

  /** RFC 5681, 2; with SACK one that reports something new (RFC 6675, 2). */
  private isDuplicate(acknowledgement: Acknowledgement, news: number): boolean {
    if (acknowledgement.position !== this.unacknowledged || this.underWay === 0) return false;
    return this.selective ? news > 0 : acknowledgement.bare;
  }

  private advance(
    position: number,
    bytes: number,
    echoAge: number | undefined,
    windowUsed: boolean,
    now: number,
  ): void {
    const sentAt = this.board.acknowledge(position, now, this.roundTrip.least);
    this.unacknowledged = position;
    if (this.next < position) this.next = position;
    this.stalledSince = this.underWay > 0 ? now : Number.POSITIVE_INFINITY;
    this.roundTrip.progressed();
    if (echoAge !== undefined) this.roundTrip.measured(echoAge);
    else if (sentAt !== null) this.roundTrip.measured(now - sentAt);
    this.checkRecovery(echoAge, now);
    this.checkTailProbe(position, echoAge, now);
    // RFC 6298, 5.2 and 5.3.
    this.retransmitAt = this.underWay > 0 ? now + this.roundTrip.timeout : Number.POSITIVE_INFINITY;
    this.persistBackoff = 0;
    // What is due in this very turn has come too late to say anything; `send` sets both anew.
    this.persistAt = Number.POSITIVE_INFINITY;
    this.tailProbeAt = Number.POSITIVE_INFINITY;
    const { recovery } = this;
    if (recovery !== null && position < recovery.until) this.partial(recovery.timeout, bytes);
    else {
      this.recovery = null;
      this.duplicates = 0;
    }
    const growing = recovery === null || recovery.timeout;
    if (growing && windowUsed) {
      this.congestion.acknowledged(bytes, now, this.roundTrip.smoothed, recovery !== null);
    }
  }

  /**
   * An acknowledgement in recovery that does not end it: without SACK the next hole is known (RFC 6582, 3.2), and what
   * else has left the net.
   */
  private partial(timeout: boolean, bytes: number): void {
    if (timeout || this.selective) return;
    this.board.firstIsLost();
    this.duplicates = Math.max(0, this.duplicates - Math.max(0, Math.floor(bytes / this.segmentBytes) - 1));
  }

  /**
   * If what is acknowledged is the first copy, the recovery was needless: the time-out came too early, or segments have
   * overtaken each other (RFC 3522, RFC 4015).
   */
  private checkRecovery(echoAge: number | undefined, now: number): void {
    const { saved, recovery } = this;
    if (saved === null) return;
    this.saved = null;
    const needless = echoAge !== undefined && wasSentBefore(echoAge, now, saved.at);
    const overtaken = recovery !== null && !recovery.timeout;
    if (!needless) {
      if (overtaken) this.reordering.wasRight();
      return;
    }
    if (overtaken) {
      this.board.reordered = true;
      this.reordering.wasNeedless();
    }
    this.undo(saved.window);
  }

  private undo(window: SavedWindow): void {
    this.congestion.restore(window);
    this.board.noneAreLost();
    this.recovery = null;
    this.copies = null;
  }

  /**
   * The peer has got something twice (RFC 2883). When it has got everything twice that a recovery has sent again, that
   * was needless. What the net has doubled, or a probe has sent, says nothing.
   */
  private cameTwice({ start, end }: Range): void {
    const { copies } = this;
    if (copies === null) return;
    const { unreported } = copies;
    const before = unreported.size;
    for (const position of unreported) if (position >= start && position < end) unreported.delete(position);
    if (unreported.size === before) return;
    this.board.reordered = true;
    if (this.unacknowledged >= this.copiesRound) {
      this.copiesRound = this.next;
      this.reordering.wasNeedless();
    }
    if (unreported.size === 0) this.undo(copies.window);
  }

  private sendAgain(segment: Sent, now: number): void {
    this.board.resend(segment, now);
    this.counters.retransmitted++;
    this.copies?.unreported.add(segment.start);
    this.emit(segment.start, segment.end, now);
  }

  /**
   * What the probe for a lost tail has sent again has arrived, and what was sent before has not: that is a loss like
   * another (RFC 8985, 7.4).
   */
  private checkTailProbe(position: number, echoAge: number | undefined, now: number): void {
    const { tailProbe } = this;
    if (tailProbe === null || position < tailProbe.until) return;
    this.tailProbe = null;
    if (tailProbe.again && echoAge !== undefined && !wasSentBefore(echoAge, now, tailProbe.at))
      this.congestion.lost(this.underWay);
  }

  private detectLoss(changed: boolean, now: number): void {
    if (this.selective) {
      const waits = this.board.lookAgainAt !== Number.POSITIVE_INFINITY;
      if (!changed || !(this.board.hasReports || this.recovery !== null || waits)) return;
      this.board.findLost(this.segmentBytes, this.reordering.window(this.roundTrip), now);
    } else if (this.duplicates >= DUPLICATE_THRESHOLD && this.recovery === null) this.board.firstIsLost();
    if (this.recovery !== null || !this.board.hasLost) return;
    this.recovery = { until: this.next, timeout: false };
    this.saved = { window: this.congestion.save(), at: now };
    this.copies = { window: this.saved.window, unreported: new Set() };
    this.counters.recoveries++;
    this.congestion.lost(this.underWay);
    this.retransmitAt = now + this.roundTrip.timeout;
  }

  /**
   * Bytes that are taken to be in the net: without SACK each duplicate stands for a segment that has left it. So the
   * first two let a new segment out each (RFC 3042).
   */
  private get pipe(): number {
    return this.selective ? this.board.pipe : Math.max(0, this.board.pipe - this.duplicates * this.segmentBytes);
  }

  /** Sends what may be sent. */
  send(now: number): void {
    if (this.underWay === 0 && this.unacknowledged < this.end && now - this.lastSentAt > this.roundTrip.timeout) {
      this.congestion.idle();
    }
    this.resend(now);
    while (this.next < this.end && this.board.count < MAX_SEGMENTS_UNDER_WAY) {
      const bytes = this.sendable();
      if (bytes === 0) break;
      this.sendNew(bytes, now);
    }
    if (this.recovery !== null && !this.recovery.timeout) this.fillHole(now);
    this.setPersist(now);
    this.setTailProbe(now);
  }

  private setTailProbe(now: number): void {
    const { roundTrip } = this;
    this.tailProbeAt = Number.POSITIVE_INFINITY;
    const wanted = this.selective && this.recovery === null && this.tailProbe === null && this.underWay > 0;
    if (!wanted || roundTrip.smoothed === 0) return;
    const single = this.board.count === 1 ? SINGLE_SEGMENT_MS : 0;
    const at = Math.max(this.lastSentAt + Math.max(2 * roundTrip.smoothed, LEAST_TAIL_PROBE_MS) + single, now);
    if (at < this.retransmitAt) this.tailProbeAt = at;
  }

  private probeTail(now: number): void {
    this.tailProbeAt = Number.POSITIVE_INFINITY;
    const usable = this.unacknowledged + this.window - this.next;
    const bytes = Math.min(this.end - this.next, usable, this.segmentBytes);
    const again = bytes <= 0 || this.board.count >= MAX_SEGMENTS_UNDER_WAY;
    const { last } = this.board;
    this.tailProbe = { until: this.next + (again ? 0 : bytes), at: now, again };
    if (!again) this.sendNew(bytes, now);
    else if (last !== undefined && last.end - last.start <= this.segmentBytes) {
      this.board.resend(last, now);
      this.counters.retransmitted++;
      this.emit(last.start, last.end, now);
    }
    this.retransmitAt = now + this.roundTrip.timeout;
  }

  private sendNew(bytes: number, now: number): void {
    const start = this.next;
    this.next = start + bytes;
    if (this.acceptable < this.next) this.acceptable = this.next;
    this.board.add(start, this.next, now);
    this.emit(start, this.next, now);
  }

  private resend(now: number): void {
    while (this.board.hasLost) {
      const segment = this.board.nextLost(this.segmentBytes);
      if (segment === undefined) return;
      const bytes = segment.end - segment.start;
      const first = segment.start === this.unacknowledged;
      // What the peer has taken back is not sent, except for the first segment, which the time-out sends as a probe.
      if (!first && segment.end > this.unacknowledged + this.window) return;
      if (this.pipe > 0 && this.pipe + bytes > this.congestion.window && !(first && segment.transmissions === 1))
        return;
      this.sendAgain(segment, now);
    }
  }

  /**
   * Nothing else may be sent though there is room: a hole that is not lost by the rules perhaps is (RFC 6675, NextSeg
   * (3)). One at a time.
   */
  private fillHole(now: number): void {
    if (this.pipe + this.segmentBytes > this.congestion.window) return;
    const segment = this.board.nextHole(this.segmentBytes);
    if (segment === undefined || segment.end > this.unacknowledged + this.window) return;
    this.sendAgain(segment, now);
  }

  /** Bytes of the next new segment; 0: not now. */
  private sendable(): number {
    const usable = this.unacknowledged + this.window - this.next;
    const waiting = this.end - this.next;
    const bytes = Math.min(waiting, usable, this.segmentBytes);
    if (bytes <= 0) return 0;
    const { pipe } = this;
    if (pipe > 0 && pipe + bytes > this.congestion.window) return 0;
    if (bytes === this.segmentBytes) return bytes;
    // Silly windows and Nagle (RFC 9293, 3.8.6.2.1).
    const mayBeSmall = this.noDelay || this.finishing || this.underWay === 0 || this.next < 0;
    if (mayBeSmall && bytes === waiting) return bytes;
    return mayBeSmall && bytes * 2 >= this.largestWindow ? bytes : 0;
  }

  private emit(start: number, end: number, now: number): void {
    this.lastSentAt = now;
    if (this.retransmitAt === Number.POSITIVE_INFINITY) this.retransmitAt = now + this.roundTrip.timeout;
    if (this.stalledSince === Number.POSITIVE_INFINITY) this.stalledSince = now;
    this.transmit(start, end, now);
  }

  /** With nothing under way and something to send, only a window can be in the way: whose opening may be lost. */
  private setPersist(now: number): void {
    const blocked = this.underWay === 0 && this.next < this.end && this.next >= 0;
    if (!blocked) {
      this.persistAt = Number.POSITIVE_INFINITY;
      this.persistBackoff = 0;
    } else if (this.persistAt === Number.POSITIVE_INFINITY) {
      this.persistAt = now + Math.min(this.roundTrip.timeout * 2 ** this.persistBackoff, 60_000);
    }
  }

  /** Timers. */
  runTimers(now: number): void {
    if (now >= this.retransmitAt) this.timeOut(now);
    if (now >= this.persistAt && this.sendable() === 0) this.probe(now);
    if (now >= this.board.lookAgainAt) this.detectLoss(true, now);
    if (now >= this.tailProbeAt) this.probeTail(now);
  }

  private timeOut(now: number): void {
    const again = this.recovery?.timeout === true && this.board.first?.transmissions !== 1;
    if (!again) this.saved = { window: this.congestion.save(), at: now };
    this.timeouts++;
    this.counters.timeouts++;
    this.congestion.timedOut(this.underWay, again);
    this.board.allAreLost();
    this.duplicates = 0;
    this.copies = null;
    this.tailProbe = null;
    this.recovery = { until: this.next, timeout: true };
    this.roundTrip.timedOut();
    this.retransmitAt = now + this.roundTrip.timeout;
    this.send(now);
  }

  /**
   * RFC 9293, 3.8.6.1: one byte into the closed window, or what fits into one that was too small to use (3.8.6.2.1,
   * override).
   */
  private probe(now: number): void {
    const bytes = Math.min(Math.max(1, this.window), this.segmentBytes, this.end - this.next);
    this.persistBackoff = Math.min(this.persistBackoff + 1, 16);
    this.persistAt = now + Math.min(this.roundTrip.timeout * 2 ** this.persistBackoff, 60_000);
    this.counters.probes++;
    if (this.stalledSince === Number.POSITIVE_INFINITY) this.stalledSince = now;
    // It stays unsent by the books: what the peer does not take is no loss.
    this.acceptable = Math.max(this.acceptable, this.next + bytes);
    this.transmit(this.next, this.next + bytes, now);
  }
}
