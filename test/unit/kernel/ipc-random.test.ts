/**
 * The message machinery under random use by tasks that send, receive, answer, forward, hand rights around, destroy and
 * die. After every step the books must be right: each message in one place, each holder of a capability counted, bytes
 * and owed answers where they belong. In the end nothing is left.
 */
import { describe, expect, it } from 'vitest';
import type { Capability, Message, Port, Task } from '../../../kernel/objects.ts';
import { MAX_DELIVERIES, MAX_WAITING_DELIVERIES } from '../../../protocol/bounds.ts';
import { Random } from '../../support/random.ts';
import { World } from './world.ts';

const names = ['a', 'b', 'c', 'd'];

/** Everything the kernel holds, found from its tables. */
class Books {
  readonly messages = new Map<Message, string>();
  readonly holders = new Map<Capability, number>();
  readonly problems: string[] = [];
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
    for (const port of world.ports.values()) {
      for (const message of port.queue) this.place(message, 'queued', port);
      for (const message of port.again) this.place(message, 'queued', port);
    }
    for (const task of world.tasks) {
      for (const message of task.owes) this.place(message, 'delivered', message.port, task);
      const taken = task.lastTaken;
      if (taken !== null && 'state' in taken.item) this.place(taken.item, 'delivered', taken.port, task);
      for (const [, capability] of task.capabilities.list()) this.hold(capability);
    }
    for (const message of this.messages.keys()) for (const right of message.rights) this.hold(right);
    this.check();
  }

  private place(message: Message, state: string, port: Port, receiver: Task | null = null): void {
    if (this.messages.has(message)) this.problems.push('a message is in two places');
    this.messages.set(message, state);
    if (message.state !== state) this.problems.push(`a message in a place for ${state} is ${message.state}`);
    if (message.port !== port) this.problems.push('a message is at the wrong port');
    if (message.receiver !== receiver && !message.post) this.problems.push('a message has the wrong receiver');
  }

  private hold(capability: Capability): void {
    this.holders.set(capability, (this.holders.get(capability) ?? 0) + 1);
  }

  private equal(what: string, actual: unknown, expected: unknown): void {
    if (actual !== expected) this.problems.push(`${what}: ${actual} instead of ${expected}`);
  }

  private check(): void {
    const { world, messages, holders } = this;
    for (const [capability, count] of holders)
      this.equal(`holders of a ${capability.kind}`, capability.references, count);
    const bytes = (belongs: (message: Message) => boolean): number =>
      [...messages.keys()].filter(belongs).reduce((sum, { frame }) => sum + frame.length, 0);
    for (const port of world.ports.values()) {
      this.equal(
        `bytes of ${port.title}`,
        port.bytes,
        bytes((message) => message.port === port),
      );
      const owed = world.tasks.flatMap((task) => [...task.owes]).filter((message) => message.port === port);
      this.equal(`owed by ${port.title}`, port.owed, owed.length);
      const { receiver } = port;
      if (receiver !== null) {
        this.equal(`${port.title} is its receiver's`, receiver.ports.has(port), true);
        this.equal(`the handle of ${port.title}`, receiver.capabilities.of(port.receiverHandle, 'receive')?.port, port);
        if (port.ready) this.equal(`${port.title} is ready for its receiver`, receiver.readyPorts.has(port), true);
        if (port.ready && receiver.receive?.ports === null)
          this.problems.push(`${receiver.title} waits beside ${port.title}`);
      }
      const badges = new Map<number, number>();
      for (const capability of holders.keys()) {
        if (capability.kind === 'send' && capability.port === port && capability.badge !== 0)
          badges.set(capability.badge, (badges.get(capability.badge) ?? 0) + 1);
      }
      this.equal(
        `badges of ${port.title}`,
        JSON.stringify([...port.badges].sort()),
        JSON.stringify([...badges].sort()),
      );
    }
    for (const task of world.tasks) {
      this.equal(
        `bytes of ${task.title}`,
        task.messageBytes,
        bytes(({ origin }) => origin === task),
      );
      const made = [...world.ports.values()].filter(({ maker }) => maker === task).length;
      this.equal(`ports made by ${task.title}`, task.portsMade, made);
      for (const message of task.calls) {
        this.equal('caller of a call', message.caller, task);
        this.equal('a call under way is somewhere', messages.has(message), true);
      }
      const waiting =
        [...task.calls].filter(({ asynchronous }) => !asynchronous).length + (task.receive === null ? 0 : 1);
      this.equal(`waits of ${task.title}`, task.waits, waiting);
      this.equal(
        `asynchronous calls of ${task.title}`,
        task.asynchronousCalls,
        [...task.calls].filter(({ asynchronous }) => asynchronous).length,
      );
    }
    for (const message of messages.keys()) {
      if (message.caller !== null) this.equal('a caller knows its call', message.caller.calls.has(message), true);
      if (message.deaths >= MAX_DELIVERIES || message.deliveries > MAX_WAITING_DELIVERIES)
        this.problems.push('a message was delivered too often');
    }
  }
}

/** One of the handles of a task, of a kind if asked; sometimes a bad one. */
function handle(random: Random, task: Task, kind?: Capability['kind']): number {
  if (random.below(20) === 0) return random.below(2) === 0 ? 0 : random.below(2 ** 32);
  const handles = [...task.capabilities.list()].filter(
    ([, capability]) => kind === undefined || capability.kind === kind,
  );
  return handles[random.below(handles.length)]?.[0] ?? 0;
}

/** Does one thing with one task. */
function step(random: Random, world: World, task: Task): void {
  const { ports, ipc } = world;
  const rights = Array.from({ length: random.pick([0, 0, 0, 1, 2]) }, () => handle(random, task));
  const timeout = random.pick([0xffffffff, 5, 50]);
  const send = handle(random, task, 'send');
  const receive = task.capabilities.of(handle(random, task, 'receive'), 'receive');
  const data = 'x'.repeat(random.below(50));
  switch (random.below(16)) {
    case 0:
      ports.create(task);
      break;
    case 1:
      if (typeof ports.createNamed(task, task.name) === 'number') {
        const port = ports.byName(task.name);
        if (port !== undefined) ipc.delivery.poke(port);
      }
      break;
    case 2:
      ports.find(task, 1, random.pick(['a', 'b', 'c', 'd']), 0);
      break;
    case 3:
      if (receive !== null) ports.sendRight(task, receive.port, random.below(4));
      break;
    case 4:
      world.send(task, send, data, { rights });
      break;
    case 5:
    case 6:
      world.call(task, send, data, { rights, timeout, asynchronous: random.below(2) === 0 });
      break;
    case 7:
    case 8:
      ipc.delivery.receive(task, 1, random.below(3) === 0 && receive !== null ? [receive.port] : null, timeout);
      break;
    case 9:
      ipc.delivery.tryReceive(task, 1, null);
      break;
    case 10:
    case 11:
      world.reply(task, handle(random, task, 'reply'), data, { rights, status: random.pick([0, 0, 5]) });
      break;
    case 12:
      world.forward(task, handle(random, task, 'reply'), send, data, { rights });
      break;
    case 13:
      ipc.release(task, handle(random, task));
      break;
    case 14:
      if (random.below(4) === 0) ipc.destroyPort(task, handle(random, task, 'receive'));
      break;
    default:
      world.time.advance(random.below(10));
  }
}

describe('ports and messages under random use', () => {
  it.each([
    ['', undefined],
    // A request that went on to a port whose receive right it held itself.
    [' (a seed that has found a fault)', 1227419431],
  ])('keep their books%s', (_title, seed) => {
    const random = new Random(seed);
    const seen = { received: 0, redelivered: 0, failed: 0 };
    for (let round = 0; round < 60; round++) {
      const world = new World(names);
      const running = new Map<string, Task>(names.map((name) => [name, world.start(name)]));
      for (let count = 0; count < 400; count++) {
        const what = `seed ${random.seed} round ${round} step ${count}`;
        const name = names[random.below(names.length)] ?? 'a';
        let task = running.get(name);
        if (task === undefined) {
          task = world.start(name);
          running.set(name, task);
          if (random.below(3) > 0) world.ports.createNamed(task, name);
        }
        if (random.below(40) === 0) {
          world.end(task);
          running.delete(name);
          if (random.below(4) === 0) {
            task.program.lost = true;
            world.ipc.programLost(task.program);
          }
        } else step(random, world, task);
        for (const { outbox } of world.tasks) outbox.length = 0;
        expect(new Books(world).problems, what).toEqual([]);
      }
      // The end of everything: all tasks die, all programs are given up, all notices are taken.
      for (const task of [...world.tasks]) world.end(task);
      for (const program of world.programs) {
        program.lost = true;
        world.ipc.programLost(program);
      }
      const what = `seed ${random.seed} round ${round}, the end`;
      const books = new Books(world);
      expect([books.problems, books.messages.size], what).toEqual([[], 0]);
      for (const port of world.ports.values()) {
        for (const counter of ['received', 'redelivered', 'failed'] as const) seen[counter] += port[counter];
        expect([port.name === '', port.queue.length, port.again.length, port.bytes, port.owed], what).toEqual([
          false,
          0,
          0,
          0,
          0,
        ]);
        expect(port.badges.size, what).toBe(0);
      }
      world.time.advance(1000);
      expect(world.timers.size, `${what}: timers`).toBe(0);
    }
    for (const [counter, count] of Object.entries(seen)) expect(count, counter).toBeGreaterThan(5);
  });
});
