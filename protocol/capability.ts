/**
 * Kinds of capability. A task's table holds them; a handle names an entry: index in the low 16 bits, generation above,
 * so that a stale handle is refused (EBADF) and never mistaken for its successor.
 *
 *     receive   the one right to receive from a port; mints send rights; can be moved
 *     send      the right to send to a port, with the badge it was minted with; can be moved and duplicated
 *     reply     the one-shot right to answer one request; made by receiving it, gone when used
 *     irq       an interrupt line whose messages come to a port of the holder
 *     io        a range of I/O ports the holder may access
 *
 * Rights in a message move: the sender loses them. `ipc_duplicate` makes a copy first. When the last copy of a badged
 * send right is gone, the port gets the notice `no_senders` with the badge.
 */
export const capabilityKinds = ['receive', 'send', 'reply', 'irq', 'io'] as const;

/** Kind of a capability. */
export type CapabilityKind = (typeof capabilityKinds)[number];
