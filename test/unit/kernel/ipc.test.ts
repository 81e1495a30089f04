/**
 * The message machinery where running machines are too slow or too well behaved: bounds, and time limits that pass
 * exactly.
 */
import { describe, expect, it } from 'vitest';
import { MAX_PORT_NOTICES } from '../../../protocol/bounds.ts';
import { kernelNotices } from '../../../protocol/kernel.ts';
import { World } from './world.ts';

function pair() {
  const world = new World();
  const [server, client] = [world.start('a'), world.start('b')];
  const port = world.made(world.ports.createNamed(server, 'a'));
  const right = world.made(world.ports.find(client, 1, 'a', 0) ?? 'ENOENT');
  return { world, server, client, port, right };
}

describe('notices', () => {
  it('wait in bounded number, and those with the same key once', () => {
    const { world, server, port } = pair();
    const { port: target } = server.capabilities.of(port, 'receive') ?? {};
    if (target === undefined) throw new Error('no port');
    const { number } = kernelNotices.methods.alarm;
    for (let round = 0; round < 3; round++) world.ipc.notify(target, number, [0], 'the same');
    for (let key = 1; key < MAX_PORT_NOTICES + 10; key++) world.ipc.notify(target, number, [key], `key ${key}`);
    expect([target.noticeCount, target.refused]).toEqual([MAX_PORT_NOTICES, 10]);
    expect(world.take(server)?.data).toEqual([0]);
    // Once taken, the key is free.
    world.ipc.notify(target, number, [0], 'the same');
    expect(target.noticeCount).toBe(MAX_PORT_NOTICES);
  });

  it('come before messages, in order', () => {
    const { world, server, client, right } = pair();
    world.send(client, right, 'message');
    const target = world.ports.byName('a');
    if (target === undefined) throw new Error('no port');
    for (const key of [1, 2]) world.ipc.notify(target, kernelNotices.methods.alarm.number, [key], `key ${key}`);
    expect([1, 2, 3].map(() => world.take(server)?.data)).toEqual([[1], [2], 'message']);
  });
});

describe('several ports', () => {
  /** A task with three ports, and what comes from them when messages wait in those that are named. */
  function ports() {
    const world = new World();
    const task = world.start('a');
    const handles = new Map(['a', 'b', 'c'].map((name) => [name, world.made(world.ports.create(task))]));
    const listed = (names: string): number[] => [...names].map((name) => handles.get(name) ?? 0);
    return {
      send: (names: string) => {
        for (const [index, handle] of listed(names).entries())
          world.send(task, world.made(world.ports.sendRight(task, world.portOf(task, handle), 0)), names[index]);
      },
      /** Takes from these ports (none: from every port) as long as something comes, at most so many messages. */
      take: (names: string, count = 100) => {
        const taken: unknown[] = [];
        for (let left = count; left > 0; left--) {
          const message = world.take(task, names === '' ? undefined : listed(names));
          if (message === undefined) break;
          taken.push(message.data);
        }
        return taken.join('');
      },
    };
  }

  it.each(['', 'abc', 'cba'])('take turns (listed: "%s")', (names) => {
    const { send, take } = ports();
    send('aaabbbccc');
    expect(take(names)).toBe('abcabcabc');
  });

  it('take turns among those that are listed, and others keep their places', () => {
    const { send, take } = ports();
    send('aabbccc');
    expect(take('cb', 3)).toBe('bcb');
    expect(take('', 3)).toBe('aca');
    send('ab');
    expect(take('ab')).toBe('ab');
    expect(take('c')).toBe('c');
  });

  it('take turns when one of them is never empty', () => {
    const { send, take } = ports();
    send('aa');
    let taken = '';
    for (let round = 0; round < 3; round++) {
      send('ab');
      taken += take('ab', 2);
    }
    expect(taken).toBe('ababab');
  });
});

describe('time limits', () => {
  it('of a call and of a forwarded call pass at the same moment', () => {
    const { world, server, client, right } = pair();
    const last = world.start('c');
    world.made(world.ports.createNamed(last, 'c'));
    const onward = world.made(world.ports.find(server, 1, 'c', 0) ?? 'ENOENT');
    expect(world.call(client, right, 'question', { timeout: 100 })).toBe(0);
    world.time.advance(60);
    expect(world.forward(server, world.take(server)?.handle ?? 0, onward, 'onward')).toBe(0);
    const request = world.take(last);
    expect([request?.sender, request?.sequence, request?.data]).toEqual([client.pid, 1, 'onward']);
    world.time.advance(39.5);
    expect(world.results(client)).toEqual([]);
    world.time.advance(0.5);
    expect(world.results(client).map(({ error }) => error)).toEqual(['ETIMEDOUT']);
    expect(world.reply(last, request?.handle ?? 0, 'late')).toBe(0);
    expect([world.results(client), world.timers.size, client.calls.size]).toEqual([[], 0, 0]);
  });

  it('do not pass while the server is held by a debugger', () => {
    const { world, server, client, right } = pair();
    world.call(client, right, 'question', { timeout: 10 });
    const { handle = 0 } = world.take(server) ?? {};
    server.inspected = true;
    world.time.advance(95);
    expect(world.results(client)).toEqual([]);
    world.reply(server, handle, 'slow');
    expect(world.results(client).map(({ data }) => data)).toEqual(['slow']);
    expect(world.timers.size).toBe(0);
  });
});

describe('answers', () => {
  it('say who answered and nothing else that the answering task wrote into the envelope', () => {
    const { world, server, client, right } = pair();
    world.call(client, right, 'question');
    const frame = world.frame(world.take(server)?.handle ?? 0, 'answer', { status: 5 });
    frame.buffer.fill(0xff, 16 + 3, 16 + 3 + 32);
    expect(world.ipc.reply(server, frame)).toBe(0);
    const [answer] = world.results(client);
    expect(answer).toMatchObject({ error: 'EIO', sender: server.pid, badge: 0, sequence: 0, deliveries: 0, flags: 0 });
  });
});

describe('the end of an asynchronous call', () => {
  it('is told to the port that the call names, behind its result', () => {
    const { world, server, client, right } = pair();
    const last = world.start('c');
    world.made(world.ports.createNamed(last, 'c'));
    const onward = world.made(world.ports.find(server, 1, 'c', 0) ?? 'ENOENT');
    const own = world.made(world.ports.createNamed(client, 'b'));
    const calls = [{ port: own }, { port: own, timeout: 10 }, { port: own }, {}].map((sending) =>
      world.frame(right, 'question', { asynchronous: true, ...sending }),
    );
    for (const call of calls) expect(world.ipc.call(client, call)).toBe(0);
    const [first, , third, fourth] = calls.map(() => world.take(server)?.handle ?? 0);
    world.reply(server, fourth ?? 0, 'nobody is told');
    expect(world.take(client)).toBeUndefined();
    world.reply(server, first ?? 0, 'answered');
    world.time.advance(10);
    world.forward(server, third ?? 0, onward, 'onward');
    world.reply(last, world.take(last)?.handle ?? 0, 'answered from afar');
    const notices = calls.map(() => world.take(client)?.data);
    const posted = [0, 10, 10];
    expect(notices).toEqual([...calls.slice(0, 3).map(({ id }, index) => [id, posted[index]]), undefined]);
    expect(client.calls.size).toBe(0);
  });

  it('is told when the call is refused, and not to a port of somebody else', () => {
    const { world, client, right } = pair();
    const own = world.made(world.ports.createNamed(client, 'b'));
    expect(world.call(client, right, 'x', { asynchronous: true, port: right })).toBe('EBADF');
    const frame = world.frame(0, 'x', { asynchronous: true, port: own });
    expect(world.ipc.call(client, frame)).toBe('EBADF');
    world.ipc.refused(client, frame);
    expect(world.take(client)?.data).toEqual([frame.id, 0]);
  });
});

describe('a search for a port', () => {
  it('can go on in the background, and is told to a port of its task', () => {
    const { world, client } = pair();
    const own = world.portOf(client, world.made(world.ports.createNamed(client, 'b')));
    expect(world.ports.find(client, 7, 'c', 1000, own)).toBeNull();
    expect(world.ports.find(client, 8, 'c', 10, own)).toBeNull();
    expect([client.waits, client.asynchronousCalls]).toEqual([0, 2]);
    world.time.advance(10);
    expect(world.take(client)?.data).toEqual([8, 10]);
    const before = client.capabilities.size;
    world.ports.createNamed(world.start('c'), 'c');
    expect(world.take(client)?.data).toEqual([7, 10]);
    expect([client.capabilities.size - before, client.asynchronousCalls, world.timers.size]).toEqual([1, 0, 0]);
  });
});

describe('a patient search for a port', () => {
  it('waits for a service that has been given up, where another one fails', () => {
    const { world, server, client } = pair();
    const own = world.portOf(client, world.made(world.ports.createNamed(client, 'b')));
    world.ipc.taskGone(server);
    server.program.task = null;
    server.program.lost = true;
    world.ipc.programLost(server.program);
    expect(world.ports.find(client, 3, 'a', 1000, own)).toBe('EIO');
    expect(world.ports.find(client, 4, 'a', 1000, own, true)).toBeNull();
    world.ipc.programLost(server.program);
    expect(world.take(client)).toBeUndefined();
    server.program.lost = false;
    world.ports.createNamed(world.start('a'), 'a');
    expect(world.take(client)?.data).toEqual([4, 0]);
  });
});

describe('receive rights', () => {
  it('come again only while nobody else has the port', () => {
    const { world, server, client, right } = pair();
    const other = world.start('c');
    world.made(world.ports.createNamed(other, 'c'));
    const toOther = world.made(world.ports.find(server, 1, 'c', 0) ?? 'ENOENT');
    const box = world.made(world.ports.create(client));
    world.call(client, right, 'take this', { rights: [box] });
    const first = world.take(server);
    // The server hands the port on, and dies without having answered.
    expect(world.send(server, toOther, 'yours now', { rights: first?.rights ?? [] })).toBe(0);
    const [handle = 0] = world.take(other)?.rights ?? [];
    world.end(server);
    const next = world.start('a');
    world.made(world.ports.createNamed(next, 'a'));
    const again = world.take(next);
    expect([again?.data, again?.flags, again?.rights]).toEqual(['take this', 1, [0]]);
    expect(other.capabilities.of(handle, 'receive')?.port.receiver).toBe(other);
  });
});
