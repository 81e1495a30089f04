/**
 * The parts of the network service one by one: requests that wait, the table of sockets, the posted store, alarm,
 * arrival of the network, captures.
 */
import { describe, expect, it } from 'vitest';
import { FOREVER } from '../../../protocol/bounds.ts';
import { encodeAfter } from '../../../protocol/codec.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { LATER } from '../../../protocol/interface.ts';
import type { Deferred, RequestContext } from '../../../services/lib/server.ts';
import { ARRIVAL_MS, NetworkArrival } from '../../../services/netstack/service/arrival.ts';
import { Captures, MAX_BUFFERED_PACKETS, MAX_CAPTURES } from '../../../services/netstack/service/captures.ts';
import { Alarm, TurnClock } from '../../../services/netstack/service/clock.ts';
import {
  MAX_SOCKETS,
  MAX_SOCKETS_PER_TASK,
  MAX_TABLE_BYTES,
  SocketTable,
} from '../../../services/netstack/service/socket-table.ts';
import { PostedStore, sizeOf } from '../../../services/netstack/service/store.ts';
import {
  MAX_WAITING,
  MAX_WAITING_AT_PLACE,
  Place,
  WAIT,
  WaitingRequests,
} from '../../../services/netstack/service/waiting.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';

/** A request, and how it was answered. */
class Asked implements Deferred<unknown> {
  readonly answers: unknown[] = [];

  reply(value: unknown): void {
    this.answers.push(value);
  }

  fail(error: SystemError): void {
    this.answers.push(error.code);
  }

  context(badge = 0): RequestContext {
    const later = (keep: (deferred: Deferred<never>) => void): typeof LATER => {
      keep(this as Deferred<never>);
      return LATER;
    };
    return { sender: 1, badge, sequence: 1, retry: false, deliveries: 1, later } as unknown as RequestContext;
  }
}

const codeOf = (action: () => unknown): string => {
  try {
    action();
    return 'none';
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.code;
  }
};

describe('requests that wait', () => {
  it('are answered at once when they can be, else when their place has changed', () => {
    const waiting = new WaitingRequests();
    const place = new Place();
    const asked = new Asked();
    let value: number | typeof WAIT = 7;
    const ask = () => waiting.answer(asked.context(), place, { timeout: FOREVER }, 0, () => value);
    expect(ask()).toBe(7);
    value = WAIT;
    expect(ask()).toBe(LATER);
    waiting.changed(place);
    expect(asked.answers).toEqual([]);
    value = 8;
    waiting.changed(new Place());
    expect(asked.answers).toEqual([]);
    waiting.changed(place);
    waiting.changed(place);
    expect(asked.answers).toEqual([8]);
    expect(waiting.size).toBe(0);
  });

  it('end with their time, not earlier, and never twice', () => {
    const waiting = new WaitingRequests();
    const place = new Place();
    const [first, second, third] = [new Asked(), new Asked(), new Asked()];
    for (const [asked, timeout] of [
      [first, 50],
      [second, 20],
      [third, FOREVER],
    ] as const)
      waiting.answer(asked.context(), place, { timeout }, 100, () => WAIT);
    expect(waiting.deadline()).toBe(120);
    waiting.advance(119.9);
    expect([first.answers, second.answers]).toEqual([[], []]);
    waiting.advance(120);
    expect([first.answers, second.answers]).toEqual([[], ['ETIMEDOUT']]);
    expect(waiting.deadline()).toBe(150);
    waiting.advance(1000);
    waiting.changed(place);
    expect([first.answers, second.answers, third.answers]).toEqual([['ETIMEDOUT'], ['ETIMEDOUT'], []]);
    expect(waiting.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it('must not wait with timeout 0, are told why they fail, and of their place being gone', () => {
    const waiting = new WaitingRequests();
    const place = new Place();
    const asked = new Asked();
    expect(codeOf(() => waiting.answer(asked.context(), place, { timeout: 0 }, 0, () => WAIT))).toBe('EAGAIN');
    let fails = false;
    const attempt = (): typeof WAIT => {
      if (fails) throw new SystemError('ECONNRESET');
      return WAIT;
    };
    waiting.answer(asked.context(), place, { timeout: 10 }, 0, attempt);
    fails = true;
    waiting.changed(place);
    expect(asked.answers).toEqual(['ECONNRESET']);
    waiting.answer(asked.context(), place, { timeout: 10 }, 0, () => WAIT);
    waiting.end(place, new SystemError('EBADF'));
    expect(asked.answers).toEqual(['ECONNRESET', 'EBADF']);
    expect(waiting.size).toBe(0);
  });

  it('take nothing for who is dead', () => {
    const waiting = new WaitingRequests();
    const place = new Place();
    const asked = new Asked();
    let alive = true;
    let taken = 0;
    let there = false;
    const attempt = (): number | typeof WAIT => (there ? ++taken : WAIT);
    waiting.answer(asked.context(), place, { timeout: FOREVER, isAlive: () => alive }, 0, attempt);
    alive = false;
    there = true;
    waiting.changed(place);
    expect([taken, waiting.size, asked.answers]).toEqual([0, 0, ['ECONNABORTED']]);
  });

  it('are so many at most, at a place and in all', () => {
    const waiting = new WaitingRequests();
    const wait = (place: Place) =>
      codeOf(() => waiting.answer(new Asked().context(), place, { timeout: 9 }, 0, () => WAIT));
    const place = new Place();
    const at = Array.from({ length: MAX_WAITING_AT_PLACE + 1 }, () => wait(place));
    expect(at.filter((code) => code === 'EAGAIN')).toHaveLength(1);
    const elsewhere = Array.from({ length: MAX_WAITING }, () => wait(new Place()));
    expect(elsewhere.filter((code) => code === 'EAGAIN')).toHaveLength(MAX_WAITING_AT_PLACE);
    waiting.advance(9);
    expect(waiting.size).toBe(0);
  });
});

describe('the table of sockets', () => {
  const stream = { type: 'stream', protocol: 6 } as const;

  it('gives each socket a badge of its own, and refuses that of one that is gone', () => {
    const table = new SocketTable<string>(new MemoryKeeper());
    const first = table.add(stream, { sender: 5, sequence: 1 });
    table.remove(first);
    const second = table.add(stream, { sender: 5, sequence: 2 });
    expect(second.badge & 1023).toBe(first.badge & 1023);
    expect(second.badge).not.toBe(first.badge);
    expect(codeOf(() => table.get(first.badge))).toBe('EBADF');
    expect(table.get(second.badge)).toBe(second);
    expect(first.badge >>> 24).toBe(1);
  });

  it('is the same after a death', () => {
    const keeper = new MemoryKeeper();
    const table = new SocketTable<string>(keeper);
    const sockets = Array.from({ length: 5 }, (_, index) => table.add(stream, { sender: 5, sequence: index }));
    const [first, second, third] = sockets;
    if (!first || !second || !third) throw new Error('no sockets');
    table.remove(second);
    first.setOption('linger', 3);
    Object.assign(first.state, { bound: true, local: { address: 1, port: 80 }, backlog: 7 });
    table.save(first);
    const next = new SocketTable<string>(keeper);
    expect([...next.list()].map(({ badge, state }) => ({ badge, state }))).toEqual(
      [...table.list()].map(({ badge, state }) => ({ badge, state })),
    );
    expect(next.madeBy({ sender: 5, sequence: 2 })?.badge).toBe(third.badge);
    expect(next.madeBy({ sender: 5, sequence: 1 })).toBeUndefined();
    expect(next.get(first.badge).option('linger')).toBe(3);
    expect(next.get(first.badge).option('no-delay')).toBeNull();
    const badges = new Set([...next.list()].map(({ badge }) => badge));
    const added = next.add(stream, { sender: 6, sequence: 1 });
    expect(badges.has(added.badge)).toBe(false);
    expect(next.size).toBe(5);
  });

  it('has room for so many, of a task and in all, and keeps no more than it says', () => {
    const keeper = new MemoryKeeper();
    const table = new SocketTable<string>(keeper);
    let made = 0;
    const fill = (sender: number): void => {
      const full = codeOf(() => {
        for (;;) {
          const entry = table.add(stream, { sender, sequence: 2 ** 53 - 1 - made });
          const widest = { address: 0xffffffff, port: 0xffff };
          Object.assign(entry.state, { bound: true, local: widest, remote: widest, connection: 2 ** 53 - 1 });
          entry.state.options = entry.state.options.map(() => 0xffffffff);
          table.save(entry);
          made++;
        }
      });
      expect(full).toBe('EMFILE');
    };
    fill(0xfffffffe);
    expect(made).toBe(MAX_SOCKETS_PER_TASK);
    fill(0xffffffff);
    fill(7);
    expect(made).toBe(MAX_SOCKETS);
    expect(keeper.bytes).toBeLessThanOrEqual(MAX_TABLE_BYTES);
    for (const entry of [...table.list()]) table.remove(entry);
    expect([table.size, keeper.values.size]).toEqual([0, 0]);
    expect(codeOf(() => table.add(stream, { sender: 7, sequence: 1 }))).toBe('none');
  });
});

describe('the posted store', () => {
  const seeded = new Random();
  const random = (): number => seeded.next();

  function someValue(depth: number): unknown {
    const kind = Math.floor(random() * (depth > 0 ? 8 : 6));
    switch (kind) {
      case 0:
        return null;
      case 1:
        return random() < 0.5;
      case 2:
        return Math.floor(random() * 2 ** 53);
      case 3:
        return random() * 1e9;
      case 4:
        return 'ä'.repeat(Math.floor(random() * 300));
      case 5:
        return Buffer.alloc(Math.floor(random() * 70000));
      case 6:
        return Array.from({ length: Math.floor(random() * 20) }, () => someValue(depth - 1));
      default:
        return Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`key ${index}`, someValue(depth - 1)]));
    }
  }

  it('never takes a value for shorter than it is', () => {
    for (let round = 0; round < 500; round++) {
      const value = someValue(2);
      expect(sizeOf(value), `seed ${seeded.seed}`).toBeGreaterThanOrEqual(encodeAfter(0, value).length);
    }
  });

  it('refuses what would not fit, without asking the kernel, and counts what an earlier incarnation kept', () => {
    const keeper = new MemoryKeeper();
    keeper.put('old', Buffer.alloc(1000));
    const store = new PostedStore(keeper, 4000, 3);
    expect(store.get('old')).toHaveLength(1000);
    expect(store.bytes).toBeGreaterThanOrEqual(1000);
    store.put('new', Buffer.alloc(2500));
    expect(codeOf(() => store.put('third', Buffer.alloc(600)))).toBe('ENOSPC');
    expect(codeOf(() => store.put('new', Buffer.alloc(3500)))).toBe('ENOSPC');
    expect([...keeper.values.keys()]).toEqual(['old', 'new']);
    store.delete('old');
    store.delete('none');
    store.put('third', Buffer.alloc(600));
    store.put('fourth', null);
    expect(codeOf(() => store.put('fifth', null))).toBe('ENOSPC');
    expect(store.bytes).toBeGreaterThanOrEqual(keeper.bytes);
    for (const key of store.keys()) store.delete(key);
    expect([store.bytes, keeper.values.size]).toEqual([0, 0]);
  });

  it('holds nothing itself: values are read when they are asked for, the others only to be counted', () => {
    const keeper = new MemoryKeeper();
    for (const key of ['a', 'b', 'c']) keeper.put(key, Buffer.alloc(1000));
    const read: string[] = [];
    const effects = {
      keys: () => keeper.keys(),
      get: (key: string) => {
        read.push(key);
        return keeper.get(key);
      },
      put: (key: string, value: unknown) => keeper.put(key, value),
      delete: (key: string) => keeper.delete(key),
    };
    const store = new PostedStore(effects, 2 ** 20, 100);
    expect([read, [...store.keys()].sort()]).toEqual([[], ['a', 'b', 'c']]);
    expect([store.get('b'), store.get('other'), read]).toEqual([Buffer.alloc(1000), undefined, ['b']]);
    store.delete('a');
    store.settle();
    expect(read).toEqual(['b', 'c']);
    expect(store.bytes).toBeGreaterThanOrEqual(keeper.bytes);
  });
});

describe('time', () => {
  it('is asked for once in a turn', () => {
    let asked = 0;
    const clock = new TurnClock(() => ++asked);
    expect([clock.now(), clock.now()]).toEqual([1, 1]);
    clock.expire();
    expect([clock.now(), asked]).toEqual([2, 2]);
  });

  it('has one alarm for the earliest deadline, and none without', () => {
    const set: number[] = [];
    const alarm = new Alarm((milliseconds) => void set.push(milliseconds));
    alarm.want(Number.POSITIVE_INFINITY, 100);
    alarm.want(350.2, 100);
    alarm.want(400, 120);
    alarm.want(360, 130);
    expect(set).toEqual([251]);
    alarm.want(200, 150);
    expect(set).toEqual([251, 50]);
    alarm.fired();
    alarm.want(200, 200);
    alarm.want(1e15, 200);
    expect(set).toEqual([251, 50, 1]);
  });
});

describe('the arrival of the network', () => {
  it('lets requests wait for the first address, five seconds at most', () => {
    let there = false;
    let hopeful = true;
    const arrival = new NetworkArrival({ isThere: () => there, isHopeful: () => hopeful }, 1000);
    const place = new Place();
    expect(arrival.isComing(place, 1001)).toBe(true);
    expect(arrival.deadline()).toBe(1000 + ARRIVAL_MS);
    expect(arrival.changed(1500)).toEqual([]);
    there = true;
    expect(arrival.changed(1600)).toEqual([place]);
    expect(arrival.changed(1600)).toEqual([]);
    expect(arrival.isComing(place, 1700)).toBe(false);
    there = false;
    expect(arrival.isComing(place, 1800)).toBe(true);
    hopeful = false;
    expect(arrival.changed(1900)).toEqual([place]);
    expect(arrival.isComing(place, 1900)).toBe(false);
    hopeful = true;
    expect(arrival.isComing(place, 2000)).toBe(true);
    expect(arrival.changed(1000 + ARRIVAL_MS)).toEqual([place]);
    expect(arrival.isComing(place, 1000 + ARRIVAL_MS)).toBe(false);
    expect(arrival.deadline()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('captures', () => {
  it('hand out what has gone by, cut to length, of their interface', () => {
    const waiting = new WaitingRequests();
    const captures = new Captures(new MemoryKeeper(), waiting);
    const all = captures.add(null, 4, { sender: 1, sequence: 1 });
    const one = captures.add('ne0', 9999, { sender: 1, sequence: 2 });
    captures.packet('lo', Buffer.from('abcdef'), true, 5);
    const asked = new Asked();
    expect(captures.receive(asked.context(one), 100, 0)).toBe(LATER);
    captures.serve();
    expect(asked.answers).toEqual([]);
    captures.packet('ne0', Buffer.alloc(1700, 'x'), false, 6);
    captures.serve();
    const [answer] = asked.answers as [{ packets: { length: number; data: Uint8Array }[] }];
    expect(answer.packets).toHaveLength(1);
    expect(answer.packets[0]).toMatchObject({ length: 1700, sent: false, time: 6 });
    expect(answer.packets[0]?.data).toHaveLength(1600);
    const both = captures.receive(asked.context(all), 0, 0) as unknown as typeof answer;
    expect(both.packets.map(({ length, data }) => [length, Buffer.from(data).toString()])).toEqual([
      [6, 'abcd'],
      [1700, 'xxxx'],
    ]);
    expect(codeOf(() => captures.receive(asked.context(all), 0, 0))).toBe('EAGAIN');
    expect(codeOf(() => captures.receive(asked.context(77), 0, 0))).toBe('EBADF');
  });

  it('are four at most, drop and count what nobody asks for, and survive a death', () => {
    const keeper = new MemoryKeeper();
    const captures = new Captures(keeper, new WaitingRequests());
    const badges = Array.from({ length: MAX_CAPTURES }, (_, index) =>
      captures.add(null, 1, { sender: 1, sequence: index }),
    );
    expect(new Set(badges).size).toBe(MAX_CAPTURES);
    expect(codeOf(() => captures.add(null, 1, { sender: 1, sequence: 99 }))).toBe('EMFILE');
    expect(captures.add(null, 1, { sender: 1, sequence: 2 })).toBe(badges[2]);
    for (let count = 0; count < MAX_BUFFERED_PACKETS + 10; count++) captures.packet('lo', Buffer.from('x'), true, 0);
    const answer = captures.receive(new Asked().context(badges[0]), 0, 0) as unknown as {
      dropped: number;
      packets: [];
    };
    expect([answer.dropped, answer.packets.length]).toEqual([10, 64]);
    const next = new Captures(keeper, new WaitingRequests());
    expect(next.badges).toEqual(badges);
    for (const badge of badges) next.remove(badge);
    expect([next.isWatching, keeper.values.size]).toEqual([false, 0]);
  });
});
