/**
 * File systems of every format on a second disk, from the shell: made, checked, mounted, filled, in use, unmounted;
 * damaged ones; and a file that is read while its servers are killed.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  eventually,
  killProcess,
  runCommands,
  startMachine,
  type TestMachine,
  type TestManifest,
} from '../support/machine.ts';
import { Random } from '../support/random.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-disks-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const MEBIBYTE = 1024 * 1024;

function blank(name: string, mebibytes: number): string {
  const file = path.join(folder, name);
  fs.writeFileSync(file, '');
  fs.truncateSync(file, mebibytes * MEBIBYTE);
  return file;
}

/**
 * A first disk with a partition of our own type, which is formatted and mounted on /mnt at boot, and a second one that
 * is blank.
 */
function disks(name: string): string[] {
  const first = blank(`${name}-a.img`, 8);
  const table = Buffer.alloc(512);
  table.writeUInt8(0x7f, 446 + 4);
  table.writeUInt32LE(64, 446 + 8);
  table.writeUInt32LE((8 * MEBIBYTE) / 512 - 64, 446 + 12);
  table.writeUInt16LE(0xaa55, 510);
  fs.writeFileSync(first, table, { flag: 'r+' });
  return ['--hda', first, '--hdb', blank(`${name}-b.img`, 16)];
}

/** Every run tries the own format and one of the others; test/conformance has both. */
const types = ['vrfs', new Random().pick(['fat', 'ext2'])];

describe('a file system whose service was stopped', () => {
  it('can be unmounted, and mounted elsewhere with everything in it', async () => {
    const { stdout, stderr } = await runCommands(
      [
        'mkdir /tmp/e /tmp/f; mkfs -t vrfs hdb; mount hdb /tmp/e; echo kept > /tmp/e/one; sync',
        'service stop vrfs@hdb; umount /tmp/e; echo "unmounted $?"',
        'mount hdb /tmp/f; echo "mounted $?"; cat /tmp/f/one; echo two > /tmp/f/two; umount /tmp/f; fsck hdb; echo "sound $?"',
      ].join('\n'),
      disks('stopped'),
    );
    for (const text of ['unmounted 0', 'mounted 0', 'kept', 'sound 0'])
      expect(stdout, stderr).toMatch(new RegExp(`^${text}$`, 'm'));
  });
});

describe('sync', () => {
  it('flushes what was written to a disk itself, to each disk that is there', async () => {
    // Neither has a file system, whose service would flush it.
    const { stdout, stderr } = await runCommands(
      ['seq 500 | dd of=/dev/hdb', 'atadrv', 'sync; echo "synced: $?"', 'atadrv; mount'].join('\n'),
      ['--hda', blank('raw-a.img', 4), '--hdb', blank('raw-b.img', 4)],
    );
    const [before = 0, after = 0] = [...stdout.matchAll(/^flushes +(\d+)$/gm)].map(([, number]) => Number(number));
    expect(stdout, stderr).toContain('synced: 0');
    expect(stdout).not.toContain('/mnt type vrfs');
    expect(after - before).toBe(2);
  });

  it('has nothing to flush where the driver of the disks has been stopped', async () => {
    const { stdout } = await runCommands('service stop ata; sync; echo "synced: $?"', ['--no-disk']);
    expect(stdout).toMatch(/^synced: 0$/m);
  });
});

describe.each(types)('a second disk with %s', (type) => {
  it('is made, checked, mounted, filled, unmounted, and there again at the next boot', async () => {
    const options = disks(type);
    const first = await runCommands(
      [
        `mkfs -t ${type} hdb && mkdir /tmp/d && mount hdb /tmp/d && mkdir /tmp/d/sub && seq 1000 > /tmp/d/sub/numbers`,
        'lsblk; df /tmp/d; mount; sync; fsck hdb; echo "fsck of a mounted one: $?"',
        'cd /tmp/d/sub; umount /tmp/d; echo "busy: $?"; cd /; umount /tmp/d; echo "unmounted: $?"; fsck hdb; echo "sound: $?"; ls /tmp/d',
      ].join('\n'),
      options,
    );
    const all = `${first.stdout}\n${first.stderr}`;
    expect(all).toMatch(new RegExp(`^hdb .*${type}`, 'm'));
    expect(all).toMatch(new RegExp(`^hdb on /tmp/d type ${type}(16)? \\(rw\\)$`, 'm'));
    expect(all).toMatch(/^fsck of a mounted one: [1-9]/m);
    expect(all).toMatch(/umount: .*working directory of shell\[\d+\]/);
    expect(all).toMatch(/^busy: 1\nunmounted: 0$/m);
    expect(all).toMatch(/^sound: 0$/m);
    const second = await runCommands(
      'mkdir /tmp/e; mount hdb /tmp/e; wc -l < /tmp/e/sub/numbers; tail -n 1 /tmp/e/sub/numbers',
      options,
    );
    expect(second.stdout, second.stderr).toMatch(/^ *1000\n1000$/m);
  });

  it('is refused with a reason, or only read, when it is damaged', async () => {
    const options = disks(`damaged-${type}`);
    const made = await runCommands(
      `mkfs -t ${type} hdb && mkdir /tmp/d && mount hdb /tmp/d && echo x > /tmp/d/f && umount /tmp/d`,
      options,
    );
    expect(made.status, made.stderr).toBe(0);
    const image = fs.openSync(options[3] ?? '', 'r+');
    fs.writeSync(image, Buffer.alloc(64 * 1024, 0xa5), 0, 64 * 1024, 512);
    fs.closeSync(image);
    const { stdout, stderr } = await runCommands(
      'mkdir /tmp/d; mount hdb /tmp/d && echo mounted; mount; umount /tmp/d; fsck hdb > /dev/null; echo "fsck: $?"; echo alive',
      options,
    );
    const all = `${stdout}\n${stderr}`;
    // FAT has no checksums: damage in its table is seen by fsck only.
    if (!/^mounted$/m.test(all)) expect(all).toMatch(/^mount: .*\S/m);
    else if (type !== 'fat') expect(all).toMatch(new RegExp(`^hdb on /tmp/d type ${type} \\(ro`, 'm'));
    expect(all).toMatch(/^fsck: [1-9]/m);
    expect(all).toMatch(/^alive$/m);
  });
});

function standardServices(): TestManifest[] {
  const file = path.resolve(import.meta.dirname, '../../services.json');
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as { services: TestManifest[] }).services;
}

/** Process of the host of a task, as last reported; 0: it has none. */
function hostProcess(machine: TestMachine, task: string): number {
  const line = machine.log.findLast(({ msg }) => msg.startsWith('TASKS '));
  return line === undefined ? 0 : ((JSON.parse(line.msg.slice(6)) as Record<string, number>)[task] ?? 0);
}

describe('a file that is read while ata and vrfs are killed', () => {
  it('has the right sum each time, and the reader sees no error', async () => {
    const options = disks('killed');
    const content = new Random().bytes(4 * MEBIBYTE);
    const file = path.join(folder, 'content');
    fs.writeFileSync(file, content);
    // The partition is formatted at the first boot.
    expect((await runCommands('df /mnt', options)).status).toBe(0);
    const vros = path.resolve(import.meta.dirname, '../../dist/vros.cjs');
    execFileSync(process.execPath, [vros, 'cp', file, `${options[1]}:/file`], { stdio: 'ignore' });
    const reporter = { name: 'task-reporter', entry: 'test/services/task-reporter', restart: 'always' };
    const machine = startMachine({ services: [...standardServices(), reporter], options });
    const sums = (): string[] => machine.stdout.match(/^[0-9a-f]{64}/gm) ?? [];
    await machine.logged(/hda1 is mounted on \/mnt/);
    const rounds = [['ata'], ['vrfs@hda1'], ['ata', 'vrfs@hda1'], ['vrfs@hda1'], ['ata']];
    for (const [round, victims] of rounds.entries()) {
      await eventually(() => victims.every((name) => hostProcess(machine, name) !== 0), 'the servers run', 30_000);
      machine.process.stdin.write('cat /mnt/file | sha256sum\n');
      for (const name of victims) {
        try {
          killProcess(hostProcess(machine, name));
        } catch {
          // It has just been replaced.
        }
      }
      await eventually(() => sums().length === round + 1, `sum ${round + 1}`, 30_000);
    }
    machine.process.stdin.write('halt\n');
    expect(await machine.end(), machine.stderr).toBe(0);
    const wanted = createHash('sha256').update(content).digest('hex');
    expect(sums(), machine.logText).toEqual(rounds.map(() => wanted));
  });
});
