/**
 * The option `--netdev`: what the network card is plugged into. Names follow QEMU.
 *
 *     none
 *     user[,hostfwd=tcp|udp:[HOST]:PORT-[GUEST]:PORT]…[,restrict=on|off]
 *     dgram,local=[HOST:]PORT,remote=[HOST:]PORT
 *     tap,ifname=NAME
 *
 * and on each of them `mac=ADDRESS`, which QEMU has at the device. QEMU's long form of dgram (`local.type=inet`,
 * `local.host=`, `local.port=`) is understood too, and `id=`, which means nothing here.
 */

import net from 'node:net';

/** An IPv4 address and a port of the host or the guest. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** A port of the host that leads to one of the guest. */
export interface PortForward {
  readonly protocol: 'tcp' | 'udp';
  readonly host: Endpoint;
  readonly guest: Endpoint;
}

/** What to plug in. */
export type NetworkPlug =
  | { readonly kind: 'none' }
  | { readonly kind: 'user'; readonly forwards: readonly PortForward[]; readonly restricted: boolean }
  | { readonly kind: 'dgram'; readonly local: Endpoint; readonly remote: Endpoint }
  | { readonly kind: 'tap'; readonly interfaceName: string };

export interface NetworkOptions {
  readonly plug: NetworkPlug;
  /** The card's station address; undefined for the one it always has. */
  readonly stationAddress: readonly number[] | undefined;
}

/** The network without an option. */
export const DEFAULT_NETWORK: NetworkOptions = {
  plug: { kind: 'user', forwards: [], restricted: false },
  stationAddress: undefined,
};

/** Where the guest is, if a forward does not say: the first address that DHCP gives. */
const DEFAULT_GUEST = '10.0.2.15';
const LOOPBACK = '127.0.0.1';
const INTERFACE_NAME_LENGTH = 15;
const FORWARD_LIMIT = 64;

/** Reads the option's value. Throws an Error whose message says what is wrong with it. */
export function parseNetwork(text: string): NetworkOptions {
  const [kind = '', ...words] = text.split(',');
  const settings = new Settings(words);
  const stationAddress = settings.optional('mac', parseStationAddress);
  settings.optional('id', (id) => id);
  const plug = parsePlug(kind, settings);
  settings.end();
  return { plug, stationAddress };
}

function parsePlug(kind: string, settings: Settings): NetworkPlug {
  switch (kind) {
    case 'none':
      return { kind };
    case 'user':
      return {
        kind,
        forwards: settings.all('hostfwd', FORWARD_LIMIT).map(parseForward),
        restricted: settings.optional('restrict', parseSwitch) ?? false,
      };
    case 'dgram':
      return { kind, local: parseEnd(settings, 'local'), remote: parseEnd(settings, 'remote') };
    case 'tap':
      return { kind, interfaceName: settings.required('ifname', parseInterfaceName) };
    default:
      throw new Error(`there is no network ${kind}; choose from none, user, dgram, tap`);
  }
}

/** The settings behind the kind. Each is asked for by name; what is left over in the end is a mistake. */
class Settings {
  readonly #values = new Map<string, string[]>();

  constructor(words: readonly string[]) {
    for (const word of words) {
      const at = word.indexOf('=');
      if (at < 1) throw new Error(`expected NAME=VALUE, got ${word}`);
      const name = word.slice(0, at);
      this.#values.set(name, [...(this.#values.get(name) ?? []), word.slice(at + 1)]);
    }
  }

  all(name: string, limit: number): string[] {
    const values = this.#values.get(name) ?? [];
    this.#values.delete(name);
    if (values.length > limit) throw new Error(`${name} is there ${values.length} times, at most ${limit} can be`);
    return values;
  }

  optional<T>(name: string, parse: (text: string) => T): T | undefined {
    const [value] = this.all(name, 1);
    return value === undefined ? undefined : parse(value);
  }

  required<T>(name: string, parse: (text: string) => T): T {
    const value = this.optional(name, parse);
    if (value === undefined) throw new Error(`${name}= is missing`);
    return value;
  }

  end(): void {
    const [name] = this.#values.keys();
    if (name !== undefined) throw new Error(`there is no setting ${name}=`);
  }
}

/** One end of a dgram cable, in the short or in the long form. */
function parseEnd(settings: Settings, name: 'local' | 'remote'): Endpoint {
  const short = settings.optional(name, parseHostAndPort);
  if (short !== undefined) return short;
  const type = settings.optional(`${name}.type`, (text) => text);
  if (type === undefined) throw new Error(`${name}= is missing`);
  if (type !== 'inet') throw new Error(`${name}.type=${type}: only inet is known`);
  return {
    address: settings.required(`${name}.host`, parseAddress),
    port: settings.required(`${name}.port`, parsePort),
  };
}

function parseHostAndPort(text: string): Endpoint {
  const at = text.lastIndexOf(':');
  return { address: at < 0 ? LOOPBACK : parseAddress(text.slice(0, at)), port: parsePort(text.slice(at + 1)) };
}

function parseForward(text: string): PortForward {
  const match = /^(tcp|udp):([^:]*):(\d+)-([^:]*):(\d+)$/.exec(text);
  if (match === null) throw new Error(`hostfwd=${text}: expected tcp|udp:[HOST]:PORT-[GUEST]:PORT`);
  const [, protocol, host = '', hostPort = '', guest = '', guestPort = ''] = match;
  return {
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
    // Port 0: any that is free. The host's side is closed to others unless an address is given.
    host: {
      address: host === '' ? LOOPBACK : parseAddress(host),
      port: hostPort === '0' ? 0 : parsePort(hostPort),
    },
    guest: { address: guest === '' ? DEFAULT_GUEST : parseAddress(guest), port: parsePort(guestPort) },
  };
}

function parseAddress(text: string): string {
  if (!net.isIPv4(text)) throw new Error(`${text} is no IPv4 address`);
  return text;
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 0xffff) throw new Error(`${text} is no port, 1 to 65535`);
  return port;
}

function parseSwitch(text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new Error(`expected on or off, got ${text}`);
  return text === 'on';
}

/** As the kernel of the host allows them. */
function parseInterfaceName(text: string): string {
  if (!/^[^\s/:]+$/.test(text) || text.length > INTERFACE_NAME_LENGTH || text === '.' || text === '..') {
    throw new Error(`ifname=${text} is no name of an interface`);
  }
  return text;
}

function parseStationAddress(text: string): number[] {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text))
    throw new Error(`mac=${text}: expected six bytes, 52:54:00:12:34:56`);
  const bytes = text.split(':').map((byte) => Number.parseInt(byte, 16));
  if (((bytes[0] ?? 0) & 1) === 1) throw new Error(`mac=${text} is the address of a group`);
  return bytes;
}
