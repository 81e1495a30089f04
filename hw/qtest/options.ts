/** The command line of the qtest server: the same option names as QEMU's. */

import { parseArgs } from 'node:util';
import { type NetworkOptions, parseNetwork } from '../network/options.ts';

export interface QtestOptions {
  /** Path of the raw image of disk 0, or null. */
  readonly disk: string | null;
  /** Without the option nothing is plugged into the network card. */
  readonly network: NetworkOptions;
}

export const USAGE = 'usage: qtest [--hda IMAGE] [--netdev none|user|dgram,local=PORT,remote=PORT|tap,ifname=NAME]';

const NO_NETWORK: NetworkOptions = { plug: { kind: 'none' }, stationAddress: undefined };

/** Reads the arguments after the program's name. Throws an Error whose message says what is wrong with them. */
export function parseOptions(args: readonly string[]): QtestOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { hda: { type: 'string' }, netdev: { type: 'string' } },
    strict: true,
  });
  return {
    disk: values.hda ?? null,
    network: values.netdev === undefined ? NO_NETWORK : readNetwork(values.netdev),
  };
}

function readNetwork(text: string): NetworkOptions {
  try {
    return parseNetwork(text);
  } catch (error) {
    throw new Error(`--netdev ${text}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
