/** The methods of the interface `network` (protocol/network.ts): sockets, names, and what people see and set. */
import { SystemError } from '../../../protocol/errno.ts';
import type { Handlers, LATER, Reply, Request } from '../../../protocol/interface.ts';
import { MAX_RESOLVED_ADDRESSES, type network } from '../../../protocol/network.ts';
import type { Handle, RequestContext } from '../../lib/index.ts';
import type { Resolution } from '../stack.ts';
import { ARRIVAL_MS } from './arrival.ts';
import type { Captures } from './captures.ts';
import type { Sockets } from './sockets.ts';
import type { Surroundings } from './surroundings.ts';
import { Place, WAIT } from './waiting.ts';

type Methods = typeof network.methods;

/** Counters that `statistics` answers at most. */
const MAX_COUNTERS = 256;

/** Longest time for a name, in milliseconds; the questions end earlier by themselves. */
const LONGEST_RESOLUTION_MS = 120_000;

/** What the handlers stand on. */
export interface NetworkParts extends Surroundings {
  readonly sockets: Sockets;
  readonly captures: Captures;
  /** Where requests wait for the card. */
  readonly cards: Place;
  /** Counters of this service. */
  counters(): { name: string; value: number }[];
  /** Watching has begun or ended. */
  watch(): void;
}

/** See the head of this file. */
export function networkHandlers(parts: NetworkParts): Handlers<Methods, RequestContext> {
  const { stack } = parts;
  const resolving = new Place();
  return {
    socket: (request, context) => parts.sockets.create(request, context),
    interfaces: () => stack.interfaces(),
    configure: (change, context) =>
      withCard(parts, context, () => {
        stack.configure(change, parts.now());
        if (change.dhcp) parts.arrival.begin(parts.now());
      }),
    routes: () => stack.routes(),
    add_route: (row, context) =>
      withCard(parts, context, () => onceMore(context.retry, 'EEXIST', () => stack.addRoute(row))),
    remove_route: (row, { retry }) => onceMore(retry, 'ESRCH', () => stack.removeRoute(row)),
    neighbours: () => stack.neighbours(parts.now()),
    set_neighbour: ({ address, hardware }) => stack.setNeighbour(address, hardware, parts.now()),
    remove_neighbour: (address, { retry }) => onceMore(retry, 'ESRCH', () => stack.removeNeighbour(address)),
    sockets: () => parts.sockets.rows(),
    resolve: (request, context) => resolve(parts, resolving, request, context),
    statistics: () => {
      const tcp = Object.entries(parts.tcp.counters).map(([name, value]) => ({ name, value }));
      return [...stack.statistics(), ...tcp, ...parts.counters()].slice(0, MAX_COUNTERS);
    },
    configuration: () => stack.configuration(),
    capture: (request, context) => withCard(parts, context, () => beginCapture(parts, request, context)),
    set_name_servers: (addresses) => stack.setNameServers(addresses),
  };
}

/** Carries out a request. One that comes again may have been carried out already: then this error tells so. */
function onceMore(retry: boolean, done: 'EEXIST' | 'ESRCH', action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(retry && error instanceof SystemError && error.code === done)) throw error;
  }
}

/**
 * Carries out what concerns an interface. Asked too early, before the card has been found, it is carried out when that
 * has come.
 */
function withCard<A>(parts: NetworkParts, context: RequestContext, action: () => A): A | typeof LATER {
  const expired = (): SystemError => new SystemError('ENODEV', 'there is no network card');
  return parts.waiting.answer<A>(context, parts.cards, { timeout: ARRIVAL_MS, expired }, parts.now(), () => {
    try {
      return action();
    } catch (error) {
      const hasCard = parts.stack.interfaces().some(({ loopback }) => !loopback);
      const isEarly = error instanceof SystemError && error.code === 'ENODEV' && !hasCard;
      if (isEarly && parts.arrival.isComing(parts.cards, parts.now())) return WAIT;
      throw error;
    }
  });
}

function resolve(
  parts: NetworkParts,
  place: Place,
  { name, timeout }: Request<Methods['resolve']>,
  context: RequestContext,
): Reply<Methods['resolve']> | typeof LATER {
  let outcome: Resolution | undefined;
  let giveUp: (() => void) | undefined;
  const begin = (): void => {
    giveUp = parts.stack.resolve(name, Math.min(timeout, LONGEST_RESOLUTION_MS), parts.now(), (resolution) => {
      outcome = resolution;
      parts.touch(place);
    });
  };
  const expired = (): SystemError => {
    giveUp?.();
    return new SystemError('ETIMEDOUT', `no name server has answered for ${name}`);
  };
  return parts.waiting.answer<number[]>(context, place, { timeout, expired }, parts.now(), () => {
    if (giveUp === undefined) begin();
    if (outcome === undefined) return WAIT;
    if ('addresses' in outcome) return outcome.addresses.slice(0, MAX_RESOLVED_ADDRESSES);
    const { error } = outcome;
    // Asked too early: once more when the network has come.
    if (error.code === 'ENETUNREACH' && parts.arrival.isComing(place, parts.now())) {
      outcome = undefined;
      giveUp = undefined;
      return WAIT;
    }
    throw error;
  });
}

function beginCapture(
  parts: NetworkParts,
  { interface: name, length }: Request<Methods['capture']>,
  context: RequestContext,
): Handle {
  if (name !== null && !parts.stack.interfaces().some((row) => row.name === name))
    throw new SystemError('ENODEV', `there is no interface ${name}`);
  const badge = parts.captures.add(name, length, context);
  parts.watch();
  try {
    return parts.mint(badge);
  } catch (error) {
    parts.captures.remove(badge);
    parts.watch();
    throw error;
  }
}
