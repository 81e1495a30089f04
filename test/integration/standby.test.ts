/**
 * Standbys: that the drivers' rehearsals end well and their standbys take over, and what becomes of one that is out of
 * date, or fails.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, killProcess, startMachine, type TestMachine, type TestManifest } from '../support/machine.ts';

const file = path.resolve(import.meta.dirname, '../../services.json');
const { services: all } = JSON.parse(fs.readFileSync(file, 'utf8')) as { services: TestManifest[] };
const standard = (...names: string[]): TestManifest[] => all.filter(({ name }) => names.includes(name));
const reporter = { name: 'task-reporter', entry: 'test/services/task-reporter', restart: 'always' };

/** Host processes by name of task, as last reported. */
function hosts(machine: TestMachine): Readonly<Record<string, number>> {
  const line = machine.log.findLast(({ msg }) => msg.startsWith('TASKS '));
  return JSON.parse(line?.msg.slice(6) ?? '{}') as Record<string, number>;
}

/** Kills the process of a task as soon as it is another one than `before`; answers which. */
async function kill(machine: TestMachine, name: string, before = 0): Promise<number> {
  const host = (): number => hosts(machine)[name] ?? 0;
  await eventually(() => ![0, before].includes(host()), `the process of ${name}`);
  const found = host();
  killProcess(found);
  return found;
}

/** The program that a process of the host runs; '' when it is gone. */
function programOf(pid: number): string {
  try {
    return path.basename(fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[0] ?? '');
  } catch {
    return '';
  }
}

/** Writes a program and answers its manifest. */
function written(text: string): { manifest: TestManifest; write: (text: string) => void } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-standby-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true }));
  const entry = path.join(folder, 'driver.cjs');
  const write = (next: string): void => fs.writeFileSync(entry, next);
  write(text);
  return { manifest: { name: 'driver', entry, serves: ['driver'], standby: true }, write };
}

const program = (version: string): string => `
  const { log, run, startInformation } = require('vros');
  run({ port: 'driver', start: () => log('version ${version}, incarnation ' + startInformation.incarnation) });
`;

describe('standbys', () => {
  it.each(['ata', 'ne2000'])('of %s are ready after each death, and take over', async (name) => {
    const machine = startMachine({ services: [...standard('init', name), reporter] });
    const ready = (): number => machine.log.filter(({ msg }) => msg === `${name} has a standby`).length;
    let killed = 0;
    for (let incarnation = 2; incarnation <= 4; incarnation++) {
      await eventually(() => ready() === incarnation - 1, `standby ${incarnation - 1} of ${name}`, 20_000);
      killed = await kill(machine, name, killed);
      await machine.logged(new RegExp(`kernel: ${name}\\[\\d+\\] incarnation ${incarnation}: standby`));
      await machine.logged(new RegExp(`init\\[1\\]: ${name}: .* started again`));
    }
    expect(machine.logText).not.toContain('the standby of');
  });

  it('rehearse from the start of the task on, as often as the play says, and then begin anew', async () => {
    const { manifest } = written(`
      const { log, runRehearsed, storeGet } = require('vros');
      let starts = 0;
      let played = 0;
      let pings = 0;
      // The method "ping" of the interface "service".
      const message = { interface: 2, method: 1, badge: 0, notice: false, retry: false, data: null };
      runRehearsed(
        () => ({
          port: 'driver',
          start: () => log('start ' + ++starts + ', pings answered ' + pings + ', store ' + storeGet('kept')),
        }),
        () => ({
          performances: 4,
          load: (key) => (key === 'kept' ? 'x'.repeat(100_000) : undefined),
          vector: () => { throw new Error('there are no vectors'); },
          answered: (status) => { pings += status === 0 ? 1 : 100; },
          next: () => (++played > 3 ? null : message),
        }),
      );
    `);
    const machine = startMachine({ services: [...standard('init'), manifest, reporter] });
    await machine.logged(/driver\[\d+\]: start 1, pings answered 0, store undefined/);
    await machine.logged(/kernel: driver has a standby/);
    await kill(machine, 'driver');
    // Only the first time anybody has to make up answers.
    await machine.logged(/driver\[\d+\]: start 5, pings answered 3, store undefined/);
    expect(machine.logText).toMatch(/driver\[\d+\] incarnation 2: standby/);
  });

  it('run what the file of the program holds when they are needed', async () => {
    const { manifest, write } = written(program('one'));
    const machine = startMachine({ services: [...standard('init'), manifest, reporter] });
    await machine.logged(/driver\[\d+\]: version one, incarnation 1/);
    await machine.logged(/kernel: driver has a standby/);
    write(program('number two'));
    await kill(machine, 'driver');
    await machine.logged(/driver\[\d+\]: version number two, incarnation 2/);
    expect(machine.logText).toMatch(/driver\[\d+\] incarnation 2: warm spare/);
  });

  it('is made again when it is ended from outside', async () => {
    const { manifest } = written(program('one'));
    const machine = startMachine({ services: [...standard('init'), manifest, reporter] });
    await machine.logged(/kernel: driver has a standby/);
    // Nothing tells it from the spares.
    const engine = path.basename(process.execPath);
    const tasks = Object.values(hosts(machine));
    const idle = (): number[] =>
      machine.descendants().filter((pid) => programOf(pid) === engine && !tasks.includes(pid));
    await eventually(() => idle().length === 3, 'two spares and the standby');
    idle().forEach(killProcess);
    await machine.logged(/the standby of driver has ended/);
    await eventually(
      () => machine.log.filter(({ msg }) => msg === 'driver has a standby').length === 2,
      'the next standby',
    );
    await kill(machine, 'driver');
    await machine.logged(/driver\[\d+\] incarnation 2: standby/);
  });

  it('ends with its service', async () => {
    const machine = startMachine({ services: [...standard('init', 'tty', 'shell', 'ata'), reporter] });
    await machine.logged(/kernel: ata has a standby/);
    const engine = path.basename(process.execPath);
    const processes = (): number => machine.descendants().filter((pid) => programOf(pid) === engine).length;
    // Five tasks, two spares, and the standby.
    await eventually(() => processes() === 8, 'all its processes', 20_000);
    await machine.shell('service stop ata');
    await eventually(() => processes() === 6, 'the processes without those of ata', 20_000);
  });

  it.each([
    ['asks the kernel for something', `require('vros').uptime();${program('one')}`, 'before it is a task'],
    [
      'throws',
      `if (require('vros').startInformation.pid === 0) throw new Error('no standby');${program('one')}`,
      'no standby',
    ],
    [
      'does what its rehearsal has no answer for',
      `const { ioVector, runRehearsed, startInformation } = require('vros');
       const unknown = () => { throw new Error('operation 99 is not played'); };
       runRehearsed(
         () => ({ port: 'driver', start: () => { if (startInformation.pid === 0) ioVector([99, 1]); } }),
         () => ({ load: () => undefined, vector: unknown, answered: () => {}, next: () => null }));`,
      'operation 99 is not played',
    ],
  ])(
    'that end because the program %s are told of, and the service comes back without one',
    async (_what, text, reason) => {
      const { manifest } = written(text);
      const machine = startMachine({ services: [...standard('init'), manifest, reporter] });
      const line = await machine.logged(/kernel: the standby of driver has ended/);
      expect(line.msg).toContain(reason);
      await kill(machine, 'driver');
      await machine.logged(/kernel: driver\[\d+\] incarnation 2: warm spare/);
      await machine.logged(/init\[1\]: driver: .* started again/);
    },
  );
});
