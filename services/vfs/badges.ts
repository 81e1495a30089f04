/**
 * What the badge of a right to the port `vfs` stands for. The top byte is the kind; what the rest means is the business
 * of who gives such rights out. A right without a badge (0) is the plain one that `ipc_find_port` answers.
 */

/** Kinds of rights; from VOLUME on one for each file system in this process. */
export const badgeKind = { PLAIN: 0, SESSION: 1, PIPE: 2, DEVICE: 3, VOLUME: 16 } as const;

const REST_BITS = 24;

/** Largest value of the rest of a badge. */
export const MAX_BADGE_REST: number = 2 ** REST_BITS - 1;

/** The kind of a badge. */
export const kindOf = (badge: number): number => badge >>> REST_BITS;

/** A badge without its kind. */
export const restOf = (badge: number): number => badge & MAX_BADGE_REST;

/** A badge of a kind; `rest` has at most 24 bits. */
export const badgeOf = (kind: number, rest: number): number => kind * 2 ** REST_BITS + rest;
