/**
 * CRC-32C (Castagnoli), the check of iSCSI, ext4 and Btrfs: polynomial 0x1EDC6F41, reflected. Read RFC 3720, appendix
 * B.4 (test vectors) and M. Kounavis, F. Berry, "A Systematic Approach to Building High Performance, Software-based,
 * CRC Generators" (slicing by 8, the method used here).
 */

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

/** tables[s * 256 + b]: what byte b does to the remainder when s more bytes follow it. */
const tables = new Uint32Array(SLICES * 256);
for (let byte = 0; byte < 256; byte++) {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ ((remainder & 1) * POLYNOMIAL);
  tables[byte] = remainder;
}
for (let slice = 1; slice < SLICES; slice++) {
  for (let byte = 0; byte < 256; byte++) {
    const before = tables[(slice - 1) * 256 + byte] ?? 0;
    tables[slice * 256 + byte] = (before >>> 8) ^ (tables[before & 0xff] ?? 0);
  }
}

/** The check of `bytes` from `start` up to `end`; `seed` is the check of what comes before them. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  let crc = ~seed;
  let at = start;
  const whole = start + ((end - start) & ~7);
  for (; at < whole; at += 8) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (tables[1792 + (low & 0xff)] as number) ^
      (tables[1536 + ((low >>> 8) & 0xff)] as number) ^
      (tables[1280 + ((low >>> 16) & 0xff)] as number) ^
      (tables[1024 + (low >>> 24)] as number) ^
      (tables[768 + (bytes[at + 4] as number)] as number) ^
      (tables[512 + (bytes[at + 5] as number)] as number) ^
      (tables[256 + (bytes[at + 6] as number)] as number) ^
      (tables[bytes[at + 7] as number] as number);
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (tables[(crc ^ (bytes[at] as number)) & 0xff] as number);
  return ~crc >>> 0;
}
