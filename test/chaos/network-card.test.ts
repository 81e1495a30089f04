/**
 * Kills the network card's driver from the host with SIGKILL, again and again, while numbered frames go through it both
 * ways: each comes back once, none is missing, and the link is back soon.
 */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually, killProcess, startMachine, type TestMachine, type TestManifest } from '../support/machine.ts';
import { NetworkPeer } from '../support/network-peer.ts';
import { Random } from '../support/random.ts';

const KILLS = 25;
/** Frames under way. */
const WINDOW = 16;
const NUMBER_AT = 14;
/**
 * The link has to be back in this time: the median, and the longest. The median may be longer by so many round trips of
 * a frame, which tell how busy the host is.
 */
const MEDIAN_MILLISECONDS = 50;
const MEDIAN_ROUND_TRIPS = 10;
const LONGEST_MILLISECONDS = 5000;

/** The services of the configuration that the test needs, and what has the card. */
function services(): TestManifest[] {
  const file = path.resolve(import.meta.dirname, '../../services.json');
  const { services: all } = JSON.parse(fs.readFileSync(file, 'utf8')) as { services: TestManifest[] };
  const client = { entry: 'test/services/network-client', serves: ['network-echo'], looksUp: ['ne2000'] };
  return [
    ...all.filter(({ name }) => ['init', 'tty', 'ne2000'].includes(name)),
    { name: 'network-echo', ...client, restart: 'never' },
    { name: 'task-reporter', entry: 'test/services/task-reporter', restart: 'always' },
  ];
}

/** Process of the host, as last reported. */
function hostOf(machine: TestMachine, name: string): number {
  const line = machine.log.findLast(({ msg }) => msg.startsWith('TASKS '));
  return line === undefined ? 0 : ((JSON.parse(line.msg.slice(6)) as Record<string, number>)[name] ?? 0);
}

/** Sends numbered frames, never more than a window of them that have not come back. */
class Traffic {
  next = 0;
  readonly returned = new Map<number, number>();
  wrong = 0;
  stopped = false;
  private surplus = 0;
  private readonly peer: NetworkPeer;
  private readonly random: Random;
  private readonly lengths: number[] = [];
  private waiting: { number: number; done: () => void } | null = null;

  constructor(peer: NetworkPeer, random: Random) {
    this.peer = peer;
    this.random = random;
    peer.onFrame = (frame) => this.came(frame);
    for (let count = 0; count < WINDOW; count++) this.send();
  }

  /** Sends one more frame and waits until it has come back. */
  async through(): Promise<void> {
    const number = this.next;
    await new Promise<void>((done) => {
      this.waiting = { number, done };
      this.send();
    });
    this.surplus++;
  }

  private send(): void {
    const frame = Buffer.alloc(60 + this.random.below(1455), this.next & 0xff);
    frame.write('52540012345602000000000188b5', 'hex');
    frame.writeUInt32BE(this.next, NUMBER_AT);
    this.lengths[this.next] = frame.length;
    this.next++;
    this.peer.send(frame);
  }

  private came(frame: Buffer): void {
    const number = frame.readUInt32BE(NUMBER_AT);
    const { length } = frame;
    if (length !== this.lengths[number] || (length > 18 && frame[length - 1] !== (number & 0xff))) this.wrong++;
    this.returned.set(number, (this.returned.get(number) ?? 0) + 1);
    if (this.surplus > 0) this.surplus--;
    else if (!this.stopped) this.send();
    if (this.waiting !== null && number >= this.waiting.number) {
      this.waiting.done();
      this.waiting = null;
    }
  }
}

const medianOf = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

describe('killing the driver of the network card', () => {
  it(`${KILLS} times under traffic: every frame comes through once, and the link is back at once`, async () => {
    const random = new Random();
    const peer = await NetworkPeer.open();
    const machine = startMachine({ services: services(), options: ['--no-disk', '--netdev', peer.option] });
    await machine.logged(/network-echo\[\d+\]: READY/);
    const traffic = new Traffic(peer, random);
    await traffic.through();
    const timed = async (): Promise<number> => {
      const start = performance.now();
      await traffic.through();
      return performance.now() - start;
    };
    const roundTrips: number[] = [];
    for (let count = 0; count < 50; count++) roundTrips.push(await timed());
    const times: number[] = [];
    let last = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await eventually(() => ![0, last].includes(hostOf(machine, 'ne2000')), 'a process of the driver');
      last = hostOf(machine, 'ne2000');
      await new Promise((resolve) => setTimeout(resolve, random.below(40)));
      killProcess(last);
      times.push(await timed());
    }
    traffic.stopped = true;
    await eventually(() => traffic.returned.size === traffic.next, 'every frame has come back');
    const repeated = [...traffic.returned.values()].filter((count) => count > 1).length;
    const [median, roundTrip] = [medianOf(times), medianOf(roundTrips)];
    const figures = `${traffic.next} frames; back after ${times.map((time) => time.toFixed(0)).join(' ')} ms, a round trip takes ${roundTrip.toFixed(1)} ms; seed ${random.seed}`;
    expect({ wrong: traffic.wrong, repeated }, figures).toEqual({ wrong: 0, repeated: 0 });
    expect(median, figures).toBeLessThan(MEDIAN_MILLISECONDS + MEDIAN_ROUND_TRIPS * roundTrip);
    expect(Math.max(...times), figures).toBeLessThan(LONGEST_MILLISECONDS);
  });
});
