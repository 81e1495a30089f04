/**
 * Whether an address is ours alone: probes before it is used, announces it, and defends it.
 *
 * Probing takes half a second and not the seven of RFC 5227, 1.1: its times are for links of which nothing is known,
 * and a server of DHCP has checked the address before it gave it (RFC 2131, 4.3.1). Whoever answers later is found by
 * the watch that goes on for as long as the address is used (RFC 5227, 2.4).
 *
 * Read: RFC 5227, 2.
 */
import type { Ipv4Address } from '../../../wire/address.ts';
import type { RandomNumbers } from '../random.ts';

const PROBES = 3;
const FIRST_PROBE_MOST_MS = 50;
const PROBE_LEAST_MS = 100;
const PROBE_MOST_MS = 150;
const AFTER_PROBES_MS = 200;
const ANNOUNCEMENTS = 2;
const ANNOUNCEMENT_MS = 2000;
/** A second conflict within this time means that the other one will not go away. */
const DEFEND_MS = 10_000;

export interface ClaimEffects {
  /** Asks whether anybody has the address, as one who has none. */
  probe(address: Ipv4Address): void;
  /** Tells everybody that it is ours. */
  announce(address: Ipv4Address): void;
  /** Nobody has answered: it may be used. */
  claimed(address: Ipv4Address, now: number): void;
}

/** What a conflict came to. `taken`: the address is somebody else's; `defended`: he was told; `lost`: he insists. */
export type Conflict = 'taken' | 'defended' | 'lost';

/** See the head of this file. */
export class AddressClaim {
  conflicts = 0;
  readonly #effects: ClaimEffects;
  readonly #random: RandomNumbers;
  #address: Ipv4Address | null = null;
  #phase: 'idle' | 'probing' | 'announcing' = 'idle';
  #sent = 0;
  #due = Infinity;
  #defended = -Infinity;

  constructor(effects: ClaimEffects, random: RandomNumbers) {
    this.#effects = effects;
    this.#random = random;
  }

  /** The address that is being probed and not used yet, else null. */
  get probing(): Ipv4Address | null {
    return this.#phase === 'probing' ? this.#address : null;
  }

  /** Begins to probe; `claimed` follows unless there is a conflict. */
  probe(address: Ipv4Address, now: number): void {
    this.#begin('probing', address, now + this.#random.below(FIRST_PROBE_MOST_MS));
  }

  /** The address is used from now on. */
  announce(address: Ipv4Address, now: number): void {
    this.#begin('announcing', address, now);
    this.advance(now);
  }

  stop(): void {
    this.#address = null;
    this.#phase = 'idle';
    this.#due = Infinity;
  }

  /** Somebody else uses the address. @param keep do not give it up: the administrator has set it */
  conflict(keep: boolean, now: number): Conflict {
    this.conflicts++;
    if (this.#phase === 'probing') {
      this.stop();
      return 'taken';
    }
    if (now - this.#defended >= DEFEND_MS) {
      this.#defended = now;
      if (this.#address !== null) this.#effects.announce(this.#address);
      return 'defended';
    }
    return keep ? 'defended' : 'lost';
  }

  advance(now: number): void {
    const address = this.#address;
    if (now < this.#due || address === null) return;
    if (this.#phase === 'announcing') {
      this.#effects.announce(address);
      this.#sent++;
      this.#due = this.#sent < ANNOUNCEMENTS ? now + ANNOUNCEMENT_MS : Infinity;
      return;
    }
    if (this.#sent === PROBES) {
      this.stop();
      this.#effects.claimed(address, now);
      return;
    }
    this.#effects.probe(address);
    this.#sent++;
    const pause = PROBE_LEAST_MS + this.#random.below(PROBE_MOST_MS - PROBE_LEAST_MS);
    this.#due = now + (this.#sent < PROBES ? pause : AFTER_PROBES_MS);
  }

  deadline(): number {
    return this.#due;
  }

  #begin(phase: 'probing' | 'announcing', address: Ipv4Address, due: number): void {
    this.#phase = phase;
    this.#address = address;
    this.#sent = 0;
    this.#due = due;
  }
}
