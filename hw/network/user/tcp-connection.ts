/**
 * The end of a TCP connection towards the guest: the states, and what each segment does to them. It knows no host.
 *
 * What it leaves out: segments that come out of order are not kept (their sender sends them again); there is no
 * selective acknowledgement, no time stamps and no urgent data.
 *
 * Read: RFC 9293, 3.3 to 3.10; RFC 5961 (challenge acknowledgements).
 */

import { FLAG, sequenceAdd, type TcpSegment } from '../../../wire/tcp.ts';
import { TcpReceiver, WINDOW_LIMIT } from './tcp-receiver.ts';
import { DEFAULT_SEGMENT_SIZE, type Outgoing, TcpSender } from './tcp-sender.ts';

export type TcpState =
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'
  | 'closed';

/** Why a connection is over: both ends have closed it, the guest has reset it, the guest does not answer. */
export type TcpEnd = 'closed' | 'reset' | 'timeout';

/** What a connection needs of whoever has it. Calls may come from within any call to the connection. */
export interface TcpOwner {
  send(segment: TcpSegment): void;
  /** Bytes that can be received now: the window. */
  receiveRoom(): number;
  established(): void;
  received(data: Buffer): void;
  /** The guest will send no more. */
  peerClosed(): void;
  /** The guest has acknowledged data. */
  sendSpace(): void;
  /** The last call. */
  over(reason: TcpEnd): void;
}

export interface TcpSettings {
  readonly localPort: number;
  readonly peerPort: number;
  /** A sequence number that nobody can guess (RFC 6528). */
  readonly initialSequence: number;
}

/** The largest segment over Ethernet without options. */
const OWN_SEGMENT_SIZE = 1460;
const LEAST_SEGMENT_SIZE = 64;
const SYN_RETRIES = 5;
const DATA_RETRIES = 12;
/** After this silence the guest is asked whether it is still there, so many times, so far apart. */
const KEEP_ALIVE_IDLE_MS = 300_000;
const KEEP_ALIVE_RETRIES = 5;
const KEEP_ALIVE_INTERVAL_MS = 15_000;
/** How long the last acknowledgement can be asked for again: between us and the guest nothing lives longer. */
const TIME_WAIT_MS = 30_000;
/** Answers to segments outside of the window, at most so many a second (RFC 5961, 7). */
const CHALLENGES_A_SECOND = 10;
const NO_DATA = Buffer.alloc(0);

export class TcpConnection {
  readonly #settings: TcpSettings;
  readonly #owner: TcpOwner;
  readonly #sender: TcpSender;
  readonly #receiver = new TcpReceiver();
  #state: TcpState;
  /** Whether our SYN has a window scale: when we open, or when the guest's has one. The guest's is for its windows. */
  #offersScale = true;
  #windowShift = 0;
  #keepAliveAt: number;
  #keepAliveProbes = 0;
  #timeWaitEnd = Infinity;
  #challengeSecond = 0;
  #challenges = 0;

  private constructor(settings: TcpSettings, owner: TcpOwner, state: TcpState, now: number) {
    this.#settings = settings;
    this.#owner = owner;
    this.#state = state;
    this.#sender = new TcpSender(settings.initialSequence);
    this.#keepAliveAt = now + KEEP_ALIVE_IDLE_MS;
  }

  /** Opens a connection to the guest: sends a SYN. */
  static open(settings: TcpSettings, owner: TcpOwner, now: number): TcpConnection {
    const connection = new TcpConnection(settings, owner, 'syn-sent', now);
    connection.#sendSyn(now);
    return connection;
  }

  /** Accepts the guest's SYN. */
  static accept(settings: TcpSettings, owner: TcpOwner, syn: TcpSegment, now: number): TcpConnection {
    const connection = new TcpConnection(settings, owner, 'syn-received', now);
    connection.#takeSyn(syn);
    connection.#sendSyn(now);
    return connection;
  }

  get state(): TcpState {
    return this.#state;
  }

  /** Bytes written and not acknowledged. */
  get queued(): number {
    return this.#sender.queue.length;
  }

  /** When `advance` next has something to do. */
  get nextTimeout(): number {
    const { retransmitAt } = this.#sender;
    return Math.min(this.#receiver.acknowledgeAt, retransmitAt, this.#keepAliveAt, this.#timeWaitEnd);
  }

  /** Takes bytes to send, after `close` none. How many are queued is for the caller to limit. */
  write(bytes: Uint8Array, now: number): void {
    if (this.#sender.finishing || this.#state === 'closed') return;
    this.#sender.queue.push(bytes);
    this.#transmit(now);
  }

  /** No more bytes will be written; the guest hears of it behind the last one. */
  close(now: number): void {
    if (this.#sender.finishing || this.#state === 'closed') return;
    this.#sender.finishing = true;
    this.#transmit(now);
  }

  /** Ends the connection at once, with a reset. The owner is not called. */
  abort(): void {
    if (this.#state !== 'closed' && this.#state !== 'syn-sent' && this.#state !== 'time-wait') this.#sendReset();
    this.#release();
  }

  /** There may be more room for data than was announced. */
  windowOpened(): void {
    if (!this.#receiving) return;
    const gain = Math.min(WINDOW_LIMIT, this.#owner.receiveRoom()) - this.#receiver.promised;
    if (gain >= 2 * OWN_SEGMENT_SIZE) this.#acknowledge();
  }

  /** A segment of this connection has come from the guest. */
  receive(segment: TcpSegment, now: number): void {
    if (this.#state === 'closed') return;
    if (this.#keepAliveAt !== Infinity) this.#keepAliveAt = now + KEEP_ALIVE_IDLE_MS;
    this.#keepAliveProbes = 0;
    if (this.#state === 'syn-sent') this.#receiveInSynSent(segment, now);
    else this.#receiveSynchronized(segment, now);
  }

  /** Does what is due. */
  advance(now: number): void {
    if (now >= this.#timeWaitEnd) this.#finish('closed');
    if (now >= this.#receiver.acknowledgeAt) this.#acknowledge();
    if (now >= this.#sender.retransmitAt) this.#retransmit(now);
    if (now >= this.#keepAliveAt) this.#keepAlive(now);
  }

  get #opening(): boolean {
    return this.#state === 'syn-sent' || this.#state === 'syn-received';
  }

  get #receiving(): boolean {
    return this.#state === 'established' || this.#state === 'fin-wait-1' || this.#state === 'fin-wait-2';
  }

  /** Whether there may be data or a FIN to send, for the first time or again. */
  get #sending(): boolean {
    return !this.#opening && this.#state !== 'fin-wait-2' && this.#state !== 'time-wait' && this.#state !== 'closed';
  }

  /** RFC 9293, 3.10.7.3. */
  #receiveInSynSent(segment: TcpSegment, now: number): void {
    const acknowledges = (segment.flags & FLAG.ACK) !== 0;
    if (acknowledges && segment.acknowledgment !== this.#sender.next) {
      if ((segment.flags & FLAG.RST) === 0) this.#send(FLAG.RST, segment.acknowledgment);
      return;
    }
    if ((segment.flags & FLAG.RST) !== 0) {
      if (acknowledges) this.#finish('reset');
      return;
    }
    if ((segment.flags & FLAG.SYN) === 0) return;
    this.#takeSyn(segment);
    if (!acknowledges) {
      this.#state = 'syn-received';
      this.#sendSyn(now);
      return;
    }
    // The window of a SYN is never scaled.
    this.#establish(segment, segment.window, now);
    this.#acknowledge();
    this.#transmit(now);
  }

  /** RFC 9293, 3.10.7.4, with RFC 5961 for segments that somebody else may have made up. */
  #receiveSynchronized(segment: TcpSegment, now: number): void {
    const reset = (segment.flags & FLAG.RST) !== 0;
    if (!this.#receiver.acceptable(segment)) {
      // The guest's FIN again: our acknowledgement was lost.
      if (this.#state === 'time-wait' && (segment.flags & FLAG.FIN) !== 0) this.#waitForStragglers(now);
      if (!reset) this.#challenge(now);
      return;
    }
    if (reset && segment.sequence === this.#receiver.next) {
      this.#finish('reset');
      return;
    }
    if (reset || (segment.flags & FLAG.SYN) !== 0) {
      this.#challenge(now);
      return;
    }
    if ((segment.flags & FLAG.ACK) === 0) return;
    const window = segment.window * 2 ** this.#windowShift;
    if (this.#state === 'syn-received') {
      if (segment.acknowledgment !== this.#sender.next) {
        this.#send(FLAG.RST, segment.acknowledgment);
        return;
      }
      this.#establish(segment, window, now);
    } else if (!this.#takeAcknowledgment(segment, window, now)) {
      return;
    }
    if (this.#receiving) this.#takeData(segment, now);
    this.#transmit(now);
  }

  #takeSyn(segment: TcpSegment): void {
    this.#receiver.start(segment.sequence);
    const offered = segment.segmentSize ?? DEFAULT_SEGMENT_SIZE;
    this.#sender.segmentSize = Math.min(OWN_SEGMENT_SIZE, Math.max(LEAST_SEGMENT_SIZE, offered));
    this.#offersScale = segment.windowShift !== undefined;
    this.#windowShift = segment.windowShift ?? 0;
  }

  #establish(segment: TcpSegment, window: number, now: number): void {
    this.#state = 'established';
    this.#sender.synAcknowledged(segment, window, now);
    this.#owner.established();
  }

  /** Returns false for a segment that counts for nothing. */
  #takeAcknowledgment(segment: TcpSegment, window: number, now: number): boolean {
    const acknowledged = this.#sender.acknowledge(segment, window, now);
    if (acknowledged.impossible) {
      this.#challenge(now);
      return false;
    }
    if (acknowledged.lost) this.#sendOutgoing(this.#sender.first());
    if (acknowledged.fin) this.#finAcknowledged(now);
    if (acknowledged.data > 0) this.#owner.sendSpace();
    return true;
  }

  #finAcknowledged(now: number): void {
    if (this.#state === 'fin-wait-1') this.#state = 'fin-wait-2';
    else if (this.#state === 'closing') this.#waitForStragglers(now);
    else if (this.#state === 'last-ack') this.#finish('closed');
  }

  #takeData(segment: TcpSegment, now: number): void {
    const { data, fin, acknowledge } = this.#receiver.take(segment, now);
    if (data.length > 0) this.#owner.received(data);
    // The owner may have ended the connection over the data.
    if (!this.#receiving) return;
    if (fin) {
      if (this.#state === 'established') this.#state = 'close-wait';
      else if (this.#state === 'fin-wait-1') this.#state = 'closing';
      else this.#waitForStragglers(now);
    }
    if (acknowledge) this.#acknowledge();
    if (fin) this.#owner.peerClosed();
  }

  #waitForStragglers(now: number): void {
    this.#state = 'time-wait';
    this.#timeWaitEnd = now + TIME_WAIT_MS;
    this.#sender.retransmitAt = Infinity;
    this.#keepAliveAt = Infinity;
  }

  /** Sends what there is and may be sent. */
  #transmit(now: number): void {
    if (!this.#sending) return;
    for (let next = this.#sender.take(now); next !== null; next = this.#sender.take(now)) this.#sendOutgoing(next);
    this.#sender.armProbe(now);
  }

  #sendOutgoing({ sequence, data, fin, push }: Outgoing): void {
    if (fin && this.#state === 'established') this.#state = 'fin-wait-1';
    else if (fin && this.#state === 'close-wait') this.#state = 'last-ack';
    this.#send(FLAG.ACK | (push ? FLAG.PSH : 0) | (fin ? FLAG.FIN : 0), sequence, data);
  }

  #retransmit(now: number): void {
    const sender = this.#sender;
    sender.retries++;
    if (sender.retries > (this.#opening ? SYN_RETRIES : DATA_RETRIES)) {
      this.#giveUp();
      return;
    }
    if (this.#opening) {
      sender.synTimedOut();
      this.#sendSyn(now);
      return;
    }
    const probe = sender.timedOut(now);
    if (probe !== null) this.#sendOutgoing(probe);
    else this.#transmit(now);
  }

  #keepAlive(now: number): void {
    if (this.#sender.retransmitAt !== Infinity) {
      // The guest is being asked already.
      this.#keepAliveAt = now + KEEP_ALIVE_IDLE_MS;
      return;
    }
    this.#keepAliveProbes++;
    if (this.#keepAliveProbes > KEEP_ALIVE_RETRIES) {
      this.#giveUp();
      return;
    }
    this.#keepAliveAt = now + KEEP_ALIVE_INTERVAL_MS;
    // A byte before the window: the guest has to say where it is.
    this.#send(FLAG.ACK, sequenceAdd(this.#sender.unacknowledged, -1));
  }

  #giveUp(): void {
    if (this.#state !== 'syn-sent') this.#sendReset();
    this.#finish('timeout');
  }

  #sendSyn(now: number): void {
    const answer = this.#state === 'syn-received' ? FLAG.ACK : 0;
    const options = { segmentSize: OWN_SEGMENT_SIZE, windowShift: this.#offersScale ? 0 : undefined };
    this.#sender.synSent(now);
    this.#send(FLAG.SYN | answer, this.#settings.initialSequence, NO_DATA, options);
  }

  #sendReset(): void {
    this.#send(FLAG.RST | FLAG.ACK, this.#sender.next);
  }

  #acknowledge(): void {
    if (this.#state !== 'closed') this.#send(FLAG.ACK, this.#sender.next);
  }

  /** An acknowledgement for a segment that should not be: tells an honest sender where we are. */
  #challenge(now: number): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#challengeSecond) {
      this.#challengeSecond = second;
      this.#challenges = 0;
    }
    this.#challenges++;
    if (this.#challenges <= CHALLENGES_A_SECOND) this.#acknowledge();
  }

  #send(
    flags: number,
    sequence: number,
    data: Buffer = NO_DATA,
    options: Pick<TcpSegment, 'segmentSize' | 'windowShift'> = { segmentSize: undefined, windowShift: undefined },
  ): void {
    const acknowledges = (flags & FLAG.ACK) !== 0;
    const room = this.#receiving || this.#opening ? this.#owner.receiveRoom() : 0;
    this.#owner.send({
      sourcePort: this.#settings.localPort,
      destinationPort: this.#settings.peerPort,
      sequence,
      acknowledgment: acknowledges ? this.#receiver.next : 0,
      flags,
      window: acknowledges ? this.#receiver.announce(room) : Math.min(WINDOW_LIMIT, room),
      data,
      ...options,
    });
  }

  #finish(reason: TcpEnd): void {
    if (this.#state === 'closed') return;
    this.#release();
    this.#owner.over(reason);
  }

  #release(): void {
    this.#state = 'closed';
    this.#sender.queue.drop(this.#sender.queue.length);
    this.#receiver.acknowledgeAt = Infinity;
    this.#sender.retransmitAt = Infinity;
    this.#keepAliveAt = Infinity;
    this.#timeWaitEnd = Infinity;
  }
}
