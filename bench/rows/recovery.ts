/**
 * Killing the disk driver under load: from the `kill -9` on the host to the answer of the read that was under way, with
 * the real init and everything else as it is every day.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { makeImage } from '../disk.ts';
import { BenchMachine, standardManifest } from '../machine.ts';
import { nodePeer } from '../peers.ts';
import { type Bench, peerLine, plainLine, type Row } from '../row.ts';
import { VROS } from './calls.ts';

/** Kills in a row, and how often the row alternates with its peer. */
const KILLS = 10;
const ROUNDS = 5;
const MEDIAN_MILLISECONDS = 25;
const WORST_MILLISECONDS = 250;
/**
 * From one kill to the next, in milliseconds; a random part comes on top, so that kills hit every moment of a request.
 */
const SPACING = 200;
const SPACING_RANDOM = 50;
/** Longest wait for the read that a kill hit, in milliseconds. */
const LIMIT = 5000;
const IMAGE_BYTES = 4 * 1024 * 1024;
const PEER = 'Node parent and child';

/** What the reader reports: first where time starts, then every long read. Times in milliseconds of uptime. */
interface Report {
  readonly epoch?: number;
  readonly host: number;
  readonly begun?: number;
  readonly answered?: number;
}

const reader = {
  name: 'reader',
  entry: 'bench/services/recovering-reader',
  looksUp: ['ata'],
  dependsOn: ['ata'],
  restart: 'never',
};

async function until<T>(machine: BenchMachine, what: string, look: (reports: Report[]) => T | undefined): Promise<T> {
  const deadline = performance.now() + LIMIT;
  for (;;) {
    const found = look(machine.results<Report>());
    if (found !== undefined) return found;
    if (machine.process.exitCode !== null || performance.now() > deadline)
      throw new Error(`not in time: ${what}\n${machine.report()}`);
    await delay(10);
  }
}

/**
 * The read that was under way at a moment of uptime, or else the next one that had to wait: the longest one of those
 * not answered before, by another process than the one killed then. What that one has answered may come to the reader's
 * notice late.
 */
function hit(reports: readonly Report[], at: number, killed: number): Report | undefined {
  const after = reports.filter(({ answered = 0, host }) => answered >= at && host !== 0 && host !== killed);
  return after.sort((a, b) => length(b) - length(a))[0];
}

function length({ begun = 0, answered = 0 }: Report): number {
  return answered - begun;
}

/** Kills the driver ten times and answers how long each time took, in milliseconds. */
async function kills(bench: Bench, image: string): Promise<number[]> {
  const services = [standardManifest('init'), standardManifest('ata'), reader];
  const machine = new BenchMachine(bench.folder, { services, options: ['--hda', image] });
  const times: number[] = [];
  try {
    const { epoch = 0, host } = await until(machine, 'the reader runs', ([first]) => first);
    let driver = host;
    for (let kill = 0; kill < KILLS; kill++) {
      await delay(SPACING + Math.random() * SPACING_RANDOM);
      const at = performance.timeOrigin + performance.now() - epoch;
      process.kill(driver, 'SIGKILL');
      const killed = driver;
      const what = `the answer after kill ${kill + 1} of ${killed}`;
      const read = await until(machine, what, (reports) => hit(reports, at, killed));
      driver = read.host;
      times.push((read.answered ?? 0) - at);
    }
  } finally {
    machine.process.kill('SIGTERM');
    await machine.ended;
  }
  return times;
}

export const recovery: Row = {
  name: 'recovery',
  async run(bench) {
    const image = makeImage(bench.folder, 'recovery.img', IMAGE_BYTES);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < bench.rounds(ROUNDS); round++) {
      ours.push(...(await kills(bench, image)));
      theirs.push(...((await nodePeer('supervisor', KILLS)).recovery ?? []));
    }
    const line = plainLine(VROS, ours);
    const within = line.median < MEDIAN_MILLISECONDS && line.greatest < WORST_MILLISECONDS;
    const text = `median < ${MEDIAN_MILLISECONDS} ms, worst of ${ours.length} < ${WORST_MILLISECONDS} ms`;
    return [
      {
        name: 'recovery',
        title: 'kill -9 of ata to the answer of the read under way',
        unit: 'ms',
        lines: [{ ...line, must: { text, met: within } }, peerLine(PEER, theirs, line)],
        notes: [`${ours.length} kills, at least ${SPACING} ms apart; the wall clock may add up to 0.1 ms`],
      },
    ];
  },
};
