/**
 * Interface `socket` (13): what a socket answers on the right that `network.socket` or `accept` gave. It closes when
 * the last copy of the right is gone. Semantics and errors are those of POSIX sockets (IEEE Std 1003.1, System
 * Interfaces, 2.10) unless said otherwise.
 *
 * The positions in the two streams of a connection belong to its holder, as those in a file do: `send` and `receive`
 * name them, counted in bytes from 0. So no server can lose them, a request that comes again does no harm, and what has
 * been asked for beyond a position need not be kept before it. Requests that wait carry their timeout in milliseconds
 * (FOREVER: none; 0: not at all, EAGAIN); when it is up they are answered ETIMEDOUT.
 */
import { defineInterface, method } from './interface.ts';
import { bytes, nothing, nullable, oneOf, record, right, u8, u16, u32, u53 } from './schema.ts';

/** Bytes that one `send` or `receive` of a stream moves at most (64 KiB). */
export const MAX_STREAM_BYTES = 64 * 1024;

/** Bytes of the longest payload of a datagram: 65,535 less the headers of IPv4 (20) and UDP or ICMP (8). */
export const MAX_DATAGRAM_BYTES = 65507;

/** Bytes of the longest payload of a packet, which raw sockets send: 65,535 less the header of IPv4. */
export const MAX_PACKET_PAYLOAD_BYTES = 65515;

/** An IPv4 address, as the number it is in network order (10.0.2.15 is 0x0a00020f), and a port. 0 stands for any. */
export const endpoint = record({ address: u32, port: u16 });

/** States of a connection (RFC 9293, 3.3.2); of other sockets only `closed` (unbound) and `bound`. */
export const socketState = oneOf(
  'closed',
  'bound',
  'listen',
  'syn-sent',
  'syn-received',
  'established',
  'fin-wait-1',
  'fin-wait-2',
  'close-wait',
  'closing',
  'last-ack',
  'time-wait',
);

export const socketType = oneOf('stream', 'datagram', 'raw');

/**
 * Options. `reuse-address`: bind also where connections of an earlier server linger. `no-delay`: no Nagle algorithm
 * (RFC 9293, 3.7.4). `keep-alive`: seconds of silence after which the peer is probed, 0 for never. `time-to-live`: of
 * what is sent, 1 to 255. `type-of-service`. `dont-fragment`: 1, then what is too long is EMSGSIZE. `broadcast`: 1, to
 * be allowed to.
 * `send-buffer`, `receive-buffer`: bytes. `linger`: seconds that the connection may take to send what is left after it
 * was closed; 0 resets it. `user-timeout`: milliseconds that sent data may stay unacknowledged (RFC 9293, 3.9.1), 0 for
 * the usual ones. `error`: only to be read: the errno that is pending, which is cleared.
 */
export const socketOption = oneOf(
  'reuse-address',
  'no-delay',
  'keep-alive',
  'time-to-live',
  'type-of-service',
  'dont-fragment',
  'broadcast',
  'send-buffer',
  'receive-buffer',
  'linger',
  'user-timeout',
  'error',
);

/** Bits of `poll`. HANGUP and ERROR are answered unasked. */
export const pollEvents = { READABLE: 1, WRITABLE: 2, HANGUP: 4, ERROR: 8 } as const;

export const socket = defineInterface('socket', 13, {
  /** EADDRINUSE, EADDRNOTAVAIL; EINVAL: bound already. */
  bind: method(1, endpoint, nothing),
  /**
   * EDESTADDRREQ: not bound. EOPNOTSUPP: no stream. `backlog`: connections that may wait, 1 to 128; 0 stands for 1,
   * more for 128.
   */
  listen: method(2, u16, nothing),
  /** A connection that has come. */
  accept: method(3, record({ timeout: u32 }), record({ connection: right, local: endpoint, remote: endpoint })),
  /**
   * Connects a stream, or sets the peer of a datagram socket. ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT;
   * EISCONN; EADDRNOTAVAIL: no port is left. A stream whose time is up is closed.
   */
  connect: method(4, record({ remote: endpoint, timeout: u32 }), nothing),
  /**
   * Puts bytes into the stream at `offset`, where the ones before ended. Waits for room and answers the offset behind
   * what it has taken, at least one byte; what lies before the end of the stream already is not sent again. EINVAL:
   * offset beyond the end; EPIPE: shut down; ECONNRESET, ETIMEDOUT: the connection is lost; ENOTCONN.
   */
  send: method(5, record({ offset: u53, data: bytes(MAX_STREAM_BYTES), timeout: u32 }), u53),
  /**
   * Bytes of the stream from `offset` on, as soon as there are some; none is its end. What lies before `offset` is
   * given up. EINVAL: it has been given up already, or is beyond what has come; ECONNRESET, ETIMEDOUT, ENOTCONN.
   */
  receive: method(6, record({ offset: u53, most: u32, timeout: u32 }), bytes(MAX_STREAM_BYTES)),
  /**
   * Sends a datagram, of a raw socket the payload of a packet; null: to the peer of `connect`. EMSGSIZE: also over
   * MAX_DATAGRAM_BYTES of UDP. ENETUNREACH, EHOSTUNREACH, EDESTADDRREQ, EACCES: broadcast; ECONNREFUSED: an earlier one
   * was refused.
   */
  send_to: method(7, record({ to: nullable(endpoint), data: bytes(MAX_PACKET_PAYLOAD_BYTES) }), nothing),
  /**
   * A datagram; of a raw socket the payload of an IPv4 packet and no port. `length`: its own, of which at most `most`
   * bytes are answered.
   */
  receive_from: method(
    8,
    record({ most: u32, timeout: u32 }),
    record({ from: endpoint, to: endpoint, timeToLive: u8, length: u16, data: bytes(MAX_PACKET_PAYLOAD_BYTES) }),
  ),
  /** ENOTCONN. */
  shutdown: method(9, oneOf('receive', 'send', 'both'), nothing),
  /** EINVAL: value; EOPNOTSUPP: not for this type of socket. */
  set_option: method(10, record({ option: socketOption, value: u32 }), nothing),
  get_option: method(11, socketOption, u32),
  /** Both ends; 0.0.0.0 and port 0 where there is none. */
  names: method(12, nothing, record({ type: socketType, state: socketState, local: endpoint, remote: endpoint })),
  /**
   * Waits until one of the `events` holds, and answers those that do. For a stream READABLE and WRITABLE mean: behind
   * these offsets.
   */
  poll: method(13, record({ events: u8, receiveOffset: u53, sendOffset: u53, timeout: u32 }), u8),
});
