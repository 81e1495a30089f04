/** What IPv4 knows of an interface, of whatever kind. */
import type { ErrorName } from '../../../protocol/errno.ts';
import { type Ipv4Address, LIMITED_BROADCAST } from '../../../wire/address.ts';

/** What has gone by, as in protocol/network.ts. */
export interface InterfaceCounters {
  framesReceived: number;
  bytesReceived: number;
  receiveErrors: number;
  receiveDrops: number;
  framesSent: number;
  bytesSent: number;
  sendErrors: number;
  sendDrops: number;
}

export type AddressOrigin = 'none' | 'fixed' | 'dhcp';

/** An address of ours with the length of its network's prefix. */
export interface OwnAddress {
  readonly address: Ipv4Address;
  readonly prefix: number;
}

/** See the head of this file. */
export interface NetworkInterface {
  readonly name: string;
  readonly loopback: boolean;
  /** Bytes of the longest packet. */
  readonly mtu: number;
  up: boolean;
  readonly own: OwnAddress | null;
  readonly counters: InterfaceCounters;
  /**
   * Sends the packet in a buffer behind the room for an Ethernet header.
   *
   * @param nextHop whose link address it goes to; null: all on the link
   * @returns EHOSTUNREACH: the next hop has not answered; ENETDOWN; null: it is on its way or waits
   */
  output(buffer: Buffer, packetBytes: number, nextHop: Ipv4Address | null, now: number): ErrorName | null;
}

export function noCounters(): InterfaceCounters {
  return {
    framesReceived: 0,
    bytesReceived: 0,
    receiveErrors: 0,
    receiveDrops: 0,
    framesSent: 0,
    bytesSent: 0,
    sendErrors: 0,
    sendDrops: 0,
  };
}

/** The mask of a prefix of 0 to 32 bits. */
export function maskOf(prefix: number): number {
  return prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0;
}

/** Whether an address is in a network. */
export function inNetwork(address: Ipv4Address, network: Ipv4Address, prefix: number): boolean {
  return ((address ^ network) & maskOf(prefix)) === 0;
}

/** The address of all hosts of a network; one with a prefix of 31 or 32 bits has none (RFC 3021). */
export function broadcastOf({ address, prefix }: OwnAddress): Ipv4Address {
  return prefix >= 31 ? LIMITED_BROADCAST : (address | ~maskOf(prefix)) >>> 0;
}

/**
 * Whether an address can be that of a host in a network with this prefix: neither the network's own nor that of all
 * hosts (RFC 1122, 3.2.1.3).
 */
export function isHostAddress(own: OwnAddress): boolean {
  if (own.prefix < 1 || own.prefix > 32) return false;
  if (own.prefix >= 31) return true;
  return own.address !== (own.address & maskOf(own.prefix)) >>> 0 && own.address !== broadcastOf(own);
}
