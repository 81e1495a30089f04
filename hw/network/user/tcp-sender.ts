/**
 * The sending half of a TCP connection: what is sent, what is acknowledged, what to send now, and when to send again.
 *
 * Read: RFC 9293, 3.4 and 3.8; RFC 1122, 4.2.3.4 (no small segments); RFC 6298.
 */

import { sequenceAdd, sequenceDifference, type TcpSegment } from '../../../wire/tcp.ts';
import { ByteQueue } from './byte-queue.ts';
import { CongestionControl } from './tcp-congestion.ts';
import { RetransmissionTimeout } from './tcp-timing.ts';

/** Assumed of an end that names no segment size (RFC 9293, 3.7.1). */
export const DEFAULT_SEGMENT_SIZE = 536;

/** A segment to be sent. */
export interface Outgoing {
  readonly sequence: number;
  readonly data: Buffer;
  readonly fin: boolean;
  /** Nothing more is waiting behind it. */
  readonly push: boolean;
}

/** What an acknowledgement did. */
export interface Acknowledged {
  /** It is for something that was never sent. */
  readonly impossible: boolean;
  /** Bytes of data that left the queue. */
  readonly data: number;
  readonly fin: boolean;
  /** The first segment under way counts as lost. */
  readonly lost: boolean;
}

const NOTHING: Acknowledged = { impossible: false, data: 0, fin: false, lost: false };

export class TcpSender {
  /** Not acknowledged, and behind that not sent. */
  readonly queue = new ByteQueue();
  readonly #timeout = new RetransmissionTimeout();
  #congestion = new CongestionControl(DEFAULT_SEGMENT_SIZE);
  #segmentSize = DEFAULT_SEGMENT_SIZE;
  /** SND.UNA, SND.NXT, and the highest value that SND.NXT has had. */
  #unacknowledged: number;
  #next: number;
  #highest: number;
  #window = 0;
  #largestWindow = 0;
  /** SND.WL1 and SND.WL2: the segment the window is from. */
  #windowSequence = 0;
  #windowAcknowledgment = 0;
  /** A FIN follows the last byte of the queue. */
  finishing = false;
  /** For sending again, and for probing a closed window. */
  retransmitAt = Infinity;
  /** How often it was sent again without an answer. */
  retries = 0;
  /** The end of a segment whose round trip is being measured, and when it was sent. */
  #measured: number | null = null;
  #measuredAt = 0;

  /** @param initialSequence the sequence number of our SYN */
  constructor(initialSequence: number) {
    this.#unacknowledged = initialSequence;
    this.#next = sequenceAdd(initialSequence, 1);
    this.#highest = this.#next;
  }

  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  get next(): number {
    return this.#next;
  }

  /** The guest takes segments of this many bytes. */
  set segmentSize(size: number) {
    this.#segmentSize = size;
    this.#congestion = new CongestionControl(size);
  }

  /** Our SYN goes out. */
  synSent(now: number): void {
    this.#measured = this.retries === 0 ? this.#next : null;
    this.#measuredAt = now;
    this.retransmitAt = now + this.#timeout.milliseconds;
  }

  /** Our SYN was not answered in time: the next one may take longer. */
  synTimedOut(): void {
    this.#timeout.backOff();
  }

  /** Our SYN was acknowledged by this segment. @param window its window, scaled */
  synAcknowledged(segment: TcpSegment, window: number, now: number): void {
    this.#unacknowledged = segment.acknowledgment;
    this.#measure(segment.acknowledgment, now);
    this.retransmitAt = Infinity;
    this.retries = 0;
    this.#setWindow(segment, window);
  }

  /** Takes the acknowledgement and the window of a segment. @param window its window, scaled */
  acknowledge(segment: TcpSegment, window: number, now: number): Acknowledged {
    const { acknowledgment } = segment;
    const count = sequenceDifference(acknowledgment, this.#unacknowledged);
    if (sequenceDifference(acknowledgment, this.#highest) > 0) return { ...NOTHING, impossible: true };
    if (count < 0) return NOTHING;
    const duplicate = count === 0 && this.#underWay > 0 && segment.data.length === 0 && window === this.#window;
    const age = sequenceDifference(segment.sequence, this.#windowSequence);
    if (age > 0 || (age === 0 && sequenceDifference(acknowledgment, this.#windowAcknowledgment) >= 0)) {
      this.#setWindow(segment, window);
    }
    // The answer to a probe of the closed window: the guest may keep it closed as long as it answers.
    if (this.#underWay === 0) this.retries = 0;
    if (count > 0) return this.#take(count, acknowledgment, now);
    return { ...NOTHING, lost: duplicate && this.#congestion.duplicate(this.#underWay, this.#highest) };
  }

  /** The next segment that may be sent now, or null. */
  take(now: number): Outgoing | null {
    const sent = this.#underWay;
    const waiting = this.queue.length - sent;
    // What was sent beyond the queue is our FIN.
    if (waiting < 0) return null;
    const room = Math.max(0, Math.min(this.#window, this.#congestion.window) - sent);
    const length = Math.min(this.#segmentSize, waiting, room);
    const last = length === waiting;
    const fin = last && this.finishing;
    const worthwhile = last || length === this.#segmentSize || length * 2 >= this.#largestWindow;
    if ((length === 0 || !worthwhile) && !fin) return null;
    const sequence = this.#next;
    this.#next = sequenceAdd(sequence, length + (fin ? 1 : 0));
    if (this.#measured === null && sequence === this.#highest) {
      this.#measured = this.#next;
      this.#measuredAt = now;
    }
    this.#raiseHighest(this.#next);
    if (this.retransmitAt === Infinity) this.retransmitAt = now + this.#timeout.milliseconds;
    return { sequence, data: this.queue.copy(sent, length), fin, push: last && length > 0 };
  }

  /** Data that a closed or small window keeps back is asked about from time to time. */
  armProbe(now: number): void {
    if (this.retransmitAt === Infinity && this.#underWay === 0 && this.queue.length > 0) {
      this.retransmitAt = now + this.#timeout.milliseconds;
    }
  }

  /** The first segment under way, again. */
  first(): Outgoing {
    this.#measured = null;
    const length = Math.min(this.#segmentSize, this.queue.length, this.#underWay);
    const fin = this.#underWay > this.queue.length && length === this.queue.length;
    return { sequence: this.#unacknowledged, data: this.queue.copy(0, length), fin, push: false };
  }

  /**
   * `retransmitAt` has come: waits longer for the next time, and starts again from what is not acknowledged. Returns a
   * probe of the window (RFC 9293, 3.8.6.1) where that keeps everything back, else null.
   */
  timedOut(now: number): Outgoing | null {
    this.#measured = null;
    this.#timeout.backOff();
    this.retransmitAt = now + this.#timeout.milliseconds;
    if (this.#underWay > 0) {
      this.#congestion.timedOut(this.#underWay);
      this.#next = this.#unacknowledged;
      if (this.#window > 0 || this.queue.length === 0) return null;
    }
    const length = Math.min(Math.max(1, Math.min(this.#window, this.#segmentSize)), this.queue.length);
    const fin = this.finishing && length === this.queue.length;
    this.#raiseHighest(sequenceAdd(this.#unacknowledged, length + (fin ? 1 : 0)));
    return { sequence: this.#unacknowledged, data: this.queue.copy(0, length), fin, push: false };
  }

  get #underWay(): number {
    return sequenceDifference(this.#next, this.#unacknowledged);
  }

  #raiseHighest(sequence: number): void {
    if (sequenceDifference(sequence, this.#highest) > 0) this.#highest = sequence;
  }

  #setWindow(segment: TcpSegment, window: number): void {
    // A window that opens ends the probing.
    if (this.#window === 0 && window > 0 && this.#underWay === 0) this.retransmitAt = Infinity;
    this.#window = window;
    this.#largestWindow = Math.max(this.#largestWindow, window);
    this.#windowSequence = segment.sequence;
    this.#windowAcknowledgment = segment.acknowledgment;
  }

  #take(count: number, acknowledgment: number, now: number): Acknowledged {
    const data = Math.min(count, this.queue.length);
    this.queue.drop(data);
    this.#unacknowledged = acknowledgment;
    if (sequenceDifference(this.#next, acknowledgment) < 0) this.#next = acknowledgment;
    this.#measure(acknowledgment, now);
    this.retries = 0;
    this.retransmitAt = this.#underWay > 0 ? now + this.#timeout.milliseconds : Infinity;
    const lost = this.#congestion.acknowledged(count, acknowledgment) && this.#underWay > 0;
    // Behind the data there can only be our FIN.
    return { impossible: false, data, fin: count > data, lost };
  }

  /** A round trip, if this acknowledges the segment that is being measured (RFC 6298, 3). */
  #measure(acknowledgment: number, now: number): void {
    if (this.#measured === null || sequenceDifference(acknowledgment, this.#measured) < 0) return;
    this.#timeout.sample(now - this.#measuredAt);
    this.#measured = null;
  }
}
