/**
 * A connection, as its owner sees it: two streams of bytes. layer.ts makes them; machine.ts is what makes them go.
 * Positions in the streams (`offset`) count bytes from 0 and belong to the owner, so that a request that comes again
 * does no harm.
 */
import { type ErrorName, SystemError } from '../../../protocol/errno.ts';
import type { TcpSegment } from '../../../wire/tcp.ts';
import type { Beginning, TcpContext } from './control-block.ts';
import * as limit from './limits.ts';
import { Machine } from './machine.ts';
import type { KeptConnection } from './record.ts';

export type { TcpState } from './control-block.ts';

/** See the head of this file. */
export class TcpConnection extends Machine {
  /** Begins a connection to a peer. */
  static open(context: TcpContext, beginning: Beginning, now: number): TcpConnection {
    const connection = new TcpConnection(context, beginning, 'syn-sent', now);
    connection.stateEndsAt = now + limit.SYN_TIMEOUT_MS;
    context.touched(connection);
    return connection;
  }

  /** Takes the SYN of a peer. */
  static accept(context: TcpContext, beginning: Beginning, syn: TcpSegment, now: number): TcpConnection {
    const connection = new TcpConnection(context, beginning, 'syn-received', now);
    connection.takeSyn(syn, now);
    connection.stateEndsAt = now + limit.SYN_RECEIVED_MS;
    context.touched(connection);
    return connection;
  }

  /** Goes on with a connection of an earlier incarnation. */
  static restore(context: TcpContext, kept: KeptConnection, now: number): TcpConnection {
    const { id, control } = kept;
    const { local, remote, listener, ours, timestampOffset } = control;
    const beginning = { id, local, remote, listener, initial: ours, timestampOffset };
    const connection = new TcpConnection(context, beginning, 'established', now);
    connection.resume(kept, now);
    return connection;
  }

  /** Where the sent stream ends: the offset at which the next `write` continues. */
  get endOffset(): number {
    return this.queue.end;
  }

  get noDelay(): boolean {
    return this.sender.noDelay;
  }

  set noDelay(value: boolean) {
    this.sender.noDelay = value;
    this.context.touched(this);
  }

  /** 1 to 255. */
  get timeToLive(): number {
    return this.transmitter.timeToLive;
  }

  set timeToLive(value: number) {
    this.transmitter.timeToLive = value;
  }

  get typeOfService(): number {
    return this.transmitter.typeOfService;
  }

  set typeOfService(value: number) {
    this.transmitter.typeOfService = value;
  }

  /** Bytes of the buffers. Setting one fixes it; values are put into the bounds. */
  get sendBuffer(): number {
    return this.buffers.send;
  }

  set sendBuffer(bytes: number) {
    this.buffers.fixSend(bytes);
  }

  get receiveBuffer(): number {
    return this.buffers.receive;
  }

  set receiveBuffer(bytes: number) {
    this.buffers.fixReceive(bytes);
    this.receiver.capacity = this.buffers.receive;
    this.context.touched(this);
  }

  /** Bytes that nobody has read, and bytes written and not acknowledged. */
  get receiveQueue(): number {
    return this.receiver.unread;
  }

  get sendQueue(): number {
    return this.queue.end - Math.max(0, Math.min(this.sender.unacknowledged, this.queue.end));
  }

  /** Whether both directions are over. */
  get hangup(): boolean {
    return this.state === 'closed' || (this.sendClosed && (this.receiver.finished || this.receiveClosed));
  }

  /** The error, which is cleared. */
  takeError(): ErrorName | null {
    const { error } = this;
    this.error = null;
    return error;
  }

  /**
   * Puts bytes into the stream at `offset`. Answers how many bytes of `data` lie in the stream now, those of an
   * earlier, repeated request included; 0: no room, wait. What is taken is in the recovery store when this returns.
   * Throws SystemError: EINVAL (offset beyond the end), EPIPE (closed for sending), the error of the connection,
   * ENOTCONN.
   */
  write(offset: number, data: Uint8Array): number {
    const there = this.queue.end - offset;
    if (there < 0) throw new SystemError('EINVAL', `the stream ends at ${this.queue.end}, before ${offset}`);
    if (this.state === 'closed') throw new SystemError(this.error ?? 'EPIPE');
    if (!this.synchronised) throw new SystemError('ENOTCONN', 'the connection is not established');
    if (there >= data.length) return data.length;
    if (this.sendClosed) throw new SystemError('EPIPE', 'the connection is closed for sending');
    const wanted = data.length - there;
    const room = this.buffers.send - this.sendQueue;
    // A little room is not worth a message.
    if (room < Math.min(wanted, this.buffers.send / 4)) return there;
    const taken = data.subarray(there, there + room);
    if (this.sender.isIdle) this.pathChanged();
    this.queue.append(taken);
    this.sender.end = this.queue.end;
    this.context.touched(this);
    return there + taken.length;
  }

  /** Whether `write` at this offset would not answer 0. */
  writable(offset: number): boolean {
    if (this.state === 'closed' || this.sendClosed || offset < this.queue.end) return true;
    return this.synchronised && this.buffers.send - this.sendQueue >= this.buffers.send / 4;
  }

  /**
   * Up to `most` bytes of the stream from `offset` on; gives up what lies before. The bytes count as handed out: the
   * caller must write his answer to the pipe before he next calls `advance`. The Buffer is the caller's. 'end': the
   * peer has closed, or `closeReceive`. Throws SystemError: EINVAL (given up already, or beyond), the error of the
   * connection, ENOTCONN.
   */
  read(offset: number, most: number, now: number): Buffer | 'wait' | 'end' {
    if (!this.synchronised) throw new SystemError('ENOTCONN', 'the connection is not established');
    const data = this.receiver.read(offset, most, now);
    if (data === 'lost' && this.restored) {
      // An earlier process handed these bytes out, and they did not arrive.
      this.abort(now);
      this.error = 'ECONNRESET';
      throw new SystemError('ECONNRESET', 'bytes were lost when the network stack ended');
    }
    if (data === 'lost' || data === 'beyond') throw new SystemError('EINVAL', `nothing can be read at ${offset}`);
    if (data === 'wait' && this.state === 'closed') {
      if (this.error !== null) throw new SystemError(this.error);
      return 'end';
    }
    if (data instanceof Buffer) {
      this.buffers.consumed(data.length, this.sender.roundTrip.smoothed, now);
      this.receiver.capacity = this.buffers.receive;
    }
    this.context.touched(this);
    return data;
  }

  /** Whether `read` at this offset would not answer 'wait'. */
  readable(offset: number): boolean {
    return this.state === 'closed' || (this.synchronised && this.receiver.isReadable(offset));
  }

  /** No more will be written: a FIN follows the last byte. ENOTCONN. */
  closeSend(): void {
    if (!this.synchronised || (this.state === 'closed' && !this.sendClosed)) {
      throw new SystemError('ENOTCONN', 'the connection is not established');
    }
    if (this.sendClosed) return;
    this.sendClosed = true;
    this.sender.end = this.queue.end + 1;
    this.sender.finishing = true;
    this.state = this.state === 'close-wait' ? 'last-ack' : 'fin-wait-1';
    this.keepControl();
    this.context.touched(this);
  }

  /** No more will be read; what comes is thrown away. ENOTCONN. */
  closeReceive(): void {
    if (!this.synchronised) throw new SystemError('ENOTCONN', 'the connection is not established');
    if (this.receiveClosed) return;
    this.receiveClosed = true;
    this.receiver.stopReading();
    this.keepControl();
    this.context.touched(this);
  }

  /**
   * The owner has gone. What was written is still sent in the background, at most `lingerMs` (null: the usual bounds);
   * 0, or bytes nobody has read: RST (RFC 1122, 4.2.2.13). It ends sooner when there are too many connections.
   * `changed` is not called any more.
   */
  close(lingerMs: number | null, now: number): void {
    this.changed = null;
    this.orphaned = true;
    if (this.state === 'closed') {
      this.forget();
      this.context.ended(this, true);
      return;
    }
    const loses = lingerMs === 0 || !this.synchronised || (this.receiver.unread > 0 && !this.receiveClosed);
    if (loses && this.state !== 'time-wait') {
      this.abort(now);
      return;
    }
    if (!this.sendClosed) this.closeSend();
    else this.keepControl();
    if (this.state !== 'time-wait') this.stateEndsAt = now + (lingerMs ?? limit.ORPHAN_MS);
    if (this.state === 'fin-wait-2') this.stateEndsAt = Math.min(this.stateEndsAt, now + limit.ORPHAN_FIN_WAIT_MS);
    this.context.goesOnAlone(this);
    this.context.touched(this);
  }

  /** RST, at once. */
  abort(now: number): void {
    if (this.state !== 'closed' && this.state !== 'syn-sent' && this.state !== 'time-wait') this.reset(now);
    this.end('ECONNABORTED');
  }
}
