/**
 * IPv4 fragments from the guest, put together again.
 *
 * Read: RFC 791, 3.2; RFC 1858 and RFC 3128 (fragments made to deceive); RFC 5722 (packets whose fragments overlap are dropped).
 */

import { IPV4_HEADER_BYTES, IPV4_PACKET_LIMIT, type Ipv4Packet } from '../../../wire/ipv4.ts';

/** Packets that are being put together, and how long they may take. */
const PACKET_LIMIT = 16;
const LIFETIME_MS = 15_000;
/** A packet of the largest size in fragments of the smallest link that IPv4 allows has this many. */
const FRAGMENT_LIMIT = Math.ceil(IPV4_PACKET_LIMIT / 48);

interface Fragment {
  readonly start: number;
  readonly data: Buffer;
}

interface Partial {
  readonly expires: number;
  readonly fragments: Fragment[];
  /** Known with the last fragment. */
  length: number | null;
}

export class Reassembly {
  readonly #partials = new Map<string, Partial>();
  /** Packets given up: too old, too many, or made of what does not fit together. */
  drops = 0;

  /** When the oldest packet is given up. */
  get nextTimeout(): number {
    // They all live equally long.
    return this.#partials.values().next().value?.expires ?? Infinity;
  }

  /** Takes a packet. Returns it when it is whole, or the one that it completes; else null. */
  add(packet: Ipv4Packet, now: number): Ipv4Packet | null {
    if (!packet.moreFragments && packet.fragmentOffset === 0) return packet;
    const key = `${packet.source} ${packet.destination} ${packet.protocol} ${packet.identification}`;
    const partial = this.#partials.get(key) ?? this.#begin(key, now);
    if (!insert(partial, packet)) {
      this.#partials.delete(key);
      this.drops++;
      return null;
    }
    const payload = complete(partial);
    if (payload === null) return null;
    this.#partials.delete(key);
    return { ...packet, payload, fragmentOffset: 0, moreFragments: false };
  }

  advance(now: number): void {
    for (const [key, partial] of this.#partials) {
      if (partial.expires > now) break;
      this.#partials.delete(key);
      this.drops++;
    }
  }

  #begin(key: string, now: number): Partial {
    if (this.#partials.size >= PACKET_LIMIT) {
      const oldest = this.#partials.keys().next().value;
      if (oldest !== undefined) this.#partials.delete(oldest);
      this.drops++;
    }
    const partial: Partial = { expires: now + LIFETIME_MS, fragments: [], length: null };
    this.#partials.set(key, partial);
    return partial;
  }
}

/** Puts a fragment to the others, in order. Returns false when it cannot be one of them. */
function insert(partial: Partial, packet: Ipv4Packet): boolean {
  const start = packet.fragmentOffset;
  const end = start + packet.payload.length;
  if (end > IPV4_PACKET_LIMIT - IPV4_HEADER_BYTES || end === start) return false;
  if (packet.moreFragments && packet.payload.length % 8 !== 0) return false;
  if (partial.length !== null && (end > partial.length || !packet.moreFragments)) {
    // The same last fragment may come twice.
    if (end !== partial.length) return false;
  }
  const { fragments } = partial;
  const at = fragments.findIndex((fragment) => fragment.start >= start);
  const index = at < 0 ? fragments.length : at;
  const after = fragments[index];
  if (after?.start === start && after.data.equals(packet.payload)) return true;
  const before = fragments[index - 1];
  if (before !== undefined && before.start + before.data.length > start) return false;
  if (after !== undefined && after.start < end) return false;
  if (!packet.moreFragments) {
    if (after !== undefined) return false;
    partial.length = end;
  }
  if (fragments.length >= FRAGMENT_LIMIT) return false;
  fragments.splice(index, 0, { start, data: Buffer.from(packet.payload) });
  return true;
}

function complete({ fragments, length }: Partial): Buffer | null {
  if (length === null) return null;
  let end = 0;
  for (const fragment of fragments) {
    if (fragment.start !== end) return null;
    end += fragment.data.length;
  }
  return end === length ? Buffer.concat(fragments.map((fragment) => fragment.data)) : null;
}
