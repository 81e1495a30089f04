/** The command line of nc, which is that of OpenBSD's. */
import { expectWords } from '../command.ts';
import { UsageError } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { parseAddress, parsePort } from './addresses.ts';
import { seconds } from './durations.ts';

const MAX_SECONDS = 2_000_000;

/** What nc is to do. Times in milliseconds. */
export interface NcOptions {
  readonly mode: 'connect' | 'listen' | 'scan';
  readonly datagrams: boolean;
  /** Null in mode `listen`: any address. */
  readonly host: string | null;
  /** The first and the last port. */
  readonly ports: readonly [number, number];
  /** Where to connect from. 0 for any. */
  readonly local: { readonly address: number; readonly port: number };
  readonly timeout: number | null;
  readonly verbose: boolean;
  readonly shutdownAtEnd: boolean;
  readonly keepListening: boolean;
}

function parsePorts(text: string): readonly [number, number] {
  const [first = '', last = first] = text.split('-');
  const range = [parsePort(first, 'PORT'), parsePort(last, 'PORT')] as const;
  if (range[0] > range[1] || text.split('-').length > 2) throw new UsageError(`PORT: '${text}' is no range`);
  return range;
}

/** Throws UsageError. */
export function parseNc(words: readonly string[]): NcOptions {
  const { flags, values, operands } = parseOptions(words, { flags: 'luvzNkn', values: 'pws' });
  const listen = flags.has('l');
  const scan = flags.has('z');
  const port = values.get('p');
  const source = values.get('s');
  if (listen && scan) throw new UsageError('-l and -z exclude each other');
  if (flags.has('k') && !listen) throw new UsageError('-k needs -l');
  const wait = values.get('w');
  const common = {
    datagrams: flags.has('u'),
    timeout: wait === undefined ? null : seconds(wait, '-w', 0.001, MAX_SECONDS),
    verbose: flags.has('v'),
    shutdownAtEnd: flags.has('N'),
    keepListening: flags.has('k'),
  };
  if (listen) {
    const given = port === undefined ? operands : [...operands, port];
    const [first = '', second] = expectWords(given, 1, 2);
    const host = second === undefined ? (source ?? null) : first;
    const number = parsePort(second ?? first, 'PORT');
    const address = host === null ? 0 : parseAddress(host, 'ADDRESS');
    return { mode: 'listen', host, ports: [number, number], local: { address, port: number }, ...common };
  }
  const [host = '', ports = ''] = expectWords(operands, 2, 2);
  const range = parsePorts(ports);
  if (!scan && range[0] !== range[1]) throw new UsageError('PORT: a range needs -z');
  const local = {
    address: source === undefined ? 0 : parseAddress(source, '-s'),
    port: port === undefined ? 0 : parsePort(port, '-p'),
  };
  return { mode: scan ? 'scan' : 'connect', host, ports: range, local, ...common };
}
