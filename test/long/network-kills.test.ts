/**
 * Linux transfers data to and from the machine while the card's driver and the network stack are killed: every byte
 * arrives, in the same connection.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killedMeanwhile, taskReporter } from '../support/network/killing.ts';
import { ask, MACHINE, MACHINE_HARDWARE, NetworkLab, peerCommand, trafficServices } from '../support/network/lab.ts';
import { missingForNetwork } from '../support/network/namespace.ts';
import { violationsOf } from '../support/network/tshark.ts';

const missing = missingForNetwork('tshark', 'python3', 'ping', 'ss');
const BYTES = 24_000_000;
/** More would put init's patience with services that die all the time to the test. */
const MOST_KILLS = 4;

/** Waits until Linux has a connection with the machine, some seconds at most. */
async function established(lab: NetworkLab): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await lab.linux.run(`ss -Htn state established dst ${MACHINE}`)) !== '') return;
    await delay(10);
  }
}

describe.skipIf(missing !== '')(`transfers with Linux under kills ${missing}`, () => {
  let lab: NetworkLab;
  beforeAll(async () => {
    lab = await NetworkLab.start({ services: [...trafficServices('traffic'), taskReporter] });
    await lab.machine.logged(/traffic\[\d+\]: serving/);
  });
  afterAll(() => lab?.close());

  it.each([
    ['ne2000', 'fetch', 19],
    ['ne2000', 'pour', 9],
    ['netstack', 'fetch', 19],
    ['netstack', 'pour', 9],
    ['ne2000 netstack', 'fetch', 19],
    ['ne2000 netstack', 'pour', 9],
  ])('of %s lose no byte (%s)', async (names, command, port) => {
    // A connection that lives through all of it, also while nothing goes through it.
    const transfer = ask(lab, peerCommand(command, MACHINE, port, BYTES));
    transfer.catch(() => {});
    // A handshake under way does not live through the death of the stack (docs/tcp.md).
    await established(lab);
    const kills = await killedMeanwhile(lab, names.split(' '), 250, transfer, MOST_KILLS);
    expect(await transfer).toMatchObject({ bytes: BYTES, wrong: 0, whole: true });
    expect(kills).toBeGreaterThan(1);
  });

  it('of everybody who moves data leave neighbours and ports as they were', async () => {
    expect(await lab.linux.run(`ping -c 3 -i 0.05 ${MACHINE}`)).toMatch(/3 received/);
    expect(await ask(lab, peerCommand('datagrams', MACHINE, 7, 100, 2000))).toEqual({ right: 2 });
  });

  it('let nothing out that tshark finds wrong', async () => {
    await lab.endMachine();
    expect(await violationsOf(lab.recording, MACHINE_HARDWARE, 'disturbed')).toEqual([]);
  });
});
