/** The shell in front of a user: a machine in a pseudo-terminal. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, isAlive, killProcess } from '../support/machine.ts';
import { nodePty, startInTerminal, TerminalMachine, whyNoTerminal } from '../support/terminal.ts';

const UP = '\x1b[A';
const LEFT = '\x1b[D';
const HOME = '\x1b[H';

const CTRL = (letter: string): string => String.fromCharCode(letter.charCodeAt(0) & 0x1f);

describe.skipIf(nodePty === null)(`the shell in a terminal${whyNoTerminal}`, () => {
  it('says what it is, prompts, runs lines, and ends the machine at ^D', async () => {
    const machine = await startInTerminal({ network: true, disks: true });
    expect(machine.output).toMatch(/^VROS \d[\s\S]*help/);
    expect(await machine.run('echo "hello  world"')).toBe('hello  world\n');
    expect(await machine.run('false')).toBe('');
    expect(await machine.run('echo $?')).toBe('1\n');
    machine.type('echo "one\r');
    await machine.see(/h> $/);
    machine.type(CTRL('c'));
    await machine.prompt();
    expect(await machine.run('echo -n no newline')).toBe('no newline\n');
    await machine.run('exit 300');
    machine.type(CTRL('d'));
    expect(await machine.end()).toBe(2);
  });

  it('warns, once, whoever has a disk and could lose what is written to /mnt', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-warned-'));
    onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
    const garbage = path.join(folder, 'garbage.img');
    fs.writeFileSync(garbage, Buffer.alloc(1 << 20, 'neither a partition nor a file system '));
    const warned = await startInTerminal({ options: ['--hda', garbage] });
    // Whoever looks at it waits until what happens at the boot has happened.
    expect(await warned.run('ls /mnt; echo one')).toMatch(/one\n$/);
    expect(await warned.run('echo two')).toMatch(/two\n$/);
    expect(warned.output.match(/no disk is mounted on \/mnt: .* lost /g)).toHaveLength(1);
    const kept = await startInTerminal({ options: [] });
    expect(await kept.run('ls /mnt; echo one')).toBe('one\n');
    expect(await kept.run('echo two')).toBe('two\n');
  });

  it('edits lines, remembers them, and completes words', async () => {
    const machine = await startInTerminal({ disks: true });
    machine.type(`ecxho wrold${LEFT.repeat(3)}${CTRL('t')}${HOME}${LEFT.repeat(2)}\x1b[C\x1b[C\x1b[3~`);
    expect(await machine.run('')).toBe('world\n');
    expect(await machine.run(UP)).toBe('world\n');
    machine.type(`${CTRL('r')}wor`);
    await machine.see(/reverse-i-search\)`wor'/);
    expect(await machine.run('')).toBe('world\n');
    machine.type('serv\tres\t');
    await machine.see(/service restart $/);
    machine.type('at\t');
    await machine.see(/ata $/);
    machine.type(CTRL('u'));
    machine.type('sched \t\t');
    await machine.see(/cfs +hrrn +priority +rr/);
    machine.type(CTRL('u'));
    expect(await machine.run('history')).toMatch(/1 +echo world\n/);
    expect(await machine.run('echo äöü 😀 日本')).toBe('äöü 😀 日本\n');
  });

  it('^C ends the foreground job, ^Z stops it, fg and bg let it go on', async () => {
    const machine = await startInTerminal();
    machine.type('sleep 100\r');
    await machine.see(/2004l/);
    machine.type(CTRL('c'));
    await machine.see(/\^C\r+\n.*vros\$ $/);
    expect(await machine.run('echo $?')).toBe('130\n');
    machine.type('sleep 100\r');
    await machine.see(/2004l/);
    machine.type(CTRL('\\'));
    await machine.see(/\^\\[\s\S]*vros\$ $/);
    expect(await machine.run('echo $?')).toBe('131\n');
    machine.type('sleep 100; echo never\r');
    await machine.see(/2004l/);
    machine.type(CTRL('c'));
    await machine.prompt();
    expect(machine.output).not.toMatch(/\nnever/);
    machine.type('sleep 0.6\r');
    await machine.see(/2004l/);
    machine.type(CTRL('z'));
    await machine.see(/\^Z\r+\n\[1\]\+ Stopped {2}sleep 0\.6\r+\n.*vros\$ $/);
    expect(await machine.run('jobs')).toMatch(/^\[1\] +\d+ {2}Stopped +sleep 0\.6\n$/);
    expect(await machine.run('ps')).toMatch(/STOPPED .* job\n/);
    expect(await machine.run('fg')).toBe('sleep 0.6\n');
    expect(await machine.run('sleep 0.3 & sleep 100 &')).toMatch(/^\[1\] \d+\n\[2\] \d+\n$/);
    expect(await machine.run('wait %1; jobs')).toMatch(/^\[2\] +\d+ {2}Running/);
    expect(await machine.run('kill %2; sleep 0.1')).toMatch(/^\[2\] {2}Ended by SIGTERM {2}sleep 100\n$/);
    expect(await machine.run('bg')).toBe('bg: there is no job\n');
  });

  it('keeps what is typed ahead', async () => {
    const machine = await startInTerminal();
    machine.type('sleep 0.2\recho typed\recho ahead\r');
    await machine.see(/typed[\s\S]*\ntyped|l\r?typed/);
    await machine.see(/lahead\r/);
    await machine.prompt();
  });

  it('gives what is typed at once behind a line to its command, and what the command leaves to the prompt', async () => {
    const machine = await startInTerminal();
    machine.type('head -n 2\rsecond\rthird\recho fourth\r');
    await machine.see(/second\r+\nthird\r+\n[\s\S]*\$ echo fourth[^\n]*\n\x1b\[\?2004lfourth\r/);
    await machine.prompt();
  });

  it('takes a ^C typed behind a command that has ended for nobody, not for the command typed after it', async () => {
    const machine = await startInTerminal();
    const host = await machine.hostOf('tty');
    machine.type('sleep 1\r');
    await machine.see(/2004l/);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // The shell learns of the end and wants its prompt, but the terminal driver first gets what was typed meanwhile.
    process.kill(host, 'SIGSTOP');
    machine.type(CTRL('c'));
    machine.type('echo spared\r');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    process.kill(host, 'SIGCONT');
    await machine.see(/\nspared|lspared/);
    await machine.prompt();
    expect(await machine.run('echo $?')).toBe('0\n');
  });

  it('follows the size of the window while a line is edited', async () => {
    const machine = await startInTerminal();
    const word = 'x'.repeat(60);
    machine.type(`echo ${word}`);
    await machine.see(/x{60}$/);
    machine.resize(40, 10);
    await machine.see(/vros\$ echo x{29}x*/);
    machine.type('y');
    expect(await machine.run('')).toBe(`${word}y\n`);
    expect(await machine.run('help kill')).toContain('usage: kill');
  });

  it('stops output at ^S and lets it go on at ^Q, answering pings meanwhile', async () => {
    const machine = await startInTerminal();
    machine.type('sleep 0.3; echo held\r');
    await machine.see(/2004l/);
    machine.type(CTRL('s'));
    await new Promise((resolve) => setTimeout(resolve, 3500));
    expect(machine.output).not.toMatch(/\nheld|lheld/);
    machine.type(CTRL('q'));
    await machine.see(/held\r/);
    await machine.prompt();
    expect(await machine.run('crash list')).toBe('NUMBER TIME PID INC NAME REASON\n');
  });

  it('loses no key and shows none twice when the tty is killed while the user types', async () => {
    const machine = await startInTerminal();
    const text = 'echo the quick brown fox jumps over the lazy dog';
    for (let round = 0; round < 8; round++) {
      const host = await machine.hostOf('tty');
      const from = machine.output.length;
      for (const [index, key] of [...text].entries()) {
        if (index === 5 + round * 5) killProcess(host);
        machine.type(key);
        await new Promise((resolve) => setTimeout(resolve, index % 3));
      }
      machine.type('\r');
      await machine.see(/2004l(.*)\r+\n/);
      await machine.see(/\x1b\[\?2004hvros\$ $/);
      const [typed, answer] = machine.output.slice(from).split(/[\x1b\r\n]+(?:\[\?2004[lh])?/);
      expect([typed, answer]).toEqual([text, text.slice(5)]);
    }
    expect((await machine.run('crash list')).split('\n')).toHaveLength(8 + 2);
  });

  it('passes signals on after the tty has been killed', async () => {
    const machine = await startInTerminal();
    const host = await machine.hostOf('tty');
    machine.type('sleep 100\r');
    await machine.see(/2004l/);
    killProcess(host);
    machine.type(CTRL('c'));
    await machine.prompt();
    expect(await machine.run('echo $?')).toBe('130\n');
  });

  it('goes on with a new shell when the shell is killed, with history and variables', async () => {
    const machine = await startInTerminal();
    expect(await machine.run('NAME=value; echo first')).toBe('first\n');
    const host = await machine.hostOf('shell');
    machine.type('half a li');
    await machine.see(/half a li$/);
    killProcess(host);
    await machine.see(/the last incarnation died: killed by SIGKILL \(crash record 1\); this is number 2\r+\n/);
    await machine.prompt();
    expect(await machine.run('echo $NAME')).toBe('value\n');
    expect(await machine.run(UP + UP + UP)).toBe('first\n');
  });

  it('gives the terminal back as it was', async () => {
    const machine = new TerminalMachine({ script: 'stty -g; $VROS; echo "status $?"; stty -g; sleep 0.1' });
    const [, before] = await machine.see(/^([0-9a-f:]{20,})\r+\n/);
    await machine.prompt();
    machine.type('exit 9\r');
    await machine.see(/status 9\r+\n/);
    const [, after] = await machine.see(/([0-9a-f:]{20,})\r+\n/);
    expect(after).toBe(before);
  });

  it('takes commands from a pipe without prompt and echo although the output is a terminal', async () => {
    const machine = new TerminalMachine({ script: `printf 'echo from a pipe\\nexit 4\\n' | $VROS; echo "status $?"` });
    await machine.see(/status 4\r+\n/);
    expect(machine.output.replaceAll('\r', '')).toBe('from a pipe\nstatus 4\n');
  });

  it('runs --exec in a terminal, where ^C ends it', async () => {
    const machine = new TerminalMachine({
      options: ['--no-disk', '--quiet', '--exec', 'echo go; sleep 100; echo never'],
    });
    await machine.see(/go\r+\n/);
    machine.type(CTRL('c'));
    expect(await machine.end()).toBe(130);
    expect(machine.output).not.toContain('never');
  });

  it('ends when the terminal goes away', async () => {
    const machine = await startInTerminal();
    process.kill(machine.pid, 'SIGHUP');
    expect(await machine.end()).toBe(129);
  });

  it('ends in order when its window is closed', async () => {
    const status = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'vros-window-')), 'status');
    onTestFinished(() => fs.rmSync(path.dirname(status), { recursive: true, force: true }));
    const machine = new TerminalMachine({ script: `trap '' HUP; $VROS; echo "$?" > ${status}` });
    await machine.prompt();
    machine.closeWindow();
    await machine.end();
    await eventually(() => fs.existsSync(status) && fs.readFileSync(status, 'utf8') !== '', 'the machine has ended');
    // Of the signal, or of the shell at the end of its input, whichever came first; no abort.
    expect(['129\n', '0\n']).toContain(fs.readFileSync(status, 'utf8'));
  });

  it('is not held up by a terminal that nobody reads', async () => {
    const machine = await startInTerminal();
    machine.pauseReading();
    machine.type('seq 10000000\r');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const before = performance.now();
    process.kill(machine.pid, 'SIGTERM');
    await eventually(() => !isAlive(machine.pid), 'the machine has ended');
    expect(performance.now() - before).toBeLessThan(8000);
  });
});
