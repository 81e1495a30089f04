/**
 * Cases on the scheduler, with tasks in endless loops that never ask the kernel for anything. For a machine with one
 * CPU.
 */
import { scheduler, setPriority, sleep, spawn, taskList, uptime, waitpid } from '../../../services/lib/index.ts';
import { type Cases, equal, fails, holds } from './check.ts';
import { eventually, Puppet } from './puppet.ts';

/**
 * Shares are measured in windows of this many milliseconds: over the first so many calm ones, of at most so many in
 * all.
 */
const WINDOW = 1000;
const CALM_WINDOWS = 3;
const MOST_WINDOWS = 15;
/**
 * A window is calm when the loops had a CPU of the host for this part of it: else the host's scheduler is measured, not
 * this one.
 */
const CALM = 0.9;
/** How far shares may be off. */
const TOLERANCE = 0.05;

/** Starts endless loops. */
function spinners(count: number): Puppet[] {
  const puppets = Array.from({ length: count }, () => new Puppet('helper'));
  for (const puppet of puppets) puppet.begin('spin');
  eventually(() => puppets.every((puppet) => (puppet.row?.waitsFor ?? 'gone') === ''), 'all run or are ready');
  return puppets;
}

/** CPU time used so far by each, in milliseconds. */
function used(puppets: readonly Puppet[]): number[] {
  const rows = taskList();
  return puppets.map(({ pid }) => rows.find((row) => row.pid === pid)?.cpuMilliseconds ?? 0);
}

/**
 * Fails unless each one's part of the CPU time they use together from now on is as expected. On a host that never
 * leaves them a CPU it fails too, since nothing was measured.
 */
function sharesBecome(puppets: readonly Puppet[], expected: readonly number[], what: string): void {
  const sums = puppets.map(() => 0);
  let calmWindows = 0;
  for (let window = 0; window < MOST_WINDOWS && calmWindows < CALM_WINDOWS; window++) {
    const [before, start] = [used(puppets), uptime()];
    sleep(WINDOW);
    const spent = used(puppets).map((value, index) => value - (before[index] ?? 0));
    if (spent.reduce((sum, value) => sum + value, 0) < CALM * (uptime() - start)) continue;
    calmWindows++;
    for (const [index, value] of spent.entries()) sums[index] = (sums[index] ?? 0) + value;
  }
  holds(calmWindows === CALM_WINDOWS, `${what}: the host was too busy, only ${calmWindows} windows were calm`);
  const total = sums.reduce((sum, value) => sum + value, 0);
  const close = sums.every((value, index) => Math.abs(value / total - (expected[index] ?? 0)) <= TOLERANCE);
  holds(close, `${what}: CPU time ${sums.map((value) => value.toFixed(0)).join(' ')} ms`);
}

const quarter = [0.25, 0.25, 0.25, 0.25];

export const schedulingCases: Cases = {
  'four endless loops get a quarter each under round robin': () => {
    equal([scheduler().policy, scheduler().cpus], ['rr', 1], 'policy and CPUs');
    sharesBecome(spinners(4), quarter, 'shares');
    holds(scheduler().preemptions > 10, 'they were pre-empted');
  },
  'endless loops get CPU time by their weights under CFS, and equal shares again under round robin': () => {
    const puppets = spinners(3);
    for (const [index, { pid }] of puppets.entries()) setPriority(pid, 16, index === 0 ? 2048 : 1024);
    scheduler('cfs');
    sharesBecome(puppets, [0.5, 0.25, 0.25], 'shares under CFS');
    scheduler('rr');
    sharesBecome(puppets, [1 / 3, 1 / 3, 1 / 3], 'shares under round robin');
    fails('ENOENT', () => scheduler('lottery'));
    fails('EINVAL', () => setPriority(puppets[0]?.pid ?? 0, 32, 1024));
    fails('EINVAL', () => setPriority(puppets[0]?.pid ?? 0, 16, 0));
  },
  'under priority scheduling the manifest says who goes first, and nobody starves': () => {
    scheduler('priority');
    const [urgent, patient] = [new Puppet('urgent'), new Puppet('patient')];
    for (const puppet of [urgent, patient]) puppet.begin('spin');
    const before = used([urgent, patient]);
    sleep(2 * WINDOW);
    const [high = 0, low = 0] = used([urgent, patient]).map((value, index) => value - (before[index] ?? 0));
    holds(high > 1.5 * low && low > 0, `CPU time ${high} and ${low} ms`);
    scheduler('rr');
  },
  'every policy keeps the system alive under endless loops': () => {
    spinners(3);
    for (const policy of scheduler().policies) {
      scheduler(policy);
      const client = new Puppet('client');
      const before = uptime();
      for (let round = 0; round < 10; round++) client.do('getpid');
      const took = uptime() - before;
      client.kill();
      holds(took < 2000, `ten round trips took ${took} ms under ${policy}`);
    }
    scheduler('rr');
  },
  'a task that only starts and ends gets its turn': () => {
    spinners(2);
    const before = uptime();
    const pid = spawn('helper', ['end']);
    equal(waitpid(pid, 10_000), { pid, status: 0, signal: 0 }, 'how it ended');
    holds(uptime() - before < 2000, 'in time');
  },
};
