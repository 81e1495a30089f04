/**
 * The receiving half of a TCP connection: which bytes are next, how much room was promised, when to acknowledge.
 *
 * Read: RFC 9293, 3.4 (acceptable segments) and 3.8.6 (windows); RFC 1122, 4.2.3.2 (delayed acknowledgements).
 */

import { FLAG, sequenceAdd, sequenceDifference, type TcpSegment } from '../../../wire/tcp.ts';

export const WINDOW_LIMIT = 0xffff;
/** An acknowledgement waits this long for something to go with; two segments are acknowledged without delay. */
const DELAY_MS = 10;
const SEGMENTS_TO_ACKNOWLEDGE = 2;

/** What a segment brought. */
export interface Arrival {
  /** New bytes, in order; a copy. */
  readonly data: Buffer;
  /** The guest's FIN, with everything before it. */
  readonly fin: boolean;
  /** It has to be acknowledged at once. */
  readonly acknowledge: boolean;
}

export class TcpReceiver {
  /** RCV.NXT. */
  next = 0;
  /** The end of the window that was announced last. */
  #end = 0;
  #segments = 0;
  /** When an acknowledgement that waits is due. */
  acknowledgeAt = Infinity;

  /** The guest's SYN had this sequence number. */
  start(sequence: number): void {
    this.next = sequenceAdd(sequence, 1);
    this.#end = this.next;
  }

  /** Bytes of the announced window that are left. */
  get promised(): number {
    return Math.max(0, sequenceDifference(this.#end, this.next));
  }

  /** The window for a segment with an acknowledgement, given room for so many bytes. Less than promised it never is. */
  announce(room: number): number {
    const window = Math.min(WINDOW_LIMIT, Math.max(this.promised, room));
    this.#end = sequenceAdd(this.next, window);
    this.#segments = 0;
    this.acknowledgeAt = Infinity;
    return window;
  }

  /** Whether any of a segment lies in the window (3.4, table 6). */
  acceptable(segment: TcpSegment): boolean {
    const { flags, data, sequence } = segment;
    const length = data.length + ((flags & FLAG.SYN) === 0 ? 0 : 1) + ((flags & FLAG.FIN) === 0 ? 0 : 1);
    const offset = sequenceDifference(sequence, this.next);
    // With the window closed, what a probe acknowledges counts all the same.
    if (this.promised === 0) return offset === 0;
    if (length === 0) return offset >= 0 && offset < this.promised;
    return offset < this.promised && offset + length > 0;
  }

  /** Takes the bytes of an acceptable segment that come next. */
  take(segment: TcpSegment, now: number): Arrival {
    const fin = (segment.flags & FLAG.FIN) !== 0;
    const known = sequenceDifference(this.next, segment.sequence);
    if (known < 0) {
      // Something before it is missing. Saying so again and again makes its sender send it.
      return { data: Buffer.alloc(0), fin: false, acknowledge: segment.data.length > 0 || fin };
    }
    const fresh = segment.data.subarray(Math.min(known, segment.data.length));
    const data = Buffer.from(fresh.subarray(0, this.promised));
    if (data.length > 0) {
      this.next = sequenceAdd(this.next, data.length);
      this.#segments++;
      if (this.#segments === 1) this.acknowledgeAt = now + DELAY_MS;
    }
    const cut = data.length < fresh.length;
    if (!cut && fin && known <= segment.data.length) {
      this.next = sequenceAdd(this.next, 1);
      return { data, fin: true, acknowledge: true };
    }
    return { data, fin: false, acknowledge: cut || this.#segments >= SEGMENTS_TO_ACKNOWLEDGE };
  }
}
