/**
 * The recovery store as this service uses it: read when it starts, value by value, since all of them at once may be
 * more than fits into its memory beside what is made of them; after that changes are posted, in order with
 * the answers and frames that rely on them, and nobody waits for them. So an error would not be noticed. The bounds of
 * what is kept sum up to less than the store has (docs/netstack.md); should that be wrong, it is noticed here.
 */
import { SystemError } from '../../../protocol/errno.ts';

/** What the kernel keeps. */
export interface StoreEffects {
  keys(): readonly string[];
  get(key: string): unknown;
  /** Posted: nobody hears of an error. */
  put(key: string, value: unknown): void;
  /** Posted. */
  delete(key: string): void;
}

/** See the head of this file. */
export class PostedStore {
  private readonly effects: StoreEffects;
  private readonly capacity: number;
  private readonly maximumKeys: number;
  /** Bytes of each key and its value, at most. */
  private readonly sizes = new Map<string, number>();
  /** Keys of an earlier incarnation whose values nobody has asked for yet. */
  private readonly unread: Set<string>;
  private total = 0;

  /** Looks what is there. `capacity` in bytes and `maximumKeys`: as the manifest says. */
  constructor(effects: StoreEffects, capacity: number, maximumKeys: number) {
    this.effects = effects;
    this.capacity = capacity;
    this.maximumKeys = maximumKeys;
    this.unread = new Set(effects.keys());
  }

  /** Bytes in use, at most. */
  get bytes(): number {
    return this.total;
  }

  /** What is kept under a key; undefined: nothing. */
  get(key: string): unknown {
    if (!this.unread.has(key) && !this.sizes.has(key)) return undefined;
    const value = this.effects.get(key);
    this.count(key, sizeOf(key) + sizeOf(value));
    return value;
  }

  /** All keys in use. */
  keys(): readonly string[] {
    return [...this.sizes.keys(), ...this.unread];
  }

  /** The start is over: what nobody has asked for is counted. */
  settle(): void {
    for (const key of [...this.unread]) this.get(key);
  }

  /** Throws SystemError ENOSPC, and then keeps what was there before. */
  put(key: string, value: unknown): void {
    const size = sizeOf(key) + sizeOf(value);
    const before = this.sizes.get(key);
    const isFull = before === undefined && this.sizes.size >= this.maximumKeys;
    if (isFull || this.total - (before ?? 0) + size > this.capacity)
      throw new SystemError('ENOSPC', 'the recovery store is full');
    this.count(key, size);
    this.effects.put(key, value);
  }

  delete(key: string): void {
    const size = this.sizes.get(key);
    if (size === undefined && !this.unread.delete(key)) return;
    this.sizes.delete(key);
    this.total -= size ?? 0;
    this.effects.delete(key);
  }

  private count(key: string, size: number): void {
    this.unread.delete(key);
    this.total += size - (this.sizes.get(key) ?? 0);
    this.sizes.set(key, size);
  }
}

/** Bytes that a value has in msgpack, at most. */
export function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array) return 5 + value.length;
  switch (typeof value) {
    case 'string':
      return 5 + Buffer.byteLength(value);
    case 'number':
      return 9;
    case 'object':
      if (value === null) return 1;
      if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sizeOf(item), 5);
      return Object.entries(value).reduce((sum, [key, item]) => sum + sizeOf(key) + sizeOf(item), 5);
    default:
      return 1;
  }
}
