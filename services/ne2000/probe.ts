/**
 * Finds the card: resets it, looks whether a DP8390 answers, and reads its PROM.
 *
 * Read: DP8390D data sheet, 10.3 (reset state) and 10.9 (a tally counter is cleared by reading it); the PROM of
 * Novell's NE2000: the station address, and in its last two bytes 0x57 in a 16-bit slot, 0x42 in an 8-bit slot. In a
 * 16-bit slot each byte appears twice.
 */
import { PackedOperations } from '../../protocol/vector.ts';
import type { Hardware } from './hardware.ts';
import { addReadMemory, PortVector } from './port-vector.ts';
import {
  CNTR0,
  CR,
  command,
  DCR,
  dataConfiguration,
  ID0,
  ID1,
  ISR,
  interrupt,
  MAR5,
  RCR,
  RESET,
  RUNNING,
  receiveConfiguration,
  STOPPED,
} from './registers.ts';

/** Longest wait for the end of a reset, in microseconds. */
const RESET_MICROSECONDS = 10_000;
const NOTHING = 0xff;
const PROM_BYTES = 32;
const ADDRESS_BYTES = 6;
const MARK_AT = 14;
const MARK_WORDS = 0x57;
const MARK_BYTES = 0x42;

/** What RTL8029 and RTL8019 say in registers that the data sheet reserves. */
const CONTROLLERS: Readonly<Record<number, string>> = { 20547: 'RTL8029', 20592: 'RTL8019' };

/** A card that has been found. */
export interface Identity {
  readonly model: string;
  readonly address: Uint8Array;
  /** It moves words. */
  readonly words: boolean;
}

/** Resets the card and identifies it; a string says why there is none that could be used. It is left stopped. */
export function probe(hardware: Hardware): Identity | string {
  const [first] = hardware.vector(new PortVector().read(CR).operations).results;
  if (first === NOTHING) return 'no card';
  const reset = new PortVector()
    .read(RESET)
    .write(RESET, 0)
    .poll(ISR, interrupt.RST, interrupt.RST, RESET_MICROSECONDS)
    .write(CR, STOPPED)
    .read(CR)
    .read(ID0)
    .read(ID1);
  const { ended, results } = hardware.vector(reset.operations);
  if (ended !== -1) return 'does not come out of reset';
  const [, , state, high, low] = results.map(Number);
  if (state !== STOPPED) return 'not a DP8390';
  // On page 1 the port of the counter is one of the multicast registers; read twice, the counter is zero.
  const signature = new PortVector()
    .write(CR, STOPPED | command.PAGE_1)
    .write(MAR5, NOTHING)
    .write(CR, STOPPED)
    .read(CNTR0)
    .read(CNTR0);
  if (hardware.vector(signature.operations).results[1] !== 0) return 'not a DP8390';
  return identify(readProm(hardware), CONTROLLERS[((high ?? 0) << 8) | (low ?? 0)]);
}

function readProm(hardware: Hardware): Uint8Array {
  const { NORMAL, THRESHOLD } = dataConfiguration;
  const vector = new PortVector()
    .write(DCR, NORMAL | THRESHOLD)
    // The remote DMA works while the card runs; nothing is stored.
    .write(RCR, receiveConfiguration.MON)
    .write(CR, RUNNING)
    .packed(addReadMemory(new PackedOperations(), 0, PROM_BYTES, false).build())
    .write(CR, STOPPED);
  const [prom] = hardware.vector(vector.operations).results;
  return prom instanceof Uint8Array ? prom : new Uint8Array(0);
}

function identify(prom: Uint8Array, controller: string | undefined): Identity | string {
  const doubled = prom.every((byte, index) => byte === prom[index & ~1]);
  const once = doubled ? prom.filter((_, index) => index % 2 === 0) : prom;
  const mark = once[MARK_AT];
  if (once[MARK_AT + 1] !== mark || (mark !== MARK_WORDS && mark !== MARK_BYTES))
    return `the PROM has no mark of an NE2000: ${Buffer.from(prom).toString('hex')}`;
  const address = once.slice(0, ADDRESS_BYTES);
  if (((address[0] ?? 1) & 1) !== 0 || address.every((byte) => byte === 0))
    return `the PROM has no station address: ${Buffer.from(address).toString('hex')}`;
  return { model: controller === undefined ? 'NE2000' : `NE2000 (${controller})`, address, words: mark === MARK_WORDS };
}
