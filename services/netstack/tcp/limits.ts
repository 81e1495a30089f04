/** Every bound of TCP by name; docs/limits.md quotes them. Times in milliseconds. */

/** Bytes of a send or receive buffer at the beginning, and what it may grow to by itself or by an option. */
export const INITIAL_BUFFER_BYTES = 64 * 1024;
export const LEAST_BUFFER_BYTES = 4 * 1024;
export const MAX_BUFFER_BYTES = 256 * 1024;

/** Bytes that all buffers together may grow beyond INITIAL_BUFFER_BYTES each. */
export const GROWTH_POOL_BYTES = 24 * 1024 * 1024;

/** Window scale that we offer: the largest window is then 512 KiB. */
export const WINDOW_SHIFT = 3;

/** Bytes that one `read` answers at most. */
export const MAX_READ_BYTES = 64 * 1024;

/**
 * Connections but those in SYN-RECEIVED, and those in TIME-WAIT that nobody has any more; of these, the oldest makes
 * room.
 */
export const MAX_CONNECTIONS = 512;
export const MAX_TIME_WAIT = 1024;

/**
 * Connections in SYN-RECEIVED of one listener. The oldest makes room, so that a flood does not shut out who answers
 * fast.
 */
export const MAX_SYN_QUEUE = 256;

/** Connections that wait to be accepted, of one listener. */
export const MAX_BACKLOG = 128;

export const MAX_LISTENERS = 256;

/** Segments of one connection that are under way; ranges behind gaps that its receive buffer has. */
export const MAX_SEGMENTS_UNDER_WAY = 1024;
export const MAX_RANGES = 32;

/** Segment size where the peer names none (RFC 9293, 3.7.1), and the least that is taken from it. */
export const DEFAULT_SEGMENT_BYTES = 536;
export const LEAST_SEGMENT_BYTES = 64;

/** Headers of IPv4 and TCP without options: an MTU less this is the segment size. */
export const HEADER_BYTES = 40;

/**
 * How long bytes that nobody waits for stay unacknowledged and unkept, and how long an acknowledgement is put off (RFC
 * 9293, 3.8.6.3: at most 500). The longer time is for a side that has answered what came before: its next answer is
 * likely to carry the acknowledgement along. Sooner when more than this share of the buffer is unacknowledged.
 */
export const DELAYED_ACKNOWLEDGEMENT_MS = 20;
export const ANSWERED_ACKNOWLEDGEMENT_MS = 40;
export const UNACKNOWLEDGED_SHARE = 1 / 4;

/**
 * Twice the maximum segment lifetime: how long TIME-WAIT lasts, and FIN-WAIT-2 when the owner has gone. RFC 9293 has 4
 * minutes; like most systems this one takes one.
 */
export const TIME_WAIT_MS = 60_000;
export const ORPHAN_FIN_WAIT_MS = 60_000;

/** A connection whose owner has gone and whose peer takes nothing any more ends after this time. */
export const ORPHAN_MS = 120_000;

/** How long sent data may stay unacknowledged (RFC 9293, 3.8.3, R2, and RFC 5482), and how long a SYN of ours. */
export const USER_TIMEOUT_MS = 300_000;
export const SYN_TIMEOUT_MS = 180_000;

/** How long a connection may stay in SYN-RECEIVED. */
export const SYN_RECEIVED_MS = 60_000;

/** Probes of keep-alive that may stay unanswered, and the longest time between two (RFC 9293, 3.8.4). */
export const KEEP_ALIVE_PROBES = 9;
export const KEEP_ALIVE_INTERVAL_MS = 75_000;

/**
 * Challenge acknowledgements (RFC 5961, 7) and other answers to segments that cannot be: so many a second of one
 * connection, and of all.
 */
export const CHALLENGES_A_SECOND = 10;
export const ALL_CHALLENGES_A_SECOND = 500;

/** Resets for segments of no connection, a second. */
export const RESETS_A_SECOND = 500;

/**
 * Time-outs in a row after which a segment is sent without "don't fragment": perhaps large packets vanish (RFC 2923,
 * 2.1).
 */
export const BLACK_HOLE_TIMEOUTS = 4;
