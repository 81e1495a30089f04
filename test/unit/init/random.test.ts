/**
 * Random requests, deaths, hangs and restarts of init: the supervisor never throws anything but a SystemError, answers
 * every request in the end, and never leaves a service that is meant to run without a task, a time to start at, or a
 * reason.
 */
import { describe, expect, it } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import type { ManifestRow } from '../../../protocol/records.ts';
import { storedState } from '../../../services/init/service.ts';
import { type Behaviour, FakeKernel, row } from './fake-kernel.ts';

const ROUNDS = 100;
const STEPS = 120;
const names = ['tty', 'ata', 'vfs', 'shell', 'echo'];

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function manifests(random: (below: number) => number): ManifestRow[] {
  const policies = ['always', 'always', 'on-failure', 'never'] as const;
  return names.map((name, index) =>
    row(name, {
      enabled: random(8) !== 0,
      start: random(4) === 0 ? 'demand' : 'boot',
      restart: policies[random(4)] ?? 'always',
      dependsOn: index > 0 && random(2) === 0 ? [names[random(index)] ?? 'ata'] : [],
      serves: random(4) === 0 ? [] : [name],
    }),
  );
}

function behaviour(random: (below: number) => number): Behaviour {
  const end = [
    { status: 0, signal: 0 },
    { status: 70, signal: 0 },
    { status: 139, signal: 11 },
    { status: 137, signal: 9 },
  ][random(4)];
  return {
    readyAfter: random(10) === 0 ? undefined : random(200),
    ignoresStop: random(4) === 0,
    debuggerAfter: random(500),
    ...(random(3) === 0 && end !== undefined ? { endsAfter: random(3000), end } : {}),
    ...(random(5) === 0 ? { hangsAfter: random(4000) } : {}),
  };
}

/** Every service that is meant to run has a task, a time to start at, or has failed. */
function check(kernel: FakeKernel, where: string): void {
  const { services, ending } = storedState.fromWire(kernel.stored, []);
  if (ending !== null) return;
  for (const service of services) {
    if (service.phase === 'running' || service.phase === 'stopping') {
      const task = kernel.task(service.name);
      const noticeUnderWay = kernel.noticesUnderWay > 0;
      if (!noticeUnderWay) expect(task?.pid, `${service.name}: ${where}`).toBe(service.pid);
    } else {
      expect(kernel.task(service.name), `${service.name}: ${where}`).toBeUndefined();
    }
    if (service.wanted && service.enabled) expect(service.phase, `${service.name}: ${where}`).not.toBe('stopped');
    if (service.phase === 'waiting') expect(service.dueAt, where).toBeLessThanOrEqual(kernel.time + 1700);
  }
}

describe('the supervisor under random events', () => {
  it('keeps its promises', () => {
    const seed = Number(process.env.VROS_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
    for (let round = 0; round < ROUNDS; round++) {
      const where = `seed ${seed}, round ${round}`;
      const random = generator(seed + round);
      const kernel = new FakeKernel(manifests(random));
      kernel.behave = () => behaviour(random);
      kernel.refuse = () => (random(15) === 0 ? new SystemError('EAGAIN') : undefined);
      kernel.startInit();
      let asked = 0;
      let answered = 0;
      let forgotten = 0;
      const waiter = () => {
        asked++;
        const count = () => {
          answered++;
        };
        return { reply: count, fail: count };
      };
      for (let step = 0; step < STEPS; step++) {
        const name = random(20) === 0 ? 'init' : (names[random(names.length)] ?? 'ata');
        const action = random(14);
        try {
          const { supervisor } = kernel;
          if (supervisor === undefined || action === 0) {
            // The requests that were waiting come again to the next init; here they are counted as settled.
            forgotten += asked - answered - forgotten;
            kernel.stopInit();
            if (random(2) === 0) kernel.killFromOutside(name);
            kernel.run(random(50));
            kernel.startInit();
          } else if (action === 1) supervisor.start(name);
          else if (action === 2) supervisor.enable(name);
          else if (action === 3) supervisor.stop(name, waiter());
          else if (action === 4) supervisor.restart(name, waiter());
          else if (action === 5) supervisor.disable(name, waiter());
          else if (action === 6) supervisor.inspect(name, waiter());
          else if (action === 7) kernel.killFromOutside(name);
          else if (action === 8) kernel.killFromOutside(name);
          else if (action === 9) supervisor.alarm();
          else if (action === 10) supervisor.exited({ pid: 1000 + random(50), name, status: random(3), signal: 0 });
          else if (action === 11) supervisor.list();
        } catch (error) {
          expect(error, where).toBeInstanceOf(SystemError);
          // A request that is refused is answered by the refusal.
          if (action >= 3 && action <= 6) answered++;
        }
        kernel.run(random(4) === 0 ? random(3000) : random(100));
        check(kernel, where);
      }
      kernel.refuse = () => undefined;
      kernel.behave = () => ({});
      kernel.run(60_000);
      // An init that has ended leaves its requests to the next one.
      if (kernel.supervisor === undefined) forgotten = asked - answered;
      expect(answered + forgotten, where).toBe(asked);
      check(kernel, where);
      if (kernel.supervisor === undefined) kernel.startInit();
      kernel.supervisor?.shutdown(0, false);
      kernel.run(3100);
      expect(kernel.halts.length, where).toBe(1);
    }
  });
});
