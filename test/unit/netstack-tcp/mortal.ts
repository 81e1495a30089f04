/**
 * A host in the simulated net whose network stack dies, again and again, between any two of its effects: a put or
 * delete in the store, a segment sent, an answer to a program. What lives on is the store, the program with its
 * positions in the streams, and the requests of the program that have no answer: they come again.
 */
import { SystemError } from '../../../protocol/errno.ts';
import type { TcpConnection } from '../../../services/netstack/tcp/connection.ts';
import type { Endpoint, Keeper } from '../../../services/netstack/tcp/environment.ts';
import { TcpLayer } from '../../../services/netstack/tcp/layer.ts';
import type { TcpListener } from '../../../services/netstack/tcp/listener.ts';
import { parseTcp, sequenceDifference } from '../../../wire/tcp.ts';
import { Death } from '../../support/memory-keeper.ts';
import type { Host, SimulatedNet } from './simulated-net.ts';

/** What a program does with its connection. */
export interface Plan {
  /** Bytes it sends, before it shuts its direction down. */
  readonly sends: Buffer;
  /** Bytes of each of its requests, at most. */
  readonly sendMost: number;
  readonly receiveMost: number;
  /** Milliseconds between a receive's answer and the next request. */
  readonly pause: number;
}

const SHIFT = 3;

/** See the head of this file. */
export class MortalHost implements Host {
  readonly address: number;
  layer: TcpLayer;
  /** Effects until the next death, and how many there were at all. */
  lives = Number.POSITIVE_INFINITY;
  effects = 0;
  deaths = 0;
  /** A death came when the connection was not established at this end: it may be lost then. */
  diedEarly = false;
  private readonly net: SimulatedNet;
  private readonly store = new Map<string, unknown>();
  private readonly plan: Plan;
  private readonly peer: Endpoint | null;
  private readonly port: number;
  private nextLife: () => number = () => Number.POSITIVE_INFINITY;
  // The program.
  connected = false;
  readonly received: Buffer[] = [];
  receiveOffset = 0;
  sendOffset = 0;
  sawEnd = false;
  didShutdown = false;
  failure: string | null = null;
  private receiveAgainAt = 0;
  private closed = false;
  // This life of the stack.
  private connection: TcpConnection | null = null;
  private listener: TcpListener | null = null;
  /** It has just started, and not looked at what waits. */
  private fresh = true;
  /** The right edge and the acknowledgement that were last announced, by connection. */
  private readonly announced = new Map<number, { edge: number; acknowledgment: number }>();

  constructor(net: SimulatedNet, address: number, plan: Plan, role: { listen: number } | { connect: Endpoint }) {
    this.net = net;
    this.address = address;
    this.plan = plan;
    this.peer = 'connect' in role ? role.connect : null;
    this.port = 'listen' in role ? role.listen : 0;
    this.layer = this.boot();
    net.stations.push(this);
  }

  /** From now on each life has so many effects. */
  mortal(nextLife: () => number): void {
    this.nextLife = nextLife;
    this.lives = nextLife();
  }

  private effect(): void {
    this.effects++;
    if (this.lives-- <= 0) throw new Death('the process has died');
  }

  private get keeper(): Keeper {
    return {
      put: (key, value) => {
        this.effect();
        this.store.set(key, value instanceof Uint8Array ? Buffer.from(value) : structuredClone(value));
      },
      delete: (key) => {
        this.effect();
        this.store.delete(key);
      },
      get: (key) => this.store.get(key),
      keys: () => [...this.store.keys()],
    };
  }

  /** Keys of the store that belong to connections. */
  get keptKeys(): string[] {
    return [...this.store.keys()].filter((key) => /^tcp\.\d/.test(key));
  }

  private boot(): TcpLayer {
    const { net, address } = this;
    return new TcpLayer({
      output: (packet) => {
        this.effect();
        this.check(packet.payload, packet.destination);
        net.send(this, packet);
      },
      sourceFor: () => ({ address, mtu: 1500 }),
      random: (count) => net.random.bytes(count),
      keeper: this.keeper,
      pathMtu: () => 1500,
      mayOutput: () => true,
    });
  }

  /** Neither the acknowledgement nor the edge of the window ever goes back, whoever has died. */
  private check(bytes: Buffer, destination: number): void {
    const segment = parseTcp(bytes, this.address, destination);
    if (segment === null) throw new Error('a malformed segment');
    if (segment.flags & 0x06 || !(segment.flags & 0x10)) return;
    const edge = (segment.acknowledgment + segment.window * 2 ** SHIFT) >>> 0;
    const before = this.announced.get(segment.sourcePort);
    const { acknowledgment } = segment;
    if (before !== undefined) {
      if (sequenceDifference(edge, before.edge) < 0) throw new Error('the window has shrunk');
      if (sequenceDifference(acknowledgment, before.acknowledgment) < 0)
        throw new Error('an acknowledgement went back');
    }
    this.announced.set(segment.sourcePort, { edge, acknowledgment });
  }

  input(source: number, destination: number, bytes: Buffer, now: number): void {
    this.living(() => this.layer.input(source, destination, bytes, now));
  }

  deadline(): number {
    if (this.fresh) return this.net.now;
    const waiting = this.receiveAgainAt > this.net.now ? this.receiveAgainAt : Number.POSITIVE_INFINITY;
    return Math.min(this.layer.deadline(), waiting);
  }

  turn(now: number): void {
    this.living(() => {
      this.fresh = false;
      this.work(now);
      if (this.layer.deadline() <= now) this.layer.advance(now);
    });
  }

  private living(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      this.deaths++;
      const state = this.connection?.state;
      if (state === undefined || state === 'syn-sent' || state === 'syn-received') this.diedEarly = true;
      this.restart();
    }
  }

  /** The next process. It may die while it starts, too. */
  private restart(): void {
    this.fresh = true;
    for (;;) {
      this.lives = this.nextLife();
      try {
        this.connection = null;
        this.listener = null;
        this.layer = this.boot();
        this.layer.restore(this.net.now);
        const id = this.store.get('socket');
        if (typeof id === 'number') {
          this.connection = this.layer.adopt(id) ?? null;
          if (this.connection === null && this.connected) this.fail('ECONNRESET');
        }
        // That the program has gone is found out again.
        if (this.closed) this.connection?.close(null, this.net.now);
        if (this.port !== 0) this.listener = this.layer.listen({ address: 0, port: this.port }, 4);
        this.layer.settle(this.net.now);
        return;
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        this.deaths++;
      }
    }
  }

  private fail(reason: string): void {
    this.failure ??= reason;
  }

  get finished(): boolean {
    return this.failure !== null || (this.didShutdown && this.sawEnd);
  }

  /** What the service does with the requests that wait. */
  private work(now: number): void {
    if (this.failure !== null || this.closed) return;
    this.begin(now);
    const { connection } = this;
    if (connection === null || connection.state === 'syn-sent' || connection.state === 'syn-received') return;
    try {
      if (!this.connected) {
        if (connection.error !== null) throw new SystemError(connection.error);
        this.effect();
        this.connected = true;
      }
      this.sendSome(connection);
      this.receiveSome(connection, now);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.fail(error.code);
    }
  }

  private begin(now: number): void {
    if (this.peer !== null && this.connection === null) {
      // The request to connect: it comes again, and begins anew.
      this.connection = this.layer.connect({ address: this.address, port: 0 }, this.peer, now);
      this.keeper.put('socket', this.connection.id);
    } else if (this.port !== 0) {
      this.listener ??= this.layer.listen({ address: 0, port: this.port }, 4);
      if (this.connection !== null) return;
      const connection = this.listener.accept();
      if (connection === undefined) return;
      this.keeper.put('socket', connection.id);
      this.connection = connection;
    }
  }

  private sendSome(connection: TcpConnection): void {
    const { sends, sendMost } = this.plan;
    while (this.sendOffset < sends.length) {
      const data = sends.subarray(this.sendOffset, this.sendOffset + sendMost);
      const taken = connection.write(this.sendOffset, data);
      if (taken === 0) return;
      this.effect();
      this.sendOffset += taken;
    }
    if (this.didShutdown) return;
    connection.closeSend();
    this.effect();
    this.didShutdown = true;
  }

  private receiveSome(connection: TcpConnection, now: number): void {
    while (!this.sawEnd && now >= this.receiveAgainAt) {
      const data = connection.read(this.receiveOffset, this.plan.receiveMost, now);
      if (data === 'wait') return;
      this.effect();
      if (data === 'end') this.sawEnd = true;
      else {
        this.received.push(data);
        this.receiveOffset += data.length;
        this.receiveAgainAt = now + this.plan.pause;
      }
    }
  }

  close(now: number): void {
    this.living(() => {
      this.closed = true;
      this.connection?.close(null, now);
      this.layer.advance(now);
    });
  }
}
