/**
 * Pipes against a kernel in miniature: requests are owed until they are answered, what is owed comes again to the next
 * incarnation in the old order, and the process can die at each thing it tells the kernel.
 */
import { describe, expect, it } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import type { Deferred } from '../../../services/lib/index.ts';
import { badgeKind, kindOf } from '../../../services/vfs/badges.ts';
import { MAX_ALL_WAITING, MAX_PIPES, MAX_WAITING, Pipes } from '../../../services/vfs/pipes.ts';
import { Death } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';

interface Request {
  readonly sender: number;
  readonly sequence: number;
  readonly badge: number;
  /** Data of a write, or the count of a read. */
  readonly content: Uint8Array | number;
  answer: Uint8Array | number | SystemError | null;
}

/** The kernel, the store, and the tasks at both ends. */
class World {
  pipes: Pipes;
  readonly store = new Map<number, unknown>();
  readonly owed: Request[] = [];
  readonly dead = new Set<number>();
  /** What readers got, in the order in which the kernel handed it over. */
  readonly taken: number[] = [];
  /** Things the kernel still hears before the process dies. */
  lives = Number.POSITIVE_INFINITY;
  steps = 0;
  private sequence = 0;

  constructor() {
    this.pipes = this.incarnation();
    this.pipes.settled();
  }

  private heard(): void {
    this.steps++;
    if (this.lives-- <= 0) throw new Death('dead');
  }

  private incarnation(): Pipes {
    return new Pipes({
      save: (slot, state) => {
        this.heard();
        this.store.set(slot, structuredClone(state));
      },
      forget: (slot) => {
        this.heard();
        this.store.delete(slot);
      },
      waits: (pid) => !this.dead.has(pid),
    });
  }

  create(): { reader: number; writer: number } {
    return this.pipes.create((badge) => badge);
  }

  request(sender: number, badge: number, content: Uint8Array | number): Request {
    const request: Request = { sender, sequence: ++this.sequence, badge, content, answer: null };
    this.owed.push(request);
    this.alive(() => this.deliver(request));
    return request;
  }

  private deliver(request: Request): void {
    const answered = (answer: Uint8Array | number | SystemError): void => {
      this.heard();
      this.owed.splice(this.owed.indexOf(request), 1);
      if (this.dead.has(request.sender)) return;
      request.answer = answer;
      if (answer instanceof Uint8Array) this.taken.push(...answer);
    };
    const deferred: Deferred<never> = { reply: answered, fail: answered };
    try {
      if (typeof request.content === 'number') this.pipes.read(request.badge, request.content, request, deferred);
      else this.pipes.write(request.badge, request.content, request, deferred);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      answered(error);
    }
  }

  noSenders(badge: number): void {
    this.alive(() => this.pipes.noSenders(badge), true);
  }

  /** A task dies: what it waited for is not delivered again. */
  kill(pid: number): void {
    this.dead.add(pid);
  }

  /**
   * Does something; when the process dies over it, the next incarnation gets what was owed. A notice comes again, too.
   */
  private alive(work: () => void, again = false): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      this.restart();
      if (again) this.alive(work);
    }
  }

  restart(lives = Number.POSITIVE_INFINITY): void {
    this.lives = lives;
    try {
      this.pipes = this.incarnation();
      for (const state of this.store.values()) this.pipes.restore(structuredClone(state));
      for (const request of this.owed.filter(({ sender }) => this.dead.has(sender))) {
        this.owed.splice(this.owed.indexOf(request), 1);
      }
      for (const request of [...this.owed]) this.deliver(request);
      this.pipes.settled();
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      this.restart();
    }
  }
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const codeOf = ({ answer }: Request): string => (answer instanceof SystemError ? answer.code : 'none');

describe('a pipe', () => {
  it('hands the bytes of writers to readers in order, and answers a write when all of it was taken', () => {
    const world = new World();
    const { reader, writer } = world.create();
    expect([kindOf(reader), kindOf(writer)]).toEqual([badgeKind.PIPE, badgeKind.PIPE]);
    const first = world.request(1, writer, bytes(1, 2, 3));
    const second = world.request(2, writer, bytes(4));
    expect(world.request(3, reader, 2).answer).toEqual(bytes(1, 2));
    expect([first.answer, second.answer]).toEqual([null, null]);
    expect(world.request(3, reader, 9).answer).toEqual(bytes(3));
    expect([first.answer, second.answer]).toEqual([3, null]);
    expect(world.request(3, reader, 9).answer).toEqual(bytes(4));
    expect(second.answer).toBe(1);
    const waiting = world.request(3, reader, 9);
    expect(waiting.answer).toBeNull();
    world.request(1, writer, bytes(5, 6));
    expect(waiting.answer).toEqual(bytes(5, 6));
  });

  it('ends for readers when nobody writes, and refuses writers when nobody reads', () => {
    const world = new World();
    const one = world.create();
    const waiting = world.request(1, one.reader, 5);
    world.noSenders(one.writer);
    expect([waiting.answer, world.request(1, one.reader, 5).answer]).toEqual([bytes(), bytes()]);
    const other = world.create();
    const blocked = world.request(2, other.writer, bytes(1));
    world.noSenders(other.reader);
    expect([codeOf(blocked), codeOf(world.request(2, other.writer, bytes(1)))]).toEqual(['EPIPE', 'EPIPE']);
    expect(world.pipes.size).toBe(2);
    world.noSenders(one.reader);
    world.noSenders(other.writer);
    expect([world.pipes.size, world.store.size, world.owed.length]).toEqual([0, 0, 0]);
    expect(codeOf(world.request(1, one.reader, 5))).toBe('EBADF');
  });

  it('gives what a writer left behind before the end', () => {
    const world = new World();
    const { reader, writer } = world.create();
    world.request(1, writer, bytes(1, 2));
    world.kill(1);
    world.noSenders(writer);
    expect(world.request(2, reader, 1).answer).toEqual(bytes(1));
    expect(world.request(2, reader, 9).answer).toEqual(bytes(2));
    expect(world.request(2, reader, 9).answer).toEqual(bytes());
  });

  it('gives nothing to a reader that has died waiting', () => {
    const world = new World();
    const { reader, writer } = world.create();
    world.request(1, reader, 5);
    world.kill(1);
    const write = world.request(2, writer, bytes(1, 2));
    expect(write.answer).toBeNull();
    expect(world.request(3, reader, 5).answer).toEqual(bytes(1, 2));
    expect(world.owed).toEqual([]);
  });

  it('refuses the wrong end, stale badges, and more than it can hold', () => {
    const world = new World();
    const { reader, writer } = world.create();
    expect(codeOf(world.request(1, reader, bytes(1)))).toBe('EBADF');
    expect(codeOf(world.request(1, writer, 1))).toBe('EBADF');
    expect([world.request(1, reader, 0).answer, world.request(1, writer, bytes()).answer]).toEqual([bytes(), 0]);
    for (let i = 0; i < MAX_WAITING; i++) world.request(1, reader, 1);
    expect(codeOf(world.request(1, reader, 1))).toBe('EAGAIN');
    const others = Array.from({ length: MAX_PIPES - 1 }, () => world.create());
    expect(() => world.create()).toThrow('EAGAIN');
    for (let i = MAX_WAITING; i < MAX_ALL_WAITING; i++)
      world.request(i, others[Math.floor(i / MAX_WAITING) - 1]?.reader ?? 0, 1);
    expect(codeOf(world.request(1, others.at(-1)?.reader ?? 0, 1))).toBe('EAGAIN');
    world.noSenders(reader);
    world.noSenders(writer);
    const reused = world.create();
    expect(reused.reader).not.toBe(reader);
    expect(codeOf(world.request(1, reader, 1))).toBe('EBADF');
  });
});

/**
 * Random writers and readers; the process dies after `lives` steps, then after `more` of the next incarnation. Answers
 * the steps it took.
 */
function run(seed: number, lives: number, more: number): number {
  const random = new Random(seed);
  const world = new World();
  const { reader, writer } = world.create();
  const writers = [0, 1].map((number) => ({
    pid: 10 + number,
    written: 0,
    acknowledged: 0,
    request: null as Request | null,
  }));
  const readers = [20, 21].map((pid) => ({ pid, request: null as Request | null }));
  world.lives = lives;
  let second = more;
  for (let turn = 0; turn < 60; turn++) {
    for (const task of writers) {
      if (task.request !== null && task.request.answer !== null) {
        expect(task.request.answer).toBe((task.request.content as Uint8Array).length);
        task.acknowledged = task.written;
        task.request = null;
      }
    }
    for (const task of readers) if (task.request?.answer !== null) task.request = null;
    const writing = writers[random.below(4)];
    const reading = readers[random.below(2)];
    const before = world.pipes;
    if (writing !== undefined && writing.request === null) {
      const { pid } = writing;
      const data = Uint8Array.from({ length: 1 + random.below(5) }, () => (pid - 10) * 128 + (writing.written++ % 128));
      writing.request = world.request(pid, writer, data);
    } else if (reading !== undefined && reading.request === null) {
      reading.request = world.request(reading.pid, reader, 1 + random.below(7));
    }
    if (world.pipes !== before && second > 0) {
      world.restart(second);
      second = 0;
    }
  }
  for (const { pid, written, acknowledged } of writers) {
    const stream = world.taken.filter((value) => value >>> 7 === pid - 10);
    expect(stream, `seed ${seed}, deaths after ${lives} and ${more}`).toEqual(
      stream.map((_, i) => (pid - 10) * 128 + (i % 128)),
    );
    expect(stream.length).toBeGreaterThanOrEqual(acknowledged);
    expect(stream.length).toBeLessThanOrEqual(written);
  }
  return world.steps;
}

describe('a pipe whose server dies', () => {
  it('loses no byte and doubles none, wherever it dies once', () => {
    const { seed } = new Random();
    for (let round = 0; round < 10; round++) {
      const steps = run(seed + round, Number.POSITIVE_INFINITY, 0);
      for (let lives = 0; lives < steps; lives++) run(seed + round, lives, 0);
    }
  });

  it('and wherever it dies twice in a row', () => {
    const random = new Random();
    for (let round = 0; round < 1500; round++) run(random.seed + round, random.below(60), 1 + random.below(5));
  });

  it('knows open ends and ended ones afterwards', () => {
    const world = new World();
    const one = world.create();
    const other = world.create();
    world.noSenders(one.writer);
    world.restart();
    expect(world.pipes.size).toBe(2);
    expect(world.request(1, one.reader, 1).answer).toEqual(bytes());
    expect(world.request(1, other.reader, 1).answer).toBeNull();
    world.noSenders(other.reader);
    world.restart();
    expect(codeOf(world.request(1, other.writer, bytes(1)))).toBe('EPIPE');
    const badges = new Set(
      Array.from({ length: 20 }, () => world.create()).flatMap(({ reader, writer }) => [reader, writer]),
    );
    expect([badges.size, badges.has(other.reader)]).toEqual([40, false]);
  });
});
