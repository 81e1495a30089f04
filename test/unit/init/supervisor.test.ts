/** The supervisor on a clock and a kernel of the test: starting, crash loops, hangs. */
import { describe, expect, it } from 'vitest';
import { MAX_INSTANCES } from '../../../protocol/bounds.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { type Behaviour, row } from './fake-kernel.ts';
import { Answer, booted, codeOf, status, supervisorOf } from './supervised.ts';

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

  it('have instances that go when there is no room and they are stopped and have left nothing', () => {
    const kernel = booted([row('ata', { start: 'demand' }), disk]);
    const supervisor = supervisorOf(kernel);
    const stop = (name: string): void => {
      const answer = new Answer();
      supervisor.stop(name, answer);
      kernel.run(100);
      expect(answer.done).toBe(true);
    };
    const has = (name: string): boolean => supervisor.list().some((service) => service.name === name);
    for (let count = 1; count <= MAX_INSTANCES; count++) supervisor.start(`disk@${count}`);
    kernel.run(100);
    supervisor.disable('disk@1', new Answer());
    kernel.keeping.add('disk@2');
    kernel.run(100);
    for (const name of ['disk@2', 'disk@3', 'disk@4']) stop(name);
    // Those that can go stay as long as there is room, and what a user has said of one stays in any case.
    expect(has('disk@3')).toBe(true);
    supervisor.start('disk@a');
    supervisor.start('disk@2');
    supervisor.start('disk@b');
    expect(['disk@1', 'disk@2', 'disk@3', 'disk@4'].map(has)).toEqual([true, true, false, false]);
    expect(codeOf(() => supervisor.start('disk@c'))).toBe('EAGAIN');
    expect(codeOf(() => supervisor.start('disk@1'))).toBe('EACCES');
    kernel.run(100);
    stop('disk@a');
    supervisor.start('disk@3');
    kernel.run(100);
    expect([has('disk@a'), status(kernel, 'disk@3').state]).toEqual([false, 'running']);
    expect(supervisor.list().length).toBe(2 + MAX_INSTANCES);
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

  it('wakes up every second second while all services rest, and not at all when nobody serves', () => {
    const kernel = booted([row('ata'), row('tty')]);
    kernel.run(60_000);
    expect(kernel.wakeUps).toBeGreaterThan(20);
    expect(kernel.wakeUps).toBeLessThanOrEqual(38);
    const idle = booted([row('worker', { serves: [] })]);
    idle.run(60_000);
    expect(idle.wakeUps).toBe(0);
  });

  it('go every two seconds to who does something, seldom to who rests, one at a time', () => {
    const pingsOf = (behaviour: Behaviour): number[] => {
      const kernel = booted([row('ata'), row('tty'), row('vfs')], (fake) => {
        fake.behave = () => behaviour;
      });
      kernel.run(5000);
      const perSecond: number[] = [];
      for (let second = 0; second < 200; second++) {
        const before = kernel.pings;
        kernel.run(1000);
        perSecond.push(kernel.pings - before);
      }
      return perSecond;
    };
    const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
    const resting = pingsOf({});
    expect(Math.max(...resting)).toBe(1);
    expect(sum(resting)).toBeGreaterThanOrEqual(3 * 5);
    expect(sum(resting)).toBeLessThanOrEqual(3 * 7);
    expect(sum(pingsOf({ works: true }))).toBe(3 * 100);
  });

  it('find one that hangs although it seems to wait for messages', () => {
    const kernel = booted([row('ata')], (fake) => {
      fake.behave = (_name, incarnation) => (incarnation === 1 ? { hangsAfter: 4500, restsDeaf: true } : {});
    });
    kernel.run(4500);
    expect(status(kernel, 'ata').state).toBe('running');
    kernel.run(35_000);
    expect(kernel.killed.map(({ name, signal }) => `${name} ${signal}`)).toEqual(['ata KILL']);
    expect(kernel.starts('ata')).toBe(2);
  });

  it('keep no state that has not changed', () => {
    const kernel = booted();
    kernel.run(5000);
    const before = kernel.saves;
    kernel.run(60_000);
    expect(kernel.saves).toBe(before);
    kernel.storeIsFull = true;
    kernel.killFromOutside('ata');
    kernel.run(10_000);
    const refused = kernel.saves;
    expect(refused).toBeGreaterThan(before + 3);
    // What could not be kept is kept as soon as there is room, although nothing changes meanwhile.
    kernel.storeIsFull = false;
    kernel.run(10_000);
    expect(kernel.saves).toBe(refused + 1);
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
