/**
 * What name servers have answered, for as long as it holds; bounded.
 *
 * Read: RFC 1035, 7.4; RFC 2308 (negative answers).
 */
import type { Ipv4Address } from '../../../wire/address.ts';

const ENTRY_LIMIT = 512;
/** Nothing is believed for longer, whatever a server says. */
const LONGEST_MS = 24 * 3600 * 1000;
const LONGEST_NEGATIVE_MS = 3600 * 1000;

interface Entry {
  /** None: there is no such name, or it has no address. */
  readonly addresses: readonly Ipv4Address[];
  readonly expires: number;
}

/** See the head of this file. */
export class DnsCache {
  /** Who was put in first comes first. */
  readonly #entries = new Map<string, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  /** The addresses of a name, none for one that has none; undefined: not known. */
  get(name: string, now: number): readonly Ipv4Address[] | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (now < entry.expires) return entry.addresses;
    this.#entries.delete(name);
    return undefined;
  }

  put(name: string, addresses: readonly Ipv4Address[], seconds: number, now: number): void {
    const lifetime = Math.min(seconds * 1000, addresses.length > 0 ? LONGEST_MS : LONGEST_NEGATIVE_MS);
    if (lifetime <= 0) return;
    this.#entries.delete(name);
    const oldest = this.#entries.size >= ENTRY_LIMIT ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(name, { addresses, expires: now + lifetime });
  }

  clear(): void {
    this.#entries.clear();
  }
}
