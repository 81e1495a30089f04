/**
 * Services that use up whatever they can. Each is contained: the others keep being answered, rightly and soon, the
 * kernel's memory stays bounded, and the log says what was wrong where something was.
 */
import { describe, expect, it } from 'vitest';
import { startMachine, type TestMachine } from '../support/machine.ts';

/** How long an attack goes on that does not end by itself, in milliseconds. */
const ATTACK_MILLISECONDS = 400;
const LINES_MILLISECONDS = 1500;

/**
 * A call between two others through the kernel, while the host's CPUs are shared with the attacker: generous, since
 * hosts differ.
 */
const MEDIAN_MILLISECONDS = 50;
const WORST_MILLISECONDS = 1000;

/**
 * What the kernel may grow by, in MiB: the bounds of one task's messages and answers, and what the engine has not
 * collected yet.
 */
const GROWTH_MEBIBYTES = 160;

interface Times {
  readonly median: number;
  readonly high: number;
  readonly worst: number;
}

interface Result {
  readonly before: Times;
  readonly during: Times;
  readonly after: Times;
  /** State of the attacker at the end of the attack. */
  readonly state: string;
  readonly tasks: number;
  readonly ports: number;
  /** Content of the attacker's exit notice. */
  readonly end: readonly unknown[];
  readonly wrong: readonly string[];
  readonly grownMebibytes: number;
  readonly leftMebibytes: number;
}

interface Attack {
  readonly result: Result;
  /** What the attacker reports it has reached. */
  readonly reached: unknown;
  readonly machine: TestMachine;
  /** Status in the attacker's exit notice. */
  readonly status: unknown;
}

/** Runs one attack, and checks what holds for all of them. */
async function attack(way: string, milliseconds = ATTACK_MILLISECONDS, cpus = 2): Promise<Attack> {
  const machine = startMachine({
    services: [
      {
        name: 'init',
        entry: 'test/services/containment',
        serves: ['sink'],
        looksUp: ['echo'],
        privileges: ['power', 'supervise'],
      },
      { name: 'echo', entry: 'echo', serves: ['echo'] },
      {
        name: 'attacker',
        entry: 'test/services/attacker',
        looksUp: ['echo', 'sink'],
        maySpawn: ['occupied'],
        restart: 'never',
      },
      { name: 'occupied', entry: 'test/services/occupied', program: true },
    ],
    // Hostile code that has broken out of the lock-down: it writes to its pipe what it likes.
    options: [
      ...['--no-disk', '--sandbox', 'permission,namespaces', '--smp', String(cpus)],
      ...['--exec', JSON.stringify({ way, milliseconds })],
    ],
  });
  expect(await machine.end(), machine.logText + machine.stderr).toBe(0);
  const results = machine.results<{ reached?: unknown } | Result>();
  const result = results.find((candidate): candidate is Result => 'during' in candidate);
  if (result === undefined) throw new Error(`no result:\n${machine.logText}`);
  const figures = JSON.stringify(result);
  expect(result.wrong, figures).toEqual([]);
  expect(result.during.median, figures).toBeLessThan(MEDIAN_MILLISECONDS);
  expect(result.during.worst, figures).toBeLessThan(WORST_MILLISECONDS);
  expect(result.grownMebibytes, figures).toBeLessThan(GROWTH_MEBIBYTES);
  // Ports: init's two and echo's. Whatever the attacker made is gone with it.
  if (result.tasks === 3) expect(result.ports, figures).toBe(3);
  const report = results.find((candidate): candidate is { reached: unknown } => 'reached' in candidate);
  return { result, reached: report?.reached, machine, status: result.end[3] };
}

describe('a service that does not stop by itself', () => {
  for (const way of [
    ...['flood of posts', 'flood of calls', 'flood of frames', 'flood of large frames', 'flood of malformed frames'],
    ...['unread answers', 'unread large answers', 'unread answers of a server', 'half a frame', 'endless loop'],
  ]) {
    it(`is contained and can be killed: ${way}`, async () => {
      const { machine, status, result } = await attack(way);
      expect(['RUNNING', 'READY']).toContain(result.state);
      expect(status).toBe(137);
      expect(machine.logText).toMatch(/attacker\[3\] is ended: SIGKILL from init/);
    });
  }

  it('leaves the others their turn on a single CPU', async () => {
    const { result } = await attack('endless loop', ATTACK_MILLISECONDS, 1);
    expect(['RUNNING', 'READY']).toContain(result.state);
  });
});

describe('a service that writes too much', () => {
  for (const [way, pattern] of [
    ['flood of log lines', /attacker\[3\]: \(\d+ lines dropped: more than 200 a second\)/],
    ['flood of output', /attacker\[3\]: \(\d+ lines dropped: more than 200 a second\)/],
    ['flood of long output', /attacker\[3\] is ended/],
  ] as const) {
    it(`gets so many lines into the log and no more: ${way}`, async () => {
      // Until a second has begun in which it has written as much as it may.
      const { machine } = await attack(way, LINES_MILLISECONDS);
      expect(machine.logText).toMatch(pattern);
      const lines = machine.log.filter(({ source }) => source === 'attacker[3]').length;
      expect(lines).toBeLessThan(1000 + 200 * 5);
    });
  }
});

describe('a service that cheats', () => {
  it('is ended when it sends a frame over the bound', async () => {
    const { machine, status } = await attack('an over-long frame');
    expect(status).toBe(159);
    expect(machine.logText).toMatch(/attacker\[3\] is ended: sent a frame of 2097152 bytes, which is over the bound/);
  });

  it('is ended, and told why, when it writes to where it reads from', async () => {
    const { machine, status } = await attack('a frame written where it reads');
    expect(status).toBe(159);
    expect(machine.logText).toMatch(/attacker\[3\] is ended: wrote to descriptor 3, which is for reading/);
  });

  for (const way of [
    'a loop while it claims to wait',
    'a loop after a quiet time of waiting',
    'calls while it claims to wait',
  ]) {
    it(`is ended when it computes outside the scheduler: ${way}`, async () => {
      const { machine, status } = await attack(way, 20000);
      expect(status).toBe(159);
      expect(machine.logText).toMatch(
        /attacker\[3\] is ended: used \d+ ms of CPU time and was given \d+ ms, while it claimed to wait in ipc_recv/,
      );
    });
  }
});

describe('a service that eats memory', () => {
  for (const way of ['a full heap', 'buffers without end']) {
    it(`dies of its limit and the log says so: ${way}`, async () => {
      const { machine, status } = await attack(way, 20000);
      expect(status).toBeGreaterThan(128);
      expect(machine.logText).toMatch(/attacker\[3\] \(incarnation 1\) died: out of memory: its limit is 128 MiB/);
    });
  }
});

describe('a service that takes all it can get', () => {
  for (const [way, expected] of [
    [
      'all ports and capabilities',
      { ports: { count: 4096, refused: 'EMFILE' }, rights: { count: 16384, refused: 'EMFILE' }, port: true },
    ],
    ['all calls', { begun: 1024, refused: 44 }],
    ['all tasks', { count: 64, refused: 'EAGAIN' }],
    ['mail to itself', { mebibytes: expect.toSatisfy((size) => size > 20 && size <= 32), refusals: ['EAGAIN'] }],
    ['a full store', { count: expect.toSatisfy((count) => count > 90 && count < 110), refused: 'ENOSPC' }],
    ['notices without end', 'done'],
    ['ports made and destroyed', 'done'],
    ['calls nobody answers in time', ['ETIMEDOUT']],
  ] as const) {
    it(`is refused more, and gives all back: ${way}`, async () => {
      const { reached, status } = await attack(way, 20000);
      expect(reached).toEqual(expected);
      expect(status).toBe(0);
    });
  }
});
