/**
 * The DHCP server: gives the guest its address, router and name server.
 *
 * Read: RFC 2131, 4.3 (server behaviour) and 4.1 (where answers go).
 */

import { type Ipv4Address, LIMITED_BROADCAST, UNSPECIFIED } from '../../../wire/address.ts';
import {
  BOOT_REPLY,
  BOOT_REQUEST,
  buildDhcp,
  DHCP,
  DHCP_CLIENT_PORT,
  DHCP_OPTION,
  DHCP_SERVER_PORT,
  type DhcpMessage,
  option32,
  parseDhcp,
} from '../../../wire/dhcp.ts';
import { PROTOCOL } from '../../../wire/ipv4.ts';
import { buildUdp } from '../../../wire/udp.ts';
import type { GuestLink } from './guest-link.ts';
import { FIRST_GUEST, GATEWAY, GUEST_COUNT, NAME_SERVER, NETMASK, NETWORK_BROADCAST } from './layout.ts';

const LEASE_SECONDS = 86_400;

export class DhcpServer {
  readonly #link: GuestLink;
  /** Who has which address: by link address, the one not heard of for longest first. */
  readonly #leases = new Map<string, Ipv4Address>();
  /** Addresses that a client has found in use (4.3.3). */
  readonly #declined = new Set<Ipv4Address>();

  constructor(link: GuestLink) {
    this.#link = link;
  }

  /** Takes the data of a datagram to port 67. */
  receive(data: Buffer): void {
    const message = parseDhcp(data);
    if (message === null || message.operation !== BOOT_REQUEST || ((message.clientLink[0] ?? 0) & 1) === 1) return;
    switch (message.options.get(DHCP_OPTION.MESSAGE_TYPE)?.[0]) {
      case DHCP.DISCOVER: {
        const address = this.#lease(message);
        if (address !== null) this.#answer(message, DHCP.OFFER, address);
        break;
      }
      case DHCP.REQUEST:
        this.#request(message);
        break;
      case DHCP.DECLINE:
        this.#decline(message);
        break;
      case DHCP.RELEASE:
        this.#leases.delete(keyOf(message));
        break;
      case DHCP.INFORM:
        this.#answer(message, DHCP.ACK, UNSPECIFIED);
        break;
    }
  }

  /** The client takes our offer, or wants to keep what it has; or has taken another server's, which is none of ours. */
  #request(message: DhcpMessage): void {
    const server = option32(message, DHCP_OPTION.SERVER);
    if (server !== undefined && server !== GATEWAY) {
      this.#leases.delete(keyOf(message));
      return;
    }
    const wanted = option32(message, DHCP_OPTION.REQUESTED_ADDRESS) ?? message.clientAddress;
    const address = this.#lease(message, wanted);
    if (address === wanted) this.#answer(message, DHCP.ACK, wanted);
    else this.#answer(message, DHCP.NAK, UNSPECIFIED);
  }

  #decline(message: DhcpMessage): void {
    const address = this.#leases.get(keyOf(message));
    if (address === undefined || option32(message, DHCP_OPTION.REQUESTED_ADDRESS) !== address) return;
    this.#leases.delete(keyOf(message));
    this.#declined.add(address);
  }

  /** The client's address: the one it has, the one it wants if that is free, or the first that is free. */
  #lease(message: DhcpMessage, wanted = option32(message, DHCP_OPTION.REQUESTED_ADDRESS)): Ipv4Address | null {
    const key = keyOf(message);
    const address = this.#leases.get(key) ?? this.#choose(wanted);
    if (address === null) return null;
    this.#leases.delete(key);
    this.#leases.set(key, address);
    return address;
  }

  #choose(wanted: Ipv4Address | undefined): Ipv4Address | null {
    const taken = new Set([...this.#leases.values(), ...this.#declined]);
    const pool = Array.from({ length: GUEST_COUNT }, (_, index) => FIRST_GUEST + index);
    const free = pool.filter((address) => !taken.has(address));
    const [first] = free;
    if (first !== undefined) return wanted !== undefined && free.includes(wanted) ? wanted : first;
    // Nobody says when a machine has gone for good: the one not heard of for longest makes room, then what was
    // declined.
    const [oldest] = this.#leases;
    if (oldest === undefined) {
      this.#declined.clear();
      return FIRST_GUEST;
    }
    this.#leases.delete(oldest[0]);
    return oldest[1];
  }

  #answer(message: DhcpMessage, type: number, address: Ipv4Address): void {
    const options = new Map<number, Buffer>([
      [DHCP_OPTION.MESSAGE_TYPE, Buffer.from([type])],
      [DHCP_OPTION.SERVER, word(GATEWAY)],
    ]);
    if (type !== DHCP.NAK) {
      options.set(DHCP_OPTION.SUBNET_MASK, word(NETMASK));
      options.set(DHCP_OPTION.ROUTER, word(GATEWAY));
      options.set(DHCP_OPTION.NAME_SERVER, word(NAME_SERVER));
      options.set(DHCP_OPTION.BROADCAST, word(NETWORK_BROADCAST));
    }
    if (address !== UNSPECIFIED) {
      options.set(DHCP_OPTION.LEASE_SECONDS, word(LEASE_SECONDS));
      options.set(DHCP_OPTION.RENEWAL_SECONDS, word(LEASE_SECONDS / 2));
      options.set(DHCP_OPTION.REBINDING_SECONDS, word((LEASE_SECONDS * 7) / 8));
    }
    const { clientAddress } = message;
    const reply = buildDhcp(
      {
        operation: BOOT_REPLY,
        transaction: message.transaction,
        broadcast: message.broadcast,
        clientAddress: type === DHCP.NAK ? UNSPECIFIED : clientAddress,
        yourAddress: address,
        clientLink: message.clientLink,
        options,
      },
      GATEWAY,
    );
    this.#send(reply, this.#destination(message, type, address), message.clientLink);
  }

  /**
   * To the address the client has, else to all when it asks for that, else to the address it is about to have (4.1).
   */
  #destination(message: DhcpMessage, type: number, address: Ipv4Address): Ipv4Address {
    if (type === DHCP.NAK) return LIMITED_BROADCAST;
    if (message.clientAddress !== UNSPECIFIED) return message.clientAddress;
    return message.broadcast || address === UNSPECIFIED ? LIMITED_BROADCAST : address;
  }

  #send(reply: Buffer, destination: Ipv4Address, clientLink: Uint8Array): void {
    const datagram = buildUdp(GATEWAY, DHCP_SERVER_PORT, destination, DHCP_CLIENT_PORT, reply);
    const link = destination === LIMITED_BROADCAST ? undefined : clientLink;
    this.#link.send({ source: GATEWAY, destination, protocol: PROTOCOL.UDP }, datagram, link);
  }
}

function keyOf(message: DhcpMessage): string {
  return message.clientLink.toString('hex');
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
