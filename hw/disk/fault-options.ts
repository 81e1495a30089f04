/**
 * The option `--fault`: requests to a disk that go wrong (faulty.ts), to try what is above it against them.
 *
 *     DISK,OPERATION,KIND[,first=SECTOR][,last=SECTOR][,skip=N][,times=N]
 *
 * DISK is hda to hdd; OPERATION read, write or flush; KIND error, slow=MILLISECONDS, for writes and flushes lost, and
 * for writes torn=SECTORS and misdirected=SECTORS.
 */
import type { Fault, FaultRule, FaultTarget } from './faulty.ts';

/** A rule, and the number of the disk it is for: 0 is hda. */
export interface DiskFault {
  readonly disk: number;
  readonly rule: FaultRule;
}

/** The disks in the order of their numbers. */
export const DISK_NAMES: readonly string[] = ['hda', 'hdb', 'hdc', 'hdd'];
const OPERATIONS: readonly FaultTarget['operation'][] = ['read', 'write', 'flush'];
const KINDS: Readonly<Record<FaultTarget['operation'], readonly string[]>> = {
  read: ['error', 'slow=MILLISECONDS'],
  write: ['error', 'slow=MILLISECONDS', 'torn=SECTORS', 'lost', 'misdirected=SECTORS'],
  flush: ['error', 'slow=MILLISECONDS', 'lost'],
};
const BOUNDS = ['first', 'last', 'skip', 'times'] as const;
const NANOSECONDS = 1e6;
/** Longer than any driver waits. */
const LONGEST_MILLISECONDS = 600_000;

/** Reads the option's value. Throws an Error whose message says what is wrong with it. */
export function parseFault(text: string): DiskFault {
  const [diskWord = '', operationWord = '', kindWord = '', ...rest] = text.split(',');
  const disk = DISK_NAMES.indexOf(diskWord);
  if (disk < 0) throw new Error(`there is no disk '${diskWord}'; choose one of ${DISK_NAMES.join(', ')}`);
  const operation = OPERATIONS.find((name) => name === operationWord);
  if (operation === undefined)
    throw new Error(`there is no operation '${operationWord}'; choose one of ${OPERATIONS.join(', ')}`);
  const bounds: { -readonly [K in (typeof BOUNDS)[number]]?: number } = {};
  for (const word of rest) {
    const [name = '', value] = word.split('=');
    const bound = BOUNDS.find((known) => known === name);
    if (bound === undefined) throw new Error(`'${name}' is none of ${BOUNDS.join(', ')}`);
    if (bounds[bound] !== undefined) throw new Error(`${name} is given twice`);
    bounds[bound] = wholeNumber(name, value, Number.MAX_SAFE_INTEGER);
  }
  if (bounds.first !== undefined && bounds.last !== undefined && bounds.last < bounds.first)
    throw new Error('last is before first');
  return { disk, rule: { operation, ...parseKind(kindWord, operation), ...bounds } };
}

function parseKind(word: string, operation: FaultTarget['operation']): Fault {
  const [kind = '', amount] = word.split('=');
  const alone = kind === 'error' || kind === 'lost';
  if (alone && amount !== undefined) throw new Error(`${kind} takes no number`);
  if (kind === 'error') return { kind };
  if (kind === 'slow') return { kind, nanoseconds: wholeNumber(kind, amount, LONGEST_MILLISECONDS) * NANOSECONDS };
  if (kind === 'lost' && operation !== 'read') return { kind };
  if (operation === 'write' && kind === 'torn') return { kind, sectors: wholeNumber(kind, amount, 65536) };
  if (operation === 'write' && kind === 'misdirected')
    return { kind, offset: wholeNumber(kind, amount, Number.MAX_SAFE_INTEGER) };
  throw new Error(`a ${operation} cannot be '${kind}'; choose one of ${KINDS[operation].join(', ')}`);
}

function wholeNumber(name: string, text: string | undefined, most: number): number {
  const value = text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most)) throw new Error(`${name} needs a whole number of at most ${most}`);
  return value;
}
