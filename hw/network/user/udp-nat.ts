/**
 * UDP between the guest and the host's sockets: one connected socket for each pair of ends, so that only the other
 * end's answers come in.
 *
 * Read: RFC 4787 (what a NAT owes to UDP: a binding lives for at least two minutes).
 */

import { type Ipv4Address, parseIpv4 } from '../../../wire/address.ts';
import { quote } from '../../../wire/icmp.ts';
import { type Ipv4Packet, PROTOCOL } from '../../../wire/ipv4.ts';
import { buildUdp, UDP_DATA_LIMIT, type UdpDatagram } from '../../../wire/udp.ts';
import type { Endpoint } from '../options.ts';
import { destinationOf, unreachableCode } from './destination.ts';
import type { HostDatagrams } from './host.ts';
import { GATEWAY } from './layout.ts';
import type { NatContext } from './nat-context.ts';

const FLOW_LIMIT = 256;
const LIFETIME_MS = 120_000;
const FIRST_EPHEMERAL_PORT = 49_152;
const EPHEMERAL_PORTS = 16_384;

interface Flow {
  /** When it is over, unless something comes. */
  expires: number;
  /** A datagram from the guest goes here. */
  readonly send: (data: Buffer) => void;
  readonly close: () => void;
}

export class UdpNat {
  readonly #context: NatContext;
  /** By the guest's end and the remote one; the one not used for longest first. */
  readonly #flows = new Map<string, Flow>();
  /** Forwarded flows: the key of a flow by the host's end and ours. */
  readonly #forwarded = new Map<string, string>();

  constructor(context: NatContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#flows.size;
  }

  get nextTimeout(): number {
    // They all live equally long from their last use.
    return this.#flows.values().next().value?.expires ?? Infinity;
  }

  advance(now: number): void {
    for (const [key, flow] of this.#flows) {
      if (flow.expires > now) break;
      this.#remove(key);
    }
  }

  /** A datagram from the guest. */
  receive(packet: Ipv4Packet, datagram: UdpDatagram): void {
    const key = keyOf(packet.source, datagram.sourcePort, packet.destination, datagram.destinationPort);
    const flow = this.#use(key) ?? this.#open(key, packet, datagram);
    flow?.send(datagram.data);
  }

  /**
   * A datagram that came to one of the host's ports: goes to the guest from a port of the router that stands for its
   * sender.
   *
   * @param answer sends a datagram back to the sender
   */
  forward(guest: Endpoint, sender: Endpoint, data: Buffer, answer: (data: Buffer) => void): void {
    const address = parseIpv4(guest.address);
    const name = `${sender.address} ${sender.port} ${guest.address} ${guest.port}`;
    let key = this.#forwarded.get(name);
    if (key === undefined || this.#use(key) === undefined) {
      key = this.#freeKey(address, guest.port);
      this.#forwarded.set(name, key);
      this.#add(key, { expires: 0, send: answer, close: () => this.#forwarded.delete(name) });
    }
    this.#deliver(address, guest.port, GATEWAY, Number(key.split(' ')[3]), data);
  }

  close(): void {
    for (const key of [...this.#flows.keys()]) this.#remove(key);
  }

  #open(key: string, packet: Ipv4Packet, { sourcePort, destinationPort }: UdpDatagram): Flow | null {
    const { source, destination } = packet;
    const end = destinationOf(destination, destinationPort, this.#context.restricted, () => undefined);
    if (typeof end === 'number') this.#context.unreachable(end, packet.bytes);
    if (end === null || typeof end === 'number') return null;
    const quoted = quote(packet.bytes);
    const socket: HostDatagrams = this.#context.host.connectDatagrams(end, {
      data: (data) => {
        if (this.#use(key) !== undefined) this.#deliver(source, sourcePort, destination, destinationPort, data);
      },
      failed: (code) => this.#context.unreachable(unreachableCode(code), quoted),
    });
    const flow: Flow = { expires: 0, send: (data) => socket.send(Buffer.from(data)), close: () => socket.close() };
    this.#add(key, flow);
    return flow;
  }

  #deliver(guest: Ipv4Address, guestPort: number, remote: Ipv4Address, remotePort: number, data: Buffer): void {
    if (data.length > UDP_DATA_LIMIT) return;
    const message = { source: remote, destination: guest, protocol: PROTOCOL.UDP };
    this.#context.send(message, buildUdp(remote, remotePort, guest, guestPort, data));
  }

  #add(key: string, flow: Flow): void {
    const oldest = this.#flows.size >= FLOW_LIMIT ? this.#flows.keys().next().value : undefined;
    if (oldest !== undefined) this.#remove(oldest);
    flow.expires = this.#context.clock() + LIFETIME_MS;
    this.#flows.set(key, flow);
  }

  /** The flow, with its life begun anew. */
  #use(key: string): Flow | undefined {
    const flow = this.#flows.get(key);
    if (flow === undefined) return undefined;
    this.#flows.delete(key);
    flow.expires = this.#context.clock() + LIFETIME_MS;
    this.#flows.set(key, flow);
    return flow;
  }

  #remove(key: string): void {
    const flow = this.#flows.get(key);
    this.#flows.delete(key);
    flow?.close();
  }

  /** A port of the router from which nothing goes to this port of the guest yet. */
  #freeKey(guest: Ipv4Address, guestPort: number): string {
    const start = this.#context.random32() % EPHEMERAL_PORTS;
    for (let offset = 0; offset <= FLOW_LIMIT; offset++) {
      const key = keyOf(guest, guestPort, GATEWAY, FIRST_EPHEMERAL_PORT + ((start + offset) % EPHEMERAL_PORTS));
      if (!this.#flows.has(key)) return key;
    }
    // There are fewer flows than ports tried.
    throw new Error('no port is free');
  }
}

function keyOf(guest: Ipv4Address, guestPort: number, remote: Ipv4Address, remotePort: number): string {
  return `${guest} ${guestPort} ${remote} ${remotePort}`;
}
