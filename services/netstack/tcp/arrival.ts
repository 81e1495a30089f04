/**
 * The first checks that a segment has to pass in a synchronised state: RFC 9293, 3.10.7.4, steps 1 to 5, with RFC 5961
 * (3: RST, 4: SYN, 5: ACK) and PAWS (RFC 7323, 5.3). Pure: it says what is to be done.
 */
import { FLAG, type TcpSegment } from '../../../wire/tcp.ts';

/**
 * drop: nothing. acknowledge: drop it and say where we are (it was data or FIN that the peer repeats). challenge: the
 * same for what could be forged or an endless exchange, so at a limited rate. refuse: answer with a reset, as for no
 * connection. reset: the peer has ended the connection. process: go on.
 */
export type Verdict = 'drop' | 'acknowledge' | 'challenge' | 'refuse' | 'reset' | 'process';

/** Where a connection is. Positions of the peer's stream are `receive...`, of ours `send...`. */
export interface Expectation {
  /** RCV.NXT, the last acknowledgement that was sent, and the right edge of the window that was announced. */
  readonly receiveNext: number;
  readonly receiveAcknowledged: number;
  readonly receiveEdge: number;
  /** SND.UNA, the highest acknowledgement that can be, and the largest window the peer has ever announced. */
  readonly sendUnacknowledged: number;
  readonly sendAcceptable: number;
  readonly sendLargestWindow: number;
  /** Our SYN is not acknowledged yet. */
  readonly synReceived: boolean;
  readonly timestamps: boolean;
  /** Whether a timestamp is older than one seen. */
  isOld(value: number): boolean;
}

/**
 * Judges a segment whose first position is `start` (that of a SYN is -1) and whose acknowledgement stands for
 * `acknowledged`.
 */
export function judge(segment: TcpSegment, start: number, acknowledged: number, expected: Expectation): Verdict {
  const { flags } = segment;
  const length = segment.data.length + (flags & FLAG.FIN ? 1 : 0);
  if (expected.timestamps && !(flags & FLAG.RST)) {
    // RFC 7323, 3.2: a segment without the option that was agreed on is dropped.
    if (segment.timestamp === undefined) return 'drop';
    if (expected.isOld(segment.timestamp)) return length > 0 ? 'acknowledge' : 'challenge';
  }
  if (flags & FLAG.RST) return judgeReset(start, expected);
  if (flags & FLAG.SYN) return judgeSyn(flags, length, start, acknowledged, expected);
  // What lies between the last acknowledgement sent and RCV.NXT is a repetition; it may carry news of our own stream.
  // What begins at the right edge may be a probe of a closed window.
  const outside = start + length < expected.receiveAcknowledged || start > expected.receiveEdge;
  if (outside) return length > 0 ? 'acknowledge' : 'challenge';
  if (!(flags & FLAG.ACK)) return 'drop';
  if (expected.synReceived) return isOfOurSyn(acknowledged, expected) ? 'process' : 'refuse';
  if (acknowledged > expected.sendAcceptable) return 'challenge';
  if (acknowledged < expected.sendUnacknowledged - expected.sendLargestWindow) return 'challenge';
  return 'process';
}

/**
 * A SYN at the beginning is the peer's own again: our answer to it was lost (RFC 9293, 3.10.7.4, first check). If it
 * acknowledges ours, both sides have begun at the same time, and this is the end of the handshake (3.5, figure 7).
 */
function judgeSyn(flags: number, length: number, start: number, acknowledged: number, expected: Expectation): Verdict {
  if (!expected.synReceived || start !== -1) return 'challenge';
  const ends = (flags & FLAG.ACK) !== 0 && length === 0 && isOfOurSyn(acknowledged, expected);
  return ends ? 'process' : 'acknowledge';
}

function isOfOurSyn(acknowledged: number, expected: Expectation): boolean {
  return acknowledged > expected.sendUnacknowledged && acknowledged <= expected.sendAcceptable;
}

/**
 * RFC 5961, 3.2: only a reset at exactly the place that is expected ends a connection; one in the window is answered.
 */
function judgeReset(start: number, expected: Expectation): Verdict {
  const exact = start === expected.receiveNext || start === expected.receiveAcknowledged;
  if (exact) return 'reset';
  return start > expected.receiveAcknowledged && start < expected.receiveEdge ? 'challenge' : 'drop';
}
