/** An idle system is idle: nothing in it polls. */
import fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startMachine, type TestMachine } from '../support/machine.ts';

const MEASURED_MILLISECONDS = 10_000;
/** One percent of a core. */
const MOST_MILLISECONDS = MEASURED_MILLISECONDS / 100;

/** CPU time of a process so far in milliseconds, all threads, to the nanosecond. */
function cpuMilliseconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of fs.readdirSync(`/proc/${pid}/task`))
    nanoseconds += Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  return nanoseconds / 1e6;
}

function processesOf(machine: TestMachine): number[] {
  return [machine.process.pid ?? 0, ...machine.descendants()];
}

describe('idle', () => {
  it('the standard system uses less than one percent of a core', async () => {
    const machine = startMachine({ options: [], network: true });
    await machine.logged(/shell.*incarnation 1/);
    for (const name of ['ata', 'ne2000']) await machine.logged(new RegExp(`kernel: ${name} has a standby`));
    // Spares are made, and programs start, until nothing changes any more.
    let processes = processesOf(machine);
    for (let calm = 0; calm < 10; calm++) {
      await setTimeout(200);
      const now = processesOf(machine);
      if (now.join() !== processes.join()) calm = 0;
      processes = now;
    }
    const before = new Map(processes.map((pid) => [pid, cpuMilliseconds(pid)]));
    await setTimeout(MEASURED_MILLISECONDS);
    expect(processesOf(machine), 'the same processes').toEqual(processes);
    const used = processes.map((pid) => cpuMilliseconds(pid) - (before.get(pid) ?? 0));
    const total = used.reduce((sum, value) => sum + value, 0);
    expect(total, `CPU time in ms of each process: ${used.map((value) => value.toFixed(1)).join(' ')}`).toBeLessThan(
      MOST_MILLISECONDS,
    );
  });
});
