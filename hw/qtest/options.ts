/** The command line of the qtest server: the same option names as QEMU's. */

import { parseArgs } from 'node:util';

/** Both ends of a network cable: UDP ports on 127.0.0.1. */
export interface NetworkCable {
  readonly localPort: number;
  readonly remotePort: number;
}

export interface QtestOptions {
  /** Path of the raw image of disk 0, or null. */
  readonly disk: string | null;
  readonly network: NetworkCable | null;
}

export const USAGE = 'usage: qtest [--hda IMAGE] [--netdev dgram,local=PORT,remote=PORT]';

/** Reads the arguments after the program's name. Throws an Error whose message says what is wrong with them. */
export function parseOptions(args: readonly string[]): QtestOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { hda: { type: 'string' }, netdev: { type: 'string' } },
    strict: true,
  });
  return {
    disk: values.hda ?? null,
    network: values.netdev === undefined ? null : parseNetwork(values.netdev),
  };
}

function parseNetwork(text: string): NetworkCable {
  const [kind, ...settings] = text.split(',');
  if (kind !== 'dgram') throw new Error(`--netdev ${text}: the only kind of network here is dgram`);
  const ports = new Map<string, number>();
  for (const setting of settings) {
    const [name = '', value = ''] = setting.split('=', 2);
    if ((name !== 'local' && name !== 'remote') || ports.has(name)) {
      throw new Error(`--netdev ${text}: expected local=PORT and remote=PORT`);
    }
    const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
    if (port < 1 || port > 65_535) throw new Error(`--netdev ${text}: ${name} is a UDP port, 1 to 65535`);
    ports.set(name, port);
  }
  const localPort = ports.get('local');
  const remotePort = ports.get('remote');
  if (localPort === undefined || remotePort === undefined) {
    throw new Error(`--netdev ${text}: expected local=PORT and remote=PORT`);
  }
  return { localPort, remotePort };
}
