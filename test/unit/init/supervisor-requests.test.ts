/**
 * What is asked of the supervisor, on a clock and a kernel of the test: stopping, debugging, shutdown; and its own
 * restart.
 */
import { describe, expect, it } from 'vitest';
import { row } from './fake-kernel.ts';
import { Answer, booted, codeOf, status, supervisorOf } from './supervised.ts';

describe('requests', () => {
  it('stops a service by asking, and answers when it is gone and its callers know', () => {
    const kernel = booted();
    kernel.run(100);
    const answer = new Answer();
    supervisorOf(kernel).stop('ata', answer);
    expect(answer.done).toBe(false);
    expect(kernel.lostNames).toEqual([]);
    kernel.run(5);
    expect(answer.replied).toBe(true);
    expect(kernel.lostNames).toEqual(['ata']);
    expect(kernel.killed).toEqual([]);
    expect(status(kernel, 'ata')).toMatchObject({ state: 'stopped', pid: 0 });
    kernel.run(10_000);
    expect(kernel.starts('ata')).toBe(1);
  });

  it('kills one that does not stop after two seconds', () => {
    const kernel = booted([row('ata'), row('worker', { serves: [] })], (fake) => {
      fake.behave = () => ({ ignoresStop: true });
    });
    kernel.run(100);
    const answers = [new Answer(), new Answer(), new Answer()] as const;
    supervisorOf(kernel).stop('ata', answers[0]);
    supervisorOf(kernel).stop('ata', answers[1]);
    supervisorOf(kernel).stop('worker', answers[2]);
    expect(kernel.killed.map(({ name, signal }) => `${name} ${signal}`)).toEqual(['worker TERM']);
    kernel.run(1999);
    expect(answers.some(({ done }) => done)).toBe(false);
    kernel.run(5);
    expect(answers.every(({ replied }) => replied)).toBe(true);
    expect(kernel.lines).toContain('ata: does not end, killed');
  });

  it('answers at once when there is nothing to stop, and refuses to stop itself', () => {
    const kernel = booted([row('echo', { start: 'demand' })]);
    const answer = new Answer();
    supervisorOf(kernel).stop('echo', answer);
    expect(answer.replied).toBe(true);
    expect(codeOf(() => supervisorOf(kernel).stop('init', new Answer()))).toBe('EPERM');
    expect(codeOf(() => supervisorOf(kernel).disable('init', new Answer()))).toBe('EPERM');
    expect(codeOf(() => supervisorOf(kernel).inspect('init', new Answer<string>()))).toBe('EPERM');
    expect(codeOf(() => supervisorOf(kernel).stop('nobody', new Answer()))).toBe('ENOENT');
  });

  it('stops one that waits for its restart', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = () => ({ endsAfter: 1 });
    });
    kernel.run(20);
    expect(status(kernel, 'ata').state).toBe('waiting');
    supervisorOf(kernel).stop('ata', new Answer());
    kernel.run(10_000);
    expect(status(kernel, 'ata').state).toBe('stopped');
    expect(kernel.starts('ata')).toBe(4);
  });

  it('starts again what is asked to start while it stops', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = (_name, incarnation) => ({ ignoresStop: incarnation === 1 });
    });
    kernel.run(100);
    const answer = new Answer();
    supervisorOf(kernel).stop('ata', answer);
    supervisorOf(kernel).start('ata');
    kernel.run(2100);
    expect(answer.replied).toBe(true);
    expect(status(kernel, 'ata')).toMatchObject({ state: 'running', incarnation: 2 });
    expect(kernel.lostNames).toEqual([]);
  });

  it('replaces a service without giving up its callers', () => {
    const kernel = booted();
    kernel.run(5000);
    const answer = new Answer();
    supervisorOf(kernel).restart('ata', answer);
    kernel.run(5);
    expect(answer.replied).toBe(true);
    expect(kernel.starts('ata')).toBe(2);
    expect(kernel.lostNames).toEqual([]);
    expect(kernel.lines.at(-1)).toBe('ata: replaced, pid 3');
  });

  it('restarts one that does not run, and ends itself when asked to restart', () => {
    const kernel = booted([row('echo', { start: 'demand' })]);
    const answer = new Answer();
    supervisorOf(kernel).restart('echo', answer);
    expect(answer.replied).toBe(true);
    expect(kernel.starts('echo')).toBe(1);
    const own = new Answer();
    supervisorOf(kernel).restart('init', own);
    expect(own.replied).toBe(true);
    expect(kernel.left).toBe(1);
  });

  it('cancels a restart when the service is stopped meanwhile', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = () => ({ ignoresStop: true });
    });
    kernel.run(100);
    const restart = new Answer();
    const stop = new Answer();
    supervisorOf(kernel).restart('ata', restart);
    supervisorOf(kernel).stop('ata', stop);
    expect(restart.error).toBe('ECANCELED');
    kernel.run(2100);
    expect(stop.replied).toBe(true);
    expect(kernel.starts('ata')).toBe(1);
  });

  it('enables and disables', () => {
    const kernel = booted();
    kernel.run(100);
    const answer = new Answer();
    supervisorOf(kernel).disable('ata', answer);
    kernel.run(10);
    expect(answer.replied).toBe(true);
    expect(status(kernel, 'ata')).toMatchObject({ state: 'stopped', enabled: false });
    expect(codeOf(() => supervisorOf(kernel).start('ata'))).toBe('EACCES');
    expect(codeOf(() => supervisorOf(kernel).restart('ata', new Answer()))).toBe('EACCES');
    kernel.stopInit();
    kernel.startInit();
    expect(status(kernel, 'ata')).toMatchObject({ state: 'stopped', enabled: false });
    supervisorOf(kernel).enable('ata');
    expect(kernel.starts('ata')).toBe(2);
  });
});

describe('the debugger', () => {
  it('restarts a service under it, answers the address, and leaves the service alone', () => {
    const kernel = booted([row('ata'), row('vfs', { dependsOn: ['ata'] })], (fake) => {
      fake.behave = (name, incarnation) =>
        name === 'ata' && incarnation === 2 ? { hangsAfter: 1000, debuggerAfter: 300 } : {};
    });
    kernel.run(3000);
    const answer = new Answer<string>();
    supervisorOf(kernel).inspect('ata', answer);
    kernel.run(200);
    expect(answer.done).toBe(false);
    kernel.run(200);
    expect(answer.value).toBe('127.0.0.1:9004');
    expect(status(kernel, 'ata').state).toBe('inspected');
    kernel.run(30_000);
    expect(kernel.killed).toEqual([]);
    const again = new Answer<string>();
    supervisorOf(kernel).inspect('ata', again);
    expect(again.value).toBe('127.0.0.1:9004');
    const restart = new Answer();
    supervisorOf(kernel).restart('ata', restart);
    kernel.run(50);
    expect(restart.replied).toBe(true);
    expect(status(kernel, 'ata')).toMatchObject({ state: 'running', incarnation: 3 });
  });

  it('does not wait for ever', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = () => ({ debuggerAfter: 1e9 });
    });
    kernel.run(100);
    const answer = new Answer<string>();
    supervisorOf(kernel).inspect('ata', answer);
    kernel.run(10_200);
    expect(answer.error).toBe('ETIMEDOUT');
  });

  it('says so when the service ends before', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = (_name, incarnation) => (incarnation === 2 ? { endsAfter: 100 } : {});
    });
    kernel.run(100);
    const answer = new Answer<string>();
    supervisorOf(kernel).inspect('ata', answer);
    kernel.run(300);
    expect(answer.error).toBe('EIO');
    expect(status(kernel, 'ata')).toMatchObject({ state: 'running', incarnation: 3 });
  });
});

describe('shutdown', () => {
  const rows = [
    row('shell', { dependsOn: ['tty'], serves: [] }),
    row('tty'),
    row('vfs', { dependsOn: ['ata'] }),
    row('ata'),
  ];

  it('stops everything in reverse order and ends the machine', () => {
    const kernel = booted(rows);
    kernel.run(100);
    supervisorOf(kernel).shutdown(7, false);
    expect(codeOf(() => supervisorOf(kernel).start('ata'))).toBe('ECANCELED');
    kernel.run(50);
    expect(kernel.halts).toMatchObject([{ status: 7, reboot: false }]);
    expect(kernel.tasks()).toEqual([]);
    const stopped = kernel.lines.filter((line) => line.endsWith(': stopped'));
    expect(stopped.indexOf('shell: stopped')).toBeLessThan(stopped.indexOf('tty: stopped'));
    expect(stopped.indexOf('vfs: stopped')).toBeLessThan(stopped.indexOf('ata: stopped'));
    kernel.run(10_000);
    expect(kernel.halts.length).toBe(1);
  });

  it('happens by itself, and says why, when an essential service is given up', () => {
    const kernel = booted([row('shell', { dependsOn: ['tty'], essential: true }), row('tty'), row('ata')], (fake) => {
      fake.behave = (name) => (name === 'shell' ? { endsAfter: 1, end: { status: 1, signal: 0, reason: '' } } : {});
    });
    kernel.run(60_000);
    expect(kernel.halts).toMatchObject([{ status: 70, reboot: false }]);
    expect(kernel.halts[0]?.reason).toMatch(/^shell: given up after 10 crashes in [\d.]+ s; last: /);
    expect(kernel.tasks()).toEqual([]);
  });

  it('takes three seconds at most', () => {
    const kernel = booted(
      [row('a', { dependsOn: ['b'] }), row('b', { dependsOn: ['c'] }), row('c', { dependsOn: ['d'] }), row('d')],
      (fake) => {
        fake.behave = () => ({ ignoresStop: true });
      },
    );
    kernel.run(100);
    supervisorOf(kernel).shutdown(0, true);
    kernel.run(4000);
    expect(kernel.halts).toMatchObject([{ status: 0, reboot: true }]);
    expect((kernel.halts[0]?.at ?? 0) - 1100).toBeLessThanOrEqual(3001);
  });

  it('goes on after a restart of init', () => {
    const kernel = booted(rows, (fake) => {
      fake.behave = (name) => ({ ignoresStop: name === 'shell' });
    });
    kernel.run(100);
    supervisorOf(kernel).shutdown(3, false);
    kernel.stopInit();
    kernel.run(100);
    kernel.startInit();
    kernel.run(3000);
    expect(kernel.halts).toMatchObject([{ status: 3, reboot: false }]);
    expect(kernel.starts('ata')).toBe(1);
  });
});

describe('restart of init', () => {
  it('takes over what runs, restarts what has ended, and keeps what is stopped', () => {
    const kernel = booted([row('ata'), row('tty'), row('net'), row('echo', { start: 'demand' })]);
    kernel.run(3000);
    supervisorOf(kernel).stop('net', new Answer());
    supervisorOf(kernel).start('echo');
    kernel.run(100);
    kernel.stopInit();
    kernel.killFromOutside('tty');
    kernel.run(10);
    kernel.startInit();
    expect(kernel.starts('ata')).toBe(1);
    expect(kernel.starts('echo')).toBe(1);
    expect(kernel.starts('tty')).toBe(2);
    expect(kernel.starts('net')).toBe(1);
    kernel.run(100);
    expect(status(kernel, 'ata')).toMatchObject({ state: 'running', incarnation: 1 });
    expect(status(kernel, 'net').state).toBe('stopped');
    kernel.killFromOutside('ata');
    kernel.run(1);
    expect(kernel.starts('ata')).toBe(2);
  });

  it('goes on with restarts that were waiting, and with the count of crashes', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = () => ({ endsAfter: 1 });
    });
    for (let step = 0; step < 80; step++) {
      kernel.run(50);
      kernel.stopInit();
      kernel.startInit();
    }
    kernel.run(3000);
    expect(kernel.starts('ata')).toBe(10);
    expect(status(kernel, 'ata').state).toBe('failed');
  });

  it('restarts at once a service that is killed together with init again and again', () => {
    const kernel = booted();
    kernel.run(1000);
    for (let round = 0; round < 40; round++) {
      if (round % 2 === 0) kernel.killFromOutside('ata');
      kernel.stopInit();
      kernel.run(1);
      kernel.startInit();
      if (round % 2 === 1) kernel.killFromOutside('ata');
      kernel.run(1);
      expect(kernel.starts('ata')).toBe(round + 2);
      kernel.run(298);
    }
  });

  it('kills one that was being stopped and does not end', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = () => ({ ignoresStop: true });
    });
    kernel.run(100);
    supervisorOf(kernel).stop('ata', new Answer());
    kernel.stopInit();
    kernel.startInit();
    kernel.run(2100);
    expect(kernel.tasks()).toEqual([]);
    expect(status(kernel, 'ata').state).toBe('stopped');
  });

  it.each([undefined, 7, [['x']], null])('lives with no or damaged stored state (%j)', (stored) => {
    const kernel = booted([row('ata'), row('tty')]);
    kernel.run(100);
    kernel.stopInit();
    kernel.killFromOutside('tty');
    kernel.run(10);
    kernel.stored = stored;
    kernel.startInit();
    kernel.run(100);
    expect(kernel.starts('ata')).toBe(1);
    expect(kernel.starts('tty')).toBe(2);
    expect(status(kernel, 'ata').state).toBe('running');
  });
});
