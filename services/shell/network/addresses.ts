/** Addresses as users write and read them. Read RFC 1123, 2.1 (four numbers with dots) and RFC 4632, 3.1 (prefixes). */
import { formatIpv4, LINK_ADDRESS_BYTES, parseIpv4 } from '../../../wire/address.ts';
import type { Endpoint } from '../../lib/index.ts';
import { wholeNumber } from '../command.ts';
import { UsageError } from '../errors.ts';

/** An address and how many of its first bits name the network. */
export interface Network {
  readonly address: number;
  readonly prefix: number;
}

/** `10.0.2.15`. Throws UsageError naming `what`. */
export function parseAddress(text: string, what: string): number {
  try {
    return parseIpv4(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${what}: expected an address such as 10.0.2.15, got '${text}'`);
  }
}

/** `10.0.2.0/24`; without a prefix `prefix`. Throws UsageError naming `what`. */
export function parseNetwork(text: string, what: string, prefix: number): Network {
  const slash = text.indexOf('/');
  if (slash < 0) return { address: parseAddress(text, what), prefix };
  return {
    address: parseAddress(text.slice(0, slash), what),
    prefix: wholeNumber(text.slice(slash + 1), `${what}: prefix`, 0, 32),
  };
}

/** The prefix that a mask such as 255.255.255.0 stands for. Throws UsageError. */
export function parseMask(text: string): number {
  const mask = parseAddress(text, 'netmask');
  const prefix = Math.clz32(~mask);
  if (maskOf(prefix) !== mask) throw new UsageError(`netmask: ${text} has ones behind zeros`);
  return prefix;
}

/** The mask of a prefix: 24 is 255.255.255.0, as a number. */
export function maskOf(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}

/** The address that stands for all hosts of a network. */
export function broadcastOf({ address, prefix }: Network): number {
  return (address | ~maskOf(prefix)) >>> 0;
}

/** `52:54:00:12:34:56`. Throws UsageError. */
export function parseHardware(text: string): Uint8Array {
  const parts = text.split(/[:-]/);
  if (parts.length !== LINK_ADDRESS_BYTES || !parts.every((part) => /^[0-9a-f]{1,2}$/i.test(part)))
    throw new UsageError(`expected a hardware address such as 52:54:00:12:34:56, got '${text}'`);
  return Uint8Array.from(parts, (part) => Number.parseInt(part, 16));
}

export function formatHardware(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A port. Throws UsageError naming `what`. */
export function parsePort(text: string, what: string, least = 1): number {
  return wholeNumber(text, what, least, 65535);
}

/** `10.0.2.15:80`. */
export function formatEndpoint({ address, port }: Endpoint): string {
  return `${formatIpv4(address)}:${port}`;
}

/** Names of ports that one meets, for those who do not want numbers. */
const portNames: ReadonlyMap<number, string> = new Map([
  ...([
    [7, 'echo'],
    [20, 'ftp-data'],
    [21, 'ftp'],
    [22, 'ssh'],
    [23, 'telnet'],
    [25, 'smtp'],
  ] as const),
  ...([
    [53, 'domain'],
    [67, 'bootps'],
    [68, 'bootpc'],
    [69, 'tftp'],
    [80, 'http'],
    [110, 'pop3'],
  ] as const),
  ...([
    [123, 'ntp'],
    [143, 'imap'],
    [161, 'snmp'],
    [443, 'https'],
    [514, 'syslog'],
    [993, 'imaps'],
  ] as const),
  ...([
    [5353, 'mdns'],
    [8080, 'http-alt'],
  ] as const),
]);

/** A port by name, where it has one and names are wanted. */
export function portText(port: number, numeric: boolean): string {
  return (numeric ? undefined : portNames.get(port)) ?? String(port);
}
