/**
 * The frame check sequence of Ethernet, as the controller's shift register computes it.
 *
 * Read: IEEE 802.3, 3.2.9; DP8390D data sheet, 10.8 (the register's upper six bits choose the multicast filter bit).
 */

const POLYNOMIAL = 0x04c1_1db7;

/** The register after some bytes: starts as all ones, bits enter as they are sent, lowest bit of a byte first. */
export function shiftRegister(bytes: Uint8Array): number {
  let register = 0xffff_ffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const feedback = (register >>> 31) ^ ((byte >>> bit) & 1);
      register = (register << 1) ^ (feedback === 1 ? POLYNOMIAL : 0);
    }
  }
  return register >>> 0;
}

/** The four bytes that follow a frame on the wire: the register's complement, its highest bit sent first. */
export function frameCheckSequence(frame: Uint8Array): Buffer {
  const register = ~shiftRegister(frame);
  const sequence = Buffer.alloc(4);
  for (let bit = 0; bit < 32; bit++) {
    if (((register >>> (31 - bit)) & 1) === 1) sequence[bit >>> 3] = (sequence[bit >>> 3] ?? 0) | (1 << (bit & 7));
  }
  return sequence;
}
