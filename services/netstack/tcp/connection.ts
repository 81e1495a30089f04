/** A connection: see layer.ts for who makes it. Positions in its two streams (`offset`) count bytes from 0. */
import type { ErrorName } from '../../../protocol/errno.ts';
import type { Endpoint } from './environment.ts';

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

export declare class TcpConnection {
  /** Names it in the recovery store, over all incarnations. */
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly state: TcpState;
  /** Why it ended, when it did not end well: ECONNREFUSED, ECONNRESET, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ECONNABORTED. It stays until the owner asks `takeError`. */
  readonly error: ErrorName | null;
  /** Called (perhaps from within any call that has `now`) when something that can be asked here may have become different. Cheap work only: mark, and look later in the turn. */
  changed: (() => void) | null;

  /** Options of the socket. Take effect at once. `timeToLive` 1 to 255; `keepAlive` in seconds, `userTimeout` in milliseconds, 0 for none or the usual one. */
  noDelay: boolean;
  timeToLive: number;
  typeOfService: number;
  keepAlive: number;
  userTimeout: number;
  /** Bytes of the two buffers. Setting one fixes it (no growing by itself); values are put into the bounds. */
  sendBuffer: number;
  receiveBuffer: number;

  /** Where the sent stream ends: the offset that the next `write` continues at. */
  readonly endOffset: number;
  /**
   * Puts bytes into the stream at `offset`. Answers how many bytes of `data` lie in the stream now, those of an earlier, repeated request included; 0: no room, wait. What is taken is
   * in the recovery store when this returns. Throws SystemError: EINVAL (offset beyond the end), EPIPE (closed for sending), the error of the connection, ENOTCONN.
   */
  write(offset: number, data: Uint8Array, now: number): number;
  /**
   * Up to `most` bytes of the stream from `offset` on; gives up what lies before. The bytes count as handed out: the caller must write his answer to the pipe before he next calls `advance`.
   * The Buffer is the caller's. 'end': the peer has closed, or `closeReceive`. Throws SystemError: EINVAL (given up already, or beyond), ECONNRESET ..., ENOTCONN.
   */
  read(offset: number, most: number, now: number): Buffer | 'wait' | 'end';
  /** Whether `read` at this offset would not answer 'wait'. */
  readable(offset: number): boolean;
  /** Whether `write` at this offset would not answer 0. */
  writable(offset: number): boolean;
  /** Whether both directions are over (poll's HANGUP). */
  readonly hangup: boolean;

  /** No more will be written (FIN behind the last byte). ENOTCONN. */
  closeSend(now: number): void;
  /** No more will be read; what comes is thrown away. ENOTCONN. */
  closeReceive(now: number): void;
  /**
   * The owner has gone. What was written is still sent in the background, at most `lingerMs` (null: the usual bounds); 0, or bytes nobody has read: RST. `changed` is not called any more.
   */
  close(lingerMs: number | null, now: number): void;
  /** RST, at once. */
  abort(now: number): void;
  /** The error, which is cleared (option `error`). */
  takeError(): ErrorName | null;
  /** Bytes that wait to be read, and bytes written and not acknowledged: for netstat. */
  readonly receiveQueue: number;
  readonly sendQueue: number;
}
