/**
 * The network behind the card, without a cable and without sockets: a router with DHCP and DNS, and a NAT to the host.
 *
 * | address      | what is there                                                   |
 * | ------------ | --------------------------------------------------------------- |
 * | 10.0.2.2     | the router; ping; DHCP; the host's own 127.0.0.1, by TCP and UDP |
 * | 10.0.2.3     | the name server; ping                                            |
 * | 10.0.2.15    | the first guest                                                  |
 * | elsewhere    | what the host reaches there                                      |
 *
 * Read: RFC 1812 (routers), as far as one with one link and no neighbours has to follow it; RFC 3022 (NAT).
 */

import { type Ipv4Address, isUnicast, parseIpv4, UNSPECIFIED } from '../../../wire/address.ts';
import { DHCP_SERVER_PORT } from '../../../wire/dhcp.ts';
import { DNS_PORT } from '../../../wire/dns.ts';
import { ETHERTYPE, type EthernetFrame, parseEthernet } from '../../../wire/ethernet.ts';
import { buildIcmp, ICMP, parseIcmp, quote, UNREACHABLE } from '../../../wire/icmp.ts';
import { type Ipv4Packet, PROTOCOL, parseIpv4Packet } from '../../../wire/ipv4.ts';
import { Reassembly } from '../../../wire/reassembly.ts';
import { parseUdp } from '../../../wire/udp.ts';
import type { Endpoint } from '../options.ts';
import { DhcpServer } from './dhcp-server.ts';
import { DnsForwarder } from './dns-forwarder.ts';
import { GuestLink } from './guest-link.ts';
import type { Host, HostStream, HostStreamHandler } from './host.ts';
import { BROADCASTS, GATEWAY, inNetwork, NAME_SERVER, OWN_ADDRESSES } from './layout.ts';
import type { NatContext } from './nat-context.ts';
import { TcpNat } from './tcp-nat.ts';
import { UdpNat } from './udp-nat.ts';

/** ICMP errors a second, at most (RFC 1812, 4.3.2.8). */
const ERRORS_A_SECOND = 100;

/** The guest's packets that are being put together from fragments. */
const REASSEMBLY = { packets: 16, bytes: 1024 * 1024, lifetimeMs: 15_000 };

/** What the network is made of. */
export interface UserNetworkOptions {
  readonly host: Host;
  readonly restricted: boolean;
  /** Milliseconds, never backwards. */
  readonly clock: () => number;
  /** A number from 0 to 2^32 - 1 that nobody can guess. */
  readonly random32: () => number;
  /** Puts a frame on the cable. */
  readonly transmit: (frame: Buffer) => void;
}

export class UserNetwork {
  readonly #context: NatContext;
  readonly #link: GuestLink;
  readonly #reassembly = new Reassembly(REASSEMBLY);
  readonly #dhcp: DhcpServer;
  readonly #dns: DnsForwarder;
  readonly #tcp: TcpNat;
  readonly #udp: UdpNat;
  #errorSecond = 0;
  #errors = 0;

  constructor({ host, restricted, clock, random32, transmit }: UserNetworkOptions) {
    const link = new GuestLink(transmit);
    const context: NatContext = {
      host,
      restricted,
      clock,
      random32,
      send: (message, payload) => link.send(message, payload),
      unreachable: (code, packet) => this.#sendError(ICMP.UNREACHABLE, code, packet),
    };
    this.#context = context;
    this.#link = link;
    this.#dhcp = new DhcpServer(link);
    this.#dns = new DnsForwarder(context);
    this.#tcp = new TcpNat(context);
    this.#udp = new UdpNat(context);
  }

  /** What is there now, for tests and statistics. */
  get flows(): { readonly tcp: number; readonly udp: number } {
    return { tcp: this.#tcp.size, udp: this.#udp.size };
  }

  /** When `advance` next has something to do; Infinity when never. */
  get nextTimeout(): number {
    return Math.min(this.#tcp.nextTimeout, this.#udp.nextTimeout, this.#dns.nextTimeout, this.#reassembly.nextTimeout);
  }

  /** Does what is due. */
  advance(): void {
    const now = this.#context.clock();
    this.#tcp.advance(now);
    this.#udp.advance(now);
    this.#dns.advance(now);
    this.#reassembly.advance(now);
  }

  /** Takes a frame from the guest. Whatever is in it, nothing is thrown; the frame is not kept. */
  receive(bytes: Buffer): void {
    const frame = parseEthernet(bytes);
    if (frame === null || !isForUs(frame)) return;
    if (frame.type === ETHERTYPE.ARP) this.#link.receiveArp(frame);
    else if (frame.type === ETHERTYPE.IPV4) this.#receiveIpv4(frame);
  }

  /** A TCP connection that came to a forwarded port. @param take ties the socket to its handler */
  forwardStream(guest: Endpoint, take: (handler: HostStreamHandler) => HostStream): void {
    this.#tcp.forward({ ...guest, ipv4: parseIpv4(guest.address) }, take);
  }

  /** A datagram that came to a forwarded port. @param answer sends one back */
  forwardDatagram(guest: Endpoint, sender: Endpoint, data: Buffer, answer: (data: Buffer) => void): void {
    this.#udp.forward(guest, sender, data, answer);
  }

  /** Ends every connection. */
  close(): void {
    this.#tcp.close();
    this.#udp.close();
    this.#dns.close();
  }

  #receiveIpv4(frame: EthernetFrame): void {
    const packet = parseIpv4Packet(frame.payload);
    if (packet === null) return;
    const { source, destination } = packet;
    // Only a client of DHCP has no address; nobody else's are let in.
    const known = inNetwork(source) && !OWN_ADDRESSES.has(source) && !BROADCASTS.has(source);
    if (known) this.#link.learn(source, frame.source);
    else if (source !== UNSPECIFIED || packet.protocol !== PROTOCOL.UDP) return;
    if (BROADCASTS.has(destination) && packet.protocol !== PROTOCOL.UDP) return;
    if (isUnicast(destination) && !OWN_ADDRESSES.has(destination) && packet.timeToLive <= 1) {
      this.#sendError(ICMP.TIME_EXCEEDED, 0, packet.bytes);
      return;
    }
    const whole = this.#reassembly.add(packet, this.#context.clock());
    if (whole !== null) this.#dispatch(whole);
  }

  #dispatch(packet: Ipv4Packet): void {
    switch (packet.protocol) {
      case PROTOCOL.UDP:
        this.#receiveUdp(packet);
        break;
      case PROTOCOL.TCP:
        this.#tcp.receive(packet);
        break;
      case PROTOCOL.ICMP:
        this.#receiveIcmp(packet);
        break;
      default:
        if (isUnicast(packet.destination)) this.#sendError(ICMP.UNREACHABLE, UNREACHABLE.PROTOCOL, packet.bytes);
    }
  }

  #receiveUdp(packet: Ipv4Packet): void {
    const { source, destination } = packet;
    const datagram = parseUdp(packet.payload, source, destination);
    if (datagram === null) return;
    const { sourcePort, destinationPort, data } = datagram;
    const isGateway = destination === GATEWAY || BROADCASTS.has(destination);
    if (isGateway && destinationPort === DHCP_SERVER_PORT) this.#dhcp.receive(data);
    else if (source === UNSPECIFIED || BROADCASTS.has(destination)) return;
    else if (destination === NAME_SERVER && destinationPort === DNS_PORT) this.#dns.receive(source, sourcePort, data);
    else this.#udp.receive(packet, datagram);
  }

  /** Echoes are answered for our own addresses. Others would need a socket that the host gives to root only. */
  #receiveIcmp(packet: Ipv4Packet): void {
    const message = parseIcmp(packet.payload);
    if (message === null || message.type !== ICMP.ECHO_REQUEST || !isUnicast(packet.destination)) return;
    if (!OWN_ADDRESSES.has(packet.destination)) {
      const code = inNetwork(packet.destination) ? UNREACHABLE.HOST : UNREACHABLE.PROHIBITED;
      this.#sendError(ICMP.UNREACHABLE, code, packet.bytes);
      return;
    }
    this.#sendIcmp(packet.destination, packet.source, buildIcmp({ ...message, type: ICMP.ECHO_REPLY }));
  }

  /** Never about an ICMP error or a fragment that is not the first (RFC 1122, 3.2.2), and not too often. */
  #sendError(type: number, code: number, about: Buffer): void {
    const source = about.readUInt32BE(12);
    const fragmentOffset = about.readUInt16BE(6) & 0x1fff;
    const payload = about.subarray(((about[0] ?? 0) & 0x0f) * 4);
    const isError = about[9] === PROTOCOL.ICMP && payload[0] !== ICMP.ECHO_REQUEST;
    if (isError || fragmentOffset !== 0 || !this.#mayTell()) return;
    // That nobody listens there only the host itself can say (RFC 1122, 3.2.2.1).
    const fromHost = type === ICMP.UNREACHABLE && code === UNREACHABLE.PORT;
    const teller = fromHost ? about.readUInt32BE(16) : GATEWAY;
    this.#sendIcmp(teller, source, buildIcmp({ type, code, rest: 0, data: quote(about) }));
  }

  #mayTell(): boolean {
    const second = Math.floor(this.#context.clock() / 1000);
    if (second !== this.#errorSecond) {
      this.#errorSecond = second;
      this.#errors = 0;
    }
    this.#errors++;
    return this.#errors <= ERRORS_A_SECOND;
  }

  #sendIcmp(source: Ipv4Address, destination: Ipv4Address, message: Buffer): void {
    this.#link.send({ source, destination, protocol: PROTOCOL.ICMP }, message);
  }
}

/** A frame to one of our link addresses, or to a group. */
function isForUs(frame: EthernetFrame): boolean {
  if (((frame.destination[0] ?? 0) & 1) === 1) return true;
  return [...OWN_ADDRESSES.values()].some((link) => link.equals(frame.destination));
}
