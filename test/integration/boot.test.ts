/**
 * Boots the machine with disks and terminals that are missing, empty, broken, locked, read-only or closed.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { MAX_ARGUMENT_BYTES } from '../../protocol/bounds.ts';
import { kernelFile, runCommands, startMachine } from '../support/machine.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-boot-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function image(name: string, content: Buffer): string {
  const file = path.join(folder, name);
  fs.writeFileSync(file, content);
  return file;
}

describe('disks', () => {
  it('boots without a disk, and lsblk says so', async () => {
    const { status, stdout } = await runCommands('lsblk; ps', ['--no-disk'], { disks: true });
    expect(status).toBe(0);
    expect(stdout).toMatch(/no disk/i);
    expect(stdout).toMatch(/ata\s*$/m);
  });

  it('makes a default image with a partition on the first start and keeps it', async () => {
    const machine = startMachine({ options: ['--exec', 'lsblk'], closeInput: true, network: true });
    expect(await machine.end()).toBe(0);
    expect(machine.stdout).toMatch(/^hda\b.*64/m);
    expect(machine.stdout).toMatch(/^hda1\b/m);
    const file = path.join(machine.folder, '.vros/hda.img');
    const before = fs.statSync(file);
    expect(before.size).toBe(64 * 1024 * 1024);
    // It is sparse: there is a file system on it, and nothing in that.
    expect(before.blocks * 512).toBeLessThan(8 * 1024 * 1024);
  });

  it('refuses an empty image with a sentence', async () => {
    const { status, stderr } = await runCommands('true', ['--hda', image('empty.img', Buffer.alloc(0))]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/empty\.img/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('refuses a missing and a truncated image with a sentence', async () => {
    const missing = await runCommands('true', ['--hda', path.join(folder, 'nowhere.img')]);
    expect(missing.status).not.toBe(0);
    expect(missing.stderr).toMatch(/nowhere\.img/);
    const truncated = await runCommands('true', ['--hda', image('truncated.img', Buffer.alloc(1000))]);
    expect(truncated.status).not.toBe(0);
    expect(truncated.stderr).toMatch(/truncated\.img/);
  });

  it('boots with an image full of garbage: a disk without partitions that can be read', async () => {
    const garbage = Buffer.alloc(1024 * 1024);
    for (let at = 0; at < garbage.length; at++) garbage[at] = (at * 197 + (at >> 8) * 31) & 0xff;
    garbage.writeUInt16LE(0xaa55, 510);
    const { status, stdout } = await runCommands('lsblk && hexdump hda 1', ['--hda', image('garbage.img', garbage)]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^hda\b/m);
    expect(stdout.split('\n').some((line) => line.startsWith('00000200'))).toBe(true);
  });

  it('boots with an image of one sector', async () => {
    const { status, stdout } = await runCommands('hexdump hda', ['--hda', image('one.img', Buffer.alloc(512, 0x41))]);
    expect(status).toBe(0);
    expect(stdout).toContain('|AAAAAAAAAAAAAAAA|');
  });

  it('locks an image against a second machine', async () => {
    const file = image('locked.img', Buffer.alloc(64 * 512));
    const first = startMachine({ options: ['--hda', file] });
    await first.logged(/init.*shell: started/);
    const second = await runCommands('true', ['--hda', file]);
    expect(second.status).not.toBe(0);
    expect(second.stderr).toMatch(/locked\.img/);
    first.process.kill('SIGTERM');
    await first.end();
    expect((await runCommands('true', ['--hda', file])).status).toBe(0);
  });

  it('refuses writes to an image opened for reading only', async () => {
    const file = image('read-only.img', Buffer.alloc(64 * 512));
    const { stdout, status } = await runCommands('blktest -w hda', ['--hda', file, '--read-only']);
    expect(status).not.toBe(0);
    expect(stdout).toMatch(/read-only|EROFS/i);
  });
});

describe('one image for two disks', () => {
  it('is refused for what it is, unless nobody writes to it', async () => {
    const file = image('twice.img', Buffer.alloc(64 * 512));
    fs.linkSync(file, `${file}.link`);
    const options = ['--hda', file, '--hdb', `${file}.link`, '--netdev', 'none', '--exec', 'true'];
    expect(await runBehind('true', options)).toMatchObject({
      status: 64,
      text: expect.stringContaining('hda and hdb are the same disk image'),
    });
    expect(await runBehind('true', [...options, '--read-only'])).toEqual({ status: 0, text: '' });
  });
});

describe('terminals', () => {
  it('ends at once, with status 0, when there is nothing to read', async () => {
    const machine = startMachine({ closeInput: true, network: true });
    expect(await machine.end()).toBe(0);
  });

  it('survives a closed output', async () => {
    const machine = startMachine({ options: ['--no-disk', '--exec', 'help; help; ps; exit 3'], network: true });
    machine.process.stdout.destroy();
    expect(await machine.end()).toBe(3);
  });

  it('runs with standard input, output and error all closed', async () => {
    const child = spawn(
      '/bin/sh',
      ['-c', 'exec "$@" <&- >&- 2>&-', 'sh', process.execPath, kernelFile, '--no-disk', '--exec', 'exit 5'],
      {
        cwd: folder,
      },
    );
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect(status).toBe(5);
  });
});

/** Runs the machine behind a command of the host's shell. Answers the status, and what it wrote to stderr. */
async function runBehind(
  command: string,
  options: string[],
  where = folder,
): Promise<{ status: number; text: string }> {
  const words = ['-c', `${command}; exec "$@"`, 'sh', process.execPath, kernelFile, ...options];
  const child = spawn('/bin/sh', words, { cwd: where, stdio: ['ignore', 'ignore', 'pipe'] });
  const errors = textOf(child.stderr);
  const status = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 137)));
  return { status, text: errors() };
}

/** Collects what comes from a stream. */
function textOf(stream: Readable | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  return () => text;
}

describe('a machine on a host that has little', () => {
  it('says so when there are too few descriptors, and is no bug of the kernel', async () => {
    const { status, text } = await runBehind('ulimit -n 40', [
      '--no-disk',
      '--netdev',
      'none',
      '--exec',
      'seq 3 | cat | cat',
    ]);
    expect(status).not.toBe(0);
    expect(text).not.toContain('kernel error');
  });

  for (const [limit, who] of [
    [26, /init/],
    [34, /tty|shell/],
  ] as const)
    it(`ends with a word when there are too few for ${who.source}`, async () => {
      const options = ['--no-disk', '--netdev', 'none', '--exec', 'true'];
      const { status, text } = await runBehind(`ulimit -n ${limit}`, options);
      expect(status).toBe(70);
      const [, name = '', how] = /^vros: the machine has ended: (\w+):? (.*)\n$/.exec(text) ?? [];
      expect(name).toMatch(who);
      expect(how).toContain('the host has no descriptors left for a process');
    });

  it('ends with who writes when nobody reads its output any more', async () => {
    for (const script of ['yes', 'yes | cat', 'help; seq 1 1000000']) {
      const words = [kernelFile, '--no-disk', '--netdev', 'none', '--exec', script];
      const child = spawn(process.execPath, words, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
      const errors = textOf(child.stderr);
      child.stdout.once('data', () => child.stdout.destroy());
      const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
      expect({ script, status, errors: errors() }).toEqual({ script, status: 141, errors: '' });
    }
  });

  it('says that its output could not be written', async () => {
    const full = fs.openSync('/dev/full', 'w');
    const words = [kernelFile, '--no-disk', '--netdev', 'none', '--exec', 'echo a'];
    const child = spawn(process.execPath, words, { cwd: folder, stdio: ['ignore', full, 'pipe'] });
    fs.closeSync(full);
    const errors = textOf(child.stderr);
    const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
    expect(status).toBe(74);
    expect(errors()).toMatch(/^vros: standard output: ENOSPC: .*\n$/);
  });

  it('goes on without a log that cannot be written, and ends in order', async () => {
    const options = [
      '--no-disk',
      '--netdev',
      'none',
      '--log',
      '/dev/full',
      '--debug',
      '--exec',
      'dmesg | grep -c ENOSPC; exit 9',
    ];
    expect(await runBehind('true', options)).toEqual({ status: 9, text: '' });
  });

  it('leaves no half-made image behind', async () => {
    const empty = fs.mkdtempSync(path.join(folder, 'small-'));
    fs.writeFileSync(path.join(empty, '.vros'), 'a file');
    const { status, text } = await runBehind('true', ['--exec', 'true'], empty);
    expect(status).toBe(66);
    expect(text).toMatch(/^vros: The disk image \.vros\/hda\.img cannot be made: .*\n$/);
    fs.rmSync(path.join(empty, '.vros'));
    // No file may be longer than 32 MiB here.
    const { status: limited } = await runBehind('ulimit -f 65536', ['--exec', 'true'], empty);
    expect(limited).not.toBe(0);
    expect(fs.readdirSync(path.join(empty, '.vros'))).toEqual([]);
  });
});

describe('the command line', () => {
  it('refuses to write records over a disk, or into one another', async () => {
    const disk = image('precious.img', Buffer.alloc(64 * 512, 7));
    fs.linkSync(disk, path.join(folder, 'other-name'));
    for (const words of [
      ['--hda', disk, '--log', path.join(folder, 'other-name')],
      ['--hda', disk, '--pcap', path.join(folder, 'other-name')],
      ['--no-disk', '--log', disk, '--pcap', disk],
    ]) {
      const { status, text } = await runBehind('true', words);
      expect(status).toBe(64);
      expect(text).toMatch(/^vros: --(log|pcap).*(is the disk image|cannot be both)/);
    }
    expect(fs.readFileSync(disk).equals(Buffer.alloc(64 * 512, 7))).toBe(true);
  });

  it('refuses commands that are too long for it', async () => {
    const command = `echo ${'x'.repeat(MAX_ARGUMENT_BYTES)}`;
    const { status, text } = await runBehind('true', ['--no-disk', '--exec', command]);
    expect([status, text.split(';')[0]]).toEqual([64, 'vros: --exec: at most 65536 bytes']);
  });

  it('refuses an option that is given twice', async () => {
    const { status, text } = await runBehind('true', ['--smp', '1', '--smp', '2']);
    expect([status, text.split('\n')[0]]).toEqual([64, 'vros: --smp is given twice']);
  });

  it('names a mistake and shows the usage', async () => {
    const machine = startMachine({ options: ['--smp', 'many'] });
    expect(await machine.end()).toBe(64);
    expect(machine.stderr).toMatch(/--smp/);
    expect(machine.stderr).toMatch(/usage:/);
  });
});
