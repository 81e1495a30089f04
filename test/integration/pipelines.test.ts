/** Pipelines and files in front of a user: a machine in a pseudo-terminal. */
import { describe, expect, it } from 'vitest';
import { eventually, killProcess, runCommands, startMachine, type TestMachine } from '../support/machine.ts';
import { nodePty, startInTerminal, type TerminalMachine, whyNoTerminal } from '../support/terminal.ts';

const CTRL = (letter: string): string => String.fromCharCode(letter.charCodeAt(0) & 0x1f);

/** Types a line and waits until the shell has taken it. */
async function start(machine: TerminalMachine, line: string): Promise<void> {
  machine.type(`${line}\r`);
  await machine.see(/2004l/);
}

/** Pids of the jobs there are, oldest first. */
async function jobs(machine: TerminalMachine): Promise<number[]> {
  const rows = (await machine.run('ps')).split('\n').filter((row) => / job$/.test(row));
  return rows.map((row) => Number(row.trim().split(/ +/)[0]));
}

describe.skipIf(nodePty === null)(`pipelines in a terminal${whyNoTerminal}`, () => {
  it('are ended by ^C as a whole', async () => {
    const machine = await startInTerminal();
    await start(machine, 'yes | cat | cat > /dev/null');
    machine.type(CTRL('c'));
    await machine.see(/\^C\r+\n.*vros\$ $/);
    expect(await machine.run('echo $?')).toBe('130\n');
    expect(await jobs(machine)).toEqual([]);
  });

  it('are stopped by ^Z as a whole, go on, and are ended by kill', async () => {
    const machine = await startInTerminal();
    await start(machine, 'yes | cat > /dev/null');
    machine.type(CTRL('z'));
    await machine.see(/\[1\]\+ Stopped {2}yes \| cat > \/dev\/null\r+\n.*vros\$ $/);
    expect(await machine.run('ps | grep -c "STOPPED .* job$"')).toBe('2\n');
    expect(await machine.run('bg; jobs')).toMatch(/^\[1\] yes \|.*\n\[1\] +\d+ {2}Running +yes \| cat/);
    await start(machine, 'fg');
    machine.type(CTRL('z'));
    await machine.see(/Stopped.*\r+\n.*vros\$ $/);
    // `fg` says it if it still finds the job, `jobs` if not.
    expect(await machine.run('kill %1; fg; jobs')).toMatch(/ended by SIGTERM/i);
    expect(await jobs(machine)).toEqual([]);
  });

  it('read what is typed, and only in the foreground', async () => {
    const machine = await startInTerminal();
    await start(machine, 'cat | sort');
    machine.type('two\rone\r');
    await machine.see(/one\r+\n$/);
    machine.type(CTRL('d'));
    await machine.see(/one\r+\ntwo\r+\n.*vros\$ $/);
    expect(await machine.run('tee /got &')).toMatch(/^\[1\] \d+\n$/);
    expect(await machine.run('echo mine')).toBe('mine\n');
    await start(machine, 'fg');
    machine.type('for tee\r');
    // The echo, and what it has made of it.
    await machine.see(/for tee\r+\n[\s\S]*for tee\r+\n/);
    machine.type(`more${CTRL('d')}${CTRL('d')}`);
    await machine.prompt();
    expect(await machine.run('cat /got; echo')).toBe('for tee\nmore\n');
  });

  it('read lines of the terminal itself as they are typed', async () => {
    const machine = await startInTerminal();
    for (const command of ['cat /dev/tty', 'cat -n /dev/tty | cat']) {
      await start(machine, command);
      machine.type('typed\r');
      await machine.see(/typed\r+\n[ \t1]*typed\r+\n/);
      machine.type(CTRL('d'));
      await machine.prompt();
    }
  });

  it('live on when a stage is killed', async () => {
    const machine = await startInTerminal();
    await machine.run('sleep 100 | cat | wc -c > /count &');
    const [first, second] = await jobs(machine);
    expect(await machine.run(`kill -KILL ${second}; jobs`)).toMatch(/Running/);
    expect(await machine.run('cat /count')).toBe('0\n');
    expect(await machine.run(`kill ${first}; wait; jobs; cat /count`)).toMatch(/Done/);
    await start(machine, 'yes | sleep 0.2');
    await machine.prompt();
    expect(await machine.run('echo $?')).toBe('0\n');
    expect(await jobs(machine)).toEqual([]);
  });
});

describe.skipIf(nodePty === null)(`files in a terminal${whyNoTerminal}`, () => {
  it('have a working directory that the prompt shows, kept when the shell is killed', async () => {
    const machine = await startInTerminal();
    await machine.run('mkdir "/tmp/a b"; write "/tmp/a b/file" hello');
    await start(machine, 'cd "/tmp/a b"');
    await machine.see(/vros:\/tmp\/a b\$ $/);
    machine.type('cat file; cd ..; cd -; pwd\r');
    await machine.see(/hello\r+\n\/tmp\/a b\r+\n\/tmp\/a b\r+\n.*vros:\/tmp\/a b\$ $/);
    machine.type('ps\r');
    const [, host] = await machine.see(/^ +\d+ +(\d+) .* shell\r+\n/m);
    killProcess(Number(host));
    await machine.see(/this is number 2\r+\n[\s\S]*vros:\/tmp\/a b\$ $/);
    machine.type('cat file && cd\r');
    await machine.see(/lhello\r+\n/);
    await machine.prompt();
  });

  it('are completed by Tab, and listed in columns', async () => {
    const machine = await startInTerminal();
    await machine.run('mkdir -p "/data/my dir"; cd /data; touch one two "my dir/inside"; cd /');
    machine.type('cat /da\tmy\tin\t');
    await machine.see(/cat \/data\/my\\ dir\/inside $/);
    machine.type(`${CTRL('u')}echo x | cat > "/data/my d\t`);
    await machine.see(/"\/data\/my dir\/$/);
    machine.type(`${CTRL('u')}ls /data/\t\t`);
    await machine.see(/my\\ dir\/ +one +two\r+\n/);
    expect(await machine.run('')).toBe('my dir  one     two\n');
    expect(await machine.run('ls /data | cat')).toBe('my dir\none\ntwo\n');
    machine.type('echo x | gr\t');
    await machine.see(/\| grep $/);
    machine.type(`${CTRL('u')}cd /data/\t`);
    await machine.see(/cd \/data\/my\\ dir\/$/);
    machine.type(CTRL('u'));
  });

  it('dd tells how far it is', async () => {
    const machine = await startInTerminal();
    await start(machine, 'dd if=/dev/zero of=/dev/null bs=64K status=progress');
    await machine.see(/\r\d+\+0 blocks, \d+ bytes \(.*\) in .* MB\/s/);
    machine.type(CTRL('c'));
    await machine.prompt();
  });
});

describe('without vfs', () => {
  it('commands on files say so, and everything else works', async () => {
    const { stdout, status } = await runCommands(
      [
        'service stop vfs; echo still here',
        'ls; echo $?; cat /x; cd /tmp; echo > /x; echo $?; echo *; echo $?; echo a | cat; echo $?; rm -r /x /y',
        'pwd; lsblk; sleep 0.01; time true > /dev/null; service start vfs; echo b | cat; ls /',
      ].join('\n'),
      ['--no-disk'],
      { disks: true },
    );
    const missing = "vfs: the service is not running (see 'service list')";
    expect(stdout.split('\n').slice(0, 13)).toEqual([
      ...['vfs: stopped', 'still here'],
      ...[`ls: ${missing}`, '1', `cat: ${missing}`, `cd: ${missing}`, missing, '1', missing, '1', missing, '1'],
      `rm: ${missing}`,
    ]);
    expect(stdout).toMatch(/\n\/\nno disk\n.*not running.*\nvfs: started\nb\ndev\n/);
    expect(status).toBe(0);
  });

  it('drivers wait for it, and their devices are there again when it is started', async () => {
    const machine = startMachine();
    expect(await answered(machine, 'service stop vfs; service start vfs')).toContain('vfs: started');
    let devices = '';
    for (let look = 0; look < 100 && !/^tty$/m.test(devices); look++) devices = await answered(machine, 'ls /dev');
    expect(devices).toMatch(/^tty$/m);
  });
});

/** Runs a line in a machine that reads commands from a pipe, and answers its output. */
async function answered(machine: TestMachine, line: string): Promise<string> {
  const from = machine.stdout.length;
  machine.process.stdin.write(`${line}\necho DONE\n`);
  await eventually(() => machine.stdout.slice(from).endsWith('DONE\n'), line, 30_000);
  return machine.stdout.slice(from, -'DONE\n'.length);
}

/** Host process of a service. */
async function hostOf(machine: TestMachine, service: string): Promise<number> {
  const row = (await answered(machine, 'ps')).split('\n').find((text) => text.endsWith(` ${service}`));
  return Number(row?.trim().split(/ +/)[1]);
}

describe('kills', () => {
  it('of vfs, again and again, lose no byte of a pipeline and of files', async () => {
    const machine = startMachine();
    await answered(machine, 'dd if=/dev/random of=/big bs=64K count=32 2> /dev/null');
    const [sum = ''] = (await answered(machine, 'sha256sum < /big')).split(' ');
    expect(sum).toMatch(/^[0-9a-f]{64}$/);
    for (let round = 0; round < 3; round += 1) {
      await answered(machine, 'cat /big | cat | tee /copy | sha256sum > /sum &');
      killProcess(await hostOf(machine, 'vfs'));
      const found = await answered(machine, 'wait; cat /sum; cmp /big /copy && echo same');
      expect(found, `round ${round}`).toBe(`${sum}  -\nsame\n`);
    }
    expect(await answered(machine, 'cat /sum | wc -l >> /sum; wc -l < /sum')).toBe('2\n');
    machine.process.stdin.end();
    expect(await machine.end()).toBe(0);
  });
});

describe('a pipeline that cannot be', () => {
  it('leaves nothing behind', async () => {
    const many = Array.from({ length: 70 }, () => 'cat').join(' | ');
    const { stdout } = await runCommands(
      `${many}; echo $?; sleep 0.1; echo a | cat; ps | grep -c " job$"; ls /proc | wc -l`,
    );
    expect(stdout).toMatch(/the job cannot be started: .*\n1\na\n/);
    expect(stdout).toMatch(/\na\n2\n/);
  });
});
