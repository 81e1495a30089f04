/**
 * Which frames the card is to take, as its registers say it.
 *
 * Read: DP8390D data sheet, 10.3 (receive configuration register) and 10.8 (multicast address registers); IEEE 802.3,
 * 3.2.9 (the check sequence, whose upper six bits after the address choose one of 64 bits).
 */

import { HARDWARE_ADDRESS_BYTES, MAX_MULTICAST_ADDRESSES } from '../../protocol/net.ts';
import { bool, bytes, type Infer, list, record } from '../../protocol/schema.ts';
import { receiveConfiguration } from './registers.ts';

/** What an owner has asked for, as it is kept. */
export const filterRecord = record({
  promiscuous: bool,
  allMulticast: bool,
  multicast: list(bytes(HARDWARE_ADDRESS_BYTES), MAX_MULTICAST_ADDRESSES),
});

export type Filter = Infer<typeof filterRecord>;

/** Frames to the card's own address and to all. */
export const NO_FILTER: Filter = { promiscuous: false, allMulticast: false, multicast: [] };

/** MAR0 to MAR7. */
export const FILTER_BYTES = 8;
const POLYNOMIAL = 0x04c1_1db7;
const HASH_SHIFT = 26;

/** The bit of the filter, 0 to 63, that an address chooses. */
export function multicastHash(address: Uint8Array): number {
  let register = 0xffff_ffff;
  for (const byte of address) {
    for (let bit = 0; bit < 8; bit++) {
      const feedback = (register >>> 31) ^ ((byte >>> bit) & 1);
      register = (register << 1) ^ (feedback === 1 ? POLYNOMIAL : 0);
    }
  }
  return register >>> HASH_SHIFT;
}

/** MAR0 to MAR7 for a filter. */
export function multicastRegisters({ promiscuous, allMulticast, multicast }: Filter): Uint8Array {
  const registers = new Uint8Array(FILTER_BYTES);
  if (promiscuous || allMulticast) return registers.fill(0xff);
  for (const address of multicast) {
    const hash = multicastHash(address);
    registers[hash >>> 3] = (registers[hash >>> 3] ?? 0) | (1 << (hash & 7));
  }
  return registers;
}

/** The receive configuration register for a filter. */
export function receiveRegister({ promiscuous, allMulticast, multicast }: Filter): number {
  const { AB, AM, PRO } = receiveConfiguration;
  const groups = promiscuous || allMulticast || multicast.length > 0;
  return AB | (groups ? AM : 0) | (promiscuous ? PRO : 0);
}
