/**
 * A net between two ends in memory, with faults by a seed: loss, duplication, reordering, delay, a rate, corruption, a
 * small MTU. Time is a number that only `run` moves.
 */
import type { TcpOutput } from '../../../services/netstack/tcp/environment.ts';
import { TcpLayer } from '../../../services/netstack/tcp/layer.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';
import type { Random } from '../../support/random.ts';

export interface Faults {
  /** Shares of packets, 0 to 1. */
  readonly loss?: number;
  readonly duplication?: number;
  readonly reordering?: number;
  readonly corruption?: number;
  /** One way, in milliseconds. */
  readonly delay?: number;
  /** Bytes a millisecond; 0 or undefined: no bound. */
  readonly rate?: number;
  /** Packets that wait for the rate at most. */
  readonly queue?: number;
  readonly mtu?: number;
}

interface Flight {
  readonly at: number;
  readonly order: number;
  readonly to: Host;
  readonly source: number;
  readonly destination: number;
  readonly bytes: Buffer;
}

/** Whatever is plugged into the net. */
export interface Host {
  readonly address: number;
  input(source: number, destination: number, bytes: Buffer, now: number): void;
  turn(now: number): void;
  deadline(): number;
}

/** A host with a layer, and a program as a function. */
export class Station implements Host {
  readonly address: number;
  readonly keeper: MemoryKeeper;
  readonly net: SimulatedNet;
  layer: TcpLayer;
  /** Called in each turn, before `advance`: the owner of the sockets. */
  program: (now: number) => void = () => {};
  /** Sees everything that it sends. */
  watch: (packet: TcpOutput) => void = () => {};

  constructor(net: SimulatedNet, address: number, keeper = new MemoryKeeper()) {
    this.net = net;
    this.address = address;
    this.keeper = keeper;
    this.layer = this.boot();
  }

  private boot(): TcpLayer {
    const { net } = this;
    const mtu = () => net.faults.mtu ?? 1500;
    return new TcpLayer({
      output: (packet) => {
        this.watch(packet);
        net.send(this, packet);
      },
      sourceFor: () => ({ address: this.address, mtu: mtu() }),
      random: (count) => net.random.bytes(count),
      keeper: this.keeper,
      pathMtu: mtu,
      mayOutput: () => true,
    });
  }

  input(source: number, destination: number, bytes: Buffer, now: number): void {
    this.layer.input(source, destination, bytes, now);
  }

  turn(now: number): void {
    this.program(now);
    if (this.layer.deadline() <= now) this.layer.advance(now);
  }

  deadline(): number {
    return this.layer.deadline();
  }
}

/** See the head of this file. */
export class SimulatedNet {
  now = 1000;
  readonly random: Random;
  faults: Faults;
  readonly stations: Host[] = [];
  private flights: Flight[] = [];
  private order = 0;
  dropped = 0;
  /** Packets by who sent them, and when the rate lets each send the next. */
  readonly sent = new Map<Host, number>();
  private readonly freeAt = new Map<Host, number>();

  constructor(random: Random, faults: Faults = {}) {
    this.random = random;
    this.faults = faults;
  }

  station(address: number): Station {
    const station = new Station(this, address);
    this.stations.push(station);
    return station;
  }

  send(from: Host, packet: TcpOutput): void {
    const { faults, random } = this;
    this.sent.set(from, (this.sent.get(from) ?? 0) + 1);
    const to = this.stations.find(({ address }) => address === packet.destination);
    if (to === undefined) return;
    const share = (value: number | undefined): boolean => value !== undefined && value > 0 && random.next() < value;
    if (share(faults.loss) || packet.payload.length + 20 > (faults.mtu ?? 1500)) {
      this.dropped++;
      return;
    }
    let at = this.now + (faults.delay ?? 0);
    if (faults.rate) {
      const start = Math.max(this.now, this.freeAt.get(from) ?? 0);
      const time = (packet.payload.length + 34) / faults.rate;
      if ((start - this.now) / time > (faults.queue ?? 1000)) {
        this.dropped++;
        return;
      }
      this.freeAt.set(from, start + time);
      at += start + time - this.now;
    }
    if (share(faults.reordering)) at += 1 + random.next() * 10;
    const bytes = Buffer.from(packet.payload);
    if (share(faults.corruption)) bytes[random.below(bytes.length)] = random.below(256);
    this.fly(to, packet, bytes, at);
    if (share(faults.duplication)) this.fly(to, packet, Buffer.from(bytes), at + random.next() * 5);
  }

  private fly(to: Host, { source, destination }: TcpOutput, bytes: Buffer, at: number): void {
    const flight = { at, order: this.order++, to, source, destination, bytes };
    let low = 0;
    let high = this.flights.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.flights[middle]?.at ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    this.flights.splice(low, 0, flight);
  }

  get inFlight(): number {
    return this.flights.length;
  }

  /** Delivers what has arrived, and lets everybody have a turn. */
  step(): void {
    let count = 0;
    while (count < this.flights.length && (this.flights[count]?.at ?? 0) <= this.now) count++;
    for (const { to, source, destination, bytes } of this.flights.splice(0, count)) {
      to.input(source, destination, bytes, this.now);
    }
    for (const station of this.stations) station.turn(this.now);
  }

  /** Runs until `done` or a time has passed; answers whether it was `done`. */
  run(done: () => boolean, atMost = 600_000): boolean {
    const end = this.now + atMost;
    for (let steps = 0; ; steps++) {
      this.step();
      if (done()) return true;
      const next = Math.min(
        this.flights[0]?.at ?? Number.POSITIVE_INFINITY,
        ...this.stations.map((station) => station.deadline()),
      );
      if (next > end) {
        this.now = end;
        return done();
      }
      if (next > this.now) {
        this.now = next;
        steps = 0;
      } else if (steps > 100_000) throw new Error(`the net does not come to rest at ${this.now}`);
    }
  }
}
