/** Moving processes of the host between CPUs, with real ones. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allowedCpus, cpuNumbers, type Placed, Placement } from '../../../kernel/task/placement.ts';
import { eventually } from '../../support/machine.ts';
import { peer } from '../../support/peer.ts';

const cpus = allowedCpus();
const taskset = peer('taskset');
const reason = cpuNumbers(cpus).length > 1 ? taskset.missing : ' (left out: there is one CPU)';

/** CPUs that a process may run on. */
function allowed(process: ChildProcess): string {
  const status = fs.readFileSync(`/proc/${process.pid}/status`, 'utf8');
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
}

const placed = ({ pid = 0 }: { readonly pid?: number | undefined }): Placed => ({ pid, place: 'anywhere' });

function sleeper(words: readonly string[] = []): ChildProcess {
  const [program = '', ...rest] = [...words, 'sleep', '60'];
  const child = spawn(program, rest, { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

describe.skipIf(reason !== '')(`Placement${reason}`, () => {
  it('puts processes on one CPU and lets them go, and keeps others off it', async () => {
    const own = sleeper();
    // The test itself stands for the kernel, and is put back.
    const placement = new Placement(cpus, 1);
    const home = String(cpuNumbers(cpus)[1]);
    onTestFinished(() => placement.scatter([placed(process)]));
    expect(placement.startWords(placement.startPlace)).toEqual([]);
    const moved = placed(own);
    placement.gather([moved]);
    expect(moved.place).toBe('home');
    await eventually(() => allowed(own) === home, 'the process is on the CPU');
    placement.scatter([moved]);
    expect(moved.place).toBe('anywhere');
    await eventually(() => allowed(own) === cpus, 'the process is on all CPUs');
    const everywhere = sleeper(placement.startWords('anywhere'));
    const started = sleeper(placement.startWords(placement.startPlace));
    const away = sleeper();
    placement.sendAway(placed(away));
    await eventually(() => allowed(everywhere) === cpus, 'it may run anywhere');
    await eventually(() => !cpuNumbers(allowed(away)).includes(Number(home)), 'it keeps off');
    await eventually(() => !cpuNumbers(allowed(started)).includes(Number(home)), 'so does what is started for later');
  });
});
