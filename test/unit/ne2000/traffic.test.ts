/**
 * Random traffic through the driver while it dies after any of its vectors: nothing comes twice, nothing is missing
 * that the cable has kept, nothing hangs.
 */
import { describe, expect, it } from 'vitest';
import { net, placedFrames } from '../../../protocol/net.ts';
import { TakenFrames } from '../../../services/ne2000/ring.ts';
import { Random } from '../../support/random.ts';
import { type Call, frame, Machine } from './machine.ts';

const SHORTEST = 60;
const LONGEST = 1514;

/** What a run does besides sending and receiving. */
interface Run {
  readonly steps: number;
  readonly dies: boolean;
  /** The cable lets frames wait. */
  readonly patient: boolean;
  /** One in so many blocks of the ring has a header changed; 0: none. */
  readonly corrupt: number;
}

class Traffic {
  readonly machine = new Machine();
  readonly received: number[] = [];
  /** Highest number that has gone each way. */
  inward = 0;
  outward = 0;
  readonly #random: Random;
  readonly #run: Run;
  readonly #badge: number;
  #receiving: Call | null = null;
  #sending: Call[] = [];
  /**
   * Deaths before the present request to receive began, and before the last that was answered: a ring is taken over
   * only once, so something is received between two deaths.
   */
  #deathsBefore = 0;
  #deathsAnswered = -1;

  constructor(random: Random, run: Run) {
    this.#random = random;
    this.#run = run;
    this.machine.patient = run.patient;
    this.machine.prompt = run.patient && random.below(2) === 0;
    this.machine.boot();
    this.#badge = this.machine.open();
    if (run.corrupt > 0) this.machine.onBlock = (target) => this.#spoil(target);
  }

  play(): void {
    for (let step = 0; step < this.#run.steps; step++) this.#step();
    this.machine.dieAfter = null;
    this.machine.onBlock = null;
    for (let turn = 0; turn < 20 + this.machine.onTheWay.length; turn++) this.#pump();
  }

  #step(): void {
    const { machine } = this;
    const random = this.#random;
    if (random.below(3) > 0) {
      const longest = random.pick([SHORTEST, 300, LONGEST]);
      const burst = Array.from({ length: random.below(30) }, () =>
        frame(SHORTEST + random.below(longest - SHORTEST + 1), ++this.inward),
      );
      machine.arrive(...burst);
    }
    if (this.#run.dies && this.#deathsAnswered === machine.deaths && machine.dieAfter === null && random.below(3) === 0)
      machine.dieAfter = random.below(12);
    this.#pump();
  }

  #pump(): void {
    const { machine } = this;
    const random = this.#random;
    if (this.#receiving === null && random.below(4) > 0)
      this.#receiving = machine.call('receive', undefined, this.#badge);
    if (this.#receiving?.deliveries === 0) this.#deathsBefore = machine.deaths;
    if (this.#sending.length < 2) {
      const batch = Array.from({ length: random.below(12) }, () =>
        frame(SHORTEST + random.below(1400), ++this.outward),
      );
      this.#sending.push(machine.call('transmit', batch, this.#badge));
    }
    machine.settle();
    this.#sending = this.#sending.filter((call) => !this.#finished(call));
    if (this.#receiving !== null && this.#finished(this.#receiving)) {
      for (const bytes of this.#receiving.frames) this.received.push(bytes.readUInt32BE(14));
      this.#receiving = null;
      this.#deathsAnswered = this.#deathsBefore;
    }
  }

  #finished(call: Call): boolean {
    if (call.error !== null) throw new Error(`${call.name}: ${call.error}`);
    return call.answered;
  }

  #spoil(target: Buffer): void {
    if (this.#random.below(this.#run.corrupt) > 0 || target.length === 32) return;
    const pages = target.length / 256;
    target.writeUInt32LE(this.#random.below(2 ** 32), this.#random.below(pages) * 256);
  }
}

const counting = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
const numbersSent = ({ machine }: Traffic): number[] => machine.sent.map((bytes) => bytes.readUInt32BE(14));
const rising = (numbers: readonly number[]): boolean =>
  numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));

describe('random traffic', () => {
  it('goes through whole and in order, round the ring again and again', () => {
    const random = new Random();
    const traffic = new Traffic(random, { steps: 400, dies: false, patient: true, corrupt: 0 });
    traffic.play();
    expect(traffic.received, `seed ${random.seed}`).toEqual(counting(traffic.inward));
    expect(numbersSent(traffic), `seed ${random.seed}`).toEqual(counting(traffic.outward));
    expect(traffic.machine.logLines.length).toBe(1);
  });

  it('goes through whole, and nothing twice, while the driver dies after any vector', () => {
    for (let round = 0; round < 5; round++) {
      const random = new Random();
      const traffic = new Traffic(random, { steps: 250, dies: true, patient: true, corrupt: 0 });
      traffic.play();
      expect(traffic.machine.deaths).toBeGreaterThan(10);
      expect(traffic.received, `seed ${random.seed}`).toEqual(counting(traffic.inward));
      expect(numbersSent(traffic), `seed ${random.seed}`).toEqual(counting(traffic.outward));
    }
  });

  it('loses only what the card had no room for where the cable does not wait', () => {
    for (const dies of [false, true]) {
      const random = new Random();
      const traffic = new Traffic(random, { steps: 250, dies, patient: false, corrupt: 0 });
      traffic.play();
      const counts = traffic.machine.ask('statistics') as { overflows: number; missed: number; resets: number };
      expect(rising(traffic.received), `seed ${random.seed}`).toBe(true);
      expect(counts.resets).toBe(0);
      if (!dies) {
        expect(counts.overflows).toBeGreaterThan(0);
        expect(traffic.received.length + counts.missed, `seed ${random.seed}`).toBe(traffic.inward);
      }
      expect(numbersSent(traffic)).toEqual(counting(traffic.outward));
    }
  });

  it('comes through headers of any content, and goes on', () => {
    const random = new Random();
    const traffic = new Traffic(random, { steps: 400, dies: true, patient: true, corrupt: 8 });
    traffic.play();
    expect(traffic.machine.logLines.some((line) => line.startsWith('the card is reset'))).toBe(true);
    const before = traffic.received.length;
    traffic.machine.arrive(frame(60, 1_000_000));
    traffic.play();
    expect(traffic.received.length, `seed ${random.seed}`).toBeGreaterThan(before);
  });
});

describe('the ring', () => {
  it('is never believed: any bytes give frames that lie in them, or none', () => {
    const random = new Random();
    for (let round = 0; round < 20_000; round++) {
      const stretch = random.below(2) === 0 ? Buffer.alloc(256 * random.below(6)) : random.bytes(random.below(40));
      for (let at = 0; at + 4 <= stretch.length; at += 256) {
        const length = random.below(2000);
        stretch.set([random.below(256), 0x4c + random.below(56), length & 0xff, length >> 8], at);
      }
      const taken = new TakenFrames();
      for (let count = 0; count < 2; count++) taken.add(stretch, 0x4c + random.below(52));
      const { reply } = net.methods.receive;
      const frames = placedFrames(reply.fromWire(reply.toWire(taken.placed, []), []));
      expect(frames.length).toBe(taken.count);
      expect(taken.count + taken.errors, `seed ${random.seed}`).toBeLessThanOrEqual(12);
      for (const { length } of frames) expect(length >= 60 && length <= 1514, `seed ${random.seed}`).toBe(true);
    }
  });
});
