/** netstat: sockets, routes, interfaces and counters, as the one of net-tools shows them. */
import type { Reply } from '../../../protocol/interface.ts';
import { formatIpv4 } from '../../../wire/address.ts';
import { type Endpoint, type network, taskList } from '../../lib/index.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { parseOptions } from '../options.ts';
import { formatTable, type TableColumn } from '../table.ts';
import { compareTexts } from '../texts.ts';
import { portText } from './addresses.ts';
import { flagLetters } from './ifconfig.ts';
import { routeLines } from './route.ts';
import { type InterfaceRow, networkOf } from './stack.ts';

export type SocketRow = Reply<typeof network.methods.sockets>[number];
export type Counter = Reply<typeof network.methods.statistics>[number];

const left = (title: string): TableColumn => ({ title, align: 'left' });
const right = (title: string): TableColumn => ({ title, align: 'right' });

const protocolNames = { stream: 'tcp', datagram: 'udp', raw: 'raw' } as const;

/** `ESTABLISHED`, `TIME_WAIT`, `FIN_WAIT1`; nothing for sockets without states. */
function stateText({ type, state, remote }: SocketRow): string {
  if (type === 'stream')
    return state
      .toUpperCase()
      .replace(/-(\d)$/, '$1')
      .replaceAll('-', '_');
  return remote.port === 0 ? '' : 'ESTABLISHED';
}

function endText({ address, port }: Endpoint, numeric: boolean): string {
  const host = address === 0 && !numeric ? '*' : formatIpv4(address);
  return `${host}:${port === 0 ? '*' : portText(port, numeric)}`;
}

/** Whether a socket waits for whoever comes. */
function isServer({ type, state, remote }: SocketRow): boolean {
  return type === 'stream' ? state === 'listen' : remote.port === 0;
}

/** Which sockets are wanted. */
export interface SocketChoice {
  readonly types: ReadonlySet<SocketRow['type']>;
  /** Those that wait for others, those that are connected, or both. */
  readonly roles: 'servers' | 'connections' | 'all';
  readonly numeric: boolean;
}

/** The table of sockets. `nameOf` answers the name of a task. */
export function socketLines(
  rows: readonly SocketRow[],
  choice: SocketChoice,
  nameOf: (pid: number) => string,
): string[] {
  const heads = { servers: 'only servers', connections: 'w/o servers', all: 'servers and established' } as const;
  const columns = [
    ...[left('Proto'), right('Recv-Q'), right('Send-Q'), left('Local Address'), left('Foreign Address')],
    ...[left('State'), left('PID/Program name')],
  ];
  const wanted = rows
    .filter((row) => choice.types.has(row.type))
    .filter((row) => choice.roles === 'all' || isServer(row) === (choice.roles === 'servers'));
  const cells = wanted.map((row) => [
    row.type === 'raw' ? `raw/${row.protocol}` : protocolNames[row.type],
    ...[String(row.receiveQueue), String(row.sendQueue)],
    ...[endText(row.local, choice.numeric), endText(row.remote, choice.numeric)],
    ...[stateText(row), row.pid === 0 ? '-' : `${row.pid}/${nameOf(row.pid)}`],
  ]);
  return [`Active Internet connections (${heads[choice.roles]})`, ...formatTable(columns, cells)];
}

/** Counters under the names of their protocols: `tcp.segmentsSent` is `segments sent` under `tcp`. */
export function counterLines(counters: readonly Counter[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { name, value } of counters) {
    const dot = name.indexOf('.');
    const group = dot < 0 ? 'stack' : name.slice(0, dot);
    const words = name.slice(dot + 1).replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    const lines = groups.get(group) ?? [];
    lines.push(`    ${value} ${words}`);
    groups.set(group, lines);
  }
  return [...groups].sort(([a], [b]) => compareTexts(a, b)).flatMap(([group, lines]) => [`${group}:`, ...lines]);
}

/** The table of interfaces. */
export function interfaceTable(rows: readonly InterfaceRow[]): string[] {
  const columns = [
    ...[left('Iface'), right('MTU'), right('RX-OK'), right('RX-ERR'), right('RX-DRP')],
    ...[right('TX-OK'), right('TX-ERR'), right('TX-DRP'), left('Flg')],
  ];
  const cells = rows.map((row) => [
    ...[row.name, String(row.mtu), String(row.framesReceived), String(row.receiveErrors), String(row.receiveDrops)],
    ...[String(row.framesSent), String(row.sendErrors), String(row.sendDrops), flagLetters(row)],
  ]);
  return ['Kernel Interface table', ...formatTable(columns, cells)];
}

/** Names of tasks by their pids. */
function taskNames(): (pid: number) => string {
  const names = new Map(taskList().map(({ pid, name }) => [pid, name]));
  return (pid) => names.get(pid) ?? '?';
}

export function netstat(context: CommandContext): number {
  const { flags, operands } = parseOptions(context.words, { flags: 'tuwlanrsip' });
  expectWords(operands, 0, 0);
  const { stack } = networkOf(context);
  const numeric = flags.has('n');
  if (flags.has('r')) context.lines(...routeLines(stack.routes(), numeric));
  if (flags.has('i')) context.lines(...interfaceTable(stack.interfaces()));
  if (flags.has('s')) context.lines(...counterLines(stack.statistics()));
  if (['r', 'i', 's'].some((flag) => flags.has(flag))) return 0;
  const types = new Set<SocketRow['type']>();
  if (flags.has('t')) types.add('stream');
  if (flags.has('u')) types.add('datagram');
  if (flags.has('w')) types.add('raw');
  if (types.size === 0) for (const type of ['stream', 'datagram', 'raw'] as const) types.add(type);
  const roles = flags.has('a') ? 'all' : flags.has('l') ? 'servers' : 'connections';
  context.lines(...socketLines(stack.sockets(), { types, roles, numeric }, taskNames()));
  return 0;
}
