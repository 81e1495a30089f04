/**
 * Sequence numbers and positions. On the wire a byte has a sequence number on a circle of 2^32 (RFC 9293, 3.4);
 * everywhere else in this folder it has its position in the stream, counted from 0, so that positions are compared as
 * numbers are. The SYN has position -1, the FIN the position behind the last byte.
 */
import { sequenceAdd, sequenceDifference } from '../../../wire/tcp.ts';

/** One direction of a connection: translates between the two. */
export class StreamNumbers {
  /** The initial sequence number: that of the SYN. */
  readonly initial: number;

  constructor(initial: number) {
    this.initial = initial;
  }

  /** The sequence number of a position. */
  sequence(position: number): number {
    return sequenceAdd(this.initial, 1 + (position % 2 ** 32));
  }

  /** The position of a sequence number: the one nearest to `near`. */
  position(sequence: number, near: number): number {
    return near + sequenceDifference(sequence, this.sequence(near));
  }
}
