/**
 * The time until the network is there. What needs it right after the boot waits for the first address instead of
 * failing; after five seconds it fails as it would anywhere.
 */
import type { Place } from './waiting.ts';

/** How long after the start of the service, or after DHCP was begun anew, requests wait for an address. */
export const ARRIVAL_MS = 5000;

/** What decides whether there is something to wait for. */
export interface ArrivalState {
  /** Whether an interface to the outside has an address. */
  isThere(): boolean;
  /** Whether nothing is known to be wrong with the card. */
  isHopeful(): boolean;
}

/** See the head of this file. */
export class NetworkArrival {
  private readonly state: ArrivalState;
  private until: number;
  private readonly places = new Set<Place>();

  constructor(state: ArrivalState, now: number) {
    this.state = state;
    this.until = now + ARRIVAL_MS;
  }

  /** The network is about to come, once more. */
  begin(now: number): void {
    this.until = now + ARRIVAL_MS;
  }

  /**
   * Whether what cannot be sent now may be possible in a moment; then `place` is among those that `changed` answers.
   */
  isComing(place: Place, now: number): boolean {
    if (this.isDecided(now)) return false;
    this.places.add(place);
    return true;
  }

  /** Places to be looked at again. */
  changed(now: number): readonly Place[] {
    if (this.places.size === 0 || !this.isDecided(now)) return [];
    const places = [...this.places];
    this.places.clear();
    return places;
  }

  /** When nothing more is waited for. */
  deadline(): number {
    return this.places.size === 0 ? Number.POSITIVE_INFINITY : this.until;
  }

  private isDecided(now: number): boolean {
    return now >= this.until || this.state.isThere() || !this.state.isHopeful();
  }
}
