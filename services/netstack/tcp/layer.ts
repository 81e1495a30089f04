/**
 * TCP: finds the connection of a segment, makes connections and listeners, and runs their timers. Read RFC 9293;
 * docs/tcp.md has the argument about deaths.
 *
 * A turn of the stack: any number of `input`, `write`, `read` ..., then answers are written to the pipe, then `advance`
 * sends what is due. So an acknowledgement leaves behind the answer that handed its bytes out.
 *
 * After a death: `restore`, then `adopt` each connection that a socket is known for, then `listen` again (connections
 * that waited to be accepted are in its queue again), then
 * `settle`, which resets what nobody has asked for.
 */
import { type ErrorName, SystemError } from '../../../protocol/errno.ts';
import type { Ipv4Address } from '../../../wire/address.ts';
import { buildTcp, FLAG, parseTcp, sequenceAdd, sequenceDifference, type TcpSegment } from '../../../wire/tcp.ts';
import { TcpConnection, type TcpState } from './connection.ts';
import { ConnectionTable } from './connection-table.ts';
import type { Beginning, TcpContext } from './control-block.ts';
import { type Endpoint, TCP_HEADROOM_BYTES, type TcpEnvironment } from './environment.ts';
import { InitialSequence } from './initial-sequence.ts';
import * as limit from './limits.ts';
import { TcpListener } from './listener.ts';
import { RateLimit } from './rate-limit.ts';
import { loadConnections } from './record.ts';

export type UnreachableKind = 'net' | 'host' | 'port' | 'protocol' | 'fragmentation';

/** A row of netstat. */
export interface TcpRow {
  /** 0: a listener. */
  readonly id: number;
  readonly state: TcpState | 'listen';
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Bytes; of a listener: connections that wait, and how many may. */
  readonly receiveQueue: number;
  readonly sendQueue: number;
}

/** Ports that are chosen by us: RFC 6056, 3.2, wants many. */
const FIRST_EPHEMERAL_PORT = 32768;
const EPHEMERAL_PORTS = 65536 - FIRST_EPHEMERAL_PORT;

const REASONS: Readonly<Record<Exclude<UnreachableKind, 'fragmentation'>, ErrorName>> = {
  net: 'ENETUNREACH',
  host: 'EHOSTUNREACH',
  port: 'ECONNREFUSED',
  protocol: 'ECONNREFUSED',
};

const NO_END: Endpoint = { address: 0, port: 0 };
const EMPTY = Buffer.alloc(0);

const newCounters = () => ({
  segmentsReceived: 0,
  segmentsSent: 0,
  malformed: 0,
  resetsReceived: 0,
  resetsSent: 0,
  connectionsOpened: 0,
  connectionsAccepted: 0,
  connectionsRestored: 0,
  synsDropped: 0,
  retransmitted: 0,
  timeouts: 0,
  recoveries: 0,
  probes: 0,
  challenges: 0,
});

/** See the head of this file. */
export class TcpLayer {
  private readonly environment: TcpEnvironment;
  private readonly context: TcpContext;
  private readonly table = new ConnectionTable();
  /** All that an owner may ask for, those that are over included. */
  private readonly byId = new Map<number, TcpConnection>();
  private readonly listeners = new Map<string, TcpListener>();
  private readonly half = new Set<TcpConnection>();
  /** Without an owner: in TIME-WAIT, and in other states; who has been so for the longest first. */
  private readonly timeWait = new Set<TcpConnection>();
  private readonly orphans = new Set<TcpConnection>();
  /** Of an earlier incarnation, and nobody has asked for them yet. */
  private readonly unclaimed = new Set<TcpConnection>();
  /** Connections with something to do now, and when the next of the others has. */
  private readonly touched = new Set<TcpConnection>();
  private earliest = Number.POSITIVE_INFINITY;
  private growthLeft = limit.GROWTH_POOL_BYTES;
  private readonly sequences: InitialSequence;
  private readonly challenges: RateLimit;
  private readonly resets = new RateLimit(() => limit.RESETS_A_SECOND);
  private readonly counts = newCounters();

  constructor(environment: TcpEnvironment) {
    this.environment = environment;
    this.sequences = new InitialSequence(environment.keeper, environment.random);
    // Nobody can count what others get (RFC 5961, 7, and what was found about it later).
    this.challenges = new RateLimit(
      () => limit.ALL_CHALLENGES_A_SECOND / 2 + this.random(limit.ALL_CHALLENGES_A_SECOND),
    );
    this.context = this.makeContext();
  }

  private makeContext(): TcpContext {
    const known = (id: number): TcpConnection | undefined => this.byId.get(id);
    return {
      environment: this.environment,
      counters: this.counts,
      touched: ({ id }) => {
        const connection = known(id);
        if (connection !== undefined) this.touched.add(connection);
      },
      refuse: (local, remote, segment, now) => this.refuse(local, remote, segment, now),
      mayChallenge: (now) => this.challenges.allows(now),
      mayEstablish: ({ id, listener }) => {
        const queue = listener === null ? undefined : this.listenerAt(listener);
        return known(id) !== undefined && queue !== undefined && !queue.isFull;
      },
      established: ({ id, listener }) => {
        const connection = known(id);
        if (connection === undefined || listener === null) return;
        this.half.delete(connection);
        this.counts.connectionsAccepted++;
        this.listenerAt(listener)?.arrived(connection);
      },
      goesOnAlone: ({ id }) => {
        const connection = known(id);
        if (connection !== undefined) this.setAside(connection);
      },
      ended: ({ id }, forgotten) => {
        const connection = known(id);
        if (connection !== undefined) this.ended(connection, forgotten);
      },
      growth: (bytes) => this.grow(bytes),
    };
  }

  /** A connection that nobody has any more. */
  private setAside(connection: TcpConnection): void {
    if (connection.state !== 'time-wait') {
      this.orphans.add(connection);
      return;
    }
    this.orphans.delete(connection);
    this.timeWait.add(connection);
    if (this.timeWait.size <= limit.MAX_TIME_WAIT) return;
    const [oldest] = this.timeWait;
    oldest?.drop();
  }

  private ended(connection: TcpConnection, forgotten: boolean): void {
    this.table.delete(connection);
    this.touched.delete(connection);
    this.timeWait.delete(connection);
    this.orphans.delete(connection);
    this.half.delete(connection);
    if (connection.listener !== null) this.listenerAt(connection.listener)?.gone(connection);
    if (forgotten) this.byId.delete(connection.id);
  }

  private grow(bytes: number): boolean {
    if (bytes > this.growthLeft) return false;
    this.growthLeft -= bytes;
    return true;
  }

  /** A number from 0 up to but not including `limit`, which is at most 2^32. */
  private random(below: number): number {
    return Buffer.from(this.environment.random(4)).readUInt32LE(0) % below;
  }

  private listenerAt({ address, port }: Endpoint): TcpListener | undefined {
    return this.listeners.get(`${address}:${port}`);
  }

  /** Names of counters as netstat shows them. */
  get counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(Object.entries(this.counts).map(([name, value]) => [`tcp.${name}`, value]));
  }

  // Segments.

  /** A segment for one of our unicast addresses. Its bytes are not kept. */
  input(source: Ipv4Address, destination: Ipv4Address, bytes: Buffer, now: number): void {
    const segment = parseTcp(bytes, source, destination);
    // Nobody answers to groups (RFC 1122, 4.2.3.10).
    if (segment === null || source === 0 || source >>> 28 >= 0xe) {
      this.counts.malformed++;
      return;
    }
    this.counts.segmentsReceived++;
    const { sourcePort, destinationPort } = segment;
    const connection = this.table.find(destination, destinationPort, source, sourcePort);
    const reopened = connection !== undefined && this.reopens(connection, segment);
    if (connection !== undefined && !reopened) {
      connection.input(segment, now);
      return;
    }
    const local = { address: destination, port: destinationPort };
    const remote = { address: source, port: sourcePort };
    const listener = this.listenerFor(local);
    if (listener === undefined) this.refuse(local, remote, segment, now);
    else this.inListen(listener, local, remote, segment, now, reopened ? connection.successor : undefined);
  }

  private listenerFor(local: Endpoint): TcpListener | undefined {
    return this.listenerAt(local) ?? this.listenerAt({ address: 0, port: local.port });
  }

  /** A new connection in the place of one in TIME-WAIT (RFC 9293, 3.10.7.4, and RFC 6191). */
  private reopens(connection: TcpConnection, segment: TcpSegment): boolean {
    if (connection.state !== 'time-wait') return false;
    if ((segment.flags & (FLAG.SYN | FLAG.ACK | FLAG.RST)) !== FLAG.SYN) return false;
    if (this.listenerFor(connection.local) === undefined || !connection.canBeFollowedBy(segment)) return false;
    connection.drop();
    return true;
  }

  /** RFC 9293, 3.10.7.2. */
  private inListen(
    listener: TcpListener,
    local: Endpoint,
    remote: Endpoint,
    segment: TcpSegment,
    now: number,
    least?: number,
  ): void {
    const { flags } = segment;
    if (flags & FLAG.RST) return;
    if (flags & FLAG.ACK) {
      this.refuse(local, remote, segment, now);
      return;
    }
    if (!(flags & FLAG.SYN)) return;
    if (listener.isFull || !this.hasRoom(now)) {
      // The peer asks again.
      this.counts.synsDropped++;
      return;
    }
    const beginning = this.beginning(local, remote, listener.local, now, least);
    const connection = TcpConnection.accept(this.context, beginning, segment, now);
    this.register(connection);
    this.half.add(connection);
    listener.begun(connection);
  }

  /**
   * Whether there is room for one more connection. If need be, the one makes room whose owner has gone for the longest:
   * or peers that take nothing could keep all others out.
   */
  private hasRoom(now: number): boolean {
    if (this.byId.size - this.half.size - this.timeWait.size < limit.MAX_CONNECTIONS) return true;
    const [oldest] = this.orphans;
    oldest?.abort(now);
    return oldest !== undefined;
  }

  /** `least`: the initial sequence number is not before this one. */
  private beginning(
    local: Endpoint,
    remote: Endpoint,
    listener: Endpoint | null,
    now: number,
    least?: number,
  ): Beginning {
    let id = 0;
    do id = Buffer.from(this.environment.random(6)).readUIntLE(0, 6);
    while (id === 0 || this.byId.has(id));
    const usual = this.sequences.next(local, remote, now);
    const initial = least !== undefined && sequenceDifference(usual, least) < 0 ? least : usual;
    return { id, local, remote, listener, initial, timestampOffset: this.random(2 ** 32) };
  }

  private register(connection: TcpConnection): void {
    this.byId.set(connection.id, connection);
    if (connection.state !== 'closed') this.table.add(connection);
    this.touched.add(connection);
  }

  /** A reset for a segment that belongs to nothing here (RFC 9293, 3.10.7.1). */
  private refuse(local: Endpoint, remote: Endpoint, segment: TcpSegment, now: number): void {
    const { flags } = segment;
    if (flags & FLAG.RST || !this.resets.allows(now)) return;
    const length = segment.data.length + (flags & FLAG.SYN ? 1 : 0) + (flags & FLAG.FIN ? 1 : 0);
    const acknowledges = (flags & FLAG.ACK) !== 0;
    const packet = buildTcp(
      local.address,
      remote.address,
      {
        sourcePort: local.port,
        destinationPort: remote.port,
        sequence: acknowledges ? segment.acknowledgment : 0,
        acknowledgment: acknowledges ? 0 : sequenceAdd(segment.sequence, length),
        flags: acknowledges ? FLAG.RST : FLAG.RST | FLAG.ACK,
        window: 0,
        segmentSize: undefined,
        windowShift: undefined,
        data: EMPTY,
      },
      TCP_HEADROOM_BYTES,
    );
    this.counts.resetsSent++;
    this.counts.segmentsSent++;
    this.environment.output({
      source: local.address,
      destination: remote.address,
      timeToLive: 64,
      typeOfService: 0,
      dontFragment: true,
      payload: packet.subarray(TCP_HEADROOM_BYTES),
      packet,
    });
  }

  /**
   * An ICMP error about a segment of ours: its ends, and its sequence number. Before 'fragmentation' `pathMtu` of the
   * environment has to answer the new value.
   */
  unreachable(kind: UnreachableKind, local: Endpoint, remote: Endpoint, sequence: number): void {
    const connection = this.table.get(local, remote);
    if (connection === undefined || !connection.isUnderWay(sequence)) return;
    if (kind === 'fragmentation') connection.pathChanged();
    else connection.unreachable(REASONS[kind]);
  }

  /** Whether a segment between these ends with this sequence number is under way. */
  isUnderWay(local: Endpoint, remote: Endpoint, sequence: number): boolean {
    return this.table.get(local, remote)?.isUnderWay(sequence) === true;
  }

  // Owners.

  /**
   * Begins a connection. `local.port` 0: a free one is chosen. Throws SystemError: EADDRINUSE, EADDRNOTAVAIL (no port
   * is left), ENETUNREACH, EAGAIN (too many).
   */
  connect(local: Endpoint, remote: Endpoint, now: number): TcpConnection {
    if (this.environment.sourceFor(remote.address) === null) throw new SystemError('ENETUNREACH');
    const port = local.port === 0 ? this.ephemeralPort(local.address) : local.port;
    if (port === 0) throw new SystemError('EADDRNOTAVAIL', 'no port is left');
    const ours = { address: local.address, port };
    const before = this.table.get(ours, remote);
    if (before !== undefined && before.state !== 'time-wait') throw new SystemError('EADDRINUSE');
    if (!this.hasRoom(now)) throw new SystemError('EAGAIN', 'there are too many connections');
    before?.drop();
    const connection = TcpConnection.open(
      this.context,
      this.beginning(ours, remote, null, now, before?.successor),
      now,
    );
    this.register(connection);
    this.counts.connectionsOpened++;
    return connection;
  }

  /** Listens. EADDRINUSE; EAGAIN: there are too many listeners. */
  listen(local: Endpoint, backlog: number): TcpListener {
    const key = `${local.address}:${local.port}`;
    if (this.listeners.has(key)) throw new SystemError('EADDRINUSE');
    if (this.listeners.size >= limit.MAX_LISTENERS) throw new SystemError('EAGAIN', 'there are too many listeners');
    const listener = new TcpListener(local, backlog, () => this.listeners.delete(key));
    this.listeners.set(key, listener);
    for (const connection of this.unclaimed) {
      const through = connection.listener;
      if (through === null || through.address !== local.address || through.port !== local.port) continue;
      this.unclaimed.delete(connection);
      listener.arrived(connection);
    }
    return listener;
  }

  /**
   * Whether a socket can bind here: nobody listens or is connected on it. With `reuse` connections do not count;
   * without it not even those in TIME-WAIT may be there.
   */
  isPortFree(local: Endpoint, reuse = false): boolean {
    for (const { local: other } of this.listeners.values()) {
      const overlap = other.address === local.address || other.address === 0 || local.address === 0;
      if (other.port === local.port && overlap) return false;
    }
    return reuse || !this.table.uses(local);
  }

  /** A port that is free on this address and that is not `taken` (RFC 6056, 3.3.2: from a random one on). 0: none. */
  ephemeralPort(address: Ipv4Address, taken: (port: number) => boolean = () => false): number {
    const first = this.random(EPHEMERAL_PORTS);
    for (let count = 0; count < EPHEMERAL_PORTS; count++) {
      const port = FIRST_EPHEMERAL_PORT + ((first + count) % EPHEMERAL_PORTS);
      if (!taken(port) && this.isPortFree({ address, port })) return port;
    }
    return 0;
  }

  /** Takes up what an earlier incarnation has left; once, before anything else. */
  restore(now: number): readonly TcpConnection[] {
    for (const kept of loadConnections(this.environment.keeper)) {
      const connection = TcpConnection.restore(this.context, kept, now);
      this.register(connection);
      if (connection.isOrphan) this.setAside(connection);
      else this.unclaimed.add(connection);
      this.counts.connectionsRestored++;
    }
    return [...this.byId.values()];
  }

  /** The connection with this id, which has an owner from now on; undefined: it is gone. */
  adopt(id: number): TcpConnection | undefined {
    const connection = this.byId.get(id);
    if (connection === undefined || connection.isOrphan) return undefined;
    this.unclaimed.delete(connection);
    return connection;
  }

  /** Resets what nobody has asked for. */
  settle(now: number): void {
    for (const connection of this.unclaimed) connection.close(0, now);
    this.unclaimed.clear();
  }

  /** An address of ours went away: its connections end with ECONNABORTED, its listeners stay. */
  addressGone(address: Ipv4Address): void {
    for (const connection of [...this.table]) if (connection.local.address === address) connection.drop('ECONNABORTED');
  }

  // Time.

  /** Timers, and all output that is due. */
  advance(now: number): void {
    if (now >= this.earliest) this.findDue(now);
    const due = [...this.touched];
    this.touched.clear();
    for (const connection of due) {
      // Those that find the way full go on first when it has room.
      if (!this.environment.mayOutput()) this.touched.add(connection);
      else {
        connection.advance(now);
        this.earliest = Math.min(this.earliest, connection.deadline);
      }
    }
  }

  private findDue(now: number): void {
    this.earliest = Number.POSITIVE_INFINITY;
    for (const connection of this.table) {
      const { deadline } = connection;
      if (deadline <= now) this.touched.add(connection);
      else if (deadline < this.earliest) this.earliest = deadline;
    }
  }

  /** When `advance` has to be called: 0 when something is due now, Infinity when nothing is. */
  deadline(): number {
    return this.touched.size > 0 && this.environment.mayOutput() ? 0 : this.earliest;
  }

  list(): TcpRow[] {
    const rows: TcpRow[] = [];
    for (const { local, waiting, backlog } of this.listeners.values()) {
      rows.push({ id: 0, state: 'listen', local, remote: NO_END, receiveQueue: waiting.length, sendQueue: backlog });
    }
    for (const { id, state, local, remote, receiveQueue, sendQueue } of this.table) {
      rows.push({ id, state, local, remote, receiveQueue, sendQueue });
    }
    return rows;
  }
}
