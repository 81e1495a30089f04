/**
 * TCP between the guest and the host's sockets: which segment belongs to which flow, and how many there can be.
 *
 * Read: RFC 9293, 3.10.7.1 (segments of no connection); RFC 5382 (what a NAT owes to TCP).
 */

import type { Ipv4Address } from '../../../wire/address.ts';
import { UNREACHABLE } from '../../../wire/icmp.ts';
import { type Ipv4Packet, PROTOCOL } from '../../../wire/ipv4.ts';
import { buildTcp, FLAG, parseTcp, sequenceAdd, type TcpSegment } from '../../../wire/tcp.ts';
import type { Endpoint } from '../options.ts';
import { destinationOf, unreachableCode } from './destination.ts';
import type { HostStream, HostStreamHandler } from './host.ts';
import { GATEWAY } from './layout.ts';
import type { NatContext } from './nat-context.ts';
import { TcpConnection, type TcpOwner } from './tcp-connection.ts';
import { TcpFlow } from './tcp-flow.ts';

/** Flows at the same time, with those of which only the host's side is left. */
const FLOW_LIMIT = 512;
const FIRST_EPHEMERAL_PORT = 49_152;
const EPHEMERAL_PORTS = 16_384;

/** Both ends of a connection, from the guest's point of view. */
interface Ends {
  readonly guest: Ipv4Address;
  readonly guestPort: number;
  readonly remote: Ipv4Address;
  readonly remotePort: number;
}

export class TcpNat {
  readonly #context: NatContext;
  /** Flows whose guest side is there, by their ends. */
  readonly #byEnds = new Map<string, TcpFlow>();
  /** All flows, the oldest first. */
  readonly #flows = new Set<TcpFlow>();
  /** No deadline of any flow is before this. */
  #wake = Infinity;
  refused = 0;

  constructor(context: NatContext) {
    this.#context = context;
  }

  get nextTimeout(): number {
    return this.#wake;
  }

  get size(): number {
    return this.#flows.size;
  }

  advance(now: number): void {
    if (now < this.#wake) return;
    for (const flow of this.#flows) if (flow.nextTimeout <= now) flow.advance(now);
    this.#wake = Infinity;
    for (const flow of this.#flows) this.#wake = Math.min(this.#wake, flow.nextTimeout);
  }

  /** A packet from the guest. */
  receive(packet: Ipv4Packet): void {
    const segment = parseTcp(packet.payload, packet.source, packet.destination);
    if (segment === null) return;
    const ends: Ends = {
      guest: packet.source,
      guestPort: segment.sourcePort,
      remote: packet.destination,
      remotePort: segment.destinationPort,
    };
    const flow = this.#byEnds.get(keyOf(ends));
    const opens = (segment.flags & (FLAG.SYN | FLAG.ACK | FLAG.RST)) === FLAG.SYN;
    // The guest uses an old pair of ports again (RFC 9293, 3.6.1).
    if (flow?.connection?.state === 'time-wait' && opens) flow.abort();
    else if (flow !== undefined) {
      flow.receive(segment);
      return;
    }
    if (opens) this.#open(ends, segment, packet);
    else this.#reset(ends, segment);
  }

  /** A connection that came to one of the host's ports. @param take ties the socket to its handler */
  forward(guest: Endpoint & { readonly ipv4: Ipv4Address }, take: (handler: HostStreamHandler) => HostStream): void {
    const port = this.#freePort(guest.ipv4, guest.port);
    const ends: Ends = { guest: guest.ipv4, guestPort: guest.port, remote: GATEWAY, remotePort: port };
    const flow = this.#makeRoom() ? this.#create(ends, () => {}) : null;
    if (flow === null) {
      this.refused++;
      take(IGNORE).destroy();
      return;
    }
    const settings = this.#settings(ends);
    flow.fromHost(take, (owner) => TcpConnection.open(settings, owner, this.#context.clock()));
  }

  /** Ends every flow. */
  close(): void {
    for (const flow of [...this.#flows]) flow.abort();
  }

  #open(ends: Ends, syn: TcpSegment, packet: Ipv4Packet): void {
    const { restricted, host } = this.#context;
    const destination = destinationOf(ends.remote, ends.remotePort, restricted, () => host.nameServers()[0]);
    if (destination === null) return;
    if (typeof destination === 'number' || !this.#makeRoom()) {
      this.refused++;
      this.#reset(ends, syn);
      return;
    }
    const quoted = Buffer.from(packet.bytes);
    const flow = this.#create(ends, (code) => {
      const unreachable = unreachableCode(code);
      if (unreachable === UNREACHABLE.PORT) this.#reset(ends, syn);
      else this.#context.unreachable(unreachable, quoted);
    });
    // The segment is a view of the frame, which is not ours to keep.
    const kept = { ...syn, data: Buffer.alloc(0) };
    const accept = (owner: TcpOwner): TcpConnection =>
      TcpConnection.accept(this.#settings(ends), owner, kept, this.#context.clock());
    flow.fromGuest((handler) => host.connectStream(destination, handler), accept);
  }

  #create(ends: Ends, refused: (code: string) => void): TcpFlow {
    const key = keyOf(ends);
    const message = { source: ends.remote, destination: ends.guest, protocol: PROTOCOL.TCP };
    const flow: TcpFlow = new TcpFlow({
      clock: this.#context.clock,
      send: (segment) => this.#context.send(message, buildTcp(ends.remote, ends.guest, segment)),
      touched: () => {
        this.#wake = Math.min(this.#wake, flow.nextTimeout);
      },
      guestEnded: () => this.#byEnds.delete(key),
      ended: () => {
        this.#flows.delete(flow);
        if (this.#flows.size === 0) this.#wake = Infinity;
      },
      refused,
    });
    this.#byEnds.set(key, flow);
    this.#flows.add(flow);
    return flow;
  }

  #settings(ends: Ends): { localPort: number; peerPort: number; initialSequence: number } {
    return { localPort: ends.remotePort, peerPort: ends.guestPort, initialSequence: this.#context.random32() };
  }

  /** Whether there is room for one more flow, if need be in the place of one that nobody misses. */
  #makeRoom(): boolean {
    if (this.#flows.size < FLOW_LIMIT) return true;
    for (const flow of this.#flows) {
      if (!flow.lingering && flow.connection?.state !== 'time-wait') continue;
      flow.abort();
      return true;
    }
    return false;
  }

  /** A port of the router from which nothing goes to this port of the guest yet. */
  #freePort(guest: Ipv4Address, guestPort: number): number {
    const start = this.#context.random32() % EPHEMERAL_PORTS;
    for (let offset = 0; offset < FLOW_LIMIT; offset++) {
      const remotePort = FIRST_EPHEMERAL_PORT + ((start + offset) % EPHEMERAL_PORTS);
      if (!this.#byEnds.has(keyOf({ guest, guestPort, remote: GATEWAY, remotePort }))) return remotePort;
    }
    // There are fewer flows than ports tried.
    throw new Error('no port is free');
  }

  /** The answer to a segment that belongs to no connection. */
  #reset(ends: Ends, segment: TcpSegment): void {
    if ((segment.flags & FLAG.RST) !== 0) return;
    const acknowledges = (segment.flags & FLAG.ACK) !== 0;
    const length =
      segment.data.length + ((segment.flags & FLAG.SYN) === 0 ? 0 : 1) + ((segment.flags & FLAG.FIN) === 0 ? 0 : 1);
    const reset: TcpSegment = {
      sourcePort: ends.remotePort,
      destinationPort: ends.guestPort,
      sequence: acknowledges ? segment.acknowledgment : 0,
      acknowledgment: acknowledges ? 0 : sequenceAdd(segment.sequence, length),
      flags: acknowledges ? FLAG.RST : FLAG.RST | FLAG.ACK,
      window: 0,
      segmentSize: undefined,
      windowShift: undefined,
      data: Buffer.alloc(0),
    };
    const message = { source: ends.remote, destination: ends.guest, protocol: PROTOCOL.TCP };
    this.#context.send(message, buildTcp(ends.remote, ends.guest, reset));
  }
}

/** Of a connection that is refused nobody wants to hear. */
const IGNORE: HostStreamHandler = {
  connected: () => {},
  data: () => {},
  drained: () => {},
  ended: () => {},
  closed: () => {},
  failed: () => {},
};

function keyOf(ends: Ends): string {
  return `${ends.guest} ${ends.guestPort} ${ends.remote} ${ends.remotePort}`;
}
