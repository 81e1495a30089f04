/**
 * The sockets of all programs. A badge names a slot of this table and the slot's generation, so the badge of a socket
 * that was closed is never taken for its successor. What a socket is, is kept in the recovery store: its type and ends,
 * its options, and the number of the request that made it, so that this request, when it comes again, gets the same
 * socket.
 */
import { SystemError } from '../../../protocol/errno.ts';
import { bool, type Infer, list, nullable, record, u8, u16, u32, u53 } from '../../../protocol/schema.ts';
import { endpoint, socketType } from '../../../protocol/socket.ts';
import { Place } from './waiting.ts';

/** Sockets at the same time, and of one task; it may have passed some on. */
export const MAX_SOCKETS = 1024;
export const MAX_SOCKETS_PER_TASK = 512;

/** Bytes that the table keeps at most: each socket has less than 256. */
export const MAX_TABLE_BYTES = 256 * MAX_SOCKETS;

/** Top byte of the badges of sockets. */
export const SOCKET_BADGE_KIND = 1;

const SLOT_BITS = 10;
const GENERATIONS = 2 ** 14;
const KEY_PREFIX = 'socket.';

/** Options with a value of their own that is kept; the order is that in the store. */
export const keptOptions = [
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
] as const;
export type KeptOption = (typeof keptOptions)[number];

/**
 * What is kept of a socket. `pid` and `sequence`: the request that made it. `bound`: it has a local end of its own.
 * `backlog`: null while it does not listen. `connection`: number of its connection.
 * `options`: values of those that were set, null for the others.
 */
export const keptSocket = record({
  generation: u16,
  type: socketType,
  protocol: u8,
  pid: u32,
  sequence: u53,
  bound: bool,
  local: endpoint,
  remote: endpoint,
  backlog: nullable(u16),
  connection: nullable(u53),
  options: list(nullable(u32), keptOptions.length),
});
export type SocketState = Infer<typeof keptSocket>;

/** Where the table is kept; `put` and `delete` are done in order with everything else that this service does. */
export interface TableKeeper {
  get(key: string): unknown;
  put(key: string, value: unknown): void;
  delete(key: string): void;
  keys(): readonly string[];
}

/** A socket. `T`: what stands behind it in the stack. */
export class SocketEntry<T> {
  readonly badge: number;
  readonly state: SocketState;
  /** Requests that wait for it. */
  readonly place = new Place();
  behind: T | null = null;

  constructor(badge: number, state: SocketState) {
    this.badge = badge;
    this.state = state;
  }

  option(name: KeptOption): number | null {
    return this.state.options[keptOptions.indexOf(name)] ?? null;
  }

  setOption(name: KeptOption, value: number): void {
    this.state.options[keptOptions.indexOf(name)] = value;
  }
}

/** Who asks: a task and the number of its request. */
export interface Requester {
  readonly sender: number;
  readonly sequence: number;
}

/** See the head of this file. */
export class SocketTable<T> {
  private readonly keeper: TableKeeper;
  private readonly slots: (SocketEntry<T> | null)[] = [];
  private readonly free: number[] = [];
  private readonly bySender = new Map<number, number>();
  private generation = 0;
  private used = 0;

  /** Takes up what an earlier incarnation kept. */
  constructor(keeper: TableKeeper) {
    this.keeper = keeper;
    for (const key of keeper.keys()) if (key.startsWith(KEY_PREFIX)) this.restore(key);
    for (let slot = 0; slot < this.slots.length; slot++) if (!this.slots[slot]) this.free.push(slot);
  }

  private restore(key: string): void {
    const slot = Number(key.slice(KEY_PREFIX.length));
    const state = keptSocket.fromWire(this.keeper.get(key), []);
    while (this.slots.length <= slot) this.slots.push(null);
    this.enter(slot, new SocketEntry<T>(badgeOf(slot, state.generation), state));
    this.generation = Math.max(this.generation, state.generation);
  }

  get size(): number {
    return this.used;
  }

  /** All of them. */
  *list(): Generator<SocketEntry<T>> {
    for (const entry of this.slots) if (entry) yield entry;
  }

  /** The socket of a badge. Throws SystemError EBADF. */
  get(badge: number): SocketEntry<T> {
    const entry = this.slots[badge & (MAX_SOCKETS - 1)];
    if (!entry || entry.badge !== badge) throw new SystemError('EBADF', 'not a socket');
    return entry;
  }

  /** The socket that a request has made already. */
  madeBy({ sender, sequence }: Requester): SocketEntry<T> | undefined {
    for (const entry of this.list()) if (entry.state.pid === sender && entry.state.sequence === sequence) return entry;
    return undefined;
  }

  /** Throws SystemError EMFILE when a task can have no more sockets. */
  checkRoom(sender: number): void {
    if (this.used >= MAX_SOCKETS) throw new SystemError('EMFILE', `there are ${MAX_SOCKETS} sockets`);
    if ((this.bySender.get(sender) ?? 0) >= MAX_SOCKETS_PER_TASK)
      throw new SystemError('EMFILE', `the task has made ${MAX_SOCKETS_PER_TASK} sockets`);
  }

  /** Enters a socket and keeps it. Throws SystemError EMFILE. */
  add(made: Pick<SocketState, 'type' | 'protocol'> & Partial<SocketState>, by: Requester): SocketEntry<T> {
    this.checkRoom(by.sender);
    const slot = this.free.pop() ?? this.slots.push(null) - 1;
    this.generation = (this.generation + 1) % GENERATIONS;
    const entry = new SocketEntry<T>(badgeOf(slot, this.generation), {
      bound: false,
      local: NOWHERE,
      remote: NOWHERE,
      backlog: null,
      connection: null,
      options: keptOptions.map(() => null),
      ...made,
      generation: this.generation,
      pid: by.sender,
      sequence: by.sequence,
    });
    this.enter(slot, entry);
    this.save(entry);
    return entry;
  }

  /** Keeps what has changed of a socket. */
  save(entry: SocketEntry<T>): void {
    this.keeper.put(keyOf(entry), keptSocket.toWire(entry.state, []));
  }

  /** Takes a socket out. */
  remove(entry: SocketEntry<T>): void {
    const slot = entry.badge & (MAX_SOCKETS - 1);
    if (this.slots[slot] !== entry) return;
    this.slots[slot] = null;
    this.free.push(slot);
    this.used--;
    const left = (this.bySender.get(entry.state.pid) ?? 1) - 1;
    if (left === 0) this.bySender.delete(entry.state.pid);
    else this.bySender.set(entry.state.pid, left);
    this.keeper.delete(keyOf(entry));
  }

  private enter(slot: number, entry: SocketEntry<T>): void {
    this.slots[slot] = entry;
    this.used++;
    const { pid } = entry.state;
    this.bySender.set(pid, (this.bySender.get(pid) ?? 0) + 1);
  }
}

/** No address, no port. */
export const NOWHERE = { address: 0, port: 0 } as const;

function badgeOf(slot: number, generation: number): number {
  return (SOCKET_BADGE_KIND * GENERATIONS + generation) * 2 ** SLOT_BITS + slot;
}

function keyOf<T>({ badge }: SocketEntry<T>): string {
  return KEY_PREFIX + (badge & (MAX_SOCKETS - 1));
}
