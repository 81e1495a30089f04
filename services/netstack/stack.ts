/**
 * The network stack without TCP: interfaces, input of frames, output of packets, and what programs see and set of it. Sans-IO: frames, time and random numbers come in as arguments,
 * frames go out by `transmit`.
 *
 * Whoever owns a stack calls `advance` whenever `deadline` has passed, also right after he has called something else: packets to ourselves wait for it.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { neighbour, networkConfiguration, networkInterface, route } from '../../protocol/network.ts';
import type { Infer } from '../../protocol/schema.ts';
import type { Ipv4Address } from '../../wire/address.ts';
import type { StackEnvironment } from './environment.ts';
import type { IpLayer } from './ip/layer.ts';
import type { OutgoingPacket } from './ip/packet.ts';
import { RandomNumbers } from './random.ts';
import { RawTable } from './raw.ts';
import { UdpTable } from './udp/table.ts';

export type InterfaceRow = Infer<typeof networkInterface>;
export type RouteRow = Infer<typeof route>;
export type NeighbourRow = Infer<typeof neighbour>;
export type ConfigurationRow = Infer<typeof networkConfiguration>;

/** A card. */
export interface InterfaceDescription {
  readonly name: string;
  readonly hardware: Uint8Array;
  readonly mtu: number;
  readonly link: boolean;
}

/** What `configure` sets: what is null stays. */
export interface InterfaceChange {
  readonly interface: string;
  readonly up: boolean | null;
  readonly address: { readonly address: Ipv4Address; readonly prefix: number } | null;
  readonly dhcp: boolean;
}

/** What a name stands for, or why that is not known. */
export type Resolution = { readonly addresses: number[] } | { readonly error: SystemError };

/** Sees a frame that goes by, which it must not keep. */
export type Tap = (interfaceName: string, sent: boolean, frame: Buffer) => void;

const todo = (): never => {
  throw new SystemError('EOPNOTSUPP');
};

/** See the head of this file. */
export class Stack implements IpLayer {
  readonly udp: UdpTable;
  readonly raw: RawTable;

  constructor(environment: StackEnvironment) {
    this.udp = new UdpTable(this, new RandomNumbers(environment.random));
    this.raw = new RawTable(this);
  }

  /** Takes over what an earlier incarnation has kept. Once, before anything else. */
  restore(_now: number): void {
    todo();
  }

  /** A card has been found: its kept or automatic configuration begins. Called again for the same name when its driver has come anew. EEXIST, EINVAL, ENOSPC. */
  addInterface(_description: InterfaceDescription, _now: number): void {
    todo();
  }

  /** The cable was plugged in or pulled out, or the driver is gone. ENODEV. */
  setLink(_interfaceName: string, _link: boolean, _now: number): void {
    todo();
  }

  /** Takes a frame from the cable. Whatever is in it, nothing is thrown. Its buffer may be kept, so it must not be used again. */
  frame(_interfaceName: string, _bytes: Buffer, _now: number): void {
    todo();
  }

  /** The owner had no room for a frame that the stack has transmitted. */
  frameDropped(_interfaceName: string): void {
    todo();
  }

  isOwn(_address: Ipv4Address): boolean {
    return todo();
  }

  isBroadcast(_address: Ipv4Address): boolean {
    return todo();
  }

  sourceFor(_destination: Ipv4Address): { address: Ipv4Address; mtu: number } | null {
    return todo();
  }

  sourceTowards(_destination: Ipv4Address, _broadcast: boolean): Ipv4Address {
    return todo();
  }

  /** The longest packet that is known to get to `destination` in one piece, in bytes (RFC 1191). */
  pathMtu(_destination: Ipv4Address): number {
    return todo();
  }

  send(_packet: OutgoingPacket, _now: number): void {
    todo();
  }

  advance(_now: number): void {
    todo();
  }

  /** When `advance` has something to do next; Infinity when never. */
  deadline(): number {
    return todo();
  }

  interfaces(): InterfaceRow[] {
    return todo();
  }

  configure(_change: InterfaceChange, _now: number): void {
    todo();
  }

  routes(): RouteRow[] {
    return todo();
  }

  addRoute(_row: {
    destination: Ipv4Address;
    prefix: number;
    gateway: Ipv4Address | null;
    interface: string | null;
    metric: number;
  }): void {
    todo();
  }

  removeRoute(_row: { destination: Ipv4Address; prefix: number; gateway: Ipv4Address | null }): void {
    todo();
  }

  neighbours(_now: number): NeighbourRow[] {
    return todo();
  }

  setNeighbour(_address: Ipv4Address, _hardware: Uint8Array, _now: number): void {
    todo();
  }

  removeNeighbour(_address: Ipv4Address): void {
    todo();
  }

  /** Finds the addresses of a name; `done` is called once, perhaps at once. Returns what gives the question up. @param timeout in milliseconds */
  resolve(_name: string, _timeout: number, _now: number, _done: (resolution: Resolution) => void): () => void {
    return todo();
  }

  /** The first eight name servers; none: those of DHCP. */
  setNameServers(_addresses: readonly Ipv4Address[]): void {
    todo();
  }

  statistics(): { name: string; value: number }[] {
    return todo();
  }

  configuration(): ConfigurationRow {
    return todo();
  }

  /** Has a tap see what goes by, on one interface or, with null, on all. Returns what takes it away. ENODEV. */
  tap(_interfaceName: string | null, _listener: Tap): () => void {
    return todo();
  }
}
