/**
 * What the layers below TCP keep in the recovery store, under keys that begin with `ip.`; whoever restarts finds it
 * again. Each is one value of bounded size; what cannot be read any more counts as not there.
 */
import { SystemError } from '../../protocol/errno.ts';
import { hardwareAddress } from '../../protocol/net.ts';
import * as schema from '../../protocol/schema.ts';
import { leaseSchema } from './dhcp/lease.ts';
import type { Keeper } from './environment.ts';

const { bool, list, nameText, nullable, record, u8, u16, u32 } = schema;
const FIXED_ROUTES = 48;
const KEPT_NEIGHBOURS = 64;
const NAME_SERVERS = 8;

/** One value in the store. */
export class Kept<T> {
  readonly #keeper: Keeper;
  readonly #key: string;
  readonly #schema: schema.Schema<T>;

  constructor(keeper: Keeper, key: string, description: schema.Schema<T>) {
    this.#keeper = keeper;
    this.#key = key;
    this.#schema = description;
  }

  /** Undefined: it was not kept. */
  load(): T | undefined {
    const wire = this.#keeper.get(this.#key);
    if (wire === undefined) return undefined;
    try {
      return this.#schema.fromWire(wire, []);
    } catch (error) {
      if (error instanceof SystemError) return undefined;
      throw error;
    }
  }

  save(value: T): void {
    this.#keeper.put(this.#key, this.#schema.toWire(value, []));
  }

  forget(): void {
    this.#keeper.delete(this.#key);
  }
}

/** How an administrator wants an interface. Without an address and DHCP it has none. */
const settings = record({
  up: bool,
  address: nullable(record({ address: u32, prefix: u8 })),
  dhcp: bool,
});
const neighbours = list(record({ address: u32, hardware: hardwareAddress }), KEPT_NEIGHBOURS);
const routes = list(
  record({ destination: u32, prefix: u8, gateway: nullable(u32), interface: nameText, metric: u16 }),
  FIXED_ROUTES,
);

export type InterfaceSettings = schema.Infer<typeof settings>;
type KeptNeighbours = schema.Infer<typeof neighbours>;

/** What is kept of one interface. */
export class KeptInterface {
  readonly settings: Kept<InterfaceSettings>;
  readonly lease: Kept<schema.Infer<typeof leaseSchema>>;
  /** Those that were learnt, and those that were set for good. */
  readonly neighbours: Kept<KeptNeighbours>;
  readonly permanent: Kept<KeptNeighbours>;

  constructor(keeper: Keeper, name: string) {
    this.settings = new Kept(keeper, `ip.interface.${name}`, settings);
    this.lease = new Kept(keeper, `ip.lease.${name}`, leaseSchema);
    this.neighbours = new Kept(keeper, `ip.neighbours.${name}`, neighbours);
    this.permanent = new Kept(keeper, `ip.permanent.${name}`, neighbours);
  }
}

/** What is kept of the stack as a whole. */
export class KeptStack {
  readonly routes: Kept<schema.Infer<typeof routes>>;
  readonly nameServers: Kept<number[]>;

  constructor(keeper: Keeper) {
    this.routes = new Kept(keeper, 'ip.routes', routes);
    this.nameServers = new Kept(keeper, 'ip.nameServers', list(u32, NAME_SERVERS));
  }
}

/** As many neighbours as are kept. */
export function keptNeighbours(views: Iterable<{ address: number; hardware: Uint8Array | null }>): KeptNeighbours {
  const kept: KeptNeighbours = [];
  for (const { address, hardware } of views) {
    if (kept.length < KEPT_NEIGHBOURS && hardware !== null) kept.push({ address, hardware });
  }
  return kept;
}
