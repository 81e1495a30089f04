/**
 * IPv4 fragments, put together again, within bounds.
 *
 * Read: RFC 791, 3.2; RFC 1858 and RFC 3128 (fragments made to deceive); RFC 5722 (packets whose fragments overlap are
 * dropped).
 */

import type { Ipv4Address } from './address.ts';
import { quote } from './icmp.ts';
import { IPV4_HEADER_BYTES, IPV4_PACKET_LIMIT, type Ipv4Packet } from './ipv4.ts';

/** A packet of the largest size in fragments of the smallest link that IPv4 allows has this many. */
const FRAGMENT_LIMIT = Math.ceil(IPV4_PACKET_LIMIT / 48);
/** What a fragment takes besides its data. */
const FRAGMENT_OVERHEAD_BYTES = 200;

/** How much may be under way. */
export interface ReassemblyBounds {
  /** Packets that are being put together; half of them of one sender. */
  readonly packets: number;
  /** Memory for all of them. */
  readonly bytes: number;
  /** How long each may take. */
  readonly lifetimeMs: number;
}

interface Fragment {
  readonly start: number;
  readonly data: Buffer;
}

interface Partial {
  readonly source: Ipv4Address;
  readonly expires: number;
  readonly fragments: Fragment[];
  /** Known with the last fragment. */
  length: number | null;
  bytes: number;
  /** What an error about the packet quotes of its first fragment; null as long as that has not come. */
  quoted: Buffer | null;
}

export class Reassembly {
  /** Packets given up: too old, too many, or made of what does not fit together. */
  drops = 0;
  readonly #bounds: ReassemblyBounds;
  readonly #expired: (quoted: Buffer) => void;
  readonly #partials = new Map<string, Partial>();
  #bytes = 0;

  /**
   * @param expired is told of each packet whose time is over and whose first fragment had come: what an ICMP error
   * quotes of it
   */
  constructor(bounds: ReassemblyBounds, expired: (quoted: Buffer) => void = () => {}) {
    this.#bounds = bounds;
    this.#expired = expired;
  }

  /** When the oldest packet is given up. */
  get nextTimeout(): number {
    // They all live equally long.
    return this.#partials.values().next().value?.expires ?? Infinity;
  }

  /** Memory that fragments take now. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes a packet. Returns it when it is whole, or the one that it completes, whose `bytes` are what an error quotes
   * of its first fragment; else null.
   */
  add(packet: Ipv4Packet, now: number): Ipv4Packet | null {
    if (!packet.moreFragments && packet.fragmentOffset === 0) return packet;
    const key = `${packet.source} ${packet.destination} ${packet.protocol} ${packet.identification}`;
    const partial = this.#partials.get(key) ?? this.#begin(key, packet.source, now);
    const before = partial.bytes;
    const fits = insert(partial, packet);
    this.#bytes += partial.bytes - before;
    if (!fits) {
      this.#giveUp(key, partial);
      return null;
    }
    const payload = complete(partial);
    if (payload === null) {
      this.#makeRoom(key);
      return null;
    }
    this.#remove(key, partial);
    return { ...packet, payload, bytes: partial.quoted ?? packet.bytes, fragmentOffset: 0, moreFragments: false };
  }

  advance(now: number): void {
    for (const [key, partial] of this.#partials) {
      if (partial.expires > now) break;
      this.#giveUp(key, partial);
      if (partial.quoted !== null) this.#expired(partial.quoted);
    }
  }

  #begin(key: string, source: Ipv4Address, now: number): Partial {
    const { packets, lifetimeMs } = this.#bounds;
    const own = [...this.#partials].filter(([, partial]) => partial.source === source);
    const oldestOwn = own[0];
    const oldest = this.#partials.entries().next().value;
    if (own.length >= packets / 2 && oldestOwn !== undefined) this.#giveUp(...oldestOwn);
    else if (this.#partials.size >= packets && oldest !== undefined) this.#giveUp(...oldest);
    const expires = now + lifetimeMs;
    const partial: Partial = { source, expires, fragments: [], length: null, bytes: 0, quoted: null };
    this.#partials.set(key, partial);
    return partial;
  }

  /** Gives the oldest up until the rest is within the bound; the one with this key last. */
  #makeRoom(key: string): void {
    for (const [other, partial] of this.#partials) {
      if (this.#bytes <= this.#bounds.bytes) return;
      if (other !== key) this.#giveUp(other, partial);
    }
    const own = this.#partials.get(key);
    if (this.#bytes > this.#bounds.bytes && own !== undefined) this.#giveUp(key, own);
  }

  #giveUp(key: string, partial: Partial): void {
    this.#remove(key, partial);
    this.drops++;
  }

  #remove(key: string, partial: Partial): void {
    this.#partials.delete(key);
    this.#bytes -= partial.bytes;
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
  partial.bytes += packet.payload.length + FRAGMENT_OVERHEAD_BYTES;
  if (start === 0) partial.quoted = quote(packet.bytes);
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
