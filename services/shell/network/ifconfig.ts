/** ifconfig: shows and sets the addresses of interfaces, as the one of net-tools does. */
import { formatIpv4 } from '../../../wire/address.ts';
import type { CommandContext } from '../command.ts';
import { about, CommandError, UsageError } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { formatBytes } from '../table.ts';
import { broadcastOf, formatHardware, maskOf, parseMask, parseNetwork } from './addresses.ts';
import { type InterfaceRow, networkOf } from './stack.ts';

/** Flags as Linux numbers them. */
const flagBits = { UP: 1, BROADCAST: 2, LOOPBACK: 8, RUNNING: 0x40, MULTICAST: 0x1000 } as const;

function flagsOf({ up, link, loopback }: InterfaceRow): (keyof typeof flagBits)[] {
  return [
    ...(up ? (['UP'] as const) : []),
    ...(loopback ? (['LOOPBACK'] as const) : (['BROADCAST'] as const)),
    ...(link ? (['RUNNING'] as const) : []),
    ...(loopback ? [] : (['MULTICAST'] as const)),
  ];
}

/** Flags in letters, for `netstat -i`. */
export function flagLetters(row: InterfaceRow): string {
  const letters = { UP: 'U', BROADCAST: 'B', LOOPBACK: 'L', RUNNING: 'R', MULTICAST: 'M' } as const;
  return ['BROADCAST', 'LOOPBACK', 'MULTICAST', 'RUNNING', 'UP']
    .filter((flag) => flagsOf(row).some((held) => held === flag))
    .map((flag) => letters[flag as keyof typeof letters])
    .join('');
}

/** The paragraph on an interface. */
export function interfaceLines(row: InterfaceRow): string[] {
  const flags = flagsOf(row);
  const bits = flags.reduce((sum, flag) => sum | flagBits[flag], 0);
  const lines = [`${row.name}: flags=${bits}<${flags.join(',')}>  mtu ${row.mtu}`];
  if (row.address !== null) {
    const network = { address: row.address, prefix: row.prefix };
    const broadcast = row.loopback ? '' : `  broadcast ${formatIpv4(broadcastOf(network))}`;
    const origin = row.origin === 'dhcp' ? '  (dhcp)' : '';
    lines.push(`inet ${formatIpv4(row.address)}  netmask ${formatIpv4(maskOf(row.prefix))}${broadcast}${origin}`);
  }
  if (row.loopback) lines.push('loop  (Local Loopback)');
  else if (row.hardware !== null) lines.push(`ether ${formatHardware(row.hardware)}  (Ethernet)`);
  lines.push(
    `RX packets ${row.framesReceived}  bytes ${row.bytesReceived} (${formatBytes(row.bytesReceived)})`,
    `RX errors ${row.receiveErrors}  dropped ${row.receiveDrops}`,
    `TX packets ${row.framesSent}  bytes ${row.bytesSent} (${formatBytes(row.bytesSent)})`,
    `TX errors ${row.sendErrors}  dropped ${row.sendDrops}`,
  );
  return lines.map((line, index) => (index === 0 ? line : `        ${line}`));
}

/** What is to be set: `up`, `down`, `dhcp`, an address with its network. */
export interface Settings {
  readonly up: boolean | null;
  readonly address: { readonly address: number; readonly prefix: number } | null;
  readonly dhcp: boolean;
}

/** The prefix of an address that was given without one, by its class (RFC 791, 3.2). */
function prefixByClass(address: number): number {
  const first = address >>> 24;
  if (first < 128) return 8;
  return first < 192 ? 16 : 24;
}

/** The words behind the name of the interface. Throws UsageError. */
export function parseSettings(words: readonly string[]): Settings {
  let up: boolean | null = null;
  let address: Settings['address'] = null;
  let prefix: number | null = null;
  let dhcp = false;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === 'up') up = true;
    else if (word === 'down') up = false;
    else if (word === 'dhcp') dhcp = true;
    else if (word === 'netmask') {
      index += 1;
      const mask = words[index];
      if (mask === undefined) throw new UsageError('netmask: a mask is missing');
      prefix = parseMask(mask);
    } else if (address !== null) throw new UsageError(`${word}: there is an address already`);
    else {
      address = parseNetwork(word, 'address', -1);
      if (address.prefix === -1) address = { address: address.address, prefix: prefixByClass(address.address) };
    }
  }
  if (prefix !== null && address === null) throw new UsageError('netmask: there is no address');
  if (dhcp && address !== null) throw new UsageError('dhcp: there is an address already');
  return { up, dhcp, address: prefix === null || address === null ? address : { ...address, prefix } };
}

export function ifconfig(context: CommandContext): number {
  const { flags, operands } = parseOptions(context.words, { flags: 'a' });
  const [name, ...rest] = operands;
  const settings = parseSettings(rest);
  const { stack } = networkOf(context);
  if (rest.length > 0 && name !== undefined) {
    about(name, () => stack.configure({ interface: name, ...settings }));
    return 0;
  }
  const rows = stack.interfaces().filter((row) => (name === undefined ? row.up || flags.has('a') : row.name === name));
  if (name !== undefined && rows.length === 0) throw new CommandError(`${name}: there is no such interface`);
  context.lines(...rows.flatMap((row) => [...interfaceLines(row), '']));
  return 0;
}
