/**
 * One card with all that belongs to it: its Ethernet, its address and where that comes from, the routes that it brings,
 * and what of this is kept.
 */
import { SystemError } from '../../protocol/errno.ts';
import { formatIpv4, type Ipv4Address, isUnicast, LIMITED_BROADCAST } from '../../wire/address.ts';
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from '../../wire/dhcp.ts';
import { type Ipv4Packet, PROTOCOL } from '../../wire/ipv4.ts';
import { parseUdp, UDP_HEADER_BYTES, writeUdpHeader } from '../../wire/udp.ts';
import { DhcpClient } from './dhcp/client.ts';
import type { Lease } from './dhcp/lease.ts';
import type { StackEnvironment } from './environment.ts';
import { EthernetInterface } from './ethernet/interface.ts';
import { type AddressOrigin, isHostAddress, maskOf, type OwnAddress } from './ip/interface.ts';
import type { Ipv4 } from './ip/ipv4.ts';
import { HEADROOM_BYTES, type OutgoingPacket, packetBuffer } from './ip/packet.ts';
import { isSame, type Route } from './ip/routes.ts';
import { type InterfaceSettings, KeptInterface, keptNeighbours } from './kept.ts';
import type { RandomNumbers } from './random.ts';
import { RateLimit } from './rate-limit.ts';

/** Neighbours are kept at most so often. */
const KEEP_NEIGHBOURS_MS = 5000;
const DHCP_METRIC = 100;
const TIME_TO_LIVE = 64;
const NORMAL: InterfaceSettings = { up: true, address: null, dhcp: true };

/** A card. */
export interface InterfaceDescription {
  readonly name: string;
  readonly hardware: Uint8Array;
  readonly mtu: number;
  readonly link: boolean;
}

/** What a link needs of the stack. */
export interface LinkEffects {
  transmit(frame: Buffer): void;
  undeliverable(packet: Buffer): void;
}

/** See the head of this file. */
export class Link {
  readonly ethernet: EthernetInterface;
  readonly dhcp: DhcpClient;
  readonly #environment: StackEnvironment;
  readonly #ip: Ipv4;
  readonly #kept: KeptInterface;
  readonly #logLimit = new RateLimit(0.1, 5);
  #settings: InterfaceSettings;
  #keepAt = 0;

  constructor(
    description: InterfaceDescription,
    environment: StackEnvironment,
    ip: Ipv4,
    random: RandomNumbers,
    effects: LinkEffects,
  ) {
    this.#environment = environment;
    this.#ip = ip;
    this.#kept = new KeptInterface(environment.keeper, description.name);
    this.#settings = this.#kept.settings.load() ?? NORMAL;
    this.ethernet = new EthernetInterface(
      description,
      {
        transmit: effects.transmit,
        received: (packet, toAll, now) => ip.receive(this.ethernet, packet, toAll, now),
        undeliverable: effects.undeliverable,
        claimed: (_address, now) => this.dhcp.checked(now),
        conflicted: (address, hardware, now) => {
          this.#warn(address, hardware, now);
          this.dhcp.conflicted(now);
        },
        defended: (address, hardware, now) => this.#warn(address, hardware, now),
      },
      random,
    );
    this.dhcp = new DhcpClient(
      this.ethernet.hardware,
      {
        send: (message, source, server, now) => this.#sendDhcp(message, source, server, now),
        check: (address, now) => this.ethernet.claim.probe(address, now),
        use: (lease, now) => this.#use(lease, now),
        lose: (now) => {
          this.#kept.lease.forget();
          this.#setAddress(null, 'none', null, now);
        },
      },
      random,
    );
  }

  get name(): string {
    return this.ethernet.name;
  }

  /** Begins as it was set or kept. */
  start(now: number): void {
    const { neighbours } = this.ethernet;
    const { address, dhcp, up } = this.#settings;
    this.ethernet.up = up;
    if (address !== null) this.#setAddress(address, 'fixed', null, now);
    else if (dhcp && up) this.#startDhcp(now);
    for (const each of this.#kept.permanent.load() ?? []) neighbours.setPermanent(each.address, each.hardware, now);
    for (const each of this.#kept.neighbours.load() ?? []) neighbours.restore(each.address, each.hardware, now);
    neighbours.changed = false;
  }

  /** Sets what is not null (protocol/network.ts). EINVAL. */
  configure(up: boolean | null, address: OwnAddress | null, dhcp: boolean, now: number): void {
    if (address !== null && (dhcp || !isUnicast(address.address) || !isHostAddress(address))) {
      throw new SystemError('EINVAL', 'not an address for a host');
    }
    const before = this.#settings;
    const next: InterfaceSettings = {
      up: up ?? before.up,
      address: address ?? (dhcp ? null : before.address),
      dhcp: dhcp || (address === null && before.dhcp),
    };
    this.#settings = next;
    this.#kept.settings.save(next);
    this.ethernet.up = next.up;
    if (address !== null || dhcp) {
      this.dhcp.stop();
      this.#kept.lease.forget();
      this.#setAddress(address, address === null ? 'none' : 'fixed', null, now);
    }
    if (!next.up) this.dhcp.stop();
    else if (next.dhcp && (dhcp || !before.up)) this.#startDhcp(now);
    this.#ip.changed();
  }

  setLink(link: boolean, now: number): void {
    const before = this.ethernet.link;
    this.ethernet.link = link;
    if (link && !before && this.#settings.dhcp && this.#settings.up) this.dhcp.verify(now);
  }

  /** Takes a datagram for the client's port of DHCP, as long as there is such a client. @returns whether it was one */
  bootstrap(packet: Ipv4Packet, now: number): boolean {
    if (this.dhcp.state === 'off' || packet.moreFragments || packet.fragmentOffset !== 0) return false;
    const { payload } = packet;
    if (payload.length < UDP_HEADER_BYTES || payload.readUInt16BE(2) !== DHCP_CLIENT_PORT) return false;
    const datagram = parseUdp(payload, packet.source, packet.destination);
    if (datagram?.sourcePort === DHCP_SERVER_PORT) this.dhcp.receive(datagram.data, now);
    return true;
  }

  /** Sets a neighbour for good. ENOSPC. */
  setNeighbour(address: Ipv4Address, hardware: Uint8Array, now: number): void {
    this.ethernet.neighbours.setPermanent(address, hardware, now);
    this.#keepPermanent();
  }

  /** @returns whether there was one */
  removeNeighbour(address: Ipv4Address): boolean {
    const found = this.ethernet.neighbours.remove(address);
    if (found) this.#keepPermanent();
    return found;
  }

  advance(now: number): void {
    this.ethernet.advance(now);
    this.dhcp.advance(now);
    const { neighbours } = this.ethernet;
    if (!neighbours.changed || now < this.#keepAt) return;
    neighbours.changed = false;
    this.#keepAt = now + KEEP_NEIGHBOURS_MS;
    const learnt = neighbours.list(now).filter(({ state }) => state === 'reachable' || state === 'stale');
    this.#kept.neighbours.save(keptNeighbours(learnt));
  }

  deadline(): number {
    const keep = this.ethernet.neighbours.changed ? this.#keepAt : Infinity;
    return Math.min(this.ethernet.deadline(), this.dhcp.deadline(), keep);
  }

  /** With the lease that was kept, as long as it lasts. */
  #startDhcp(now: number): void {
    const kept = this.#kept.lease.load() ?? null;
    const lease = kept?.expiresAt != null && kept.expiresAt <= now ? null : kept;
    if (lease === null && this.ethernet.own !== null) this.#setAddress(null, 'none', null, now);
    this.dhcp.start(lease, now);
  }

  #keepPermanent(): void {
    const permanent = this.ethernet.neighbours.list(0).filter(({ state }) => state === 'permanent');
    this.#kept.permanent.save(keptNeighbours(permanent));
  }

  #use(lease: Lease, now: number): void {
    this.#kept.lease.save(lease);
    this.#setAddress(lease, 'dhcp', lease.router, now);
  }

  /** Gives the interface an address with its routes; null takes it away. */
  #setAddress(given: OwnAddress | null, origin: AddressOrigin, router: Ipv4Address | null, now: number): void {
    const { ethernet, name } = this;
    const own = given === null ? null : { address: given.address, prefix: given.prefix };
    const before = ethernet.own;
    const same = before !== null && own !== null && before.address === own.address && before.prefix === own.prefix;
    if (!same || ethernet.origin !== origin) ethernet.setAddress(own, origin, now);
    const { routes } = this.#ip;
    routes.remove((route) => route.interface === name && route.origin !== 'fixed');
    if (own !== null) {
      const { prefix } = own;
      const destination = (own.address & maskOf(prefix)) >>> 0;
      this.#addRoute({ destination, prefix, gateway: null, interface: name, metric: 0, origin: 'connected' });
    }
    if (own !== null && router !== null) {
      const metric = DHCP_METRIC;
      this.#addRoute({ destination: 0, prefix: 0, gateway: router, interface: name, metric, origin: 'dhcp' });
    }
    this.#ip.changed();
    if (before !== null && before.address !== own?.address) this.#environment.tcp.addressGone(before.address, now);
  }

  /** The same route may have been set by an administrator. */
  #addRoute(route: Route): void {
    const { routes } = this.#ip;
    if (!routes.all.some((other) => isSame(other, route) && other.interface === route.interface)) routes.add(route);
  }

  #sendDhcp(message: Buffer, source: Ipv4Address, server: Ipv4Address | null, now: number): void {
    const destination = server ?? LIMITED_BROADCAST;
    const payloadBytes = UDP_HEADER_BYTES + message.length;
    const buffer = packetBuffer(payloadBytes);
    buffer.set(message, HEADROOM_BYTES + UDP_HEADER_BYTES);
    const datagram = buffer.subarray(HEADROOM_BYTES, HEADROOM_BYTES + payloadBytes);
    writeUdpHeader(datagram, source, DHCP_CLIENT_PORT, destination, DHCP_SERVER_PORT);
    const packet: OutgoingPacket = {
      source,
      destination,
      protocol: PROTOCOL.UDP,
      timeToLive: TIME_TO_LIVE,
      typeOfService: 0,
      dontFragment: false,
      buffer,
      payloadBytes,
    };
    if (server === null) this.#ip.sendBootstrap(this.ethernet, packet, now);
    else this.#ip.send(packet, now);
  }

  #warn(address: Ipv4Address, hardware: Buffer, now: number): void {
    if (!this.#logLimit.allow(now)) return;
    const other = [...hardware].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    this.#environment.log(`${this.name}: ${formatIpv4(address)} is also used by ${other}`);
  }
}
