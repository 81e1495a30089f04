/**
 * Addresses: IPv4 addresses as unsigned 32-bit numbers, link addresses as six bytes.
 *
 * Read: RFC 791, 3.2; RFC 1122, 3.2.1.3; RFC 6890 (special purpose addresses).
 */

/** An IPv4 address, most significant byte first: 10.0.2.2 is 0x0a000202. */
export type Ipv4Address = number;

export const UNSPECIFIED: Ipv4Address = 0;
export const LIMITED_BROADCAST: Ipv4Address = 0xffff_ffff;
export const LINK_ADDRESS_BYTES = 6;
export const LINK_BROADCAST: Buffer = Buffer.alloc(LINK_ADDRESS_BYTES, 0xff);

/** Reads four decimal numbers with dots. Throws a RangeError for anything else. */
export function parseIpv4(text: string): Ipv4Address {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = (match ?? []).slice(1).map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) throw new RangeError(`${text} is no IPv4 address`);
  return bytes.reduce((address, byte) => address * 256 + byte, 0);
}

export function formatIpv4(address: Ipv4Address): string {
  return [address >>> 24, (address >>> 16) & 0xff, (address >>> 8) & 0xff, address & 0xff].join('.');
}

/** Whether an address can be that of one host somewhere: no group, broadcast, loopback or "this network". */
export function isUnicast(address: Ipv4Address): boolean {
  const first = address >>> 24;
  return first > 0 && first < 224 && first !== 127;
}
