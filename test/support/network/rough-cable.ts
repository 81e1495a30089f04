/**
 * A cable that mistreats frames: between a TAP device and a machine with `--netdev dgram` it loses, repeats, reorders,
 * delays and damages them, as seeded random numbers have it. It does what `tc netem` of Linux does, in both directions,
 * and needs no module of the kernel for it, which many kernels lack.
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Cable } from '../../../hw/network/cable.ts';
import { DatagramCable } from '../../../hw/network/dgram.ts';
import { TapCable } from '../../../hw/network/tap.ts';
import type { Random } from '../random.ts';

/** What happens to each frame, in each direction. Shares are from 0 to 1, times in milliseconds. */
export interface Faults {
  readonly loss?: number;
  readonly duplicates?: number;
  /** Share of frames that come later than they should, by `reorderDelay`, so that others overtake them. */
  readonly reordered?: number;
  readonly reorderDelay?: number;
  readonly delay?: number;
  /** Each frame is up to so much later still; frames do not overtake one another for this. */
  readonly jitter?: number;
  /** Share of frames of which one bit is turned. */
  readonly corrupted?: number;
  /** Longest IP packet that passes; a longer one is lost without a word. */
  readonly mtu?: number;
}

const ETHERNET_HEADER_BYTES = 14;
const LOOPBACK = '127.0.0.1';

/** What the cable has done. */
export interface RoughCounts {
  carried: number;
  lost: number;
  duplicated: number;
  reordered: number;
  corrupted: number;
}

interface Travelling {
  readonly at: number;
  readonly frame: Buffer;
}

/** One direction. Frames whose time has come leave in the order of their times. */
class Direction {
  faults: Faults = {};
  private readonly random: Random;
  private readonly target: Cable;
  private readonly counts: RoughCounts;
  private readonly travelling: Travelling[] = [];
  private lastAt = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(random: Random, target: Cable, counts: RoughCounts) {
    this.random = random;
    this.target = target;
    this.counts = counts;
  }

  carry(frame: Uint8Array): void {
    const { loss = 0, duplicates = 0, corrupted = 0, mtu = Number.POSITIVE_INFINITY } = this.faults;
    if (this.random.next() < loss || frame.length > mtu + ETHERNET_HEADER_BYTES) {
      this.counts.lost++;
      return;
    }
    const copy = Buffer.from(frame);
    if (this.random.next() < corrupted) this.damage(copy);
    this.put(copy);
    if (this.random.next() < duplicates) {
      this.counts.duplicated++;
      this.put(copy);
    }
    this.release();
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Lets a frame leave later. */
  private put(frame: Buffer): void {
    const { delay = 0, jitter = 0, reordered = 0, reorderDelay = 5 } = this.faults;
    let at = performance.now() + delay + jitter * this.random.next();
    if (this.random.next() < reordered) {
      this.counts.reordered++;
      at += reorderDelay;
    } else {
      at = Math.max(at, this.lastAt);
      this.lastAt = at;
    }
    let place = this.travelling.length;
    while (place > 0 && (this.travelling[place - 1]?.at ?? 0) > at) place--;
    this.travelling.splice(place, 0, { at, frame });
  }

  /** Lets go what is due, and wakes up for the next one. */
  private release(): void {
    const now = performance.now();
    for (let next = this.travelling[0]; next !== undefined && next.at <= now; next = this.travelling[0]) {
      this.travelling.shift();
      this.counts.carried++;
      this.target.send(next.frame);
    }
    const [next] = this.travelling;
    if (next === undefined || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.release();
    }, next.at - now);
  }

  /** Turns one bit behind the header of Ethernet, which no checksum guards here. */
  private damage(frame: Buffer): void {
    this.counts.corrupted++;
    const at = ETHERNET_HEADER_BYTES + this.random.below(Math.max(1, frame.length - ETHERNET_HEADER_BYTES));
    frame[at] = (frame[at] ?? 0) ^ (1 << this.random.below(8));
  }
}

/** A port of 127.0.0.1 for UDP that was free a moment ago. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, LOOPBACK);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

/** See the head of this file. */
export class RoughCable {
  /** What the machine's option `--netdev` has to be. */
  readonly option: string;
  readonly counts: RoughCounts = { carried: 0, lost: 0, duplicated: 0, reordered: 0, corrupted: 0 };
  private readonly tap: Cable;
  private readonly machine: Cable;
  private readonly directions: readonly Direction[];

  private constructor(option: string, tap: Cable, machine: Cable, random: Random) {
    this.option = option;
    this.tap = tap;
    this.machine = machine;
    const toMachine = new Direction(random, machine, this.counts);
    const toLinux = new Direction(random, tap, this.counts);
    this.directions = [toMachine, toLinux];
    tap.connect({ ready: () => true, receive: (frame) => toMachine.carry(frame) });
    machine.connect({ ready: () => true, receive: (frame) => toLinux.carry(frame) });
  }

  /** Makes the cable, with a TAP device that becomes `interfaceName` of a namespace, of which `pid` is a process. */
  static async create(random: Random, pid: number, interfaceName: string): Promise<RoughCable> {
    const passing = `vr${process.pid % 1_000_000}`;
    const tap = new TapCable(passing);
    try {
      execFileSync('ip', ['link', 'set', passing, 'netns', String(pid), 'name', interfaceName]);
      const [here, there] = [await freePort(), await freePort()];
      const ends = [here, there].map((port) => ({ address: LOOPBACK, port })) as [never, never];
      const machine = await DatagramCable.open(...ends);
      return new RoughCable(`dgram,local=${LOOPBACK}:${there},remote=${LOOPBACK}:${here}`, tap, machine, random);
    } catch (error) {
      await tap.close();
      throw error;
    }
  }

  /** From now on these happen. */
  set faults(faults: Faults) {
    for (const direction of this.directions) direction.faults = faults;
  }

  async close(): Promise<void> {
    for (const direction of this.directions) direction.close();
    await Promise.all([this.tap.close(), this.machine.close()]);
  }
}
