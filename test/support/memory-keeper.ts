/** A recovery store in memory: keeps msgpack as the kernel does, can be full, and can lose its process at any call. */
import { decode, encodeAfter } from '../../protocol/codec.ts';
import { SystemError } from '../../protocol/errno.ts';

/** Thrown where the process dies. */
export class Death extends Error {}

/** See the head of this file. */
export class MemoryKeeper {
  readonly values: Map<string, Buffer>;
  /** Bytes it holds at most. */
  capacity = Number.POSITIVE_INFINITY;
  /** Changes that still happen before the process dies. */
  lives = Number.POSITIVE_INFINITY;

  constructor(values: ReadonlyMap<string, Buffer> = new Map()) {
    this.values = new Map(values);
  }

  get bytes(): number {
    let bytes = 0;
    for (const [key, value] of this.values) bytes += key.length + value.length;
    return bytes;
  }

  get(key: string): unknown {
    const value = this.values.get(key);
    return value === undefined ? undefined : decode(value, 0, value.length);
  }

  put(key: string, value: unknown): void {
    if (this.lives-- <= 0) throw new Death('the process has died');
    const bytes = Buffer.from(encodeAfter(0, value));
    const old = this.values.get(key);
    const growth = bytes.length + key.length - (old === undefined ? 0 : old.length + key.length);
    const bounded = this.capacity !== Number.POSITIVE_INFINITY;
    if (bounded && this.bytes + growth > this.capacity) throw new SystemError('ENOSPC', 'the store is full');
    this.values.set(key, bytes);
  }

  delete(key: string): void {
    if (this.lives-- <= 0) throw new Death('the process has died');
    this.values.delete(key);
  }

  keys(): string[] {
    return [...this.values.keys()];
  }
}
