/**
 * The shell as scripts use it, in whole machines: from --exec and from a pipe, without prompt, with the status of the
 * last command as that of the machine.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, isAlive, killProcess, runCommands, startMachine } from '../support/machine.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-shell-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const SECTORS = 4096;
const image = path.join(folder, 'disk.img');
const pristine = Buffer.alloc(SECTORS * 512);

/** A disk with one partition from sector 64 on and bytes that tell where they are. */
beforeAll(() => {
  for (let at = 0; at < pristine.length; at += 4) pristine.writeUInt32LE(Math.imul(at + 1, 0x9e3779b1) >>> 0, at);
  pristine.fill(0, 8 * 512, 24 * 512);
  pristine.write('sector zero says hello', 0, 'latin1');
  pristine.fill(0, 446, 512);
  pristine.writeUInt8(0x83, 450);
  pristine.writeUInt32LE(64, 454);
  pristine.writeUInt32LE(SECTORS - 64, 458);
  pristine.writeUInt16LE(0xaa55, 510);
  fs.writeFileSync(image, pristine);
});

const withDisk = (commands: string) => runCommands(commands, ['--hda', image]);

async function runScript(
  text: string,
  options: readonly string[] = ['--no-disk'],
): Promise<{ status: number; stdout: string }> {
  const machine = startMachine({ options });
  machine.process.stdin.end(text);
  const status = await machine.end();
  return { status, stdout: machine.stdout };
}

describe('commands from --exec', () => {
  it('prints nothing but the output, and ends with the last status', async () => {
    expect(await runCommands('echo hello')).toMatchObject({ status: 0, stdout: 'hello\n', stderr: '' });
    expect(await runCommands('true; exit 7')).toMatchObject({ status: 7, stdout: '' });
    expect(await runCommands('echo a; false')).toMatchObject({ status: 1, stdout: 'a\n' });
    expect(await runCommands('')).toMatchObject({ status: 0, stdout: '' });
  });

  it('quotes, expands and chains as POSIX says', async () => {
    const script = [
      `echo 'a  b' "c  d" e\\ \\ f g   h # a comment`,
      `A=1; B="x $A"; echo "$B" '$B' \${C:-none} $A$A`,
      `false && echo no || echo yes; true || echo no; ! false && echo negated`,
      `nonsense; echo $?; false; echo $?; ! true; echo $?`,
      `A=2 echo kept; echo $A; unset A; echo "[$A]"; set`,
    ].join('\n');
    const { status, stdout } = await runCommands(script);
    expect(stdout.split('\n')).toEqual([
      'a  b c  d e  f g h',
      'x 1 $B none 11',
      ...['yes', 'negated'],
      ...["nonsense: no such command; 'help' lists them", '127', '1', '1'],
      ...['kept', '1', '[]', "B='x 1'"],
      '',
    ]);
    expect(status).toBe(0);
  });

  it('ends with 2 after a syntax error and names the line', async () => {
    const { status, stdout } = await runCommands('echo one\necho two\necho ;; three\necho four');
    expect(status).toBe(2);
    expect(stdout).toMatch(/^one\ntwo\nline 3, column 6: syntax error/);
    expect(stdout).not.toContain('four');
    const open = await runCommands('echo "never closed');
    expect(open.status).toBe(2);
    expect(open.stdout).toMatch(/line 1: .*unexpected end of input/);
  });

  it('explains every command, and refuses wrong arguments with 2', async () => {
    const help = await runCommands('help');
    const names = help.stdout.split('\n').flatMap((line) => /^([a-z]+) +[A-Z]/.exec(line)?.[1] ?? []);
    const required = [
      ...['help', 'clear', 'ps', 'kill', 'service', 'sched', 'ipcinfo', 'dmesg', 'crash', 'uptime', 'mem', 'lsblk'],
      ...['hexdump', 'blktest', 'atatest', 'atadrv', 'ipctest', 'ipcstop', 'drvtest', 'drvstop', 'syscall', 'caps'],
      ...['time', 'sleep', 'echo', 'halt', 'reboot', 'exit'],
    ];
    expect(names).toEqual(expect.arrayContaining(required));
    const each = await runCommands(names.map((name) => `${name} --help || echo DOES NOT HELP`).join('\n'));
    expect(each.stdout).not.toContain('DOES NOT HELP');
    for (const name of names) expect(each.stdout).toMatch(new RegExp(`^usage: ${name}\\b`, 'm'));
    const wrong = ['ps x', 'kill', 'kill -NONE 1', 'sleep long', 'mkdir', 'service dance', 'exit 256', 'dmesg -n 0'];
    const refused = await runCommands(wrong.map((line) => `${line}; echo "status $?"`).join('\n'));
    expect(refused.stdout.match(/^status .*/gm)).toEqual(wrong.map(() => 'status 2'));
    expect(refused.stdout.match(/^usage: /gm)).toHaveLength(wrong.length);
  });
});

describe('commands', () => {
  it('fail when an output that they need is closed, and only then', async () => {
    const { stdout, status } = await runCommands(
      [
        'echo a >&-; echo "here $?"; ls / >&-; echo "list $?"; seq 3 1>&- | cat; true >&-; echo "silent $?"',
        'ls /nope 2>&-; echo "error $?"; nosuch 2>&-; echo "unknown $?"; time true 2>&-; cat /proc/uptime >&-; echo "job $?"',
      ].join('\n'),
    );
    expect(status).toBe(0);
    const lines = stdout.split('\n');
    expect(lines.filter((line) => /^\w+ \d+$/.test(line))).toEqual([
      ...['here 1', 'list 1', 'silent 0', 'error 1', 'unknown 127', 'job 1'],
    ]);
    const refused = ['echo', 'ls', 'seq', 'cat'].map((name) => `${name}: write error: the output is closed`);
    expect(lines.filter((line) => line.includes('write error'))).toEqual(refused);
  });

  it('are timed on the output for errors', async () => {
    const { stdout } = await runCommands('time seq 3 | wc -l; time seq 2 > /tmp/two; cat /tmp/two');
    expect(stdout.match(/^real .* cpu .*$/gm)).toHaveLength(2);
    expect(stdout.replace(/^real .*\n/gm, '')).toMatch(/^ *3\n1\n2\n$/);
  });

  it('ls sorts by name, time or size, either way', async () => {
    const { stdout } = await runCommands(
      [
        'mkdir /tmp/s; cd /tmp/s; seq 3 > b; sleep 0.01; seq 30 > a; sleep 0.01; seq 2 > .c; sleep 0.01; seq 1 > d',
        ...['', '-t', '-S', '-rS', '-A', '-ra', '-t b d a', '-l d'].map((words) => `ls ${words}; echo`),
      ].join('\n'),
    );
    const lists = stdout.split('\n\n').map((list) => list.trim().split('\n').join(' '));
    expect(lists.slice(0, 7)).toEqual(['a b d', 'd a b', 'a b d', 'd b a', '.c a b d', '. .. d b a .c', 'd a b']);
    expect(lists[7]).toMatch(/^-rw-r--r-- .* d$/);
  });
});

describe('a script from a pipe', () => {
  it('runs line by line, continues open lines, and takes carriage returns and a missing last newline', async () => {
    const { status, stdout } = await runScript(
      'echo one\r\necho "two\nlines"\ntrue &&\n  echo three\necho four; exit 5',
    );
    expect(stdout).toBe('one\ntwo\nlines\nthree\nfour\n');
    expect(status).toBe(5);
  });

  it('ends with the input, with the status of the last command', async () => {
    expect(await runScript('echo x\nfalse\n')).toEqual({ status: 1, stdout: 'x\n' });
    expect(await runScript('')).toEqual({ status: 0, stdout: '' });
  });

  it('takes a long script with back-pressure, and control characters as they are', async () => {
    const lines = Array.from({ length: 1000 }, (_, index) => `echo line-${index}-${'x'.repeat(index % 50)}`);
    const { status, stdout } = await runScript(`${lines.join('\n')}\necho 'a\u0003b\u0004c\u0015d\u0013e'\n`);
    expect(status).toBe(0);
    const expected = lines.map((line) => line.slice(5));
    expect(stdout.split('\n')).toEqual([...expected, 'a\u0003b\u0004c\u0015d\u0013e', '']);
  });

  it('goes on behind the command under way when the shell is killed', async () => {
    const machine = startMachine();
    machine.process.stdin.write('A=kept; echo before; ps\n');
    await eventually(() => / shell$/m.test(machine.stdout), 'ps');
    const host = Number(/^ *\d+ +(\d+) .* shell$/m.exec(machine.stdout)?.[1]);
    machine.process.stdin.write('sleep 60; echo "after $A $?"\n');
    await machine.logged(/job\[\d+\] incarnation 1: /);
    killProcess(host);
    machine.process.stdin.end('echo last; exit 3\n');
    expect(await machine.end()).toBe(3);
    expect(machine.stdout).toMatch(/the last incarnation died: killed by SIGKILL .*this is number 2\n/);
    expect(machine.stdout).toMatch(/its 1 job was ended\n.*half done.*\nafter kept 1\nlast\n$/);
    expect(machine.logText).not.toMatch(/crash loop/);
  });
});

describe('jobs', () => {
  it('run behind the script, are waited for, and are killed', async () => {
    const { status, stdout } = await runCommands(
      'sleep 0.05 && echo inner & wait $!; echo "first $?"\nsleep 60 & sleep 61 & jobs\nkill %1; kill -KILL $!\nsleep 0.5; jobs; wait; jobs; echo $?',
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^inner\nfirst 0\n\[1\] +\d+ {2}Running +sleep 60\n\[2\] +\d+ {2}Running +sleep 61\n/);
    expect(stdout).toMatch(/\[1\] +\d+ {2}Ended by SIGTERM +sleep 60\n\[2\] +\d+ {2}Ended by SIGKILL +sleep 61\n0\n$/);
  });

  it('have numbers that are free again when they have been waited for, and statuses as POSIX has them', async () => {
    const { stdout } = await runCommands(
      [
        'true & wait; sleep 100 & jobs; kill %1; wait %1; echo killed $?',
        'wait %7; echo unknown $?; wait 9999; echo unknown $?',
        'false & jobs > /dev/null; wait; jobs; kill %1; echo gone $?',
        'for=1; true & true & true & wait; true & wait; true & jobs',
      ].join('\n'),
    );
    const unknown = (name: string, word: string): string => `${name}: ${word}: there is no such job`;
    expect(stdout.replace(/^(\[\d\]) +\d+ +/gm, '$1 ').split('\n')).toEqual([
      ...['[1] Running   sleep 100', 'killed 143', unknown('wait', '%7'), 'unknown 127'],
      ...[unknown('wait', '9999'), 'unknown 127', unknown('kill', '%1'), 'gone 1'],
      ...[expect.stringMatching(/^\[1\] (Running|Done) +true$/), ''],
    ]);
  });

  it('leave no task behind', async () => {
    const { stdout } = await runCommands('sleep 0.01; time true; sleep 0.01 & wait; ps');
    expect(stdout).toMatch(/^real .*, cpu /m);
    expect(stdout).not.toMatch(/ job$/m);
  });

  it('get variables and status, and have no jobs themselves', async () => {
    const { stdout } = await runCommands('A="a b"; false; time echo "$A" "$?"; time jobs; echo $?');
    expect(stdout).toMatch(/^a b 1\nreal/);
    expect(stdout).toMatch(/jobs: a job has no jobs of its own\nreal.*\n1\n$/);
  });
});

describe('tasks and services', () => {
  it('find out that a service was stopped from outside while it rested, as soon as it is needed', async () => {
    const machine = startMachine();
    // It answers when what happens at the boot has happened.
    await machine.shell('ls /mnt');
    const row = (await machine.shell('ps')).split('\n').find((line) => / vfs$/.test(line)) ?? '';
    const host = Number(row.trim().split(/ +/)[1]);
    expect(row).toContain(' BLOCKED ');
    expect(isAlive(host), row).toBe(true);
    process.kill(host, 'SIGSTOP');
    expect(await machine.shell('ls /')).toMatch(/^tmp$/m);
    expect(machine.logText).toMatch(/vfs: no answer for \d+\.\d s, killed/);
    expect(isAlive(host)).toBe(false);
  });

  it('ps lists the tasks with their processes on the host', async () => {
    const machine = startMachine({ network: true, disks: true });
    // Who asks the network stack has waited until it is there.
    machine.process.stdin.write('ifconfig lo > /dev/null; ps; echo done\n');
    await eventually(() => machine.stdout.endsWith('done\n'), 'the list');
    const [head = '', ...rows] = machine.stdout.trimEnd().split('\n').slice(0, -1);
    expect(head).toBe('PID HOST PPID STATE CPU SWITCHES MESSAGES INC MEM NAME');
    const names = rows.map((row) => row.trim().split(/ +/).at(-1));
    expect(names).toEqual(['init', 'tty', 'ata', 'ne2000', 'shell', 'vfs', 'netstack']);
    for (const row of rows) {
      const [pid, host, , state] = row.trim().split(/ +/);
      expect(Number(pid)).toBeGreaterThan(0);
      expect(isAlive(Number(host)), row).toBe(true);
      expect(['BLOCKED', 'RUNNING', 'READY', 'SLEEPING']).toContain(state);
    }
    expect(new Set(rows.map((row) => row.length)).size, 'columns').toBeGreaterThan(0);
    machine.process.stdin.end();
    expect(await machine.end()).toBe(0);
  });

  it('kill signals, and says what it cannot', async () => {
    const { stdout } = await withDisk(
      'kill -KILL 3; lsblk; kill 999; echo $?; ps; crash list; crash show 1; crash show 99; echo $?',
    );
    expect(stdout).toMatch(/^hda +disk/m);
    expect(stdout).toMatch(/^kill: 999: no such task\n1$/m);
    expect(stdout).toMatch(/ 2 +\S+ ata$/m);
    expect(stdout).toMatch(/^ +1 .* 3 +1 ata +SIGKILL from shell/m);
    expect(stdout).toMatch(/^crash 1: ata, pid 3, incarnation 1/m);
    expect(stdout).toMatch(/^crash: 99: .*\n1$/m);
  });

  it('service changes what runs, and others say when it is missing', async () => {
    const { stdout } = await withDisk(
      [
        ...['service list', 'service stop ata', 'lsblk', 'echo $?', 'service start ata', 'lsblk'],
        ...[
          'service restart ata; service list',
          'service disable echo; service start echo; echo $?',
          'service stop init',
        ],
        ...['service enable echo; service list; ipcstop'],
      ].join('\n'),
    );
    expect(stdout).toMatch(/^NAME +STATE +PID +INC +RESTARTS +POLICY +ENABLED +DETAIL$/m);
    expect(stdout).toMatch(
      /^ata: stopped\nlsblk: ata: the service is not running \(see 'service list'\)\n1\nata: started$/m,
    );
    expect(stdout).toMatch(/^hda1 +83 +64 +4032 /m);
    expect(stdout).toMatch(/^ata: restarted$/m);
    expect(stdout).toMatch(/^service: echo: echo is disabled\n1$/m);
    expect(stdout).toMatch(/^service: init: init cannot stop itself$/m);
    expect(stdout).toMatch(/^echo: enabled and started$/m);
    expect(stdout).toMatch(/^echo +(running|starting) /m);
  });

  it('sched, caps, ipcinfo, mem, uptime and dmesg show the system', async () => {
    const { status, stdout } = await runCommands(
      'sched cfs && sched && caps 2 && ipcinfo && mem && uptime && dmesg -n 3 && dmesg; sched no; caps 999; echo $?',
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^policy +cfs \(of rr, priority, hrrn, cfs\)$/m);
    expect(stdout).toMatch(/io +ports 0x3f8 to 0x3ff$/m);
    expect(stdout).toMatch(/^ +\d+ tty +tty +2 /m);
    expect(stdout).toMatch(/^kernel process +[\d.]+ MiB$/m);
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, up .*, \d tasks$/m);
    expect(stdout).toMatch(/^\[ +\d+\.\d{3}\] info +kernel: scheduling policy cfs, chosen by shell\[\d+\]$/m);
    expect(stdout).toMatch(
      /^sched: no: no such policy; there are rr, priority, hrrn, cfs\ncaps: 999: no such task\n1\n$/m,
    );
  });
});

describe('disks', () => {
  it('hexdump shows what hexdump -C shows', async () => {
    const { stdout, status } = await withDisk('hexdump hda');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^00000000 {2}73 65 63 74 6f 72 20 7a {2}65 72 6f 20 73 61 79 73 {2}\|sector zero says\|$/m);
    const reference = spawnSync('hexdump', ['-C', image], { encoding: 'utf8', maxBuffer: 1 << 26 });
    if (reference.status !== 0) return;
    const whole = await withDisk(`hexdump hda 0 ${SECTORS} | sha256sum`);
    expect(whole.stdout, 'the whole disk').toBe(`${createHash('sha256').update(reference.stdout).digest('hex')}  -\n`);
  });

  it('hexdump refuses what is not there', async () => {
    const { stdout } = await withDisk(
      `hexdump hda ${SECTORS}; hexdump hda 4000 97; hexdump hdb; hexdump hda1 0 1; echo $?`,
    );
    expect(stdout).toMatch(/^hexdump: hda: sector 4096: the last one is 4095\nhexdump: hda: sector 4096: /);
    expect(stdout).toMatch(/^hexdump: hdb: there is no hdb$/m);
    expect(stdout).toMatch(/\n0\n$/);
  });

  it('the tests of the disk pass and leave it as it was', async () => {
    const { status, stdout } = await withDisk('atatest && blktest && blktest -w hda1 && atadrv');
    expect(stdout).not.toContain('FAIL');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^atatest: \d+ passed, 0 failed$/m);
    expect(stdout.match(/^blktest: \d+ passed, 0 failed$/gm)).toHaveLength(2);
    expect(stdout).toMatch(/^ok +sequential, 64 KiB a request: 2 MiB in .*, \d+ MB\/s$/m);
    expect(stdout).toMatch(/^sectors written +[1-9]/m);
    expect(fs.readFileSync(image).equals(pristine)).toBe(true);
  });

  it('the tests notice a read-only disk and a missing one', async () => {
    const { stdout } = await runCommands('blktest -w hda; atatest; lsblk; blktest -w; echo $?', [
      '--read-only',
      '--hda',
      image,
    ]);
    expect(stdout).toMatch(/^ok +hda: refused writes: .* EROFS$/m);
    expect(stdout).toMatch(/^blktest: hda: hda is read-only\n/);
    expect(stdout).toMatch(/^hda +disk +0 +4096 +2 MiB yes /m);
    expect(stdout).toMatch(/\nblktest: -w needs a device\nusage: .*\n2\n$/);
    const none = await runCommands('atatest; blktest; lsblk', ['--no-disk'], { disks: true });
    expect(none.stdout).toBe('atatest: there is no disk\nblktest: there is no disk\nno disk\n');
  });
});

describe('the other tests', () => {
  it('ipctest, drvtest and syscall pass, and the stops stop', async () => {
    const { status, stdout } = await runCommands('ipctest && drvtest && syscall && ipcstop && drvstop && service list');
    expect(stdout).not.toContain('FAIL');
    expect(status).toBe(0);
    for (const name of ['ipctest', 'drvtest', 'syscall']) {
      expect(stdout).toMatch(new RegExp(`^${name}: \\d+ passed, 0 failed$`, 'm'));
    }
    expect(stdout).toMatch(/^ok +time of a round trip of 64 B: median \d+ µs, \d+ calls\/s$/m);
    expect(stdout).toMatch(/^recovery: median [\d.]+ ms, worst [\d.]+ ms$/m);
    expect(stdout).toMatch(/^(echo|rtc) +stopped /m);
  });
});

describe('the end of the machine', () => {
  it('halt and exit end it with a status, reboot starts it again', async () => {
    expect((await runCommands('halt 9; echo not here')).status).toBe(9);
    expect((await runCommands('halt')).status).toBe(0);
    const machine = startMachine();
    machine.process.stdin.write('echo first; reboot\n');
    await machine.logged(/kernel: reboot/);
    machine.process.stdin.end('echo second; uptime; exit 6\n');
    expect(await machine.end()).toBe(6);
    expect(machine.stdout).toMatch(/^first\nsecond\n/);
  });
});
