/** TCP between Linux and the machine over a TAP device that loses nothing. tshark judges what the machine has sent. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ask,
  LINUX,
  MACHINE,
  MACHINE_HARDWARE,
  NetworkLab,
  peerCommand,
  trafficServices,
} from '../support/network/lab.ts';
import { missingForNetwork } from '../support/network/namespace.ts';
import { repetitionsOf, violationsOf } from '../support/network/tshark.ts';

const missing = missingForNetwork('nc', 'curl', 'iperf3', 'tshark', 'python3', 'ss');
const BULK_BYTES = 64 * 1024 * 1024;

/** What a transfer found. */
interface Transfer {
  readonly bytes: number;
  readonly wrong: number;
  readonly whole: boolean;
  readonly sha256?: string;
}

/** It reads some hundred megabytes, beside other tests. */
const TSHARK_MS = 180_000;

describe.skipIf(missing !== '')(`TCP between Linux and the machine ${missing}`, () => {
  let lab: NetworkLab;
  beforeAll(async () => {
    lab = await NetworkLab.start({ services: trafficServices('traffic', 'traffic1') });
    await lab.machine.logged(/traffic\[\d+\]: serving/);
    await lab.machine.logged(/traffic1\[\d+\]: serving/);
  });
  afterAll(() => lab?.close());

  /** Waits until somebody in the namespace listens on a port. */
  const listening = (port: number): Promise<string> =>
    lab.linux.run(`until ss -ltn | grep -q ":${port} "; do sleep 0.02; done`);

  it('carries bulk data to Linux', async () => {
    const result = await ask<Transfer>(lab, peerCommand('fetch', MACHINE, 19, BULK_BYTES));
    expect(result).toMatchObject({ bytes: BULK_BYTES, wrong: 0, whole: true });
  });

  it('carries bulk data from Linux', async () => {
    const result = await ask<Transfer>(lab, peerCommand('pour', MACHINE, 9, BULK_BYTES));
    expect(result).toMatchObject({ bytes: BULK_BYTES, wrong: 0, whole: true });
  });

  it('carries odd lengths, and small writes without Nagle', async () => {
    for (const bytes of [0, 1, 535, 536, 1459, 1460, 1461, 65_535, 65_537]) {
      expect(await ask<Transfer>(lab, peerCommand('fetch', MACHINE, 19, bytes)), `${bytes} from`).toMatchObject({
        ...{ bytes, wrong: 0 },
      });
      expect(await ask<Transfer>(lab, peerCommand('pour', MACHINE, 9, bytes)), `${bytes} to`).toMatchObject({
        ...{ bytes, wrong: 0 },
      });
    }
    const small = await ask<Transfer>(lab, peerCommand('trickle', MACHINE, 9, 7000, 7));
    expect(small).toMatchObject({ bytes: 7000, wrong: 0 });
  });

  it('waits for a receiver whose window is shut, and goes on', async () => {
    const result = await ask<Transfer>(lab, peerCommand('slow', MACHINE, 19, 300_000));
    expect(result).toMatchObject({ bytes: 300_000, wrong: 0, whole: true });
  });

  it('lets nc on both sides exchange files, with the right hash', async () => {
    const data = Buffer.alloc(1_000_003, 'netcat between two systems. ');
    const sum = createHash('sha256').update(data).digest('hex');
    await lab.shell('nc -l 6000 > /received &');
    await lab.listens(6000);
    await lab.linux.run(`nc -N ${MACHINE} 6000`, 30_000, data);
    expect(await lab.shell('wait; sha256sum < /received')).toBe(`${sum}  -\n`);
    const back = lab.linux.start('nc -l 6001 | sha256sum');
    await listening(6001);
    await lab.shell(`nc -N ${LINUX} 6001 < /received`);
    expect((await back.ended).stdout).toBe(`${sum}  -\n`);
  });

  it('keeps two hundred connections at once apart', async () => {
    const halves = ['7', '10007'].map((port) =>
      ask<{ established: number; right: number }>(lab, peerCommand('many', MACHINE, port, 100, 5000)),
    );
    expect(await Promise.all(halves)).toEqual([
      { established: 100, right: 100 },
      { established: 100, right: 100 },
    ]);
  });

  it('goes on sending after the other direction has ended', async () => {
    // The sink answers what it has counted after Linux has sent FIN; nc of Linux hears it because it ended only its own
    // direction.
    const data = Buffer.from('half-closed');
    expect(await lab.linux.run(`nc -N ${MACHINE} 9`, 10_000, data)).toMatch(/^11 \d+\n$/);
  });

  it('takes RSTs, and sends them', async () => {
    await ask(lab, peerCommand('reset', MACHINE, 7, 20));
    expect(await ask(lab, peerCommand('wasreset', MACHINE, 13))).toEqual({ reset: true });
    expect(await ask(lab, peerCommand('refused', MACHINE, 99))).toEqual({ refused: true });
    expect(await lab.linux.run(`printf alive | nc -N ${MACHINE} 7`)).toBe('alive');
  });

  it('tells its programs that Linux refuses or resets', async () => {
    expect(await lab.shell(`nc ${LINUX} 6099 < /dev/null; echo status $?`)).toMatch(/refused[\s\S]*status 1\n$/);
    const rude = lab.linux.start(peerCommand('rude', 6002, 'reset'));
    await listening(6002);
    const output = await lab.shell(`nc ${LINUX} 6002; echo status $?`);
    expect(output).toMatch(/reset[\s\S]*status 1\n$/i);
    expect((await rude.ended).status).toBe(0);
  });

  it('holds back connections beyond the backlog', async () => {
    // Nobody accepts, and two may wait: the others' SYNs get no answer, so that they try again later.
    expect(await ask(lab, peerCommand('backlog', MACHINE, 11, 6))).toEqual({ established: 2, waiting: 4, refused: 0 });
  });

  it('serves iperf3 in both directions', async () => {
    for (const way of ['', '-R']) {
      const text = await lab.linux.run(`iperf3 -c ${MACHINE} -n 16M -J ${way}`, 20_000);
      const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
      expect(end.sum_received.bits_per_second, way).toBeGreaterThan(1_000_000);
    }
  });

  it(
    'has sent nothing that tshark finds wrong',
    async () => {
      await lab.endMachine();
      expect(await violationsOf(lab.recording, MACHINE_HARDWARE, 'clean')).toEqual([]);
      const { segments, repeated } = await repetitionsOf(lab.recording, MACHINE_HARDWARE);
      expect(segments).toBeGreaterThan(5000);
      // Nothing is lost on this cable; a timer that ran early because the host was busy may repeat a few.
      expect(repeated.length, repeated.slice(0, 20).join('\n')).toBeLessThan(segments / 200);
    },
    TSHARK_MS,
  );
});
