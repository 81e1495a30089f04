/**
 * How long packets to a host may be, as routers on the way have told: a bounded cache.
 *
 * Read: RFC 1191; RFC 5927, 7 (why a forged message must not make packets tiny).
 */
import type { Ipv4Address } from '../../../wire/address.ts';

const ENTRY_LIMIT = 256;
/** After this the way is tried with longer packets again (RFC 1191, 6.3). */
const LIFETIME_MS = 10 * 60_000;
/** No link of today has less than a host has to take anyhow (576) with some tunnel around it. */
const LEAST_BYTES = 552;
/** Sizes that links have, for routers that do not say theirs (RFC 1191, 7.1). */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, LEAST_BYTES] as const;

interface Entry {
  readonly mtu: number;
  readonly expires: number;
}

/** See the head of this file. */
export class PathMtu {
  /** The one that was set longest ago comes first. */
  readonly #entries = new Map<Ipv4Address, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of the longest packet, at most `most`. */
  get(destination: Ipv4Address, most: number): number {
    const entry = this.#entries.size === 0 ? undefined : this.#entries.get(destination);
    return entry === undefined ? most : Math.min(entry.mtu, most);
  }

  /**
   * A packet was too long.
   *
   * @param told the size that fits, as the router says; 0 if it does not
   * @param sent the size of that packet, as quoted
   * @param before the size that was taken to fit
   * @returns the size that fits, or null when the message says nothing new
   */
  reduce(destination: Ipv4Address, told: number, sent: number, before: number, now: number): number | null {
    const below = Math.min(sent, before);
    const guess = told === 0 || told >= sent ? (PLATEAUS.find((size) => size < below) ?? LEAST_BYTES) : told;
    const mtu = Math.max(guess, LEAST_BYTES);
    if (mtu >= before) return null;
    if (this.#entries.size >= ENTRY_LIMIT) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.delete(destination);
    this.#entries.set(destination, { mtu, expires: now + LIFETIME_MS });
    return mtu;
  }

  advance(now: number): void {
    for (const [destination, { expires }] of this.#entries) {
      if (expires > now) return;
      this.#entries.delete(destination);
    }
  }

  deadline(): number {
    return this.#entries.values().next().value?.expires ?? Infinity;
  }
}
