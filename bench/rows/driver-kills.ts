/**
 * A TCP transfer while the driver of the network card is killed again and again, in the manner of the papers on MINIX 3 (Herder et al., Failure Resilience for Device Drivers,
 * DSN 2007): throughput lost against the same transfer without kills, measured by turns in one connection.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type BenchNetwork, MACHINE, networkLeftOut, port, withNetwork } from '../network.ts';
import { nodePeerCommand } from '../peers.ts';
import { type Line, plainLine, type Row } from '../row.ts';
import { median } from '../statistics.ts';

const INTERVALS_SECONDS = [1, 2, 4, 8, 15];
const ROUNDS = 2;
/** A window has at least so many seconds, and whole intervals. */
const LEAST_SECONDS = 8;
const GREATEST_LOSS_PERCENT = 5;
const SAMPLE_MILLISECONDS = 50;
const TITLE = 'TCP transfer over TAP, ne2000 killed again and again';

/** A transfer without end, and how much of it has come. */
class Meter {
  private bytes = 0;
  private rest = '';
  private readonly peer: ReturnType<BenchNetwork['linux']['start']>;

  constructor({ linux }: BenchNetwork) {
    this.peer = linux.start(nodePeerCommand('tcp-bulk', 'meter', MACHINE, port.source, SAMPLE_MILLISECONDS));
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

export const driverKillsRow: Row = {
  name: 'ne2000-kills',
  async run(bench) {
    const leftOut = networkLeftOut('ne2000-kills', TITLE);
    if (leftOut !== null) return leftOut;
    return await withNetwork(
      bench,
      async (network) => {
        const meter = new Meter(network);
        await delay(3000);
        let kills = 0;
        let last = 0;
        const kill = (): void => {
          const host = network.hosts().ne2000 ?? 0;
          if (host === 0 || host === last) throw new Error(`ne2000 did not come back\n${network.machine.report()}`);
          process.kill(host, 'SIGKILL');
          last = host;
          kills++;
        };
        const calm: number[] = [];
        const lines: Line[] = [];
        for (const interval of INTERVALS_SECONDS) {
          const seconds = Math.ceil(LEAST_SECONDS / interval) * interval;
          const lost: number[] = [];
          for (let round = 0; round < bench.rounds(ROUNDS); round++) {
            // A calm window on either side, so that a slow drift of the host does not count.
            const before = await meter.rate(seconds / 2, seconds, () => {});
            const killed = await meter.rate(seconds, interval, kill);
            const after = await meter.rate(seconds / 2, seconds, () => {});
            calm.push(before, after);
            lost.push(100 * (1 - (2 * killed) / (before + after)));
          }
          const line = plainLine(`lost with a kill every ${interval} s`, lost);
          const must = { text: `≤ ${GREATEST_LOSS_PERCENT} %`, met: line.median <= GREATEST_LOSS_PERCENT };
          lines.push(interval === 1 ? { ...line, must } : line);
        }
        meter.stop();
        const notes = [`${kills} kills; without any ${median(calm).toFixed(1)} MB/s`];
        return [{ name: 'ne2000-kills', title: TITLE, unit: '% of the throughput', lines, notes }];
      },
      true,
    );
  },
};
