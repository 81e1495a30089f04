/**
 * TCP between two of our ends over a simulated net, for a grid of buffers, round-trip times, losses and reordering:
 * prints the table that docs/tcp.md quotes. Without processes and with a clock that only the simulation moves, so the
 * figures are the same on every machine for the same seed (VROS_TEST_SEED).
 */
import { describe, expect, it } from 'vitest';
import type { Faults } from '../unit/netstack-tcp/simulated-net.ts';
import { transfer } from '../unit/netstack-tcp/transfer.ts';

const SEED = Number(process.env.VROS_TEST_SEED ?? 1);
const BYTES = 3_000_000;
/** 100 Mbit/s. */
const RATE = 12_500;
const RUNS = 3;

const buffers = [undefined, 8192, 65_536] as const;
const roundTrips = [2, 20, 100] as const;
/** Reordered: 1 to 11 ms late. */
const columns: readonly (readonly [string, Faults])[] = [
  ...[0, 0.001, 0.01, 0.05].map((loss) => [`${loss * 100} % lost`, { loss }] as const),
  ['5 % twice', { duplication: 0.05 }],
  ['1 % late', { reordering: 0.01 }],
  ['10 % late', { reordering: 0.1 }],
];

function cell(
  buffer: number | undefined,
  roundTrip: number,
  faults: Faults,
): { throughput: number; efficiency: number } {
  let throughput = 0;
  let efficiency = 0;
  for (let run = 0; run < RUNS; run++) {
    const sizes = buffer === undefined ? {} : { receiveBuffer: buffer, sendBuffer: 2 * buffer };
    const settings = { bytes: BYTES, delay: roundTrip / 2, rate: RATE, queue: 200, ...faults, ...sizes };
    const outcome = transfer(SEED + run, settings);
    throughput += outcome.throughput / RUNS;
    efficiency += outcome.efficiency / RUNS;
  }
  return { throughput, efficiency };
}

describe('the grid', () => {
  it('of throughput and efficiency', () => {
    const lines = [
      `| buffer | round trip | ${columns.map(([name]) => name).join(' | ')} |`,
      `| --- | --- | ${columns.map(() => '---').join(' | ')} |`,
    ];
    for (const buffer of buffers) {
      for (const roundTrip of roundTrips) {
        const cells = columns.map(([, faults]) => cell(buffer, roundTrip, faults));
        const texts = cells.map(
          ({ throughput, efficiency }) => `${throughput.toFixed(0)} (${(efficiency * 100).toFixed(1)})`,
        );
        lines.push(
          `| ${buffer === undefined ? 'grows' : `${buffer / 1024} KiB`} | ${roundTrip} ms | ${texts.join(' | ')} |`,
        );
        expect(cells[0]?.efficiency).toBeGreaterThan(0.95);
        for (const { efficiency } of cells) expect(efficiency).toBeGreaterThan(0.85);
      }
    }
    process.stdout.write(`KB/s (share of segments sent once, %); seed ${SEED}\n${lines.join('\n')}\n`);
  });
});
