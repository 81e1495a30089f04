/** The supervisor on a clock and a kernel of the test: starting, crash loops, hangs, stopping, debugging, shutdown, and its own restart. */
import { describe, expect, it } from 'vitest';
import { MAX_INSTANCES } from '../../../protocol/bounds.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { Waiter } from '../../../services/init/service.ts';
import { FakeKernel, row } from './fake-kernel.ts';

/** A waiter that remembers its answer. */
class Answer<A = void> implements Waiter<A> {
  value: A | undefined;
  replied = false;
  error: string | undefined;

  reply(value: A): void {
    expect(this.done).toBe(false);
    this.replied = true;
    this.value = value;
  }

  fail(error: SystemError): void {
    expect(this.done).toBe(false);
    this.error = error.code;
  }

  get done(): boolean {
    return this.replied || this.error !== undefined;
  }
}

function booted(rows = [row('ata')], prepare: (kernel: FakeKernel) => void = () => {}): FakeKernel {
  const kernel = new FakeKernel(rows);
  prepare(kernel);
  kernel.startInit();
  return kernel;
}

function supervisorOf(kernel: FakeKernel) {
  const { supervisor } = kernel;
  if (supervisor === undefined) throw new Error('init does not run');
  return supervisor;
}

function status(kernel: FakeKernel, name: string) {
  const found = supervisorOf(kernel)
    .list()
    .find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function codeOf(work: () => void): string {
  try {
    work();
  } catch (error) {
    return error instanceof SystemError ? error.code : 'not a SystemError';
  }
  return 'none';
}

describe('templates', () => {
  const disk = row('disk@', { dependsOn: ['ata'], serves: [], start: 'demand' });

  it('have instances that are services of their own, with the dependencies of the template', () => {
    const kernel = booted([row('ata', { start: 'demand' }), disk]);
    expect(kernel.spawned).toEqual([]);
    const names = () =>
      supervisorOf(kernel)
        .list()
        .map(({ name }) => name);
    expect(names()).toEqual(['init', 'ata']);
    supervisorOf(kernel).start('disk@a');
    expect(kernel.spawned.map(({ name }) => name)).toEqual(['ata', 'disk@a']);
    kernel.run(30);
    expect(status(kernel, 'disk@a').state).toBe('running');
    for (const name of ['disk@', 'other@a', 'disk@a/b']) {
      expect(
        codeOf(() => supervisorOf(kernel).start(name)),
        name,
      ).toBe('ENOENT');
      expect(
        codeOf(() => supervisorOf(kernel).stop(name, new Answer())),
        name,
      ).toBe('ENOENT');
    }
    expect(
      codeOf(() => supervisorOf(kernel).stop('disk@b', new Answer())),
      'not made by a stop',
    ).toBe('ENOENT');
    for (let count = 1; count < MAX_INSTANCES; count++) supervisorOf(kernel).start(`disk@${count}`);
    expect(codeOf(() => supervisorOf(kernel).start('disk@more'))).toBe('EAGAIN');
    expect(names().length).toBe(2 + MAX_INSTANCES);
    supervisorOf(kernel).shutdown(0, false);
    kernel.run(5000);
    expect(kernel.halts.length).toBe(1);
  });
});

describe('boot', () => {
  it('starts everything at once, in the order of the dependencies', () => {
    const kernel = booted([row('shell', { dependsOn: ['tty', 'init'], serves: [] }), row('ata'), row('tty')]);
    expect(kernel.spawned).toEqual([
      { name: 'tty', at: 1000 },
      { name: 'shell', at: 1000 },
      { name: 'ata', at: 1000 },
    ]);
    expect(status(kernel, 'ata').state).toBe('starting');
    expect(status(kernel, 'shell').state).toBe('running');
    kernel.run(30);
    expect(status(kernel, 'ata')).toEqual({
      name: 'ata',
      state: 'running',
      enabled: true,
      pid: 4,
      incarnation: 1,
      restarts: 0,
      policy: 'always',
      detail: '',
    });
    expect(status(kernel, 'init').state).toBe('running');
  });

  it('leaves services on demand and disabled ones alone, and says so to those who wait for them', () => {
    const kernel = booted([row('echo', { start: 'demand' }), row('net', { enabled: false }), row('tty')]);
    expect(kernel.spawned.map(({ name }) => name)).toEqual(['tty']);
    expect(kernel.lostNames).toEqual(['echo', 'net']);
    expect(status(kernel, 'echo').state).toBe('stopped');
    expect(codeOf(() => supervisorOf(kernel).start('net'))).toBe('EACCES');
    supervisorOf(kernel).start('echo');
    expect(kernel.starts('echo')).toBe(1);
  });

  it('starts what a service depends on, on demand or not', () => {
    const kernel = booted([
      row('shell', { dependsOn: ['vfs'] }),
      row('vfs', { start: 'demand', dependsOn: ['ata'] }),
      row('ata'),
    ]);
    expect(kernel.spawned.map(({ name }) => name)).toEqual(['ata', 'vfs', 'shell']);
  });

  it('reports cycles, unknown and disabled dependencies as failed', () => {
    const kernel = booted([
      row('a', { dependsOn: ['b'] }),
      row('b', { dependsOn: ['a'] }),
      row('c', { dependsOn: ['nobody'] }),
      row('d', { dependsOn: ['e'] }),
      row('e', { enabled: false }),
      row('f'),
    ]);
    expect(kernel.spawned.map(({ name }) => name)).toEqual(['f']);
    expect(status(kernel, 'a')).toMatchObject({ state: 'failed', detail: 'depends on itself: a -> b -> a' });
    expect(status(kernel, 'c')).toMatchObject({
      state: 'failed',
      detail: 'depends on nobody, which is not in the configuration',
    });
    expect(status(kernel, 'd')).toMatchObject({
      state: 'failed',
      detail: 'depends on e, which is disabled',
    });
    expect(kernel.lostNames.sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(codeOf(() => supervisorOf(kernel).start('a'))).toBe('EINVAL');
    expect(codeOf(() => supervisorOf(kernel).start('nobody'))).toBe('ENOENT');
    supervisorOf(kernel).enable('e');
    supervisorOf(kernel).start('d');
    expect(status(kernel, 'd').state).toBe('starting');
  });

  it('tries again when the kernel cannot start a task at the moment, and gives up where that is of no use', () => {
    let refusals = 3;
    const kernel = booted([row('ata'), row('tty')], (fake) => {
      fake.refuse = (name) => {
        if (name === 'tty') return new SystemError('ENOENT');
        return refusals-- > 0 ? new SystemError('EAGAIN') : undefined;
      };
    });
    expect(status(kernel, 'tty').state).toBe('failed');
    expect(status(kernel, 'ata').state).toBe('waiting');
    kernel.run(1000);
    expect(status(kernel, 'ata').state).toBe('running');
  });
});

describe('restarts', () => {
  it('restarts at once what was killed, with a fresh ping waiting at its port', () => {
    const kernel = booted();
    kernel.run(5000);
    kernel.killFromOutside('ata');
    kernel.run(1);
    expect(kernel.starts('ata')).toBe(2);
    expect(kernel.spawned[1]?.at).toBeCloseTo(6000.1);
    expect(kernel.lostNames).toEqual([]);
    expect(status(kernel, 'ata').state).toBe('starting');
    kernel.run(25);
    expect(status(kernel, 'ata')).toMatchObject({ state: 'running', restarts: 1, incarnation: 2 });
    expect(kernel.lines.at(-1)).toBe('ata: SIGKILL after 5.0 s; started again, pid 3');
  });

  it('always restarts at once a service killed every 150 ms', () => {
    const kernel = booted();
    kernel.run(1000);
    for (let round = 0; round < 200; round++) {
      kernel.killFromOutside('ata');
      kernel.run(0.2);
      expect(kernel.starts('ata')).toBe(round + 2);
      kernel.run(149.8);
    }
    expect(kernel.outstanding).toBeLessThan(3);
  });

  it.each([
    ['exits with an error at once', { endsAfter: 5, end: { status: 70, signal: 0 } }],
    ['exits with success at once', { endsAfter: 5, end: { status: 0, signal: 0 } }],
    ['crashes at once', { endsAfter: 0, end: { status: 139, signal: 11 } }],
    ['is killed at each start', { endsAfter: 12, end: { status: 137, signal: 9 } }],
    ['crashes late, but before it serves', { readyAfter: undefined, endsAfter: 400, end: { status: 1, signal: 0 } }],
    ['serves and crashes within a second', { readyAfter: 1, endsAfter: 300, end: { status: 134, signal: 6 } }],
  ])('gives up a service that %s', (_what, behaviour) => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = () => behaviour;
    });
    kernel.run(8000);
    expect(kernel.starts('ata')).toBe(10);
    expect(status(kernel, 'ata').state).toBe('failed');
    expect(kernel.lostNames).toEqual(['ata']);
    expect(kernel.lines.at(-1)).toMatch(
      /^ata: given up after 10 crashes in \d\.\d s; last: .* after \d+ ms; `service start ata` tries again$/,
    );
    const delays = kernel.spawned.map(
      ({ at }, index) => at - (kernel.spawned[index - 1]?.at ?? at) - behaviour.endsAfter,
    );
    const expected = [0, 0, 0, 50, 100, 200, 400, 800, 1600];
    for (const [index, delay] of expected.entries()) expect(Math.abs((delays[index + 1] ?? 0) - delay)).toBeLessThan(2);
    kernel.run(60_000);
    expect(kernel.starts('ata')).toBe(10);
    supervisorOf(kernel).start('ata');
    kernel.run(8000);
    expect(kernel.starts('ata')).toBe(20);
  });

  it('forgets failed starts after a good one', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = (_name, incarnation) => ({ endsAfter: incarnation % 5 === 0 ? 1100 : 10 });
    });
    kernel.run(60_000);
    expect(kernel.starts('ata')).toBeGreaterThan(100);
  });

  it('obeys the policies', () => {
    const kernel = booted(
      [
        row('never', { restart: 'never' }),
        row('good', { restart: 'on-failure' }),
        row('bad', { restart: 'on-failure' }),
      ],
      (fake) => {
        fake.behave = (name) => ({ endsAfter: 2000, end: { status: name === 'good' ? 0 : 3, signal: 0 } });
      },
    );
    kernel.run(7000);
    expect(kernel.starts('never')).toBe(1);
    expect(status(kernel, 'never')).toMatchObject({
      state: 'failed',
      detail: 'exit status 3 after 2.0 s; not started again (policy never)',
    });
    expect(kernel.starts('good')).toBe(1);
    expect(status(kernel, 'good').state).toBe('stopped');
    expect(kernel.starts('bad')).toBe(4);
    expect(kernel.lostNames.sort()).toEqual(['good', 'never']);
  });

  it('drops notices about tasks it has replaced or does not know', () => {
    const kernel = booted();
    kernel.run(2000);
    const pid = kernel.task('ata')?.pid ?? 0;
    kernel.killFromOutside('ata');
    kernel.run(1);
    supervisorOf(kernel).exited({ pid, name: 'ata', status: 137, signal: 9 });
    supervisorOf(kernel).exited({ pid: 999, name: 'job', status: 0, signal: 0 });
    expect(kernel.starts('ata')).toBe(2);
  });
});

describe('pings', () => {
  it('kills and restarts a service that has not answered for two seconds', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = (_name, incarnation) => (incarnation === 1 ? { hangsAfter: 4500 } : {});
    });
    kernel.run(9000);
    expect(kernel.killed.map(({ name, signal }) => `${name} ${signal}`)).toEqual(['ata KILL']);
    expect(kernel.killed[0]?.at).toBeGreaterThanOrEqual(1000 + 4500 + 2000);
    expect(kernel.killed[0]?.at).toBeLessThan(1000 + 4500 + 3100);
    expect(kernel.lines).toContain('ata: no answer for 2.0 s, killed');
    expect(kernel.starts('ata')).toBe(2);
    expect(status(kernel, 'ata').state).toBe('running');
  });

  it('wakes up once a second, and not at all when nobody serves', () => {
    const kernel = booted([row('ata'), row('tty')]);
    kernel.run(60_000);
    expect(kernel.wakeUps).toBeLessThanOrEqual(60);
    const idle = booted([row('worker', { serves: [] })]);
    idle.run(60_000);
    expect(idle.wakeUps).toBe(0);
  });

  it('gives a slow start ten seconds', () => {
    const kernel = booted([row('slow'), row('dead')], (fake) => {
      fake.behave = (name) => ({ readyAfter: name === 'slow' ? 8000 : undefined });
    });
    kernel.run(11_500);
    expect(kernel.killed.map(({ name }) => name)).toEqual(['dead']);
    expect(status(kernel, 'slow').state).toBe('running');
  });

  it('kills one that hangs on the first message of its life within four seconds, not ten', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = () => ({ hangsAfter: 20 });
    });
    kernel.run(5000);
    expect(kernel.killed.length).toBe(1);
    kernel.run(60_000);
    expect(status(kernel, 'ata').state).toBe('failed');
    // The first one made the port, which counts as a good start.
    expect(kernel.starts('ata')).toBe(11);
  });

  it('leaves a busy service alone', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = () => ({ busy: true });
    });
    kernel.run(30_000);
    expect(kernel.killed).toEqual([]);
  });

  it('kills the one that hangs, not those who wait for it', () => {
    const kernel = booted(
      [row('vfs', { dependsOn: ['vrfs'] }), row('vrfs', { dependsOn: ['ata'] }), row('ata')],
      (fake) => {
        // The disk hangs, and its callers with it, until it has been restarted.
        fake.behave = (name, incarnation) =>
          name === 'ata' && incarnation === 1 ? { hangsAfter: 4500 } : name === 'ata' ? {} : { hangsAfter: 4600 };
      },
    );
    kernel.run(8000);
    expect(kernel.killed.map(({ name }) => name)).toEqual(['ata']);
    kernel.run(8000);
    expect(kernel.killed.map(({ name }) => name).slice(0, 2)).toEqual(['ata', 'vrfs']);
  });

  it('pings many services in turn, with a bound on what is under way', () => {
    const names = Array.from({ length: 300 }, (_, index) => row(`s${index}`));
    const kernel = booted(names, (fake) => {
      fake.behave = (name) => (name === 's299' ? { hangsAfter: 3000 } : {});
    });
    let most = 0;
    for (let step = 0; step < 200; step++) {
      kernel.run(100);
      most = Math.max(most, kernel.outstanding);
    }
    expect(most).toBeLessThanOrEqual(100);
    expect(kernel.killed.every(({ name }) => name === 's299')).toBe(true);
    expect(kernel.killed.length).toBeGreaterThan(0);
  });
});

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
