/** The command line. Option names follow QEMU where it has them. */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { type DiskFault, parseFault } from '../hw/disk/fault-options.ts';
import { DEFAULT_NETWORK, type NetworkOptions, parseNetwork } from '../hw/network/options.ts';
import { MAX_ARGUMENT_BYTES } from '../protocol/bounds.ts';
import { defaultConfiguration } from './paths.ts';
import { isPolicyName, type PolicyName, policyNames } from './sched/index.ts';
import { type SandboxLayer, sandboxLayers } from './task/sandbox.ts';

/** CPUs when nothing else is said: the host's, at most this many. */
const DEFAULT_CPUS = 4;

/** A mistake on the command line, in words for the user. */
export class UsageError extends Error {}

/** What the machine is started with. */
export interface Options {
  readonly help: boolean;
  readonly version: boolean;
  /** Images of hda to hdd; undefined where none is given. */
  readonly disks: readonly (string | undefined)[];
  readonly noDisk: boolean;
  readonly readOnly: boolean;
  /** What goes wrong with requests to the disks. */
  readonly faults: readonly DiskFault[];
  /** What the network card is plugged into. */
  readonly network: NetworkOptions;
  /** Where to record what goes over the cable. */
  readonly pcap: string | undefined;
  readonly cpus: number;
  readonly policy: PolicyName;
  /** Commands for the shell instead of the terminal. */
  readonly exec: string | null;
  /** The configuration file. */
  readonly services: string;
  readonly sandbox: readonly SandboxLayer[];
  readonly logFile: string | undefined;
  readonly debug: boolean;
  readonly quiet: boolean;
}

export const usage = `usage: npm start -- [options]

  --hda FILE … --hdd FILE  disk images (raw); without any, .vros/hda.img is made and used
  --no-disk                start without a disk
  --read-only              open the images for reading only
  --fault RULE             requests to a disk that go wrong; again for another rule:
                             DISK,OPERATION,KIND[,first=SECTOR][,last=SECTOR][,skip=N][,times=N]
                             OPERATION: read, write, flush; KIND: error, slow=MILLISECONDS, of writes and
                             flushes lost, of writes torn=SECTORS, misdirected=SECTORS
                             as in hda,write,error,skip=100,times=1
  --netdev NETWORK         user (default): router, DHCP and DNS at 10.0.2.2 and .3, out through the host's sockets;
                             user,hostfwd=tcp:127.0.0.1:8080-:80 leads a port of the host in, and so on with udp
                           dgram,local=PORT,remote=PORT: frames in UDP datagrams, to QEMU or another machine
                           tap,ifname=NAME: a device of the host (npm run tap-setup makes one)
                           none; and with each of them mac=ADDRESS for the card
  --pcap FILE              record every frame in a file for tshark
  --smp N                  CPUs (1 to 64; default: the host's, at most ${DEFAULT_CPUS})
  --sched NAME             scheduling policy: ${policyNames.join(', ')}
  --exec 'COMMANDS'        run these shell commands without a prompt, then end with their status
  --services FILE          configuration of the services (default: services.json of the package)
  --sandbox LAYERS         layers of the sandbox, or none (default: ${sandboxLayers.join(',')})
  --log FILE               append the kernel log to a file, one JSON object a line
  --debug                  keep log lines of level debug too
  --quiet                  no lines from the kernel on the console at boot
  --help, --version

Standard input that is no terminal is read as shell commands; the machine ends with them.
`;

/** Reads the command line. Throws UsageError. */
export function parseOptions(words: readonly string[]): Options {
  const values = parse(words);
  const cpus = integer('--smp', values.smp ?? String(Math.min(DEFAULT_CPUS, os.availableParallelism())), 1, 64);
  const disks = [values.hda, values.hdb, values.hdc, values.hdd];
  if (values['no-disk'] && disks.some((file) => file !== undefined))
    throw new UsageError('--no-disk and a disk image exclude one another');
  if (Buffer.byteLength(values.exec ?? '') > MAX_ARGUMENT_BYTES)
    throw new UsageError(`--exec: at most ${MAX_ARGUMENT_BYTES} bytes; standard input takes any number of commands`);
  const policy = values.sched ?? 'rr';
  if (!isPolicyName(policy))
    throw new UsageError(`--sched: there is no policy ${policy}; choose one of ${policyNames.join(', ')}`);
  return {
    help: values.help,
    version: values.version,
    disks,
    noDisk: values['no-disk'],
    readOnly: values['read-only'],
    faults: (values.fault ?? []).map((text) => optionValue('--fault', text, parseFault)),
    network: values.netdev === undefined ? DEFAULT_NETWORK : optionValue('--netdev', values.netdev, parseNetwork),
    pcap: values.pcap,
    cpus,
    policy,
    exec: values.exec ?? null,
    services: values.services ?? defaultConfiguration,
    sandbox: sandbox(values.sandbox),
    logFile: values.log,
    debug: values.debug,
    quiet: values.quiet,
  };
}

function parse(words: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    hda: text,
    hdb: text,
    hdc: text,
    hdd: text,
    'no-disk': flag,
    'read-only': flag,
    fault: { ...text, multiple: true },
    netdev: text,
    pcap: text,
    smp: text,
    sched: text,
    exec: text,
    services: text,
    sandbox: text,
    log: text,
    debug: flag,
    quiet: flag,
    help: flag,
    version: flag,
  } as const;
  try {
    const { values, tokens } = parseArgs({
      ...{ args: [...words], options, strict: true, allowPositionals: false, tokens: true },
    });
    checkOnce(tokens.flatMap((token) => (token.kind === 'option' && token.name !== 'fault' ? [token.name] : [])));
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Of two values one would be ignored in silence. */
function checkOnce(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`--${twice} is given twice`);
}

/** The value of an option that has words of its own. */
function optionValue<T>(option: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw new UsageError(`${option} ${text}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function integer(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new UsageError(`${option}: expected a whole number from ${least} to ${most}, got ${text}`);
  return value;
}

function sandbox(text: string | undefined): readonly SandboxLayer[] {
  if (text === undefined) return sandboxLayers;
  if (text === 'none') return [];
  return text.split(',').map((word) => {
    const layer = sandboxLayers.find((name) => name === word);
    if (layer === undefined)
      throw new UsageError(`--sandbox: there is no layer ${word}; choose from ${sandboxLayers.join(', ')}, or none`);
    return layer;
  });
}
