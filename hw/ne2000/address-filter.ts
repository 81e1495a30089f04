/**
 * Which frames the controller takes: by physical address, broadcast, the hash of a multicast address, or all.
 *
 * Read: DP8390D data sheet, 10.8 (physical and multicast address registers) and 10.3 (receive configuration register).
 */

import { shiftRegister } from './checksum.ts';
import { ADDRESS_BYTES } from './memory.ts';
import { RECEIVE } from './registers.ts';

const HASH_SHIFT = 26;
const BROADCAST = new Uint8Array(ADDRESS_BYTES).fill(0xff);

/** The physical address registers and the multicast address registers. */
export class AddressFilter {
  /** PAR0 to PAR5. */
  readonly physical = new Uint8Array(ADDRESS_BYTES);
  /** MAR0 to MAR7: 64 bits, of which a multicast address chooses one. */
  readonly multicast = new Uint8Array(8);

  /** Whether a frame to this destination is for us. @param configuration the receive configuration register */
  accepts(destination: Uint8Array, configuration: number): boolean {
    if (isGroup(destination)) {
      if (isSame(destination, BROADCAST)) return (configuration & RECEIVE.AB) !== 0;
      return (configuration & RECEIVE.AM) !== 0 && this.#hashed(destination);
    }
    return (configuration & RECEIVE.PRO) !== 0 || isSame(destination, this.physical);
  }

  reset(): void {
    this.physical.fill(0);
    this.multicast.fill(0);
  }

  #hashed(destination: Uint8Array): boolean {
    const index = shiftRegister(destination) >>> HASH_SHIFT;
    return (((this.multicast[index >>> 3] ?? 0) >>> (index & 7)) & 1) === 1;
  }
}

/** Each frame that comes is asked this: a plain loop is what the engine makes the best of. */
function isSame(destination: Uint8Array, address: Uint8Array): boolean {
  for (let index = 0; index < ADDRESS_BYTES; index++) if (destination[index] !== address[index]) return false;
  return true;
}

/** Whether an address is a broadcast or multicast address. */
export function isGroup(address: Uint8Array): boolean {
  return ((address[0] ?? 0) & 1) === 1;
}
