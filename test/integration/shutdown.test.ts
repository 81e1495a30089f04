/**
 * The ways a machine ends: from inside, by a signal of the host, by the death of the kernel. No process is left behind,
 * whatever state it was in.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, isAlive, startMachine, type TestMachine, type TestManifest } from '../support/machine.ts';

/** How long a process may outlive its machine, in milliseconds. */
const LEFT_MILLISECONDS = 1000;

const services: readonly TestManifest[] = [
  {
    name: 'init',
    entry: 'test/services/ender',
    privileges: ['power'],
    maySpawn: ['occupied'],
    ioPorts: ['0x3f8-0x3fd'],
  },
  { name: 'occupied', entry: 'test/services/occupied', program: true },
];

interface Boot {
  readonly pid: number;
  readonly incarnation: number;
  readonly keys: string[];
  readonly states: string[];
}

/** Starts a machine whose tasks are in every state, and answers its processes too. */
async function occupiedMachine(
  ...options: readonly string[]
): Promise<{ machine: TestMachine; processes: readonly number[] }> {
  const machine = startMachine({ services, options: ['--no-disk', '--smp', '1', ...options] });
  await machine.logged(/RESULT/);
  const [boot] = machine.results<Boot>();
  expect(boot?.states).toEqual(expect.arrayContaining(['RUNNING', 'READY', 'STOPPED', 'BLOCKED']));
  // init, five tasks, and the warm spares.
  await eventually(() => started(machine).length >= 8, 'the spares are there');
  return { machine, processes: machine.descendants() };
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-shutdown-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Writes a program that uses the whole service library; answers its file. */
function program(name: string, code: string): string {
  const file = path.join(folder, `${name}.cjs`);
  fs.writeFileSync(file, `const { ipcCreatePort, ipcRecv, log, signalPort } = require('vros');\n${code}\n`);
  return file;
}

/** Processes of the host with a text in their command line. */
function processesWith(text: string): number[] {
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

/** Descendants that run the engine: those that wrap them do not count. */
function started(machine: TestMachine): number[] {
  return machine.descendants().filter((pid) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/exe`) === fs.realpathSync(process.execPath);
    } catch {
      return false;
    }
  });
}

async function noneLeft(processes: readonly number[]): Promise<void> {
  await eventually(() => !processes.some(isAlive), 'all processes are gone', LEFT_MILLISECONDS);
}

describe('a machine ends', () => {
  it('by halt, with the status given, and nothing is left', async () => {
    const { machine, processes } = await occupiedMachine();
    machine.process.stdin.write('h');
    expect(await machine.end()).toBe(7);
    await noneLeft(processes);
    expect(machine.stderr).toBe('');
  });

  it('by reboot and comes up fresh, without the processes of before', async () => {
    const { machine, processes } = await occupiedMachine();
    machine.process.stdin.write('r');
    await machine.logged(/kernel: reboot/);
    await noneLeft(processes);
    await eventually(() => machine.results().length === 2, 'the second boot');
    const [first, second] = machine.results<Boot>();
    // Which task runs and which are ready is up to the scheduler.
    const sorted = (boot: Boot | undefined): unknown => ({ ...boot, states: boot?.states.toSorted() });
    expect(sorted(second)).toEqual(sorted(first));
    expect(second).toMatchObject({ pid: 1, incarnation: 1, keys: [] });
    await eventually(() => machine.descendants().length >= 6, 'the services of the second boot run');
    const later = machine.descendants();
    machine.process.stdin.write('h');
    expect(await machine.end()).toBe(7);
    await noneLeft(later);
  });

  for (const [signal, status] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const) {
    it(`by ${signal}, with status ${status}, and nothing is left`, async () => {
      const { machine, processes } = await occupiedMachine();
      machine.process.kill(signal);
      expect(await machine.end()).toBe(status);
      await noneLeft(processes);
    });
  }

  it('in order when init hears signals: the services are stopped one by one', async () => {
    const machine = startMachine({ options: ['--no-disk'], network: true });
    machine.process.stdin.write('echo hello\n');
    await eventually(() => machine.stdout.includes('hello'), 'the shell answers');
    const processes = machine.descendants();
    machine.process.kill('SIGTERM');
    expect(await machine.end()).toBe(143);
    await noneLeft(processes);
    expect(machine.logText).toMatch(/SIGTERM from the host/);
    expect(machine.logText).not.toMatch(/crash record/);
  });

  it('at once by a second signal when init does not end it', async () => {
    const entry = program('deaf', `signalPort(ipcCreatePort()); log('RESULT 1'); for (;;) ipcRecv();`);
    const machine = startMachine({ services: [{ name: 'init', entry }] });
    await machine.logged(/RESULT/);
    machine.process.kill('SIGTERM');
    await machine.logged(/SIGTERM from the host/);
    machine.process.kill('SIGINT');
    expect(await machine.end()).toBe(130);
  });

  for (const sandbox of ['permission,namespaces,lock-down', 'none']) {
    it(`by kill -9 of the kernel, and nothing is left (sandbox ${sandbox})`, async () => {
      const { machine, processes } = await occupiedMachine('--sandbox', sandbox);
      machine.process.kill('SIGKILL');
      expect(await machine.end()).toBe(137);
      await noneLeft(processes);
    });
  }

  it.skipIf(process.platform !== 'linux')('by kill -9 at any moment of its start, and nothing is left', async () => {
    // The folder of the program stands in the command line of every task.
    const entry = program('early', 'for (;;) ipcRecv();');
    for (const milliseconds of [20, 40, 60, 80, 100, 140]) {
      const machine = startMachine({ services: [{ name: 'init', entry }] });
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      machine.process.kill('SIGKILL');
      await machine.end();
      await eventually(() => processesWith(folder).length === 0, 'all processes are gone', LEFT_MILLISECONDS);
    }
  });
});

describe('a machine whose terminal is gone', () => {
  it('goes on when nobody reads its output any more, and ends with its own status', async () => {
    const { machine, processes } = await occupiedMachine();
    machine.process.stdout.destroy();
    machine.process.stderr.destroy();
    machine.process.stdin.write('w');
    expect(await machine.end()).toBe(9);
    await noneLeft(processes);
    expect(machine.logText).not.toMatch(/fatal|EPIPE/);
  });

  it('waits for the reader of its output at halt, but not after a signal', async () => {
    for (const [signal, status] of [
      [null, 9],
      ['SIGTERM', 143],
    ] as const) {
      const { machine, processes } = await occupiedMachine();
      machine.process.stdout.pause();
      machine.process.stdin.write('w');
      if (signal === null) {
        await machine.logged(/kernel: halt/);
        await noneLeft(processes);
        expect(isAlive(machine.process.pid ?? 0)).toBe(true);
      } else {
        await eventually(() => machine.process.stdout.readableLength > 0, 'some output');
        machine.process.kill(signal);
        await eventually(() => !isAlive(machine.process.pid ?? 0), 'the kernel is gone', 3000);
      }
      machine.process.stdout.resume();
      expect(await machine.end()).toBe(status);
    }
  });
});
