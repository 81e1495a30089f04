/**
 * IPv4: what comes in is checked and put together, what goes out finds its way and is cut into fragments.
 *
 * Read: RFC 791; RFC 1122, 3.2 and 3.3; RFC 6864 (identification); RFC 1191.
 */
import { type ErrorName, SystemError } from '../../../protocol/errno.ts';
import { type Ipv4Address, isUnicast, LIMITED_BROADCAST, UNSPECIFIED } from '../../../wire/address.ts';
import { ETHERNET_HEADER_BYTES } from '../../../wire/ethernet.ts';
import {
  fragmentStep,
  IPV4_HEADER_BYTES,
  IPV4_PACKET_LIMIT,
  type Ipv4Packet,
  PROTOCOL,
  parseIpv4Packet,
  writeIpv4Header,
} from '../../../wire/ipv4.ts';
import { Reassembly } from '../../../wire/reassembly.ts';
import type { RandomNumbers } from '../random.ts';
import { broadcastOf, inNetwork, type NetworkInterface } from './interface.ts';
import type { IpLayer } from './layer.ts';
import { HEADROOM_BYTES, type OutgoingPacket, packetBuffer } from './packet.ts';
import { PathMtu } from './path-mtu.ts';
import { type Route, RouteTable } from './routes.ts';

const REASSEMBLY = { packets: 64, bytes: 2 * 1024 * 1024, lifetimeMs: 30_000 };
/** Ways that are remembered. */
const PATH_LIMIT = 512;
const LOOPBACK_NETWORK = 127;
const FIRST_MULTICAST = 0xe000_0000;
const FIRST_RESERVED = 0xf000_0000;

/** What IPv4 hands on. */
export interface Ipv4Effects {
  /** A packet for us, whole and checked. `toAll`: it is a broadcast. */
  deliver(packet: Ipv4Packet, toAll: boolean, now: number): void;
  /**
   * A datagram for whoever gets the interface an address, before it has one (RFC 1122, 3.3.1.6). @returns whether it
   * was one
   */
  bootstrap(inbound: NetworkInterface, packet: Ipv4Packet, now: number): boolean;
  /** The time of a packet is over before all of its fragments have come. */
  reassemblyExpired(quoted: Buffer, now: number): void;
}

/** How to get to an address. */
interface Path {
  readonly interface: NetworkInterface;
  /** Null: all on the link. */
  readonly nextHop: Ipv4Address | null;
  readonly source: Ipv4Address;
  identification: number;
}

/** See the head of this file. */
export class Ipv4 implements IpLayer {
  readonly counters = {
    received: 0,
    malformed: 0,
    martians: 0,
    notForUs: 0,
    fragmentsReceived: 0,
    delivered: 0,
    sent: 0,
    fragmentsSent: 0,
    noRoute: 0,
    tooLong: 0,
  };
  readonly interfaces = new Map<string, NetworkInterface>();
  readonly routes = new RouteTable();
  readonly pathMtus = new PathMtu();
  readonly reassembly: Reassembly;
  readonly #effects: Ipv4Effects;
  readonly #random: RandomNumbers;
  readonly #paths = new Map<Ipv4Address, Path>();
  readonly #own = new Map<Ipv4Address, NetworkInterface>();
  #now = 0;

  constructor(effects: Ipv4Effects, random: RandomNumbers) {
    this.#effects = effects;
    this.#random = random;
    this.reassembly = new Reassembly(REASSEMBLY, (quoted) => effects.reassemblyExpired(quoted, this.#now));
  }

  /** To be called whenever an address, a route or the state of an interface has changed. */
  changed(): void {
    this.#paths.clear();
    this.#own.clear();
    for (const each of this.interfaces.values()) if (each.own !== null) this.#own.set(each.own.address, each);
  }

  isOwn(address: Ipv4Address): boolean {
    return this.#own.has(address) || address >>> 24 === LOOPBACK_NETWORK;
  }

  isBroadcast(address: Ipv4Address): boolean {
    if (address === LIMITED_BROADCAST) return true;
    for (const { own } of this.#own.values()) if (own !== null && address === broadcastOf(own)) return true;
    return false;
  }

  sourceFor(destination: Ipv4Address): { address: Ipv4Address; mtu: number } | null {
    const path = this.#path(destination);
    return path === undefined ? null : { address: path.source, mtu: path.interface.mtu };
  }

  sourceTowards(destination: Ipv4Address, broadcast: boolean): Ipv4Address {
    if (destination >= FIRST_MULTICAST && destination < FIRST_RESERVED) {
      throw new SystemError('EOPNOTSUPP', 'there is no multicast');
    }
    const path = this.#path(destination);
    if (path === undefined) throw new SystemError('ENETUNREACH');
    if (path.nextHop === null && !broadcast)
      throw new SystemError('EACCES', 'a broadcast, which the socket may not send');
    return path.source;
  }

  /** Bytes of the longest packet that gets to an address in one piece, as far as is known. */
  pathMtu(destination: Ipv4Address): number {
    const path = this.#path(destination);
    return this.pathMtus.get(destination, path?.interface.mtu ?? REASSEMBLED_AT_LEAST);
  }

  send(packet: OutgoingPacket, now: number): ErrorName | null {
    const { source, destination, buffer, payloadBytes } = packet;
    const path = this.#path(destination);
    if (path === undefined) {
      this.counters.noRoute++;
      return 'ENETUNREACH';
    }
    const out = path.interface;
    if (source !== path.source) {
      if (!this.isOwn(source)) return 'EADDRNOTAVAIL';
      // Such an address never appears outside of a host (RFC 1122, 3.2.1.3).
      if (source >>> 24 === LOOPBACK_NETWORK && !out.loopback) return 'ENETUNREACH';
    }
    const packetBytes = IPV4_HEADER_BYTES + payloadBytes;
    const mtu = this.pathMtus.get(destination, out.mtu);
    if (packetBytes > mtu) return this.#sendFragments(packet, path, mtu, now);
    this.counters.sent++;
    const identification = packet.dontFragment ? 0 : nextIdentification(path);
    const { protocol, timeToLive, typeOfService, dontFragment } = packet;
    const fields = { source, destination, protocol, timeToLive, identification, typeOfService, dontFragment };
    writeIpv4Header(buffer, ETHERNET_HEADER_BYTES, fields, payloadBytes);
    return out.output(buffer, packetBytes, path.nextHop, now);
  }

  /** Sends a packet to all on the link of an interface, whether or not that has an address. Its payload fits. */
  sendBootstrap(out: NetworkInterface, packet: OutgoingPacket, now: number): void {
    const { buffer, payloadBytes } = packet;
    this.counters.sent++;
    writeIpv4Header(buffer, ETHERNET_HEADER_BYTES, { ...packet, identification: this.#random.u16() }, payloadBytes);
    out.output(buffer, IPV4_HEADER_BYTES + payloadBytes, null, now);
  }

  /** Takes a packet from a link, with what may be behind it. @param toAll whether the link carried it to all */
  receive(inbound: NetworkInterface, bytes: Buffer, toAll: boolean, now: number): void {
    const { counters } = this;
    counters.received++;
    const packet = parseIpv4Packet(bytes);
    if (packet === null) {
      counters.malformed++;
      inbound.counters.receiveErrors++;
      return;
    }
    if (packet.protocol === PROTOCOL.UDP && this.#effects.bootstrap(inbound, packet, now)) return;
    const { source, destination } = packet;
    if (!this.#isHost(source, inbound)) {
      counters.martians++;
      inbound.counters.receiveDrops++;
      return;
    }
    const own = this.#own.has(destination) || destination >>> 24 === LOOPBACK_NETWORK;
    if (destination >>> 24 === LOOPBACK_NETWORK && !inbound.loopback) {
      counters.martians++;
      inbound.counters.receiveDrops++;
      return;
    }
    const broadcast = !own && this.#isBroadcastOn(destination, inbound);
    // A unicast packet in a broadcast frame is somebody's mistake (RFC 1122, 3.3.6).
    if ((!own && !broadcast) || (own && toAll)) {
      counters.notForUs++;
      inbound.counters.receiveDrops++;
      return;
    }
    let whole: Ipv4Packet | null = packet;
    if (packet.moreFragments || packet.fragmentOffset !== 0) {
      counters.fragmentsReceived++;
      whole = this.reassembly.add(packet, now);
      if (whole === null) return;
    }
    counters.delivered++;
    this.#effects.deliver(whole, broadcast, now);
  }

  advance(now: number): void {
    this.#now = now;
    this.reassembly.advance(now);
    this.pathMtus.advance(now);
  }

  deadline(): number {
    return Math.min(this.reassembly.nextTimeout, this.pathMtus.deadline());
  }

  /** Whether a source address can be that of another host, or on the loopback of ourselves (RFC 1122, 3.2.1.3). */
  #isHost(source: Ipv4Address, inbound: NetworkInterface): boolean {
    if (inbound.loopback) return this.isOwn(source);
    return isUnicast(source) && !this.#own.has(source) && !this.#isBroadcastOn(source, inbound);
  }

  #isBroadcastOn(address: Ipv4Address, { own }: NetworkInterface): boolean {
    if (address === LIMITED_BROADCAST) return true;
    return own !== null && address === broadcastOf(own);
  }

  #sendFragments(packet: OutgoingPacket, path: Path, mtu: number, now: number): ErrorName | null {
    const { buffer, payloadBytes } = packet;
    if (packet.dontFragment || IPV4_HEADER_BYTES + payloadBytes > IPV4_PACKET_LIMIT) {
      this.counters.tooLong++;
      return 'EMSGSIZE';
    }
    const { source, destination, protocol, timeToLive, typeOfService } = packet;
    const identification = nextIdentification(path);
    const fields = { source, destination, protocol, timeToLive, identification, typeOfService };
    const step = fragmentStep(mtu);
    this.counters.sent++;
    for (let at = 0; at < payloadBytes; at += step) {
      const bytes = Math.min(step, payloadBytes - at);
      const fragment = packetBuffer(bytes);
      buffer.copy(fragment, HEADROOM_BYTES, HEADROOM_BYTES + at, HEADROOM_BYTES + at + bytes);
      writeIpv4Header(fragment, ETHERNET_HEADER_BYTES, fields, bytes, at, at + bytes < payloadBytes);
      this.counters.fragmentsSent++;
      const error = path.interface.output(fragment, IPV4_HEADER_BYTES + bytes, path.nextHop, now);
      if (error !== null) return error;
    }
    return null;
  }

  #path(destination: Ipv4Address): Path | undefined {
    return this.#paths.get(destination) ?? this.#findPath(destination);
  }

  #findPath(destination: Ipv4Address): Path | undefined {
    const found = this.#lead(destination);
    if (found === undefined) return undefined;
    if (this.#paths.size >= PATH_LIMIT) {
      const oldest = this.#paths.keys().next().value;
      if (oldest !== undefined) this.#paths.delete(oldest);
    }
    const path = { ...found, identification: this.#random.u16() };
    this.#paths.set(destination, path);
    return path;
  }

  #lead(destination: Ipv4Address): Omit<Path, 'identification'> | undefined {
    if (this.isOwn(destination)) {
      const loopback = [...this.interfaces.values()].find((each) => each.loopback && each.up);
      const source = this.#own.has(destination) ? destination : loopback?.own?.address;
      if (loopback === undefined || source === undefined) return undefined;
      return { interface: loopback, nextHop: destination, source };
    }
    if (destination === LIMITED_BROADCAST) {
      const out = [...this.interfaces.values()].find((each) => !each.loopback && each.up && each.own !== null);
      return out?.own ? { interface: out, nextHop: null, source: out.own.address } : undefined;
    }
    if (destination >= FIRST_MULTICAST || destination === UNSPECIFIED) return undefined;
    const route = this.routes.find(destination, this.#isUsable);
    const out = route && this.interfaces.get(route.interface);
    if (route === undefined || !out?.own) return undefined;
    const { own } = out;
    if (destination === broadcastOf(own)) return { interface: out, nextHop: null, source: own.address };
    return { interface: out, nextHop: route.gateway ?? destination, source: own.address };
  }

  readonly #isUsable = ({ interface: name, gateway }: Route): boolean => {
    const out = this.interfaces.get(name);
    if (out === undefined || !out.up || out.own === null) return false;
    return gateway === null || inNetwork(gateway, out.own.address, out.own.prefix);
  };
}

/** Every host can take packets of this size (RFC 1122, 3.3.2). */
const REASSEMBLED_AT_LEAST = 576;

/**
 * Begins at a random number and counts, so that fragments under way do not meet others of the same number (RFC 6864,
 * 5.2).
 */
function nextIdentification(path: Path): number {
  path.identification = (path.identification + 1) & 0xffff;
  return path.identification;
}
