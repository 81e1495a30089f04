/** Messages over several deaths, and ports that others have filled. */
import { describe, expect, it } from 'vitest';
import { MAX_DELIVERIES, MAX_WAITING_DELIVERIES } from '../../../protocol/bounds.ts';
import { World } from './world.ts';

function serverAndClient() {
  const world = new World();
  const server = world.start('a');
  const client = world.start('b');
  world.made(world.ports.createNamed(server, 'a'));
  const right = world.made(world.ports.find(client, 1, 'a', 0) ?? 'ENOENT');
  return { world, server, client, right };
}

describe('messages', () => {
  it('keep their order when a second incarnation dies after taking some of them', () => {
    const { world, server, client, right } = serverAndClient();
    for (const data of ['m1', 'm2', 'm3']) expect(world.call(client, right, data, { asynchronous: true })).toBe(0);
    for (let count = 0; count < 3; count++) world.take(server);
    world.end(server);
    const second = world.start('a');
    world.ports.createNamed(second, 'a');
    expect([world.take(second)?.data, world.take(second)?.data]).toEqual(['m1', 'm2']);
    world.end(second);
    const third = world.start('a');
    world.ports.createNamed(third, 'a');
    expect([1, 2, 3].map(() => world.take(third)?.data)).toEqual(['m1', 'm2', 'm3']);
  });

  it('blame the request at hand for a death, and not those that wait in the server', () => {
    const { world, server, client, right } = serverAndClient();
    const other = world.start('c');
    const otherRight = world.made(world.ports.find(other, 1, 'a', 0) ?? 'ENOENT');
    world.results(other);
    world.results(client);
    expect(world.call(client, right, 'waits')).toBe(0);
    let current = server;
    for (let death = 1; death <= MAX_DELIVERIES + 2; death++) {
      expect(world.take(current)?.data).toBe('waits');
      if (death === 1) expect(world.call(other, otherRight, 'kills')).toBe(0);
      // A request is at hand until the server asks for more.
      if (death <= MAX_DELIVERIES) expect(world.take(current)?.data).toBe('kills');
      else expect(world.take(current), 'the other one has been answered EIO').toBeUndefined();
      world.end(current);
      current = world.start('a');
      world.ports.createNamed(current, 'a');
    }
    expect([other, client].map((task) => world.results(task).map(({ error }) => error))).toEqual([['EIO'], []]);
    for (let death = MAX_DELIVERIES + 3; death <= MAX_WAITING_DELIVERIES; death++) {
      expect(world.take(current)?.data, `delivery ${death}`).toBe('waits');
      expect(world.take(current)).toBeUndefined();
      world.end(current);
      current = world.start('a');
      world.ports.createNamed(current, 'a');
    }
    expect(world.results(client).map(({ error }) => error)).toEqual(['EIO']);
    expect(world.take(current)).toBeUndefined();
  });

  it('of one task do not close a port to the others', () => {
    const { world, client, right } = serverAndClient();
    const other = world.start('c');
    const otherRight = world.made(world.ports.find(other, 1, 'a', 0) ?? 'ENOENT');
    const large = Buffer.alloc(1_048_000);
    for (let count = 0; count < 8; count++) expect(world.call(client, right, large, { asynchronous: true })).toBe(0);
    expect(world.call(client, right, large, { asynchronous: true })).toBe('EAGAIN');
    expect(world.call(other, otherRight, Buffer.alloc(6000))).toBe(0);
  });
});

describe('rights given outside of messages', () => {
  it('move, and a receive right brings what waits in its port', () => {
    const { world, server, client, right } = serverAndClient();
    const other = world.start('c');
    const port = world.made(world.ports.create(client));
    const toPort = world.made(world.ports.sendRight(client, world.portOf(client, port), 7));
    expect(world.send(client, toPort, 'early')).toBe(0);
    for (const bad of [
      [right, right],
      [right, 0],
      [right, 12_345],
    ])
      expect(world.ipc.canGive(client, bad)).toBe(false);
    expect(world.ipc.canGive(client, [right, port])).toBe(true);
    const [movedRight = 0, movedPort = 0] = world.ipc.give(client, [right, port], other);
    expect([client.capabilities.get(right), client.capabilities.get(port)]).toEqual([null, null]);
    expect(world.portOf(other, movedPort).receiver).toBe(other);
    expect(world.take(other)).toMatchObject({ data: 'early', badge: 7 });
    expect(world.send(other, movedRight, 'onwards')).toBe(0);
    expect(world.take(server)?.data).toBe('onwards');
    world.end(other);
    expect(world.send(client, toPort, 'nobody'), 'the port went with its receiver').toBe('EPIPE');
  });
});

describe('a named port', () => {
  it('stays with the incarnation that claimed it while its old right travels', () => {
    const world = new World();
    const first = world.start('a');
    const receiver = world.start('b');
    world.made(world.ports.createNamed(receiver, 'b'));
    const travelling = world.made(world.ports.createNamed(first, 'a'));
    const toReceiver = world.made(world.ports.find(first, 1, 'b', 0) ?? 'ENOENT');
    expect(world.send(first, toReceiver, 'here', { rights: [travelling] })).toBe(0);
    world.end(first);
    const second = world.start('a');
    const handle = world.made(world.ports.createNamed(second, 'a'));
    expect(world.take(receiver)?.rights).toEqual([0]);
    world.take(receiver);
    expect(second.capabilities.get(handle)?.kind).toBe('receive');
    expect(world.ports.byName('a')?.receiver).toBe(second);
  });

  it('of a program that was given up is refused at once, also when it was never made', () => {
    const { world, client } = serverAndClient();
    world.ports.isLost = (name) => name === 'c';
    expect(world.ports.find(client, 1, 'c', 10_000)).toBe('EIO');
  });
});
