/**
 * Kills services from the host with SIGKILL while a checked copy of 64 MiB is read through the disk driver: no wrong
 * byte, no failed read.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, killProcess, startMachine, type TestMachine, type TestManifest } from '../support/machine.ts';

const MEBIBYTES = 64;

/** Five times each of the combinations below: 60 kills. */
const ROUNDS = 40;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-kill-'));
const image = path.join(folder, 'disk.img');

beforeAll(() => {
  const data = Buffer.alloc(MEBIBYTES * 1024 * 1024);
  for (let at = 0; at < data.length; at += 4) {
    const sector = at >>> 9;
    data.writeUInt32LE((Math.imul(sector, 0x9e3779b1) + ((at & 511) >> 2)) >>> 0, at);
  }
  fs.writeFileSync(image, data);
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function standardServices(): TestManifest[] {
  const file = path.resolve(import.meta.dirname, '../../services.json');
  const { services } = JSON.parse(fs.readFileSync(file, 'utf8')) as { services: TestManifest[] };
  return services.filter(({ name }) => name !== 'ne2000' && name !== 'netstack');
}

function startReading(): TestMachine {
  return startMachine({
    services: [
      ...standardServices(),
      { name: 'checked-reader', entry: 'test/services/checked-reader', looksUp: ['ata', 'init'], restart: 'never' },
      { name: 'task-reporter', entry: 'test/services/task-reporter', restart: 'always' },
    ],
    options: ['--hda', image],
  });
}

/** Host process ids of the tasks, by name, as last reported. */
function hosts(machine: TestMachine): Record<string, number> {
  const line = machine.log.findLast(({ msg }) => msg.startsWith('TASKS '));
  return line === undefined ? {} : (JSON.parse(line.msg.slice(6)) as Record<string, number>);
}

/** How often the reader has said that it is further. */
const progress = (machine: TestMachine): number => machine.log.filter(({ msg }) => msg.startsWith('READ ')).length;

interface Figures {
  bytes: number;
  wrong: number;
  failed: number;
  slowest: number;
}

/**
 * Kills the named services together and waits until each has a new process and the reading goes on; false when it is
 * over. A request may see only so many deaths.
 */
async function killAndWait(machine: TestMachine, names: readonly string[]): Promise<boolean> {
  const before = hosts(machine);
  const read = progress(machine);
  for (const name of names) {
    const pid = before[name] ?? 0;
    if (pid === 0 || machine.results().length > 0) return false;
    killProcess(pid);
  }
  const back = (): boolean => {
    const now = hosts(machine);
    const restarted = names.every((name) => now[name] !== undefined && now[name] !== before[name]);
    return machine.results().length > 0 || (restarted && progress(machine) > read);
  };
  await eventually(back, `${names.join(' and ')} came back`, 20000);
  return true;
}

describe('killing services during a checked read of 64 MiB', () => {
  const rounds: readonly (readonly string[])[] = [
    ['ata'],
    ['tty'],
    ['init'],
    ['shell'],
    ['ata', 'tty'],
    ['ata', 'init'],
    ['init', 'tty'],
    ['ata', 'shell'],
  ];

  it('reads every byte right while each service in turn, and two at once, are killed', async () => {
    const machine = startReading();
    await machine.logged(/checked-reader: started/);
    await eventually(() => hosts(machine).shell !== undefined, 'all services run');
    let kills = 0;
    // As fast as they come back they can be killed for ever, and the reading may take as long; so it is left to end
    // some time.
    for (let round = 0; round < ROUNDS && machine.results().length === 0; round++) {
      const names = rounds[round % rounds.length] ?? [];
      if (!(await killAndWait(machine, names))) break;
      kills += names.length;
    }
    expect(await machine.end()).toBe(0);
    const [figures] = machine.results<Figures>();
    expect(figures, machine.logText).toMatchObject({ bytes: 2 * MEBIBYTES * 1024 * 1024, wrong: 0, failed: 0 });
    expect(kills, `kills before the end of the reading\n${machine.logText}`).toBeGreaterThanOrEqual(8);
  });
});
