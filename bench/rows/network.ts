/** TCP through the whole system over a TAP device: bulk data in both directions, and connections that lie idle. */
import { setTimeout as delay } from 'node:timers/promises';
import { cpuMilliseconds } from '../cpu-time.ts';
import { type BenchNetwork, MACHINE, networkLeftOut, port, withNetwork } from '../network.ts';
import { nodePeerCommand } from '../peers.ts';
import { type Line, plainLine, type Row } from '../row.ts';

const ROUNDS = 5;
const BYTES = 24_000_000;
const LEAST_MEGABYTES_PER_SECOND = 10;
const TASKS = ['kernel', 'ne2000', 'netstack', 'traffic'] as const;
const BULK = 'TCP bulk over TAP';

const directions = {
  'to Linux': nodePeerCommand('tcp-bulk', 'fetch', MACHINE, port.source, BYTES),
  'from Linux': nodePeerCommand('tcp-bulk', 'pour', MACHINE, port.sink, BYTES),
};

/** CPU time of each task so far, in milliseconds. */
function used({ hosts }: BenchNetwork): number[] {
  const pids = hosts();
  return TASKS.map((name) => cpuMilliseconds(pids[name] ?? 0));
}

/** One transfer: megabytes a second, and the share of a CPU that each task took meanwhile. */
async function transfer(network: BenchNetwork, command: string): Promise<{ rate: number; shares: number[] }> {
  const before = used(network);
  const start = performance.now();
  const { rate } = JSON.parse(await network.linux.run(command, 120_000)) as { rate: number[] };
  const passed = performance.now() - start;
  const shares = used(network).map((time, index) => (time - (before[index] ?? 0)) / passed);
  return { rate: rate[0] ?? 0, shares };
}

function shareText(direction: string, samples: readonly number[][]): string {
  const shares = TASKS.map((name, index) => {
    const all = samples.map((each) => each[index] ?? 0);
    return `${name} ${Math.round((100 * all.reduce((sum, each) => sum + each, 0)) / all.length)} %`;
  });
  return `share of a CPU ${direction}: ${shares.join(', ')}`;
}

export const bulkRow: Row = {
  name: 'tcp-bulk',
  async run(bench) {
    const leftOut = networkLeftOut('tcp-bulk', BULK);
    if (leftOut !== null) return leftOut;
    return await withNetwork(bench, async (network) => {
      const rates = new Map<string, number[]>();
      const shares = new Map<string, number[][]>();
      for (let round = 0; round <= bench.rounds(ROUNDS); round++) {
        for (const [direction, command] of Object.entries(directions)) {
          const sample = await transfer(network, command);
          // The first one warms up.
          if (round === 0) continue;
          rates.set(direction, [...(rates.get(direction) ?? []), sample.rate]);
          shares.set(direction, [...(shares.get(direction) ?? []), sample.shares]);
        }
      }
      const lines = [...rates].map(([direction, figures]): Line => {
        const line = plainLine(direction, figures);
        const met = line.median >= LEAST_MEGABYTES_PER_SECOND;
        return { ...line, must: { text: `≥ ${LEAST_MEGABYTES_PER_SECOND} MB/s`, met } };
      });
      const notes = [...shares].map(([direction, samples]) => shareText(direction, samples));
      return [{ name: 'tcp-bulk', title: BULK, unit: 'MB/s', lines, notes }];
    });
  },
};

const CONNECTIONS = 100;
const IDLE_MILLISECONDS = 8000;
const GREATEST_PERCENT = 1;
const IDLE = `${CONNECTIONS} idle connections`;

/** Percent of a CPU that the machine takes while nothing happens. */
async function idlePercent({ hosts }: BenchNetwork): Promise<number> {
  const all = Object.values(hosts());
  const total = (): number => all.map(cpuMilliseconds).reduce((sum, each) => sum + each, 0);
  const before = total();
  const start = performance.now();
  await delay(IDLE_MILLISECONDS);
  return (100 * (total() - before)) / (performance.now() - start);
}

export const idleRow: Row = {
  name: 'idle-connections',
  async run(bench) {
    const leftOut = networkLeftOut('idle-connections', IDLE);
    if (leftOut !== null) return leftOut;
    return await withNetwork(bench, async (network) => {
      // What the start has left to do is done by then.
      await delay(2000);
      const without = [await idlePercent(network)];
      const peer = network.linux.start(nodePeerCommand('idle-connections', MACHINE, port.echo, CONNECTIONS));
      await new Promise<void>((resolve, reject) => {
        peer.process.stdout?.once('data', () => resolve());
        peer.process.once('exit', () => reject(new Error('the connections do not stand')));
      });
      await delay(2000);
      const figures: number[] = [];
      for (let round = 0; round < bench.rounds(2); round++) figures.push(await idlePercent(network));
      peer.kill();
      const line = plainLine('with them', figures);
      const must = { text: `< ${GREATEST_PERCENT} % of a CPU`, met: line.median < GREATEST_PERCENT };
      const lines = [{ ...line, must }, plainLine('without', without)];
      return [{ name: 'idle-connections', title: IDLE, unit: '% of a CPU, whole machine', lines, notes: [] }];
    });
  },
};
