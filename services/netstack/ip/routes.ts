/**
 * Routes: the one with the longest prefix wins, of several the one with the least metric.
 *
 * Read: RFC 1122, 3.3.1.
 */
import { SystemError } from '../../../protocol/errno.ts';
import type { Ipv4Address } from '../../../wire/address.ts';
import { inNetwork, maskOf } from './interface.ts';

/**
 * Routes that are set; the rest of the 64 that one answer of `network.routes` takes are for what interfaces bring with
 * them.
 */
const FIXED_LIMIT = 48;
const ROUTE_LIMIT = 64;

/** As in protocol/network.ts. */
export interface Route {
  readonly destination: Ipv4Address;
  readonly prefix: number;
  readonly gateway: Ipv4Address | null;
  readonly interface: string;
  readonly metric: number;
  readonly origin: 'connected' | 'fixed' | 'dhcp';
}

/** See the head of this file. */
export class RouteTable {
  /** In the order in which they are tried. */
  #routes: Route[] = [];

  get all(): readonly Route[] {
    return this.#routes;
  }

  /**
   * EEXIST: one that differs in no more than the metric is there; ENOSPC; EINVAL: bits of the destination are behind
   * the prefix.
   */
  add(route: Route): void {
    if ((route.destination & ~maskOf(route.prefix)) !== 0)
      throw new SystemError('EINVAL', 'the destination has bits behind its prefix');
    if (this.#routes.some((other) => isSame(other, route) && other.interface === route.interface))
      throw new SystemError('EEXIST');
    const fixed = this.#routes.filter((other) => other.origin === 'fixed').length;
    if (this.#routes.length >= ROUTE_LIMIT || (route.origin === 'fixed' && fixed >= FIXED_LIMIT)) {
      throw new SystemError('ENOSPC', 'there are too many routes');
    }
    const behind = (other: Route): boolean =>
      other.prefix < route.prefix || (other.prefix === route.prefix && other.metric > route.metric);
    const at = this.#routes.findIndex(behind);
    this.#routes.splice(at < 0 ? this.#routes.length : at, 0, route);
  }

  /** Takes away those that fit; answers how many. */
  remove(fits: (route: Route) => boolean): number {
    const before = this.#routes.length;
    this.#routes = this.#routes.filter((route) => !fits(route));
    return before - this.#routes.length;
  }

  /** The route to an address, of those that can be used; undefined: there is none. */
  find(address: Ipv4Address, isUsable: (route: Route) => boolean): Route | undefined {
    return this.#routes.find((route) => inNetwork(address, route.destination, route.prefix) && isUsable(route));
  }
}

/** Whether two routes lead to the same place in the same way. */
export function isSame(
  one: Pick<Route, 'destination' | 'prefix' | 'gateway'>,
  other: Pick<Route, 'destination' | 'prefix' | 'gateway'>,
): boolean {
  return one.destination === other.destination && one.prefix === other.prefix && one.gateway === other.gateway;
}
