/** Cases on the scheduler, with tasks in endless loops that never ask the kernel for anything. For a machine with one CPU. */
import { scheduler, setPriority, sleep, spawn, taskList, uptime, waitpid } from '../../../services/lib/index.ts';
import { type Cases, equal, fails, holds } from './check.ts';
import { eventually, Puppet } from './puppet.ts';

/** Shares are measured in windows of this many milliseconds, of which so many may be used and so many have to be. */
const WINDOW = 1000;
const MOST_WINDOWS = 12;
const LEAST_WINDOWS = 2;
/** A window counts when the loops had a CPU of the host for this part of it: else the host's scheduler is measured, not this one. */
const CALM = 0.9;
/** How far shares may be off, and how far when the host was never calm. */
const TOLERANCE = 0.05;
const BUSY_TOLERANCE = 0.15;

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

/** Fails unless each one's part of the CPU time they use together from now on is as expected. */
function sharesBecome(puppets: readonly Puppet[], expected: readonly number[], what: string): void {
  const sums = { calm: puppets.map(() => 0), busy: puppets.map(() => 0) };
  const close = (spent: readonly number[], tolerance: number): boolean => {
    const total = spent.reduce((sum, value) => sum + value, 0);
    return spent.every((value, index) => Math.abs(value / total - (expected[index] ?? 0)) <= tolerance);
  };
  let calmWindows = 0;
  for (let window = 0; window < MOST_WINDOWS; window++) {
    const [before, start] = [used(puppets), uptime()];
    sleep(WINDOW);
    const spent = used(puppets).map((value, index) => value - (before[index] ?? 0));
    const calm = spent.reduce((sum, value) => sum + value, 0) >= CALM * (uptime() - start);
    if (calm) calmWindows++;
    const sum = calm ? sums.calm : sums.busy;
    for (const [index, value] of spent.entries()) sum[index] = (sum[index] ?? 0) + value;
    if (calmWindows >= LEAST_WINDOWS && close(sums.calm, TOLERANCE)) return;
  }
  const seldomCalm = calmWindows < LEAST_WINDOWS;
  if (seldomCalm && close(sums.busy, BUSY_TOLERANCE)) return;
  const times = (seldomCalm ? sums.busy : sums.calm).map((value) => value.toFixed(0)).join(' ');
  holds(false, `${what}: CPU time ${times} ms, ${calmWindows} of ${MOST_WINDOWS} windows with a calm host`);
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
