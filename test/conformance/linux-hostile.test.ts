/**
 * Peers that mean harm: floods, fragments that never fit, tiny windows, storms. The memory of the stack stays bounded,
 * and others are served meanwhile.
 */
import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
import { Random } from '../support/random.ts';

const missing = missingForNetwork('ping', 'tshark', 'python3');

/**
 * What a task may grow by, whatever comes: queues and caches have bounds far below, the rest is the collector's
 * leisure.
 */
const GROWTH_BYTES = 64 * 1024 * 1024;
const FLOOD = 10_000;

/** Bytes of memory that a process of the host has. */
function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

describe.skipIf(missing !== '')(`hostile peers ${missing}`, () => {
  let lab: NetworkLab;
  let hosts: readonly { name: string; pid: number; before: number }[] = [];

  beforeAll(async () => {
    lab = await NetworkLab.start({ services: trafficServices('traffic') });
    await lab.machine.logged(/traffic\[\d+\]: serving/);
    await ask(lab, peerCommand('fetch', MACHINE, 19, 4_000_000));
    const found = [];
    for (const name of ['netstack', 'ne2000', 'traffic']) {
      const pid = await lab.hostOf(name);
      found.push({ name, pid, before: residentBytes(pid) });
    }
    hosts = found;
  });
  afterAll(() => lab?.close());

  /** Lets a hostile peer do its work while a friend wants to be served, and answers what the hostile one says. */
  async function meanwhileServed<T>(command: string): Promise<T> {
    const hostile = lab.linux.start(command);
    let served = 0;
    let over = false;
    void hostile.ended.then(() => {
      over = true;
    });
    // At least once behind the storm too.
    for (let last = false; !last; ) {
      last = over;
      const result = await ask<{ wrong: number }>(lab, peerCommand('fetch', MACHINE, 19, 50_000));
      expect(result).toMatchObject({ bytes: 50_000, wrong: 0 });
      served++;
    }
    expect(served).toBeGreaterThan(0);
    const { status, stdout, stderr } = await hostile.ended;
    expect(status, stderr).toBe(0);
    for (const { name, pid, before } of hosts) {
      expect(residentBytes(pid) - before, `growth of ${name}`).toBeLessThan(GROWTH_BYTES);
    }
    return JSON.parse(stdout) as T;
  }

  it('10,000 SYNs from nowhere keep nobody out', async () => {
    expect(await meanwhileServed(hostileCommand('synflood', FLOOD, 7))).toMatchObject({ sent: FLOOD });
    const rows = await lab.shell('netstat -an');
    expect(rows.match(/SYN[_-]REC/gi)?.length ?? 0).toBeLessThanOrEqual(1024);
  });

  it('10,000 neighbours out of nowhere, some with our address, change nothing for the real one', async () => {
    expect(await meanwhileServed(hostileCommand('arpflood', FLOOD))).toMatchObject({ sent: FLOOD });
    expect(await lab.linux.run(`ping -c 3 -i 0.05 ${MACHINE}`)).toMatch(/3 received/);
    expect((await lab.shell('arp -n')).split('\n').length).toBeLessThanOrEqual(600);
  });

  it('fragments that never become packets are given up', async () => {
    await meanwhileServed(hostileCommand('fragments', 4000));
    expect(await lab.linux.run(`ping -c 2 -i 0.05 -s 20000 ${MACHINE}`)).toMatch(/2 received/);
  });

  it('a window of one byte is served, and hinders nobody', async () => {
    const { bytes } = await meanwhileServed<{ bytes: number; beyond: number }>(hostileCommand('tinywindow', 19, 40));
    expect(bytes).toBeGreaterThanOrEqual(1);
  });

  it('a storm of acknowledgements is answered sparingly, and the connection survives it', async () => {
    const result = await meanwhileServed<{ replies: number; echoed: string }>(hostileCommand('ackstorm', 1500, 7));
    expect(result.echoed).toBe('still here');
    expect(result.replies).toBeLessThan(750);
  });

  it('10,000 frames of garbage do nothing', async () => {
    const { seed } = new Random();
    await meanwhileServed(hostileCommand('garbage', FLOOD, seed));
  });

  it('nobody has died, and tshark finds nothing wrong in what was sent', async () => {
    for (const { name, pid } of hosts) expect(await lab.hostOf(name), name).toBe(pid);
    await lab.endMachine();
    expect(await violationsOf(lab.recording, MACHINE_HARDWARE, 'disturbed')).toEqual([]);
  });
});
