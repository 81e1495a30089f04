/**
 * The network stack: interfaces, input of frames, output of packets, and what programs see and set of it. Sans-IO:
 * frames, time and random numbers come in as arguments, frames go out by
 * `transmit`.
 *
 * Whoever owns a stack calls `advance` whenever `deadline` has passed, also right after he has called something else:
 * packets to ourselves wait for it.
 */
import { type ErrorName, SystemError } from '../../protocol/errno.ts';
import type { neighbour, networkConfiguration, networkInterface, route } from '../../protocol/network.ts';
import type { Infer } from '../../protocol/schema.ts';
import { type Ipv4Address, isUnicast } from '../../wire/address.ts';
import { UNREACHABLE } from '../../wire/icmp.ts';
import { type Ipv4Packet, PROTOCOL } from '../../wire/ipv4.ts';
import { type Resolution, Resolver } from './dns/resolver.ts';
import type { StackEnvironment } from './environment.ts';
import { Icmp } from './icmp/icmp.ts';
import { inNetwork, type NetworkInterface } from './ip/interface.ts';
import { Ipv4 } from './ip/ipv4.ts';
import type { IpLayer } from './ip/layer.ts';
import { LOOPBACK_NAME, LoopbackInterface } from './ip/loopback.ts';
import type { OutgoingPacket } from './ip/packet.ts';
import { isSame } from './ip/routes.ts';
import { KeptStack } from './kept.ts';
import { type InterfaceDescription, Link } from './link.ts';
import { RandomNumbers } from './random.ts';
import { RawTable } from './raw.ts';
import { type Counter, countersOf } from './statistics.ts';
import { UdpTable } from './udp/table.ts';

export type { Resolution } from './dns/resolver.ts';
export type { InterfaceDescription } from './link.ts';
export type InterfaceRow = Infer<typeof networkInterface>;
export type RouteRow = Infer<typeof route>;
export type NeighbourRow = Infer<typeof neighbour>;
export type ConfigurationRow = Infer<typeof networkConfiguration>;

const CARD_LIMIT = 8;
const TAP_LIMIT = 4;
const NAME_SERVER_LIMIT = 8;
const HOST_NAME = 'vros';
const LEAST_MTU = 576;
const MOST_MTU = 65_535;

/** What `configure` sets: what is null stays. */
export interface InterfaceChange {
  readonly interface: string;
  readonly up: boolean | null;
  readonly address: { readonly address: Ipv4Address; readonly prefix: number } | null;
  readonly dhcp: boolean;
}

/** Sees a frame that goes by, which it must not keep. On `lo` its link addresses are zero. */
export type Tap = (interfaceName: string, sent: boolean, frame: Buffer) => void;

interface TapEntry {
  readonly interface: string | null;
  readonly listener: Tap;
}

/** See the head of this file. */
export class Stack implements IpLayer {
  readonly udp: UdpTable;
  readonly raw: RawTable;
  readonly #environment: StackEnvironment;
  readonly #random: RandomNumbers;
  readonly #ip: Ipv4;
  readonly #icmp: Icmp;
  readonly #loopback: LoopbackInterface;
  readonly #resolver: Resolver;
  readonly #links = new Map<string, Link>();
  readonly #kept: KeptStack;
  #nameServers: readonly Ipv4Address[];
  #taps: readonly TapEntry[] = [];

  /** What an earlier incarnation has kept is taken over. */
  constructor(environment: StackEnvironment) {
    this.#environment = environment;
    this.#random = new RandomNumbers(environment.random);
    this.#ip = new Ipv4(
      {
        deliver: (packet, toAll, now) => this.#deliver(packet, toAll, now),
        bootstrap: (inbound, packet, now) => this.#links.get(inbound.name)?.bootstrap(packet, now) ?? false,
        reassemblyExpired: (quoted, now) => this.#icmp.reassemblyExpired(quoted, now),
      },
      this.#random,
    );
    this.#icmp = new Icmp(this.#ip, {
      tcp: (kind, local, remote, sequence) => environment.tcp.unreachable(kind, local, remote, sequence),
      udp: (kind, local, remote) => this.udp.unreachable(kind, local, remote),
      isSent: (protocol, local, remote, sequence) => {
        if (protocol === PROTOCOL.TCP) return environment.tcp.isUnderWay(local, remote, sequence);
        return protocol === PROTOCOL.UDP ? this.udp.maySend(local, remote) : this.raw.maySend(protocol, remote);
      },
    });
    this.#loopback = new LoopbackInterface((sent, frame) => this.#show(LOOPBACK_NAME, sent, frame));
    this.#ip.interfaces.set(LOOPBACK_NAME, this.#loopback);
    this.#ip.changed();
    this.udp = new UdpTable(this.#ip, this.#random);
    this.raw = new RawTable(this.#ip);
    this.#resolver = new Resolver(this.udp, this.#random, {
      nameServers: () => this.configuration().nameServers,
      domain: () => this.configuration().domain,
    });
    this.#kept = new KeptStack(environment.keeper);
    this.#nameServers = this.#kept.nameServers.load() ?? [];
    for (const each of this.#kept.routes.load() ?? []) this.#ip.routes.add({ ...each, origin: 'fixed' });
  }

  /**
   * A card has been found: it is configured as it was kept, or by DHCP. The same card may come again, when its driver
   * does. EEXIST: another card with this name; EINVAL; ENOSPC: there are eight.
   */
  addInterface(description: InterfaceDescription, now: number): void {
    const { name, hardware, mtu, link } = description;
    const known = this.#links.get(name);
    if (known !== undefined) {
      if (!known.ethernet.hardware.equals(hardware)) throw new SystemError('EEXIST', `another card is ${name}`);
      known.setLink(link, now);
      return;
    }
    if (hardware.length !== 6 || ((hardware[0] ?? 1) & 1) !== 0) throw new SystemError('EINVAL', 'no hardware address');
    if (name === LOOPBACK_NAME || name === '' || mtu < LEAST_MTU || mtu > MOST_MTU) throw new SystemError('EINVAL');
    if (this.#links.size >= CARD_LIMIT) throw new SystemError('ENOSPC', `${CARD_LIMIT} cards are there`);
    const added = new Link(description, this.#environment, this.#ip, this.#random, {
      transmit: (frame) => {
        this.#show(name, true, frame);
        this.#environment.transmit(name, frame);
      },
      undeliverable: (packet) => this.#icmp.undeliverable(packet),
    });
    this.#links.set(name, added);
    this.#ip.interfaces.set(name, added.ethernet);
    added.start(now);
    this.#ip.changed();
  }

  /** The cable was plugged in or pulled out. ENODEV. */
  setLink(interfaceName: string, link: boolean, now: number): void {
    this.#link(interfaceName).setLink(link, now);
  }

  /**
   * Takes a frame from the cable. Whatever is in it, nothing is thrown. It may be kept, so its buffer must not be used
   * again.
   */
  frame(interfaceName: string, bytes: Buffer, now: number): void {
    const link = this.#links.get(interfaceName);
    if (link === undefined) return;
    if (this.#taps.length > 0) this.#show(interfaceName, false, bytes);
    link.ethernet.frame(bytes, now);
  }

  /** The owner had no room for a frame that was transmitted. */
  frameDropped(interfaceName: string): void {
    const link = this.#links.get(interfaceName);
    if (link !== undefined) link.ethernet.counters.sendDrops++;
  }

  isOwn(address: Ipv4Address): boolean {
    return this.#ip.isOwn(address);
  }

  isBroadcast(address: Ipv4Address): boolean {
    return this.#ip.isBroadcast(address);
  }

  sourceFor(destination: Ipv4Address): { address: Ipv4Address; mtu: number } | null {
    return this.#ip.sourceFor(destination);
  }

  sourceTowards(destination: Ipv4Address, broadcast: boolean): Ipv4Address {
    return this.#ip.sourceTowards(destination, broadcast);
  }

  /** The longest packet that is known to get to `destination` in one piece, in bytes (RFC 1191). */
  pathMtu(destination: Ipv4Address): number {
    return this.#ip.pathMtu(destination);
  }

  send(packet: OutgoingPacket, now: number): ErrorName | null {
    return this.#ip.send(packet, now);
  }

  /** Does what is due, TCP's last, so that it answers all that has come. */
  advance(now: number): void {
    this.#loopback.drain((packet) => this.#ip.receive(this.#loopback, packet, false, now));
    for (const link of this.#links.values()) link.advance(now);
    this.#ip.advance(now);
    this.#resolver.advance(now);
    this.#environment.tcp.advance(now);
  }

  /** When `advance` has something to do next; Infinity when never. */
  deadline(): number {
    if (this.#loopback.pending) return 0;
    let deadline = Math.min(this.#ip.deadline(), this.#resolver.deadline(), this.#environment.tcp.deadline());
    for (const link of this.#links.values()) deadline = Math.min(deadline, link.deadline());
    return deadline;
  }

  interfaces(): InterfaceRow[] {
    return [...this.#ip.interfaces.values()].map((each) => this.#interfaceRow(each));
  }

  /** EINVAL: no address for a host; ENODEV. */
  configure({ interface: name, up, address, dhcp }: InterfaceChange, now: number): void {
    if (name !== LOOPBACK_NAME) {
      this.#link(name).configure(up, address, dhcp, now);
      return;
    }
    if (address !== null || dhcp) throw new SystemError('EINVAL', `the address of ${LOOPBACK_NAME} is fixed`);
    this.#loopback.up = up ?? this.#loopback.up;
    this.#ip.changed();
  }

  routes(): RouteRow[] {
    return this.#ip.routes.all.map((each) => ({ ...each }));
  }

  /** ENODEV; ENETUNREACH: the gateway is on no interface; EEXIST; ENOSPC; EINVAL. */
  addRoute(row: {
    readonly destination: Ipv4Address;
    readonly prefix: number;
    readonly gateway: Ipv4Address | null;
    readonly interface: string | null;
    readonly metric: number;
  }): void {
    const { destination, prefix, gateway, metric } = row;
    if (prefix > 32) throw new SystemError('EINVAL');
    if (row.interface !== null) this.#link(row.interface);
    if (gateway === null && row.interface === null)
      throw new SystemError('EINVAL', 'neither a gateway nor an interface');
    const through = [...this.#links.values()].find(({ name, ethernet: { own } }) => {
      if (row.interface !== null && row.interface !== name) return false;
      return (
        gateway === null || (own !== null && gateway !== own.address && inNetwork(gateway, own.address, own.prefix))
      );
    });
    if (through === undefined) throw new SystemError('ENETUNREACH', 'the gateway is on no interface');
    this.#ip.routes.add({ destination, prefix, gateway, interface: through.name, metric, origin: 'fixed' });
    this.#routesChanged();
  }

  /** ESRCH: no such route. */
  removeRoute(row: {
    readonly destination: Ipv4Address;
    readonly prefix: number;
    readonly gateway: Ipv4Address | null;
  }): void {
    if (this.#ip.routes.remove((each) => isSame(each, row)) === 0) throw new SystemError('ESRCH', 'no such route');
    this.#routesChanged();
  }

  neighbours(now: number): NeighbourRow[] {
    return [...this.#links.values()].flatMap(({ name, ethernet }) =>
      ethernet.neighbours.list(now).map((each) => ({ ...each, interface: name })),
    );
  }

  /** Sets a neighbour for good. ENETUNREACH: on no interface; EINVAL: no address of one station; ENOSPC. */
  setNeighbour(address: Ipv4Address, hardware: Uint8Array, now: number): void {
    const station = hardware.length === 6 && ((hardware[0] ?? 1) & 1) === 0 && hardware.some((byte) => byte !== 0);
    const link = this.#linkTo(address);
    if (link === undefined) throw new SystemError('ENETUNREACH', 'the address is on no interface');
    if (!station || this.isOwn(address) || this.isBroadcast(address)) throw new SystemError('EINVAL');
    link.setNeighbour(address, hardware, now);
  }

  /** ESRCH: no such neighbour. */
  removeNeighbour(address: Ipv4Address): void {
    const removed = [...this.#links.values()].filter((link) => link.removeNeighbour(address));
    if (removed.length === 0) throw new SystemError('ESRCH', 'no such neighbour');
  }

  /** See `Resolver.resolve`. */
  resolve(name: string, timeout: number, now: number, done: (resolution: Resolution) => void): () => void {
    return this.#resolver.resolve(name, timeout, now, done);
  }

  /** Fixes the name servers; none: those of DHCP again. EINVAL: not the address of a host. */
  setNameServers(addresses: readonly Ipv4Address[]): void {
    const isServer = (address: Ipv4Address): boolean => isUnicast(address) || address >>> 24 === 127;
    if (addresses.length > NAME_SERVER_LIMIT || !addresses.every(isServer)) throw new SystemError('EINVAL');
    this.#nameServers = [...addresses];
    if (addresses.length > 0) this.#kept.nameServers.save([...addresses]);
    else this.#kept.nameServers.forget();
    this.#resolver.cache.clear();
  }

  /** Counters of the layers below TCP, by name. */
  statistics(): Counter[] {
    const { udp } = this;
    return countersOf({
      ip: this.#ip,
      icmp: this.#icmp,
      udp,
      resolver: this.#resolver,
      links: [...this.#links.values()],
    });
  }

  configuration(): ConfigurationRow {
    const links = [...this.#links.values()];
    const asks = links.find(({ dhcp }) => dhcp.lease !== null) ?? links.find(({ dhcp }) => dhcp.state !== 'off');
    const lease = asks?.dhcp.lease ?? null;
    return {
      hostName: lease?.hostName || HOST_NAME,
      domain: lease?.domain ?? '',
      nameServers: this.#nameServers.length > 0 ? [...this.#nameServers] : [...(lease?.nameServers ?? [])],
      dhcp: asks?.dhcp.state ?? 'off',
      dhcpServer: lease?.server ?? null,
      leaseEnds: lease?.expiresAt ?? null,
    };
  }

  /**
   * Has a tap see what goes by, on one interface or, with null, on all. Returns what takes it away. ENODEV; EMFILE:
   * there are four.
   */
  tap(interfaceName: string | null, listener: Tap): () => void {
    if (interfaceName !== null && !this.#ip.interfaces.has(interfaceName)) throw new SystemError('ENODEV');
    if (this.#taps.length >= TAP_LIMIT) throw new SystemError('EMFILE', `${TAP_LIMIT} captures are under way`);
    const entry: TapEntry = { interface: interfaceName, listener };
    this.#taps = [...this.#taps, entry];
    return () => {
      this.#taps = this.#taps.filter((other) => other !== entry);
    };
  }

  #deliver(packet: Ipv4Packet, toAll: boolean, now: number): void {
    const { source, destination, protocol, timeToLive, payload } = packet;
    switch (protocol) {
      case PROTOCOL.TCP:
        if (!toAll) this.#environment.tcp.input(source, destination, payload, now);
        break;
      case PROTOCOL.UDP: {
        const outcome = this.udp.input(source, destination, timeToLive, payload, toAll);
        if (outcome === 'refused') this.#icmp.unreachable(UNREACHABLE.PORT, packet, now);
        break;
      }
      case PROTOCOL.ICMP:
        this.raw.input(protocol, source, destination, timeToLive, payload);
        this.#icmp.input(packet, toAll, now);
        break;
      default: {
        const wanted = this.raw.input(protocol, source, destination, timeToLive, payload);
        if (!wanted && !toAll) this.#icmp.unreachable(UNREACHABLE.PROTOCOL, packet, now);
      }
    }
  }

  #show(interfaceName: string, sent: boolean, frame: Buffer): void {
    for (const tap of this.#taps) {
      if (tap.interface === null || tap.interface === interfaceName) tap.listener(interfaceName, sent, frame);
    }
  }

  #link(name: string): Link {
    const link = this.#links.get(name);
    if (link === undefined) throw new SystemError('ENODEV', `there is no card ${name}`);
    return link;
  }

  #linkTo(address: Ipv4Address): Link | undefined {
    return [...this.#links.values()].find(
      ({ ethernet: { own } }) => own !== null && inNetwork(address, own.address, own.prefix),
    );
  }

  #routesChanged(): void {
    this.#ip.changed();
    const fixed = this.#ip.routes.all.filter((each) => each.origin === 'fixed');
    this.#kept.routes.save(fixed.map((each) => ({ ...each })));
  }

  #interfaceRow(each: NetworkInterface): InterfaceRow {
    const link = this.#links.get(each.name);
    return {
      name: each.name,
      up: each.up,
      link: link?.ethernet.link ?? true,
      loopback: each.loopback,
      hardware: link?.ethernet.hardware ?? null,
      mtu: each.mtu,
      address: each.own?.address ?? null,
      prefix: each.own?.prefix ?? 0,
      origin: link?.ethernet.origin ?? 'fixed',
      ...each.counters,
    };
  }
}
