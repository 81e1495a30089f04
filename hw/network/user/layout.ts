/** The addresses of the network behind the card; the same as QEMU's `user`. */

import { type Ipv4Address, LIMITED_BROADCAST, parseIpv4 } from '../../../wire/address.ts';

export const NETWORK: Ipv4Address = parseIpv4('10.0.2.0');
export const NETMASK: Ipv4Address = parseIpv4('255.255.255.0');
export const NETWORK_BROADCAST: Ipv4Address = parseIpv4('10.0.2.255');
/** Addresses that are everybody's. */
export const BROADCASTS: ReadonlySet<Ipv4Address> = new Set([NETWORK_BROADCAST, LIMITED_BROADCAST]);
/** The router. It also stands for the host itself: what is sent to it goes to the host's 127.0.0.1. */
export const GATEWAY: Ipv4Address = parseIpv4('10.0.2.2');
export const NAME_SERVER: Ipv4Address = parseIpv4('10.0.2.3');
/** The first address that DHCP gives, and how many there are. */
export const FIRST_GUEST: Ipv4Address = parseIpv4('10.0.2.15');
export const GUEST_COUNT = 16;
export const HOST_LOOPBACK = '127.0.0.1';

/** The link address of one of our own addresses: 52:55 and the IPv4 address. */
function linkAddress(address: Ipv4Address): Buffer {
  const link = Buffer.from([0x52, 0x55, 0, 0, 0, 0]);
  link.writeUInt32BE(address, 2);
  return link;
}

export const GATEWAY_LINK: Buffer = linkAddress(GATEWAY);
/** The addresses that are ours, with a link address for each. */
export const OWN_ADDRESSES: ReadonlyMap<Ipv4Address, Buffer> = new Map([
  [GATEWAY, GATEWAY_LINK],
  [NAME_SERVER, linkAddress(NAME_SERVER)],
]);

export function inNetwork(address: Ipv4Address): boolean {
  return (address & NETMASK) >>> 0 === NETWORK;
}
