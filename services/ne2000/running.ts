/** What a card looks like that runs as this driver starts it: an earlier incarnation may have left one. */
import { FILTER_BYTES, type Filter, multicastRegisters, receiveRegister } from './filter.ts';
import type { Hardware } from './hardware.ts';
import { PortVector } from './port-vector.ts';
import type { Identity } from './probe.ts';
import {
  BNRY,
  CR,
  CURR,
  command,
  DCR,
  dataConfiguration,
  IMR,
  INTERRUPTS,
  inRing,
  MAR0,
  PAR0,
  PSTART,
  PSTOP,
  RCR,
  RING_START,
  RING_STOP,
  RUNNING,
  RUNNING_PAGE_1,
  TCR,
} from './registers.ts';

/** Where a ring begins and ends that has not been read: BNRY and CURR. */
export interface Ring {
  readonly boundary: number;
  readonly current: number;
}

/**
 * Looks whether a card runs as this driver starts it, and has not been touched otherwise. Answers its ring; null: not
 * so. The bits that the data sheet leaves open on page 2 read as ones.
 */
export function runningRing(hardware: Hardware, { address, words }: Identity, filter: Filter): Ring | null {
  const vector = new PortVector()
    .check(CR, command.STP | command.STA | command.TXP, command.STA)
    .write(CR, RUNNING | command.PAGE_2)
    .read(PSTART)
    .read(PSTOP)
    .read(RCR)
    .read(TCR)
    .read(DCR)
    .read(IMR)
    .write(CR, RUNNING_PAGE_1)
    .read(CURR);
  const bytes = [...address, ...multicastRegisters(filter)];
  for (const index of address.keys()) vector.read(PAR0 + index);
  for (let index = 0; index < FILTER_BYTES; index++) vector.read(MAR0 + index);
  const { ended, results } = hardware.vector(vector.write(CR, RUNNING).read(BNRY).operations);
  const [start, stop, receive = 0, transmit = 0, data = 0, mask = 0, current = 0, ...rest] = results.map(Number);
  const boundary = rest.pop() ?? 0;
  const ours = start === RING_START && stop === RING_STOP && (data & 0x7f) === dataRegister(words);
  const quiet = (transmit & 0x1f) === 0 && (mask & 0x7f) === INTERRUPTS;
  const filtered = (receive & 0x3f) === receiveRegister(filter) && rest.every((byte, index) => byte === bytes[index]);
  const known = ended === -1 && ours && quiet && filtered && inRing(current) && inRing(boundary);
  return known ? { boundary, current } : null;
}

/** The data configuration, in a 16-bit slot or an 8-bit one. */
export function dataRegister(words: boolean): number {
  const { WORDS, NORMAL, THRESHOLD } = dataConfiguration;
  return NORMAL | THRESHOLD | (words ? WORDS : 0);
}
