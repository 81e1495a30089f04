/**
 * The receiving half of a connection: what has come, what may be acknowledged, and the window. Read RFC 9293, 3.8.6
 * (windows), RFC 1122, 4.2.3.2 (delayed acknowledgements), RFC 2018 and RFC 2883 (what is reported beside the
 * acknowledgement).
 *
 * The rule that makes the death of this process harmless: a byte is acknowledged only when it was handed out to the
 * reader, or is in the recovery store. In the hope that a reader takes it soon it is neither for
 * some milliseconds; then it is kept. Positions are those of the stream; the FIN counts as a byte behind the
 * last one.
 */
import { Assembler } from './assembler.ts';
import type { KeptChunks } from './kept-chunks.ts';
import {
  ANSWERED_ACKNOWLEDGEMENT_MS,
  DEFAULT_SEGMENT_BYTES,
  DELAYED_ACKNOWLEDGEMENT_MS,
  INITIAL_BUFFER_BYTES,
  MAX_READ_BYTES,
  UNACKNOWLEDGED_SHARE,
} from './limits.ts';
import type { Range } from './scoreboard.ts';

const MAX_WINDOW_FIELD = 0xffff;

/** The ring is given back when it has been empty for so long. */
const RELEASE_MS = 1000;

const NOTHING: readonly Range[] = [];

/** See the head of this file. */
export class Receiver {
  private readonly assembler = new Assembler();
  private readonly kept: KeptChunks;
  /** Bytes of the buffer, not counting those handed out. */
  capacity = INITIAL_BUFFER_BYTES;
  /** Behind the last byte that was handed out. */
  private taken = 0;
  /** The last acknowledgement that was sent, and the right edge of the window in it, which never goes back. */
  acknowledged = 0;
  edge = 0;
  /** Position of the FIN, once it is known. */
  private finPosition: number | null = null;
  /** Bytes of the last segment that had come before, until they have been reported. */
  private repeated: Range | null = null;
  /** An acknowledgement has to go out now, or at a time. */
  mustAcknowledge = false;
  private acknowledgeAt = Number.POSITIVE_INFINITY;
  /** Data of ours has gone out since the last data came. */
  answered = false;
  private releaseAt = Number.POSITIVE_INFINITY;
  /** The largest segment that has come: what the peer sends when it can. */
  private segmentBytes = DEFAULT_SEGMENT_BYTES;
  /** Nobody reads any more. */
  private discarding = false;
  /** An earlier incarnation may have handed out more than it has noted: the reader's next position tells. */
  private trustsReader = false;

  constructor(kept: KeptChunks) {
    this.kept = kept;
  }

  /** Position of the next byte expected, the FIN counting as one (RCV.NXT). */
  get next(): number {
    return this.assembler.next + (this.finished ? 1 : 0);
  }

  /** Whether everything up to and with the FIN has come. */
  get finished(): boolean {
    return this.finPosition !== null && this.assembler.next === this.finPosition;
  }

  get hasGaps(): boolean {
    return this.assembler.ranges.length > 0;
  }

  /** Bytes that nobody has taken yet. */
  get unread(): number {
    return Math.max(0, this.assembler.next - this.taken);
  }

  /** What may be acknowledged: handed out or kept. */
  private get safe(): number {
    const safe = Math.max(this.taken, this.kept.end ?? 0);
    return this.finPosition !== null && safe === this.finPosition ? safe + 1 : safe;
  }

  get deadline(): number {
    return Math.min(this.acknowledgeAt, this.releaseAt);
  }

  /**
   * What a segment of ours reports beside its acknowledgement: bytes that have come again, once and in front (RFC 2883,
   * 4), and the ranges behind gaps.
   */
  report(most: number): readonly Range[] {
    const { repeated } = this;
    this.repeated = null;
    if (repeated === null) return this.hasGaps ? this.assembler.ranges.slice(0, most) : NOTHING;
    return [repeated, ...this.assembler.ranges].slice(0, most);
  }

  /** A segment with data has come. Notes what of it is here already: the first stretch of it, as RFC 2883 wants it. */
  compare(start: number, length: number): void {
    const end = start + length;
    if (length === 0 || start < 0) return;
    const before = this.assembler.firstIn(start, end);
    if (before === null) return;
    this.repeated = before;
    this.mustAcknowledge = true;
  }

  /** Takes what a segment carries, from `start` on. Answers whether something new came in order. */
  accept(start: number, data: Uint8Array, fin: boolean, now: number): boolean {
    const before = this.next;
    const end = start + data.length;
    if (fin && end <= this.edge && end >= this.assembler.next) this.finPosition ??= end;
    const limit = this.finPosition === null ? this.edge : Math.min(this.edge, this.finPosition);
    const gaps = this.hasGaps;
    this.compare(start, data.length);
    this.assembler.insert(start, data, limit);
    if (data.length > this.segmentBytes) this.segmentBytes = data.length;
    if (this.discarding) this.discard();
    const progress = this.next > before;
    // Out of order, a gap that was filled, or a repetition: the peer has to know at once (RFC 5681, 4.2).
    if (gaps || this.hasGaps || !progress) this.mustAcknowledge = true;
    else {
      const delay = this.answered ? ANSWERED_ACKNOWLEDGEMENT_MS : DELAYED_ACKNOWLEDGEMENT_MS;
      this.acknowledgeAt = Math.min(this.acknowledgeAt, now + delay);
    }
    if (data.length > 0) this.answered = false;
    return progress;
  }

  private discard(): void {
    this.taken = this.assembler.next;
    this.assembler.giveUp(this.taken);
    this.kept.discard(this.taken);
  }

  /** See TcpConnection.read. 'lost': it was given up. 'beyond': it has not come. */
  read(position: number, most: number, now: number): Buffer | 'wait' | 'end' | 'lost' | 'beyond' {
    if (this.trustsReader && position <= this.edge) this.believe(position);
    this.trustsReader = false;
    if (this.discarding) return 'end';
    if (position < this.assembler.base) return 'lost';
    if (position > this.assembler.next) return 'beyond';
    this.assembler.giveUp(position);
    this.kept.discard(position);
    const end = Math.min(this.assembler.next, position + Math.min(most, MAX_READ_BYTES));
    if (this.assembler.canRelease) this.releaseAt = now + RELEASE_MS;
    if (position === this.assembler.next) return this.finished ? 'end' : 'wait';
    if (end > this.taken) this.taken = end;
    return this.assembler.copy(position, end);
  }

  /** The reader has everything before a position. */
  private believe(position: number): void {
    if (position > this.assembler.next) this.assembler.skip(position);
    if (position > this.taken) this.taken = position;
  }

  isReadable(position: number): boolean {
    return this.discarding || this.finished || position !== this.assembler.next;
  }

  /** Nobody reads any more: what comes is thrown away. */
  stopReading(): void {
    this.discarding = true;
    this.discard();
  }

  /** Whether an acknowledgement, or news of the window, should go out now. */
  isDue(now: number): boolean {
    if (this.mustAcknowledge || now >= this.acknowledgeAt) return true;
    if (this.safe - this.acknowledged >= 2 * this.segmentBytes) return true;
    if (this.next - this.acknowledged > this.capacity * UNACKNOWLEDGED_SHARE) return true;
    if (this.finished && this.safe === this.next && this.acknowledged < this.next) return true;
    return this.windowGrew;
  }

  /** Receiver's avoidance of silly windows (RFC 9293, 3.8.6.2.2): small steps are not worth saying. */
  private get windowGrew(): boolean {
    const gain = this.taken + this.capacity - this.edge;
    const left = this.edge - this.acknowledged;
    return left < this.capacity / 2 && gain >= Math.min(this.capacity / 2, 2 * this.segmentBytes);
  }

  /**
   * The position to acknowledge in a segment that goes out now. What has come and is not safe is kept first if the
   * acknowledgement is `due`: else it goes along only with what is safe.
   */
  acknowledge(due: boolean): number {
    if (due) {
      this.keep();
      this.mustAcknowledge = false;
      this.acknowledgeAt = Number.POSITIVE_INFINITY;
    } else if (this.safe === this.next) this.acknowledgeAt = Number.POSITIVE_INFINITY;
    return this.safe;
  }

  private keep(): void {
    const { assembler, kept } = this;
    const from = Math.max(this.taken, kept.end ?? 0);
    const end = assembler.next;
    if (from >= end) return;
    const joined = kept.startFor(from, end - from);
    const start = joined < assembler.base ? from : joined;
    kept.put(start, assembler.copy(start, end));
  }

  /** The window to announce with an acknowledgement of `position`, as it stands in the header; the right edge moves. */
  window(position: number, shift: number): number {
    const wanted = this.taken + this.capacity;
    const step = Math.min(this.capacity / 2, this.segmentBytes);
    const edge = wanted - this.edge >= step ? wanted : this.edge;
    const unit = 2 ** shift;
    // Rounded up: rounded down it could go back.
    const field = Math.max(0, Math.min(Math.ceil((edge - position) / unit), MAX_WINDOW_FIELD));
    this.edge = Math.max(this.edge, position + field * unit);
    this.acknowledged = position;
    return field;
  }

  /** The connection has ended, and what has come can still be read: all of it is kept. */
  settle(): void {
    this.acknowledged = this.acknowledge(true);
  }

  /** Timers that need no acknowledgement. */
  runTimers(now: number): void {
    if (now < this.releaseAt) return;
    this.releaseAt = Number.POSITIVE_INFINITY;
    this.assembler.release();
  }

  /** Nothing is kept any more; what has come can still be read. */
  forget(): void {
    this.kept.discard(Number.POSITIVE_INFINITY);
  }

  /**
   * Goes on where an earlier incarnation was: `next` and `edge` as it had announced them, what it had kept, and whether
   * the FIN was the last thing acknowledged.
   */
  resume(
    next: number,
    edge: number,
    finished: boolean,
    chunks: readonly { readonly start: number; readonly data: Uint8Array }[],
  ): void {
    const dataEnd = finished ? next - 1 : next;
    const last = chunks.at(-1);
    const first = chunks[0];
    const keptEnd = last === undefined ? 0 : last.start + last.data.length;
    if (first !== undefined && keptEnd >= dataEnd) {
      this.assembler.adopt(
        first.start,
        chunks.map(({ data }) => data),
      );
      this.kept.adopt(chunks);
      this.taken = first.start;
    } else {
      // What is kept was handed out together with what came behind it.
      this.kept.adopt(chunks);
      this.kept.discard(keptEnd);
      this.assembler.adopt(dataEnd, []);
      this.taken = dataEnd;
    }
    if (finished) this.finPosition = dataEnd;
    this.acknowledged = next;
    this.edge = Math.max(edge, next);
    this.trustsReader = true;
  }
}
