/**
 * A TCP transfer while the driver of the network card is killed again and again, in the manner of the papers on MINIX 3
 * (Herder et al., Failure Resilience for Device Drivers, DSN 2007): throughput lost against the same transfer without
 * kills, measured by turns in one connection. There a file came over Fast Ethernet, so the machine could catch up with
 * what the cable had held; at full speed, which the CPUs of the host bound, each new process also costs the time in
 * which the engine gets to know its code.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type BenchNetwork, MACHINE, networkLeftOut, port, withNetwork } from '../network.ts';
import { nodePeerCommand } from '../peers.ts';
import { type Line, plainLine, type Row } from '../row.ts';
import { median } from '../statistics.ts';

interface Transfer {
  readonly name: string;
  readonly way: 'fetch' | 'pour';
  /** Rate of the cable to the machine in Mbit/s; null: as fast as it goes. */
  readonly cable: number | null;
  readonly intervals: readonly number[];
}

const TRANSFERS: readonly Transfer[] = [
  { name: 'to the machine, 100 Mbit/s', way: 'pour', cable: 100, intervals: [1, 2, 4, 8, 15] },
  { name: 'to the machine, 200 Mbit/s', way: 'pour', cable: 200, intervals: [1] },
  { name: 'to the machine, full speed', way: 'pour', cable: null, intervals: [1, 4, 15] },
  { name: 'from the machine, full speed', way: 'fetch', cable: null, intervals: [1, 4, 15] },
];
const ROUNDS = 2;
/**
 * What has a bound is measured so many times as often: one round alone differs from the next by ten points on a host
 * that others use, too.
 */
const MORE_ROUNDS = 3;
/** A window has at least so many seconds, and whole intervals. */
const LEAST_SECONDS = 8;
const GREATEST_LOSS_PERCENT = 5;
const SAMPLE_MILLISECONDS = 20;
/** Until the connection and the code are at full speed. */
const WARM_UP_MILLISECONDS = 3000;
const TITLE = 'TCP transfer over TAP, ne2000 killed again and again';

/** A transfer without end, and how much of it is done. */
class Meter {
  private bytes = 0;
  private rest = '';
  private readonly peer: ReturnType<BenchNetwork['linux']['start']>;

  constructor({ linux }: BenchNetwork, way: Transfer['way']) {
    const service = way === 'fetch' ? port.source : port.sink;
    this.peer = linux.start(nodePeerCommand('tcp-bulk', `meter-${way}`, MACHINE, service, SAMPLE_MILLISECONDS));
    this.peer.process.stdout?.on('data', (text: string) => {
      const lines = (this.rest + text).split('\n');
      this.rest = lines.pop() ?? '';
      this.bytes = Number(lines.at(-1)?.split(' ')[1] ?? this.bytes);
    });
  }

  /** Megabytes a second during `seconds`, while `each` happens at the beginning of every `interval` of them. */
  async rate(seconds: number, interval: number, each: () => void): Promise<number> {
    const start = performance.now();
    const before = this.bytes;
    for (let at = 0; at < seconds; at += interval) {
      each();
      await delay(Math.max(0, start + 1000 * Math.min(at + interval, seconds) - performance.now()));
    }
    return (this.bytes - before) / 1000 / (performance.now() - start);
  }

  stop(): void {
    this.peer.kill();
  }
}

/** False: there is no such process. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** Kills the driver; each time it has to be another process. */
class Killer {
  count = 0;
  private last = 0;
  private readonly network: BenchNetwork;

  constructor(network: BenchNetwork) {
    this.network = network;
  }

  kill(): void {
    const host = this.network.hosts().ne2000 ?? 0;
    if (host === 0 || host === this.last || !kill(host))
      throw new Error(`ne2000 did not come back, or has died by itself\n${this.network.machine.report()}`);
    this.last = host;
    this.count++;
  }
}

/** What is lost with a kill each `interval` seconds, in percent, once per round; and the rates without. */
async function losses(meter: Meter, killer: Killer, interval: number, rounds: number) {
  const seconds = Math.ceil(LEAST_SECONDS / interval) * interval;
  const lost: number[] = [];
  const calm: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // A calm window on either side, so that a slow drift of the host does not count.
    const before = await meter.rate(seconds / 2, seconds, () => {});
    const killed = await meter.rate(seconds, interval, () => killer.kill());
    const after = await meter.rate(seconds / 2, seconds, () => {});
    calm.push(before, after);
    lost.push(100 * (1 - (2 * killed) / (before + after)));
  }
  return { lost, calm };
}

async function measure(
  network: BenchNetwork,
  transfer: Transfer,
  rounds: number,
): Promise<{ lines: Line[]; note: string }> {
  const { name, way, cable, intervals } = transfer;
  if (cable !== null)
    await network.linux.run(`tc qdisc replace dev vros0 root tbf rate ${cable}mbit burst 16kb limit 1mb`);
  const killer = new Killer(network);
  const meter = new Meter(network, way);
  await delay(WARM_UP_MILLISECONDS);
  const lines: Line[] = [];
  const rates: number[] = [];
  for (const interval of intervals) {
    const { lost, calm } = await losses(meter, killer, interval, interval === 1 ? rounds * MORE_ROUNDS : rounds);
    rates.push(...calm);
    const line = plainLine(`${name}: a kill every ${interval} s`, lost);
    const must = { text: `≤ ${GREATEST_LOSS_PERCENT} %`, met: line.median <= GREATEST_LOSS_PERCENT };
    lines.push(interval === 1 ? { ...line, must } : line);
  }
  meter.stop();
  return { lines, note: `${name}: ${median(rates).toFixed(1)} MB/s without kills; ${killer.count} kills` };
}

export const driverKillsRow: Row = {
  name: 'ne2000-kills',
  async run(bench) {
    const leftOut = networkLeftOut('ne2000-kills', TITLE, 'tc');
    if (leftOut !== null) return leftOut;
    const lines: Line[] = [];
    const notes: string[] = [];
    for (const transfer of TRANSFERS) {
      const measured = await withNetwork(bench, (network) => measure(network, transfer, bench.rounds(ROUNDS)), true);
      lines.push(...measured.lines);
      notes.push(measured.note);
    }
    return [{ name: 'ne2000-kills', title: TITLE, unit: '% lost', lines, notes }];
  },
};
