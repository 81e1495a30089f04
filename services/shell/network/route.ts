/** route: shows, adds and removes routes, as the one of net-tools does. */
import type { Reply } from '../../../protocol/interface.ts';
import { formatIpv4 } from '../../../wire/address.ts';
import { type network, SystemError } from '../../lib/index.ts';
import { type CommandContext, expectWords, wholeNumber } from '../command.ts';
import { CommandError, reasonOf, UsageError } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { formatTable, type TableColumn } from '../table.ts';
import { maskOf, parseAddress, parseMask, parseNetwork } from './addresses.ts';
import { networkOf } from './stack.ts';

export type RouteRow = Reply<typeof network.methods.routes>[number];

const left = (title: string): TableColumn => ({ title, align: 'left' });
const right = (title: string): TableColumn => ({ title, align: 'right' });

/** `U`: usable, `G`: through a gateway, `H`: to a single host, `D`: from DHCP. */
function flagsOf({ gateway, prefix, origin }: RouteRow): string {
  return `U${gateway === null ? '' : 'G'}${prefix === 32 ? 'H' : ''}${origin === 'dhcp' ? 'D' : ''}`;
}

/** The table of routes, as it stands under `route` and `netstat -r`. */
export function routeLines(rows: readonly RouteRow[], numeric: boolean): string[] {
  const columns = [
    ...[left('Destination'), left('Gateway'), left('Genmask'), left('Flags')],
    ...[right('Metric'), left('Iface')],
  ];
  const cells = rows.map((row) => [
    row.prefix === 0 && !numeric ? 'default' : formatIpv4(row.destination),
    row.gateway === null ? (numeric ? '0.0.0.0' : '*') : formatIpv4(row.gateway),
    formatIpv4(maskOf(row.prefix)),
    ...[flagsOf(row), String(row.metric), row.interface],
  ]);
  return ['Kernel IP routing table', ...formatTable(columns, cells)];
}

/** A route to be added or removed. */
export interface RouteChange {
  readonly destination: number;
  readonly prefix: number;
  readonly gateway: number | null;
  readonly interface: string | null;
  readonly metric: number;
}

/** The words behind `add` or `del`. Throws UsageError. */
export function parseRoute(words: readonly string[]): RouteChange {
  const rest = [...words];
  const next = (what: string): string => {
    const word = rest.shift();
    if (word === undefined) throw new UsageError(`${what} is missing`);
    return word;
  };
  let kind = next('a destination');
  const host = kind === '-host';
  if (host || kind === '-net') kind = next('a destination');
  const isDefault = kind === 'default';
  let { address, prefix } = isDefault ? { address: 0, prefix: 0 } : parseNetwork(kind, 'destination', 32);
  let gateway: number | null = null;
  let name: string | null = null;
  let metric = 0;
  while (rest.length > 0) {
    const word = next('an argument');
    if (word === 'gw') gateway = parseAddress(next('gw: an address'), 'gw');
    else if (word === 'dev') name = next('dev: an interface');
    else if (word === 'metric') metric = wholeNumber(next('metric: a number'), 'metric', 0, 65535);
    else if (word === 'netmask' && !isDefault) prefix = parseMask(next('netmask: a mask'));
    else if (name === null && rest.length === 0) name = word;
    else throw new UsageError(`${word}: expected gw, dev, netmask or metric`);
  }
  if (host && prefix !== 32) throw new UsageError(`${kind}: a host has no prefix`);
  if ((address & maskOf(prefix)) >>> 0 !== address)
    throw new UsageError(`${kind}: it has bits of a host behind the prefix of ${prefix}`);
  address >>>= 0;
  return { destination: address, prefix, gateway, interface: name, metric };
}

function destinationText({ destination, prefix }: RouteChange): string {
  return prefix === 0 ? 'default' : `${formatIpv4(destination)}/${prefix}`;
}

/** Where a route leads that is named without its gateway: the one of several that counts first. */
function gatewayOf(wanted: RouteChange, rows: readonly RouteRow[]): number | null {
  const found = rows
    .filter(({ destination, prefix }) => destination === wanted.destination && prefix === wanted.prefix)
    .filter((row) => wanted.interface === null || row.interface === wanted.interface)
    .sort((one, other) => one.metric - other.metric);
  return found[0]?.gateway ?? null;
}

function change(context: CommandContext, action: 'add' | 'del', words: readonly string[]): void {
  const wanted = parseRoute(words);
  const { stack } = networkOf(context);
  try {
    if (action === 'add') {
      if (wanted.gateway === null && wanted.interface === null) throw new UsageError('gw or dev is missing');
      stack.add_route(wanted);
    } else {
      const { destination, prefix } = wanted;
      const gateway = wanted.gateway ?? gatewayOf(wanted, stack.routes());
      stack.remove_route({ destination, prefix, gateway });
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const reason = error.code === 'ESRCH' ? 'there is no such route' : reasonOf(error);
    throw new CommandError(`${destinationText(wanted)}: ${reason}`);
  }
}

export function route(context: CommandContext): number {
  const [action, ...rest] = context.words;
  if (action === 'add' || action === 'del' || action === 'delete') {
    change(context, action === 'add' ? 'add' : 'del', rest);
    return 0;
  }
  const { flags, operands } = parseOptions(context.words, { flags: 'n' });
  if (operands[0] !== undefined) throw new UsageError(`${operands[0]}: expected add or del`);
  expectWords(operands, 0, 0);
  context.lines(...routeLines(networkOf(context).stack.routes(), flags.has('n')));
  return 0;
}
