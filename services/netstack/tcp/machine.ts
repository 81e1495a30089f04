/**
 * The machine of a connection: what segments (RFC 9293, 3.10.7) and time (3.10.8) do to its state. Sending and
 * receiving are in sender.ts and receiver.ts, the first checks of a segment in arrival.ts. What the owner of a
 * connection can ask is in connection.ts.
 */
import type { ErrorName } from '../../../protocol/errno.ts';
import { FLAG, type TcpSegment } from '../../../wire/tcp.ts';
import { judge } from './arrival.ts';
import { type Beginning, ControlBlock, type TcpContext, type TcpState } from './control-block.ts';
import * as limit from './limits.ts';
import { MAX_BLOCKS } from './transmitter.ts';

const EMPTY = Buffer.alloc(0);
/**
 * Distance between the sequence numbers of a connection in TIME-WAIT and of its successor: more than a window without
 * scaling.
 */
const SUCCESSOR_GAP = 2 ** 16;

const NEVER = Number.POSITIVE_INFINITY;

/** See the head of this file. */
export abstract class Machine extends ControlBlock {
  /** The segment that the peer's window was taken from last (SND.WL1, SND.WL2). */
  private windowFrom = { sequence: -2, acknowledgment: -2 };
  private heardAt: number;
  private probes = 0;
  private challenges = 0;
  private challengeSecond = 0;
  /** An ICMP error that may pass (RFC 1122, 4.2.3.9): the reason if the connection times out. */
  private softError: ErrorName | null = null;

  protected constructor(context: TcpContext, beginning: Beginning, state: TcpState, now: number) {
    super(context, beginning, state);
    this.heardAt = now;
  }

  // Segments.

  /** A segment of this connection has come; its check sum is right. */
  input(segment: TcpSegment, now: number): void {
    if (this.state === 'closed') return;
    if (this.state === 'syn-sent') this.inSynSent(segment, now);
    else this.arrived(segment, now);
    this.context.touched(this);
  }

  /** RFC 9293, 3.10.7.3. */
  private inSynSent(segment: TcpSegment, now: number): void {
    const { flags } = segment;
    const acknowledges = (flags & FLAG.ACK) !== 0;
    const position = this.transmitter.ours.position(segment.acknowledgment, 0);
    if (acknowledges && (position !== 0 || this.sender.acceptable < 0)) {
      if (!(flags & FLAG.RST)) this.context.refuse(this.local, this.remote, segment, now);
      return;
    }
    if (flags & FLAG.RST) {
      if (acknowledges) this.end('ECONNREFUSED');
      return;
    }
    if (!(flags & FLAG.SYN)) return;
    this.takeSyn(segment, now);
    if (acknowledges) {
      this.sender.setWindow(segment.window);
      this.acknowledged(segment, 0, now);
      this.receiver.mustAcknowledge = true;
      this.established(now);
      return;
    }
    // Both have begun at the same time: our SYN goes out again, now with an acknowledgement.
    this.state = 'syn-received';
    this.receiver.mustAcknowledge = true;
  }

  protected takeSyn(syn: TcpSegment, now: number): void {
    this.transmitter.agree(syn, now);
    this.sender.selective = this.transmitter.selective;
    this.sender.begin(this.transmitter.segmentBytes);
    this.windowFrom = { sequence: -1, acknowledgment: -1 };
  }

  private established(now: number): void {
    this.state = 'established';
    this.stateEndsAt = NEVER;
    this.sender.end = this.queue.end;
    this.heardAt = now;
    this.stored = true;
    this.keepControl();
    this.keepPositions();
    this.changed?.();
  }

  /** RFC 9293, 3.10.7.4. */
  private arrived(segment: TcpSegment, now: number): void {
    const { sender, receiver, transmitter } = this;
    const { ours, theirs, timestamps } = transmitter;
    if (theirs === null) return;
    const start = theirs.position(segment.sequence, receiver.next);
    const acknowledgment =
      segment.flags & FLAG.ACK ? ours.position(segment.acknowledgment, sender.unacknowledged) : sender.unacknowledged;
    const verdict = judge(segment, start, acknowledgment, {
      receiveNext: receiver.next,
      receiveAcknowledged: receiver.acknowledged,
      receiveEdge: receiver.edge,
      sendUnacknowledged: sender.unacknowledged,
      sendAcceptable: sender.acceptable,
      sendLargestWindow: sender.largestWindow,
      synReceived: this.state === 'syn-received',
      timestamps: timestamps.enabled,
      isOld: (value) => timestamps.isOld(value, now),
    });
    if (verdict === 'process') {
      this.process(segment, start, acknowledgment, now);
      return;
    }
    this.takeNews(segment, start, acknowledgment, now);
    if (this.ended) return;
    if (verdict === 'acknowledge') {
      receiver.mustAcknowledge = true;
      receiver.compare(start, segment.data.length);
      // What the peer repeats because our answer was lost: this one echoes the repetition (RFC 7323, 4.3), or the peer
      // would take the time since the first one for a round trip. No more than a window back, for who forges it.
      const back = receiver.acknowledged - start;
      if (segment.timestamp !== undefined && back >= 0 && back <= receiver.capacity)
        transmitter.timestamps.accept(segment.timestamp, now);
      // The peer repeats its FIN (RFC 9293, 3.10.7.4, eighth check).
      if (this.state === 'time-wait' && segment.flags & FLAG.FIN) this.stateEndsAt = now + limit.TIME_WAIT_MS;
    } else if (verdict === 'challenge') {
      if (this.mayChallenge(now)) receiver.mustAcknowledge = true;
    } else if (verdict === 'refuse') this.context.refuse(this.local, this.remote, segment, now);
    else if (verdict === 'reset') this.wasReset();
  }

  /**
   * After a death this side sends again what the peer has, and cannot say by its sequence numbers how far it had come.
   * If the peer has died, too, then each takes all segments of the other for repetitions; so both take from such a
   * segment what it acknowledges, or they would repeat themselves for ever.
   */
  private takeNews(segment: TcpSegment, start: number, acknowledgment: number, now: number): void {
    const { sender, receiver, transmitter } = this;
    const isRepetition = start + segment.data.length < receiver.acknowledged && (segment.flags & FLAG.ACK) !== 0;
    if (!this.restored || !isRepetition || (segment.flags & (FLAG.SYN | FLAG.RST)) !== 0) return;
    if (transmitter.timestamps.enabled && transmitter.timestamps.isOld(segment.timestamp ?? 0, now)) return;
    if (acknowledgment <= sender.unacknowledged || acknowledgment > sender.acceptable) return;
    this.acknowledged(segment, acknowledgment, now);
  }

  private mayChallenge(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.challengeSecond) this.challenges = 0;
    this.challengeSecond = second;
    if (this.challenges >= limit.CHALLENGES_A_SECOND || !this.context.mayChallenge(now)) return false;
    this.challenges++;
    this.context.counters.challenges++;
    return true;
  }

  private wasReset(): void {
    this.context.counters.resetsReceived++;
    if (this.state === 'time-wait') this.end(null);
    else if (this.state === 'syn-received' && this.listener === null) this.end('ECONNREFUSED');
    else this.end(this.state === 'close-wait' ? 'EPIPE' : 'ECONNRESET');
  }

  private process(segment: TcpSegment, start: number, acknowledgment: number, now: number): void {
    const { sender, receiver, transmitter } = this;
    if (this.state === 'syn-received') {
      if (this.listener !== null && !this.context.mayEstablish(this)) return;
      this.established(now);
      if (this.listener !== null) this.context.established(this);
    }
    this.heardAt = now;
    this.probes = 0;
    this.softError = null;
    if (segment.timestamp !== undefined && start <= receiver.acknowledged) {
      transmitter.timestamps.accept(segment.timestamp, now);
    }
    const isSyn = (segment.flags & FLAG.SYN) !== 0;
    // Of a handshake that both have begun: the peer may not know yet that it is over.
    if (isSyn) receiver.mustAcknowledge = true;
    const { windowFrom } = this;
    const length = segment.data.length;
    const fin = (segment.flags & FLAG.FIN) !== 0;
    let bare = length === 0 && !fin;
    const newer =
      start > windowFrom.sequence || (start === windowFrom.sequence && acknowledgment >= windowFrom.acknowledgment);
    if (newer && acknowledgment >= sender.unacknowledged) {
      const differs = sender.setWindow(segment.window * 2 ** (isSyn ? 0 : (transmitter.peerShift ?? 0)));
      if (differs) bare = false;
      this.windowFrom = { sequence: start, acknowledgment };
    }
    this.acknowledged(segment, acknowledgment, now, bare);
    if (this.ended) return;
    if (length > 0 || fin) this.receive(segment, start, fin, now);
  }

  /** An acknowledgement of what we have sent. */
  private acknowledged(segment: TcpSegment, position: number, now: number, bare = false): void {
    const { sender, queue, transmitter } = this;
    const { ours, timestamps } = transmitter;
    const before = sender.unacknowledged;
    const echo = timestamps.enabled && segment.timestampEcho ? segment.timestampEcho : undefined;
    const bytes = sender.acknowledge(
      {
        position,
        ranges: (segment.blocks ?? []).map((block) => ({
          start: ours.position(block.start, before),
          end: ours.position(block.end, before),
        })),
        echoAge: echo === undefined ? undefined : timestamps.age(echo, now),
        bare,
      },
      now,
    );
    if (bytes === 0) return;
    const finished = this.sendClosed && position > queue.end;
    // Before the last chunk goes, the store has to say where the stream is.
    if (this.stored && (finished || queue.wouldBeEmpty(position))) this.keepPositions();
    queue.release(Math.min(position, queue.end));
    this.buffers.acknowledged(sender.congestion.window);
    if (this.orphaned && this.state !== 'time-wait' && !finished) this.extendOrphan(now);
    if (finished) this.finAcknowledged(now);
    this.changed?.();
  }

  private extendOrphan(now: number): void {
    if (this.stateEndsAt !== NEVER) this.stateEndsAt = Math.max(this.stateEndsAt, now + limit.ORPHAN_MS);
  }

  private finAcknowledged(now: number): void {
    if (this.state === 'fin-wait-1') {
      this.state = 'fin-wait-2';
      if (this.orphaned) this.stateEndsAt = now + limit.ORPHAN_FIN_WAIT_MS;
    } else if (this.state === 'closing') this.enterTimeWait(now);
    else if (this.state === 'last-ack') this.end(null);
  }

  private receive(segment: TcpSegment, start: number, fin: boolean, now: number): void {
    const { receiver } = this;
    if (this.state !== 'established' && this.state !== 'fin-wait-1' && this.state !== 'fin-wait-2') {
      receiver.mustAcknowledge = true;
      // The peer repeats its FIN (RFC 9293, 3.10.7.4, eighth check).
      if (this.state === 'time-wait' && fin) this.stateEndsAt = now + limit.TIME_WAIT_MS;
      return;
    }
    if (this.orphaned && start + segment.data.length > receiver.next) {
      // Nobody will ever read it (RFC 1122, 4.2.2.13).
      this.reset(now);
      this.end('ECONNRESET');
      return;
    }
    if (!receiver.accept(start, segment.data, fin, now)) return;
    if (receiver.finished) this.peerFinished(now);
    this.changed?.();
  }

  private peerFinished(now: number): void {
    if (this.state === 'established') this.state = 'close-wait';
    else if (this.state === 'fin-wait-1') this.state = 'closing';
    else this.enterTimeWait(now);
  }

  // Time, and what goes out.

  /** When `advance` has something to do. */
  get deadline(): number {
    if (this.state === 'closed') return NEVER;
    return Math.min(
      this.sender.deadline,
      this.receiver.deadline,
      this.stateEndsAt,
      this.userTimeoutAt,
      this.keepAliveAt,
    );
  }

  private get userTimeoutAt(): number {
    return this.sender.stalledSince + (this.userTimeout || limit.USER_TIMEOUT_MS);
  }

  /** RFC 9293, 3.8.4: only while nothing is under way. */
  private get keepAliveAt(): number {
    if (this.keepAlive === 0 || !this.sender.isIdle || this.state === 'time-wait' || !this.synchronised) return NEVER;
    const interval = Math.min(this.keepAlive * 1000, limit.KEEP_ALIVE_INTERVAL_MS);
    return this.heardAt + this.keepAlive * 1000 + this.probes * interval;
  }

  /** Runs timers and sends what is due. */
  advance(now: number): void {
    if (now >= this.stateEndsAt) this.stateEnds(now);
    if (!this.ended && now >= this.userTimeoutAt) this.timeOut(now);
    if (!this.ended && now >= this.keepAliveAt) this.probe(now);
    if (this.ended) return;
    const { sender, receiver } = this;
    sender.runTimers(now);
    this.transmitter.dontFragment = !sender.suspectsBlackHole;
    receiver.runTimers(now);
    sender.send(now);
    if (this.transmitter.theirs === null || !receiver.isDue(now)) return;
    const syn = this.state === 'syn-received';
    this.emit(syn ? FLAG.SYN | FLAG.ACK : FLAG.ACK, syn ? -1 : sender.next, EMPTY, now);
  }

  private stateEnds(now: number): void {
    this.stateEndsAt = NEVER;
    if (this.state === 'time-wait') this.end(null);
    else this.timeOut(now);
  }

  /** RFC 9293, 3.10.8: the peer does not answer. */
  private timeOut(now: number): void {
    if (this.synchronised) this.reset(now);
    this.end(this.softError ?? 'ETIMEDOUT');
  }

  private probe(now: number): void {
    if (this.probes >= limit.KEEP_ALIVE_PROBES) {
      this.timeOut(now);
      return;
    }
    this.probes++;
    this.emit(FLAG.ACK, this.sender.next - 1, EMPTY, now);
  }

  /** A piece of the stream, SYN and FIN included. */
  protected override transmit(start: number, end: number, now: number): void {
    const { queue } = this;
    const data = queue.view(Math.max(start, 0), Math.min(end, queue.end));
    let flags = this.state === 'syn-sent' ? 0 : FLAG.ACK;
    if (start < 0) flags |= FLAG.SYN;
    if (this.sendClosed && end > queue.end) {
      flags |= FLAG.FIN;
      // Who acknowledges our FIN has seen that we have his, and all before it: LAST-ACK can end with that.
      if (this.receiver.finished) this.receiver.mustAcknowledge = true;
    }
    if (data.length > 0 && end >= queue.end) flags |= FLAG.PSH;
    this.emit(flags, start, data, now);
  }

  private emit(flags: number, position: number, data: Buffer, now: number): void {
    const { receiver, transmitter } = this;
    const acknowledged = flags & FLAG.ACK ? receiver.acknowledge(receiver.isDue(now)) : 0;
    const window = receiver.window(acknowledged, flags & FLAG.SYN ? 0 : transmitter.shift);
    // The store knows what is acknowledged before the peer does.
    if (this.stored && (acknowledged !== this.storedAcknowledged || receiver.edge !== this.storedEdge)) {
      this.keepPositions();
    }
    if (data.length > 0) receiver.answered = true;
    const ranges = receiver.report(MAX_BLOCKS);
    transmitter.send({ flags, position, data, acknowledged, window, ranges }, now);
    this.context.counters.segmentsSent++;
  }

  /**
   * An ICMP error about a segment of ours that is under way (RFC 5927, 4.1). Hard ones end a connection that is being
   * made; later all are taken for passing ones (RFC 5927, 5.2, RFC 1122, 4.2.3.9).
   */
  unreachable(reason: ErrorName): void {
    if (this.state === 'syn-sent' || (this.state === 'syn-received' && this.listener === null)) this.end(reason);
    else this.softError = reason;
  }

  /** Whether a segment with this sequence number has been sent and is not acknowledged. */
  isUnderWay(sequence: number): boolean {
    const { sender, transmitter } = this;
    const position = transmitter.ours.position(sequence, sender.unacknowledged);
    return position >= sender.unacknowledged && position < sender.acceptable;
  }

  /** The path to the peer has another MTU. */
  pathChanged(): void {
    const { sender, transmitter } = this;
    if (transmitter.theirs === null) return;
    const bytes = transmitter.segmentBytes;
    if (bytes === sender.segmentBytes) return;
    sender.setSegmentBytes(bytes);
    this.context.touched(this);
  }

  /** Ends it without a word to the peer. */
  drop(error: ErrorName | null = null): void {
    this.end(error);
  }

  /**
   * A sequence number behind all that this connection has used: a new one in its place begins there or later (RFC 9293,
   * 3.10.7.4).
   */
  get successor(): number {
    return this.transmitter.ours.sequence(this.sender.acceptable + SUCCESSOR_GAP);
  }

  /**
   * Whether the peer may begin a new connection in place of this one in TIME-WAIT: the SYN is newer than all of it (RFC
   * 6191, 2; RFC 9293, 3.6.1).
   */
  canBeFollowedBy(syn: TcpSegment): boolean {
    const { theirs, timestamps } = this.transmitter;
    if (theirs === null) return false;
    if (timestamps.enabled && syn.timestamp !== undefined && timestamps.isNewer(syn.timestamp)) return true;
    return theirs.position(syn.sequence, this.receiver.next) > this.receiver.next;
  }
}
