/**
 * Cases on time and randomness: sleeping, alarms, clocks. Nothing may be early; late it may be when the host is busy,
 * but not again and again.
 */
import { MAX_ALARMS, MAX_RANDOM_BYTES, MAX_TIMEOUT_MILLISECONDS } from '../../../protocol/bounds.ts';
import { kernelNotices } from '../../../protocol/kernel.ts';
import {
  alarm,
  type Handle,
  ipcCreatePort,
  ipcDestroyPort,
  ipcRecv,
  ipcTryRecv,
  random,
  sleep,
  time,
  uptime,
} from '../../../services/lib/index.ts';
import { type Cases, equal, fails, holds } from './check.ts';
import { Puppet } from './puppet.ts';

/** How late an event may be on a host that has time, in milliseconds. */
const LATE = 10;

/** Something lasts as long as it should; while it is late, it is tried again. */
function lasts(milliseconds: number, what: string, action: () => void): void {
  let took = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 10 && took > milliseconds + LATE; attempt++) {
    const before = uptime();
    action();
    took = uptime() - before;
    holds(took >= milliseconds, `${what} took only ${took} ms instead of ${milliseconds}`);
  }
  holds(took <= milliseconds + LATE, `${what} took ${took} ms instead of ${milliseconds}`);
}

function takeAlarm(port: Handle): number {
  const { notice, method, data } = ipcRecv([port], 1000);
  equal([notice, method], [true, kernelNotices.methods.alarm.number], 'a notice alarm');
  return kernelNotices.methods.alarm.request.fromWire(data, []).alarm;
}

export const timeCases: Cases = {
  'sleeping lasts as long as it should, to a fraction of a millisecond': () => {
    for (const milliseconds of [0, 0.5, 1, 7.25, 50]) lasts(milliseconds, 'sleep', () => sleep(milliseconds));
    fails('EINVAL', () => sleep(-1));
    fails('EINVAL', () => sleep(MAX_TIMEOUT_MILLISECONDS + 1));
    fails('EINVAL', () => sleep(Number.NaN));
  },
  'many sleepers wake in the order of their times': () => {
    // So far apart that a helper that gets a CPU late does not change places.
    const times = [20, 220, 420];
    const puppets = times.map((milliseconds) => ({ milliseconds, puppet: new Puppet('helper') }));
    const before = uptime();
    const sleeps = puppets.map(({ milliseconds, puppet }) => ({
      milliseconds,
      pending: puppet.begin('sleep', milliseconds),
    }));
    const order: number[] = [];
    while (order.length < sleeps.length) {
      for (const { milliseconds, pending } of sleeps) {
        if (!order.includes(milliseconds) && pending.done()) order.push(milliseconds);
      }
      holds(uptime() - before < 3000, 'they wake');
    }
    equal(order, times, 'order');
  },
  'uptime goes forward in fractions of a millisecond, time is that of the world': () => {
    const times = Array.from({ length: 50 }, () => uptime());
    holds(
      times.every((value, index) => index === 0 || value > (times[index - 1] ?? 0)),
      'uptime goes forward',
    );
    holds(
      times.some((value) => value % 1 !== 0),
      'fractions',
    );
    holds(time() > Date.UTC(2025, 0) && time() < Date.UTC(2100, 0), 'time');
    const [before, start] = [time(), uptime()];
    sleep(30);
    const difference = time() - before - (uptime() - start);
    holds(Math.abs(difference) < 50, `the clocks differ by ${difference} ms`);
  },
  'an alarm comes once, at its time, and can be moved and cancelled': () => {
    const port = ipcCreatePort();
    lasts(30, 'the alarm', () => {
      alarm(port, 7, 30);
      equal(takeAlarm(port), 7, 'number');
    });
    lasts(20, 'a receive with a timeout', () => fails('ETIMEDOUT', () => ipcRecv([port], 20)));
    alarm(port, 1, 200);
    alarm(port, 2, 40);
    alarm(port, 1, 20);
    alarm(port, 3, 60);
    alarm(port, 3, 0);
    equal([takeAlarm(port), takeAlarm(port)], [1, 2], 'order');
    fails('ETIMEDOUT', () => ipcRecv([port], 80));
    fails('EBADF', () => alarm(0xfff0001 as Handle, 1, 1));
    fails('EINVAL', () => alarm(port, 1, -1));
    fails('EINVAL', () => alarm(port, 1, MAX_TIMEOUT_MILLISECONDS + 1));
    ipcDestroyPort(port);
  },
  'a task has a bounded number of alarms, and none after its port is gone': () => {
    const port = ipcCreatePort();
    for (let number = 0; number < MAX_ALARMS; number++) alarm(port, number, 100_000);
    fails('EAGAIN', () => alarm(port, MAX_ALARMS, 1));
    alarm(port, 0, 5);
    equal(takeAlarm(port), 0, 'number');
    alarm(port, MAX_ALARMS, 1);
    equal(takeAlarm(port), MAX_ALARMS, 'number');
    alarm(port, MAX_ALARMS, 1);
    ipcDestroyPort(port);
    for (let number = 1; number < MAX_ALARMS; number++) fails('EBADF', () => alarm(port, number, 0));
    sleep(5);
    equal(ipcTryRecv() ?? null, null, 'nothing comes');
  },
  'random bytes are random, and not too many at once': () => {
    const [one, two] = [random(32), random(32)];
    equal([one.length, two.length], [32, 32], 'lengths');
    holds(!Buffer.from(one).equals(Buffer.from(two)), 'they differ');
    equal(random(MAX_RANDOM_BYTES).length, MAX_RANDOM_BYTES, 'the most');
    fails('EINVAL', () => random(MAX_RANDOM_BYTES + 1));
  },
};
