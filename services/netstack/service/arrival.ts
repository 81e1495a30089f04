/**
 * The time until the network is there. What needs it right after the boot waits for the first address instead of failing; after five seconds it fails as it would anywhere.
 */
import type { Place } from './waiting.ts';

/** How long after the start of the service, or after DHCP was begun anew, requests wait for an address. */
export const ARRIVAL_MS = 5000;

/** See the head of this file. */
export class NetworkArrival {
  private readonly isThere: () => boolean;
  private until: number;
  private readonly places = new Set<Place>();

  /** `isThere`: whether an interface to the outside has an address. */
  constructor(isThere: () => boolean, now: number) {
    this.isThere = isThere;
    this.until = now + ARRIVAL_MS;
  }

  /** The network is about to come, once more. */
  begin(now: number): void {
    this.until = now + ARRIVAL_MS;
  }

  /** Nothing more is to be hoped for. */
  giveUp(now: number): void {
    this.until = Math.min(this.until, now);
  }

  /** Whether what cannot be sent now may be possible in a moment; then `place` is among those that `changed` answers. */
  isComing(place: Place, now: number): boolean {
    if (now >= this.until || this.isThere()) return false;
    this.places.add(place);
    return true;
  }

  /** Places to be looked at again. */
  changed(now: number): readonly Place[] {
    if (this.places.size === 0 || (now < this.until && !this.isThere())) return [];
    const places = [...this.places];
    this.places.clear();
    return places;
  }

  /** When nothing more is waited for. */
  deadline(): number {
    return this.places.size === 0 ? Number.POSITIVE_INFINITY : this.until;
  }
}
