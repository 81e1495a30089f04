/**
 * Files in whole machines: what is where, what persists, mounts within mounts, who is busy, and files in use while
 * their servers are killed.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommands, startMachine, type TestManifest } from '../support/machine.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-files-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const MEBIBYTE = 1024 * 1024;

/** An image with one partition of our own type that holds nothing. */
function blankImage(name: string, mebibytes = 8): string {
  const file = path.join(folder, name);
  const sectors = (mebibytes * MEBIBYTE) / 512;
  const table = Buffer.alloc(512);
  table.writeUInt8(0x7f, 446 + 4);
  table.writeUInt32LE(64, 446 + 8);
  table.writeUInt32LE(sectors - 64, 446 + 12);
  table.writeUInt16LE(0xaa55, 510);
  fs.writeFileSync(file, table);
  fs.truncateSync(file, mebibytes * MEBIBYTE);
  return file;
}

describe('the name space', () => {
  it('can be asked to give up at once what is being mounted at the boot', async () => {
    const image = blankImage('early.img');
    const { status, stderr, stdout } = await runCommands('umount /mnt && df', ['--hda', image]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).not.toContain('/mnt');
  });

  it('has files in memory, figures of the system, and devices', async () => {
    const { status, stdout, stderr } = await runCommands(
      [
        'ls /; echo hello > /tmp/f; cat /tmp/f; ls /mnt',
        'cat /proc/uptime /proc/1/status /proc/interrupts /proc/mounts; ls /proc/1; wc -l /proc/tasks',
        'cat /dev/null; head -c 5 /dev/zero | hexdump; head -c 100 /dev/random | wc -c; echo to the terminal > /dev/tty',
        'ls /dev; cat /proc/99999/status; echo $?; echo x > /proc/uptime; echo $?; echo x > /dev/none; echo $?',
      ].join('\n'),
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^dev\nmnt\nproc\ntmp\nhello$/m);
    expect(stdout).toMatch(/^\d+\.\d{3} s$/m);
    expect(stdout).toMatch(/^Name: +init$/m);
    expect(stdout).toMatch(/^ +4 +\d+ +(open|masked) +tty$/m);
    expect(stdout).toMatch(/^- +ramfs +rw +vfs +good +\/$/m);
    expect(stdout).toMatch(/^caps\nstatus$/m);
    expect(stdout).toMatch(/^00000000 +00 00 00 00 00 /m);
    expect(stdout).toMatch(/^100$/m);
    expect(stdout).toMatch(/^to the terminal$/m);
    expect(stdout).toMatch(/^null\nrandom\ntty\nzero$/m);
  });
});

describe('files on /mnt', () => {
  it('are there after a halt, and after the machine was killed', async () => {
    const disk = ['--hda', blankImage('persistent.img')];
    const first = await runCommands('echo one > /mnt/a && mkdir -p /mnt/d/e && cp /mnt/a /mnt/d/e/b && df /mnt', disk);
    expect(first.status, first.stderr).toBe(0);
    expect(first.stdout).toMatch(/^hda1 +vrfs /m);
    const machine = startMachine({ options: disk });
    machine.process.stdin.write('cat /mnt/d/e/b; echo two > /mnt/c; sync; echo synced\n');
    const deadline = Date.now() + 30_000;
    while (!machine.stdout.includes('synced') && Date.now() < deadline)
      await new Promise((done) => setTimeout(done, 20));
    machine.process.kill('SIGKILL');
    await machine.end();
    expect(machine.stdout).toMatch(/^one\nsynced/m);
    const last = await runCommands('cat /mnt/a /mnt/c /mnt/d/e/b', disk);
    expect([last.stdout, last.status], last.stderr).toEqual(['one\ntwo\none\n', 0]);
  });

  it('can be in file systems within file systems, and who is busy is said', async () => {
    const disks = ['--hda', blankImage('outer.img'), '--hdb', blankImage('inner.img')];
    const { stdout, stderr } = await runCommands(
      [
        'mkfs -t vrfs hdb1 && mkdir /mnt/deep && mount hdb1 /mnt/deep && echo inner > /mnt/deep/f && echo outer > /mnt/g',
        'ln -s /mnt/deep /tmp/way; cat /tmp/way/f /tmp/way/../g; ln -s ../../tmp/way/f /mnt/deep/back; cat /mnt/deep/back',
        'mv /mnt/deep /mnt/other; umount /mnt; umount hda; cd /mnt/deep; umount /mnt/deep; cd /; echo x > /dev/hdb1; rmdir /mnt/deep',
        'ln /mnt/g /mnt/deep/g; mount hdb1 /tmp; umount /mnt/deep && ls /mnt/deep && echo empty; umount /mnt && ls /mnt && echo gone',
        'mount -r hda1 /mnt; echo x > /mnt/x; cat /mnt/g; mount',
      ].join('\n'),
      disks,
    );
    const all = `${stdout}\n${stderr}`;
    expect(all).toMatch(/^inner\nouter\ninner$/m);
    expect(all).toMatch(/\/mnt\/deep.*(busy|mounted)/i);
    expect(all).toMatch(/umount: .*a file system is mounted on \/mnt\/deep/);
    expect(all).toMatch(/umount: .*working directory of shell\[\d+\]/);
    expect(all).toMatch(/hdb1.*(busy|mounted)/i);
    expect(all).toMatch(/^empty$/m);
    expect(all).toMatch(/^gone$/m);
    expect(all).toMatch(/read-only/i);
    expect(all).toMatch(/^hda1 on \/mnt type vrfs \(ro\)$/m);
  });
});

function standardServices(): TestManifest[] {
  const file = path.resolve(import.meta.dirname, '../../services.json');
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as { services: TestManifest[] }).services;
}

describe('files in use while their servers are killed', () => {
  it.each(['vfs', 'vrfs@hda1', 'vfs vrfs@hda1 ata'])('lose and double nothing: %s', async (victims) => {
    const entry = 'test/services/files-tester';
    const helper = { name: 'files-helper', entry, program: true, looksUp: ['vfs'], privileges: ['signal'] };
    const tester = {
      name: 'files-tester',
      entry,
      looksUp: ['vfs'],
      restart: 'never',
      privileges: ['signal', 'power'],
      maySpawn: ['files-helper'],
    };
    const machine = startMachine({
      services: [...standardServices().filter(({ name }) => name !== 'shell'), helper, tester],
      options: ['--hda', blankImage(`${victims.length}.img`), '--exec', victims],
      closeInput: true,
    });
    const status = await machine.end();
    const results = machine.results<{ name: string; error: string | null }>();
    expect(
      results.filter(({ error }) => error !== null),
      machine.logText.slice(-6000),
    ).toEqual([]);
    expect(results.length).toBe(6);
    expect(status).toBe(0);
  });
});
