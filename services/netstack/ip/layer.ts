/** What the layers above IPv4 use of it. `ip/ipv4.ts` is the real one. */
import type { ErrorName } from '../../../protocol/errno.ts';
import type { Ipv4Address } from '../../../wire/address.ts';
import type { OutgoingPacket } from './packet.ts';

/** See the head of this file. */
export interface IpLayer {
  /** Whether this is a unicast address of ours. */
  isOwn(address: Ipv4Address): boolean;
  /** Whether packets to this address go to all on a link. */
  isBroadcast(address: Ipv4Address): boolean;
  /**
   * The address that packets to `destination` should come from, and how long they may be at first; null: there is no
   * route.
   */
  sourceFor(destination: Ipv4Address): { address: Ipv4Address; mtu: number } | null;
  /**
   * The same for datagrams. Throws SystemError ENETUNREACH; EACCES: a broadcast, and `broadcast` is false; EOPNOTSUPP:
   * a multicast group.
   */
  sourceTowards(destination: Ipv4Address, broadcast: boolean): Ipv4Address;
  /**
   * Sends a packet, in fragments if it has to. @returns null, or why not: ENETUNREACH, EHOSTUNREACH, EMSGSIZE,
   * ENETDOWN, EADDRNOTAVAIL: the source is not ours
   */
  send(packet: OutgoingPacket, now: number): ErrorName | null;
}
