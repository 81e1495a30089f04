/** Where what the guest sends goes on the host. */

import { formatIpv4, type Ipv4Address, isUnicast } from '../../../wire/address.ts';
import { DNS_PORT } from '../../../wire/dns.ts';
import { UNREACHABLE } from '../../../wire/icmp.ts';
import type { Endpoint } from '../options.ts';
import { GATEWAY, HOST_LOOPBACK, inNetwork, NAME_SERVER } from './layout.ts';

/** An end on the host; or the code of an ICMP "unreachable"; or null for what is not answered at all. */
export type Destination = Endpoint | number | null;

/**
 * Finds the end on the host for an address and port of the guest's world.
 *
 * @param restricted the guest is to reach nothing but the router itself
 * @param nameServer finds the host's name server, for connections to ours
 */
export function destinationOf(
  address: Ipv4Address,
  port: number,
  restricted: boolean,
  nameServer: () => string | undefined,
): Destination {
  if (!isUnicast(address)) return null;
  if (restricted) return UNREACHABLE.PROHIBITED;
  if (port === 0) return UNREACHABLE.PORT;
  if (address === GATEWAY) return { address: HOST_LOOPBACK, port };
  if (address === NAME_SERVER) {
    const server = port === DNS_PORT ? nameServer() : undefined;
    return server === undefined ? UNREACHABLE.PORT : { address: server, port };
  }
  return inNetwork(address) ? UNREACHABLE.HOST : { address: formatIpv4(address), port };
}

/** The code of the ICMP "unreachable" that says what an error of the host's sockets says. */
export function unreachableCode(error: string): number {
  switch (error) {
    case 'ECONNREFUSED':
      return UNREACHABLE.PORT;
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return UNREACHABLE.NETWORK;
    case 'EACCES':
    case 'EPERM':
      return UNREACHABLE.PROHIBITED;
    default:
      return UNREACHABLE.HOST;
  }
}
