/**
 * Long runs of the network against Linux: big transfers with hashes, rough cables with many seeds, kills without end,
 * floods. `npm run test:long -- network`; figures are printed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roughCables } from '../support/network/faults.ts';
import { killedMeanwhile, taskReporter } from '../support/network/killing.ts';
import {
  ask,
  hostileCommand,
  MACHINE,
  MACHINE_HARDWARE,
  NetworkLab,
  peerCommand,
  trafficServices,
} from '../support/network/lab.ts';
import { missingForNetwork } from '../support/network/namespace.ts';
import { violationsOf } from '../support/network/tshark.ts';

const missing = missingForNetwork('tshark', 'python3');
const MEBIBYTE = 1024 * 1024;
const BIG = 64 * MEBIBYTE;
const LIMIT_MILLISECONDS = 1_200_000;
const directions = { fetch: 19, pour: 9 } as const;

interface Transfer {
  readonly bytes: number;
  readonly wrong: number;
  readonly seconds: number;
}

/** A transfer by Linux, checked byte for byte; answers megabytes a second. */
async function transfer(lab: NetworkLab, command: keyof typeof directions, bytes: number): Promise<number> {
  const words = peerCommand(command, MACHINE, directions[command], bytes);
  const { seconds, ...result } = await ask<Transfer>(lab, words, LIMIT_MILLISECONDS);
  expect(result, `VROS_TEST_SEED=${lab.seed}`).toMatchObject({ bytes, wrong: 0, whole: true });
  return bytes / 1e6 / seconds;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function start(rough: boolean): Promise<NetworkLab> {
  const lab = await NetworkLab.start({ rough, services: [...trafficServices('traffic'), taskReporter] });
  await lab.machine.logged(/traffic\[\d+\]: serving/);
  return lab;
}

describe.skipIf(missing !== '')(`a clean cable ${missing}`, () => {
  let lab: NetworkLab;
  beforeAll(async () => {
    lab = await start(false);
  });
  afterAll(() => lab?.close());

  it('carries 64 MiB in each direction', async () => {
    for (const command of ['fetch', 'pour'] as const) {
      say(`${command} 64 MiB: ${(await transfer(lab, command, BIG)).toFixed(1)} MB/s`);
    }
  });

  it.each(['ne2000', 'netstack', 'ne2000 netstack', 'traffic'])('survives kills of %s for minutes', async (names) => {
    // Who moves the data has no memory of its own; the connections of its dead incarnation end, and new ones are
    // served.
    if (names === 'traffic') {
      const many = async (): Promise<void> => {
        for (let round = 0; round < 40; round++) await lab.linux.attempt(peerCommand('fetch', MACHINE, 19, MEBIBYTE));
      };
      say(`traffic: ${await killedMeanwhile(lab, ['traffic'], 500, many())} kills`);
      // The last one that was killed listens again in a moment.
      const served = async (): Promise<boolean> =>
        (await lab.linux.attempt(peerCommand('fetch', MACHINE, 19, 1000))).status === 0;
      for (let tries = 0; tries < 100 && !(await served()); tries++) await delay(50);
      await transfer(lab, 'fetch', MEBIBYTE);
      return;
    }
    for (const command of ['fetch', 'pour'] as const) {
      const under = transfer(lab, command, BIG);
      const kills = await killedMeanwhile(lab, names.split(' '), 500, under);
      say(`${command} 64 MiB, ${names}: ${kills} kills, ${(await under).toFixed(1)} MB/s`);
    }
  });

  it('stands floods of 100,000', async () => {
    for (const command of ['synflood', 'arpflood', 'fragments', 'garbage']) {
      const words = command === 'synflood' ? [7] : command === 'garbage' ? [lab.seed] : [];
      await lab.linux.run(hostileCommand(command, 100_000, ...words), LIMIT_MILLISECONDS);
      say(`after ${command}: ${(await transfer(lab, 'fetch', 4 * MEBIBYTE)).toFixed(1)} MB/s`);
    }
  });

  it('has carried nothing of ours that is wrong', async () => {
    await lab.endMachine();
    expect(await violationsOf(lab.recording, MACHINE_HARDWARE, 'disturbed')).toEqual([]);
  });
});

describe.skipIf(missing !== '')(`rough cables ${missing}`, () => {
  it.each(Object.keys(roughCables))('with %s carry 8 MiB in each direction, five times', async (name) => {
    const lab = await start(true);
    try {
      if (lab.rough !== null) lab.rough.faults = roughCables[name] ?? {};
      const rates: string[] = [];
      for (let round = 0; round < 5; round++) {
        for (const command of ['fetch', 'pour'] as const) {
          rates.push((await transfer(lab, command, 8 * MEBIBYTE)).toFixed(2));
        }
      }
      say(`${name}: MB/s to and from Linux by turns ${rates.join(' ')}, ${JSON.stringify(lab.rough?.counts)}`);
      await lab.endMachine();
      expect(await violationsOf(lab.recording, MACHINE_HARDWARE, 'disturbed')).toEqual([]);
    } finally {
      await lab.close();
    }
  });
});
