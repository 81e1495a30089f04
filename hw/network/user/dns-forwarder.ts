/**
 * The name server 10.0.2.3: passes queries on to the host's name servers, one after the other until one answers.
 *
 * Read: RFC 1035, 4; RFC 5625 (what a forwarder owes: messages pass as they are, extensions and all).
 */

import type { Ipv4Address } from '../../../wire/address.ts';
import { buildDnsError, DNS_ERROR, DNS_PORT, parseDnsHeader, questionEnd } from '../../../wire/dns.ts';
import { PROTOCOL } from '../../../wire/ipv4.ts';
import { buildUdp, UDP_DATA_LIMIT } from '../../../wire/udp.ts';
import type { HostDatagrams } from './host.ts';
import { NAME_SERVER } from './layout.ts';
import type { NatContext } from './nat-context.ts';

const QUERY_LIMIT = 64;
/** How long a name server may take before the next one is asked; and how many are. */
const SERVER_MS = 3000;
const SERVER_LIMIT = 3;

interface Query {
  readonly message: Buffer;
  readonly guest: Ipv4Address;
  readonly guestPort: number;
  /** Name servers that have not been asked. */
  readonly servers: string[];
  socket: HostDatagrams | null;
  deadline: number;
}

export class DnsForwarder {
  readonly #context: NatContext;
  /** By who asks and the identifier; those whose server was asked first come first. */
  readonly #queries = new Map<string, Query>();

  constructor(context: NatContext) {
    this.#context = context;
  }

  get nextTimeout(): number {
    return this.#queries.values().next().value?.deadline ?? Infinity;
  }

  advance(now: number): void {
    // Asking the next server puts a query behind the others.
    for (const [key, query] of [...this.#queries]) {
      if (query.deadline > now) break;
      this.#askNext(key, query);
    }
  }

  /** A datagram from the guest to port 53. */
  receive(guest: Ipv4Address, guestPort: number, data: Buffer): void {
    const header = parseDnsHeader(data);
    if (header === null || header.response) return;
    if (questionEnd(data) === null) {
      this.#answer(guest, guestPort, buildDnsError(data, DNS_ERROR.FORMAT));
      return;
    }
    const key = `${guest} ${guestPort} ${header.identifier}`;
    // Asked again before there is an answer: that one is for both.
    if (this.#queries.has(key)) return;
    const oldest = this.#queries.size >= QUERY_LIMIT ? this.#queries.entries().next().value : undefined;
    if (oldest !== undefined) this.#fail(...oldest);
    const servers = this.#context.restricted ? [] : this.#context.host.nameServers().slice(0, SERVER_LIMIT);
    const query: Query = { message: Buffer.from(data), guest, guestPort, servers, socket: null, deadline: 0 };
    this.#queries.set(key, query);
    this.#askNext(key, query);
  }

  close(): void {
    for (const query of this.#queries.values()) query.socket?.close();
    this.#queries.clear();
  }

  #askNext(key: string, query: Query): void {
    query.socket?.close();
    query.socket = null;
    const address = query.servers.shift();
    if (address === undefined) {
      this.#fail(key, query);
      return;
    }
    query.deadline = this.#context.clock() + SERVER_MS;
    this.#queries.delete(key);
    this.#queries.set(key, query);
    const socket: HostDatagrams = this.#context.host.connectDatagrams(
      { address, port: DNS_PORT },
      {
        data: (data) => {
          if (query.socket === socket) this.#takeAnswer(key, query, data);
        },
        failed: () => {
          if (query.socket === socket) this.#askNext(key, query);
        },
      },
    );
    query.socket = socket;
    socket.send(query.message);
  }

  #takeAnswer(key: string, query: Query, data: Buffer): void {
    const header = parseDnsHeader(data);
    if (header === null || !header.response || data.length > UDP_DATA_LIMIT) return;
    if (header.identifier !== query.message.readUInt16BE(0)) return;
    this.#end(key, query);
    this.#answer(query.guest, query.guestPort, data);
  }

  #fail(key: string, query: Query): void {
    this.#end(key, query);
    this.#answer(query.guest, query.guestPort, buildDnsError(query.message, DNS_ERROR.SERVER));
  }

  #end(key: string, query: Query): void {
    query.socket?.close();
    query.socket = null;
    this.#queries.delete(key);
  }

  #answer(guest: Ipv4Address, guestPort: number, message: Buffer): void {
    const datagram = buildUdp(NAME_SERVER, DNS_PORT, guest, guestPort, message);
    this.#context.send({ source: NAME_SERVER, destination: guest, protocol: PROTOCOL.UDP }, datagram);
  }
}
