/**
 * TCP between Linux and the machine over cables that lose, repeat, reorder, delay and damage frames: every byte
 * arrives. Where the kernel has `tc netem`, that mistreats frames too.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { netemCables, roughCables } from '../support/network/faults.ts';
import { ask, MACHINE, MACHINE_HARDWARE, NetworkLab, peerCommand, trafficServices } from '../support/network/lab.ts';
import { missingForNetwork } from '../support/network/namespace.ts';
import { framesOf, repetitionsOf, violationsOf } from '../support/network/tshark.ts';

const missing = missingForNetwork('ping', 'tshark', 'python3', 'tc');
const BYTES = 400_000;

/** A transfer in each direction, checked byte for byte. */
async function transferBothWays(lab: NetworkLab, bytes: number): Promise<void> {
  const right = { bytes, wrong: 0, whole: true };
  const cable = `VROS_TEST_SEED=${lab.seed}, ${JSON.stringify(lab.rough?.counts)}`;
  expect(await ask(lab, peerCommand('fetch', MACHINE, 19, bytes)), `to Linux, ${cable}`).toMatchObject(right);
  expect(await ask(lab, peerCommand('pour', MACHINE, 9, bytes)), `from Linux, ${cable}`).toMatchObject(right);
}

/** Linux's counters of TCP, from `TcpExt` in /proc/net/netstat: a line of names, then one of numbers. */
async function tcpCounters(lab: NetworkLab): Promise<Partial<Record<string, number>>> {
  const text = await lab.linux.run('cat /proc/net/netstat');
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' ').slice(1));
  return Object.fromEntries(names.map((name, index) => [name, Number(values[index])]));
}

describe.skipIf(missing !== '')(`a rough cable between Linux and the machine ${missing}`, () => {
  let lab: NetworkLab;
  beforeAll(async () => {
    lab = await NetworkLab.start({ rough: true, services: trafficServices('traffic') });
    await lab.machine.logged(/traffic\[\d+\]: serving/);
  });
  afterAll(() => lab?.close());

  it.each(Object.keys(roughCables))('with %s loses no byte', async (name) => {
    const { rough } = lab;
    if (rough === null) throw new Error('no rough cable');
    rough.faults = roughCables[name] ?? {};
    await transferBothWays(lab, BYTES);
    rough.faults = {};
  });

  it('that doubles frames: Linux hears what has come twice (RFC 2883)', async () => {
    const { rough } = lab;
    if (rough === null) throw new Error('no rough cable');
    const before = await tcpCounters(lab);
    rough.faults = { duplicates: 0.2 };
    expect(await ask(lab, peerCommand('pour', MACHINE, 9, BYTES))).toMatchObject({ bytes: BYTES, wrong: 0 });
    rough.faults = {};
    const after = await tcpCounters(lab);
    const gain = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    expect(gain('TCPDSACKRecv')).toBeGreaterThan(0);
    // It makes nothing of those that it has not sent twice itself, and then counts the block as one it cannot use;
    // there are no others.
    expect(gain('TCPSACKDiscard')).toBeLessThanOrEqual(gain('TCPDSACKIgnoredDubious'));
  });

  it('with a small MTU carries connections whose segments fit', async () => {
    const { rough } = lab;
    if (rough === null) throw new Error('no rough cable');
    rough.faults = { mtu: 1300 };
    // A host that knows its cable: Linux announces a segment size that fits, and the machine keeps to it.
    await lab.linux.run('ip link set vros0 mtu 1300');
    expect(await ask(lab, peerCommand('fetch', MACHINE, 19, BYTES))).toMatchObject({ bytes: BYTES, wrong: 0 });
    await lab.linux.run('ip link set vros0 mtu 1500');
    rough.faults = {};
  });

  it('with netem of Linux, where the kernel has it, loses no byte', async () => {
    const { status } = await lab.linux.attempt('tc qdisc add dev vros0 root netem delay 1ms');
    if (status !== 0) return;
    for (const [name, words] of Object.entries(netemCables)) {
      await lab.linux.run(`tc qdisc replace dev vros0 root netem ${words}`);
      await transferBothWays(lab, BYTES).catch((error: unknown) => {
        throw new Error(`netem, ${name}`, { cause: error });
      });
    }
    await lab.linux.run('tc qdisc del dev vros0 root');
  });

  it('has brought nothing out of the machine that tshark finds wrong', async () => {
    await lab.endMachine();
    expect(await violationsOf(lab.recording, MACHINE_HARDWARE, 'rough')).toEqual([]);
    expect((await framesOf(lab.recording, 'tcp.analysis.retransmission')).length).toBeGreaterThan(10);
    expect((await repetitionsOf(lab.recording, MACHINE_HARDWARE)).repeated.length).toBeGreaterThan(10);
  });
});
