/**
 * The state of a connection and what of it is in the recovery store, so that the next incarnation of this process can
 * go on with it (record.ts has the keys). machine.ts makes it go.
 */
import type { ErrorName } from '../../../protocol/errno.ts';
import { FLAG, type TcpSegment } from '../../../wire/tcp.ts';
import { Buffers } from './buffers.ts';
import type { Endpoint, TcpEnvironment } from './environment.ts';
import { KeptChunks } from './kept-chunks.ts';
import { ORPHAN_MS, TIME_WAIT_MS } from './limits.ts';
import { Receiver } from './receiver.ts';
import {
  controlKey,
  type KeptConnection,
  positionKey,
  putControl,
  putPositions,
  receivedPrefix,
  sentPrefix,
} from './record.ts';
import { SendQueue } from './send-queue.ts';
import { Sender, type SenderCounters } from './sender.ts';
import { Transmitter } from './transmitter.ts';

/** RFC 9293, 3.3.2, named as in protocol/socket.ts. */
export type TcpState =
  | 'closed'
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait';

const EMPTY = Buffer.alloc(0);
const NEVER = Number.POSITIVE_INFINITY;

/** What a connection needs of the layer. */
export interface TcpContext {
  readonly environment: TcpEnvironment;
  readonly counters: SenderCounters & {
    resetsSent: number;
    resetsReceived: number;
    challenges: number;
    segmentsSent: number;
  };
  /** Something is to be done for this connection in the next `advance`. */
  touched(machine: ControlBlock): void;
  /** RST for a segment that makes no sense here (RFC 9293, 3.5.2, group 2). */
  refuse(local: Endpoint, remote: Endpoint, segment: TcpSegment, now: number): void;
  /** Whether one more challenge acknowledgement may go out now, of all connections. */
  mayChallenge(now: number): boolean;
  /** Whether the listener has room for an established connection; it has become one. */
  mayEstablish(machine: ControlBlock): boolean;
  established(machine: ControlBlock): void;
  /** It has lost its owner, or goes on without one in TIME-WAIT. */
  goesOnAlone(machine: ControlBlock): void;
  /** It receives no segments any more. `forgotten`: nor is there anything of it in the store. */
  ended(block: ControlBlock, forgotten: boolean): void;
  /** Takes bytes for a larger buffer from what all have together, or (negative) gives them back. */
  growth(bytes: number): boolean;
}

/** Where a connection begins. */
export interface Beginning {
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** The listener it comes through. */
  readonly listener: Endpoint | null;
  readonly initial: number;
  readonly timestampOffset: number;
}

/** See the head of this file. */
export abstract class ControlBlock {
  /** Names it in the recovery store, over all incarnations. */
  readonly id: number;
  /** The listener it came through. */
  readonly listener: Endpoint | null;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  state: TcpState;
  /**
   * Why it ended, when it did not end well: ECONNREFUSED, ECONNRESET, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH,
   * ECONNABORTED.
   */
  error: ErrorName | null = null;
  /**
   * Called, perhaps from within any call that has `now`, when something that can be asked here may have become
   * different. Cheap work only: mark, and look later in the turn.
   */
  changed: (() => void) | null = null;
  /**
   * Options of the socket, which take effect at once: seconds of silence before a probe, milliseconds that data may
   * stay unacknowledged; 0 for none or the usual one.
   */
  keepAlive = 0;
  userTimeout = 0;
  protected readonly context: TcpContext;
  protected readonly transmitter: Transmitter;
  protected readonly sender: Sender;
  protected readonly receiver: Receiver;
  protected readonly queue: SendQueue;
  protected readonly buffers: Buffers;
  /** The owner has closed its direction: a FIN follows the last byte. */
  protected sendClosed = false;
  protected receiveClosed = false;
  /** The owner has gone: what is left is done in the background. */
  protected orphaned = false;
  /** It went on from what an earlier incarnation had kept. */
  protected restored = false;
  /** When the state ends by itself. */
  protected stateEndsAt = NEVER;
  /** It is in the recovery store. */
  protected stored = false;
  /** The acknowledgement and the edge of the window that the store has. */
  protected storedAcknowledged = -1;
  protected storedEdge = -1;

  protected constructor(context: TcpContext, beginning: Beginning, state: TcpState) {
    const { environment } = context;
    const { id, local, remote, initial, timestampOffset } = beginning;
    this.context = context;
    this.id = id;
    this.listener = beginning.listener;
    this.local = local;
    this.remote = remote;
    this.state = state;
    this.transmitter = new Transmitter(environment, local, remote, initial, timestampOffset);
    this.sender = new Sender((start, end, at) => this.transmit(start, end, at), context.counters);
    this.queue = new SendQueue(new KeptChunks(environment.keeper, sentPrefix(id)));
    this.receiver = new Receiver(new KeptChunks(environment.keeper, receivedPrefix(id)));
    this.buffers = new Buffers((bytes) => context.growth(bytes));
  }

  /** Sends a piece of the stream, SYN and FIN included. */
  protected abstract transmit(start: number, end: number, now: number): void;

  protected get synchronised(): boolean {
    return this.state !== 'syn-sent' && this.state !== 'syn-received';
  }

  /** Whether nobody has it any more: it goes on in the background. */
  get isOrphan(): boolean {
    return this.orphaned;
  }

  /** Whether a call of a moment ago has ended the connection. */
  protected get ended(): boolean {
    return this.state === 'closed';
  }

  protected reset(now: number): void {
    const { sender, receiver } = this;
    this.transmitter.send(
      {
        flags: FLAG.RST | FLAG.ACK,
        position: Math.max(sender.next, 0),
        data: EMPTY,
        acknowledged: receiver.acknowledged,
        window: 0,
        ranges: [],
      },
      now,
    );
    this.context.counters.resetsSent++;
    this.context.counters.segmentsSent++;
  }

  protected enterTimeWait(now: number): void {
    this.state = 'time-wait';
    this.stateEndsAt = now + TIME_WAIT_MS;
    if (this.orphaned) this.context.goesOnAlone(this);
  }

  /** The connection is over. */
  protected end(error: ErrorName | null): void {
    if (this.ended) return;
    this.error = error;
    this.state = 'closed';
    this.stateEndsAt = NEVER;
    this.buffers.releaseSend();
    // What came before an end in order can still be read, also by the owner's next request after a death of this
    // process.
    const readable = error === null && !this.orphaned && this.stored;
    if (readable) {
      this.receiver.settle();
      this.keepPositions();
      this.keepControl();
    } else this.forget();
    this.context.ended(this, !readable);
    this.changed?.();
  }

  /** Takes everything of it out of the recovery store. */
  protected forget(): void {
    this.buffers.releaseReceive();
    if (!this.stored) return;
    this.stored = false;
    const { keeper } = this.context.environment;
    // First what names it: chunks alone are nobody's.
    keeper.delete(controlKey(this.id));
    keeper.delete(positionKey(this.id));
    this.queue.forget();
    this.receiver.forget();
  }

  protected keepControl(): void {
    if (!this.stored) return;
    const { transmitter, sender } = this;
    putControl(this.context.environment.keeper, this.id, {
      local: this.local,
      remote: this.remote,
      listener: this.listener,
      ours: transmitter.ours.initial,
      theirs: transmitter.theirs?.initial ?? 0,
      peerSegmentBytes: transmitter.peerSegmentBytes,
      peerShift: transmitter.peerShift,
      selective: transmitter.selective,
      timestamps: transmitter.timestamps.enabled,
      timestampOffset: transmitter.timestamps.offset,
      sendClosed: this.sendClosed ? this.queue.end : null,
      receiveClosed: this.receiveClosed,
      owner: this.orphaned ? 'none' : 'socket',
      over: this.state === 'closed',
      noDelay: sender.noDelay,
      timeToLive: transmitter.timeToLive,
      typeOfService: transmitter.typeOfService,
      keepAlive: this.keepAlive,
      userTimeout: this.userTimeout,
      sendBuffer: this.buffers.send,
      receiveBuffer: this.buffers.receive,
    });
  }

  protected keepPositions(): void {
    const { sender, receiver, transmitter } = this;
    const next = receiver.acknowledged;
    putPositions(this.context.environment.keeper, this.id, {
      receiveNext: next,
      receiveEdge: receiver.edge,
      finished: receiver.finished && next === receiver.next,
      sendUnacknowledged: Math.max(0, sender.unacknowledged),
      timestampRecent: transmitter.timestamps.recent,
      roundTrip: sender.roundTrip.smoothed,
      roundTripVariation: sender.roundTrip.variation,
    });
    this.storedAcknowledged = next;
    this.storedEdge = receiver.edge;
  }

  /** Goes on where an earlier incarnation was. */
  protected resume(kept: KeptConnection, now: number): void {
    const { control, positions, sent, received } = kept;
    const { transmitter, sender, receiver, queue } = this;
    transmitter.resume(control, positions.timestampRecent, now);
    this.stored = true;
    this.restored = true;
    this.sendClosed = control.sendClosed !== null;
    sender.finishing = this.sendClosed;
    this.receiveClosed = control.receiveClosed;
    this.orphaned = control.owner === 'none';
    this.keepAlive = control.keepAlive;
    this.userTimeout = control.userTimeout;
    this.buffers.resume(control.sendBuffer, control.receiveBuffer);
    receiver.capacity = this.buffers.receive;
    receiver.resume(positions.receiveNext, positions.receiveEdge, positions.finished, received);
    if (this.receiveClosed) receiver.stopReading();
    queue.adopt(sent, control.sendClosed ?? positions.sendUnacknowledged);
    sender.noDelay = control.noDelay;
    sender.selective = control.selective;
    sender.begin(transmitter.segmentBytes);
    sender.roundTrip.resume(positions.roundTrip, positions.roundTripVariation);
    const unacknowledged = Math.max(positions.sendUnacknowledged, sent[0]?.start ?? 0);
    sender.resume(unacknowledged, queue.end + (this.sendClosed ? 1 : 0));
    this.storedAcknowledged = positions.receiveNext;
    this.storedEdge = positions.receiveEdge;
    this.state = control.over ? 'closed' : this.resumedState(unacknowledged > queue.end);
    if (this.state === 'time-wait') this.enterTimeWait(now);
    else if (this.orphaned) this.stateEndsAt = now + ORPHAN_MS;
    // The peer learns at once where we are.
    receiver.mustAcknowledge = true;
    this.context.touched(this);
  }

  private resumedState(finAcknowledged: boolean): TcpState {
    const { finished } = this.receiver;
    if (!this.sendClosed) return finished ? 'close-wait' : 'established';
    // Whether the peer has seen our acknowledgement of its FIN is not known: so it is CLOSING, not LAST-ACK.
    if (!finAcknowledged) return finished ? 'closing' : 'fin-wait-1';
    return finished ? 'time-wait' : 'fin-wait-2';
  }
}
