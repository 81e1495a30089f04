/** The permission bitmap, the check of vectors, and their runs on a bus that remembers every access. */
import { describe, expect, it } from 'vitest';
import { PermissionBitmap } from '../../../kernel/io/permission.ts';
import { VectorRun } from '../../../kernel/io/vector.ts';
import { VectorQueue } from '../../../kernel/io/vector-queue.ts';
import { Timers } from '../../../kernel/time/timers.ts';
import { MAX_POLL_MICROSECONDS, MAX_VECTOR_BYTES, MAX_VECTOR_OPERATIONS } from '../../../protocol/bounds.ts';
import { vectorOperation as op } from '../../../protocol/vector.ts';
import { Random } from '../../support/random.ts';
import { check, FakeBus, FakeLines, programOf } from './fake-bus.ts';
import { FakeTime } from './fake-time.ts';
import { World } from './world.ts';

describe('PermissionBitmap', () => {
  it('allows an access only when every byte of it is allowed', () => {
    const bitmap = new PermissionBitmap();
    bitmap.set(0x1f0, 0x1f7, true);
    bitmap.set(0xffff, 0xffff, true);
    const allowed = [
      [0x1f0, 1],
      [0x1f7, 1],
      [0x1f6, 2],
      [0x1f4, 4],
      [0xffff, 1],
    ] as const;
    const refused = [
      [0x1ef, 1],
      [0x1f8, 1],
      [0x1f7, 2],
      [0x1ef, 2],
      [0x1f5, 4],
      [0xffff, 2],
      [0xfffe, 2],
      [0, 1],
    ] as const;
    for (const [port, width] of allowed) expect(bitmap.allows(port, width), `${port} ${width}`).toBe(true);
    for (const [port, width] of refused) expect(bitmap.allows(port, width), `${port} ${width}`).toBe(false);
    bitmap.set(0x1f4, 0x1f4, false);
    expect([bitmap.allows(0x1f3, 1), bitmap.allows(0x1f4, 1), bitmap.allows(0x1f2, 4)]).toEqual([true, false, false]);
  });
});

describe('checkVector', () => {
  it('passes well-formed vectors up to the bounds', () => {
    expect(check([])).toMatchObject({ kind: 'ok' });
    expect(check([op.POLL8, 0x1f7, 0x80, 0, MAX_POLL_MICROSECONDS, op.ACKNOWLEDGE, 14])).toMatchObject({ kind: 'ok' });
    expect(check([op.READ_BLOCK16, 0x1f0, MAX_VECTOR_BYTES / 2])).toMatchObject({ kind: 'ok' });
    expect(check([op.WRITE_BLOCK16, 0x1f0, Buffer.alloc(MAX_VECTOR_BYTES)])).toMatchObject({ kind: 'ok' });
    expect(check([op.WRITE32, 0, 0xffffffff, op.WRITE16, 0, 0xffff, op.WRITE8, 0, 0xff])).toMatchObject({ kind: 'ok' });
    expect(check(Array.from({ length: MAX_VECTOR_OPERATIONS }, () => [op.READ8, 1]).flat())).toMatchObject({
      kind: 'ok',
    });
  });

  it('refuses whatever is malformed or over a bound', () => {
    const invalid: unknown[] = [
      ...['text', null, 7, { 0: op.READ8 }, [0, 1], [16, 1], [op.READ8], [op.READ8, 65_536], [op.READ8, -1], ['1', 1]],
      ...[
        [op.READ8, 1.5],
        [op.READ8, Number.NaN],
        [op.WRITE8, 1, 256],
        [op.WRITE16, 1, 65_536],
        [op.WRITE32, 1, 2 ** 32],
      ],
      ...[
        [op.WRITE8, 1],
        [op.WRITE8, 1, -1],
        [op.READ_BLOCK8, 1, -1],
        [op.READ_BLOCK8, 1, MAX_VECTOR_BYTES + 1],
      ],
      ...[
        [op.READ_BLOCK16, 1, MAX_VECTOR_BYTES / 2 + 1],
        [op.WRITE_BLOCK8, 1, 'bytes'],
        [op.WRITE_BLOCK8, 1, [1, 2]],
      ],
      ...[
        [op.WRITE_BLOCK16, 1, Buffer.alloc(3)],
        [op.WRITE_BLOCK32, 1, Buffer.alloc(6)],
        [op.WRITE_BLOCK8, 1],
      ],
      ...[
        [op.WRITE_BLOCK8, 1, Buffer.alloc(MAX_VECTOR_BYTES + 1)],
        [op.POLL8, 1, 256, 0, 1],
        [op.POLL8, 1, 1, 256, 1],
      ],
      ...[
        [op.POLL8, 1, 1, 1],
        [op.POLL8, 1, 1, 1, MAX_POLL_MICROSECONDS + 1],
        [op.CHECK8, 1, 1],
        [op.CHECK8, 1, -1, 0],
      ],
      ...[
        [op.INTERRUPT, 13, 1],
        [op.INTERRUPT, 14],
        [op.INTERRUPT, 14, -1],
        [op.INTERRUPT, 14, MAX_POLL_MICROSECONDS + 1],
      ],
      ...[
        [op.ON_INTERRUPT, 13, []],
        [op.ON_INTERRUPT, 14],
        [op.ON_INTERRUPT, 14, 1],
        [op.ON_INTERRUPT, 14, [op.POLL8, 1, 1, 1, 1]],
        [op.ON_INTERRUPT, 14, [op.INTERRUPT, 14, 1]],
        [op.ON_INTERRUPT, 14, [op.ACKNOWLEDGE, 14]],
        [op.ON_INTERRUPT, 14, [op.ON_INTERRUPT, 14, []]],
        [op.ON_INTERRUPT, 14, [op.READ8, 1, op.KEEP, 'key', 1]],
        [op.ON_INTERRUPT, 14, [op.READ_BLOCK8, 1, MAX_VECTOR_BYTES + 1]],
        [op.ANSWER, 1],
        [op.ON_INTERRUPT, 14, [op.ANSWER]],
        [op.ON_INTERRUPT, 14, [op.ANSWER, -1]],
        [op.ON_INTERRUPT, 14, [op.ANSWER, 2 ** 32]],
        [op.ON_INTERRUPT, 14, [op.ANSWER, 1, op.READ8, 1]],
      ],
      ...[[op.ACKNOWLEDGE, 13], [op.ACKNOWLEDGE, 16], [op.ACKNOWLEDGE]],
      Array.from({ length: MAX_VECTOR_OPERATIONS + 1 }, () => [op.READ8, 1]).flat(),
      [1, 2].flatMap(() => [op.READ_BLOCK8, 1, MAX_VECTOR_BYTES / 2 + 1]),
      [1, 2].flatMap(() => [op.WRITE_BLOCK8, 1, Buffer.alloc(MAX_VECTOR_BYTES / 2 + 1)]),
    ];
    for (const words of invalid) expect(check(words), JSON.stringify(words)?.slice(0, 80)).toEqual({ kind: 'invalid' });
  });

  it('finds the first port that is not allowed, with the width of the access', () => {
    const allows = (port: number, width: number): boolean => port + width <= 0x1f8;
    expect(check([op.READ8, 0x1f7, op.READ32, 0x1f6, op.READ8, 0x300], allows)).toEqual({
      kind: 'fault',
      port: 0x1f6,
      width: 4,
    });
    expect(check([op.READ_BLOCK16, 0x1f7, 1], allows)).toEqual({ kind: 'fault', port: 0x1f7, width: 2 });
    expect(check([op.POLL8, 0x1f8, 1, 1, 1], allows)).toEqual({ kind: 'fault', port: 0x1f8, width: 1 });
    expect(check([op.CHECK8, 0x1f8, 1, 1], allows)).toEqual({ kind: 'fault', port: 0x1f8, width: 1 });
    const armed = [op.READ8, 1, op.ON_INTERRUPT, 14, [op.WRITE16, 0x1f7, 1]];
    expect(check(armed, allows)).toEqual({ kind: 'fault', port: 0x1f7, width: 2 });
  });

  it('tells of the vectors for interrupts, and of what each of them keeps', () => {
    const words = [op.KEEP, 'key', 1, op.READ_BLOCK8, 2, 10];
    const { keep, armed } = programOf([op.ON_INTERRUPT, 14, words, op.ON_INTERRUPT, 14, [op.READ8, 3]]);
    expect(keep).toBe(null);
    expect(armed.map((inner) => inner.keep)).toEqual([{ key: 'key', tag: 1, mostBytes: 10 + 9 * (2 + 4) }, null]);
    expect(armed.map((inner) => inner.code)).toEqual([
      [op.KEEP, op.READ_BLOCK8, 2, 10],
      [op.READ8, 3],
    ]);
  });

  it('judges anything without an exception', () => {
    const random = new Random();
    const kinds = new Set<string>();
    for (let round = 0; round < 20_000; round++) {
      const words = Array.from({ length: random.below(12) }, () =>
        random.pick<unknown>([
          random.below(23),
          random.below(23),
          random.below(300),
          -1,
          'x',
          null,
          Buffer.alloc(random.below(5)),
          [1],
          [random.below(23), random.below(23), random.below(300)],
          random.bytes(random.below(20)),
          Buffer.from([1 + random.below(20), random.below(12), 0, 0, 0, 0, 0, 0, 0, 0]).subarray(
            0,
            3 + random.below(8),
          ),
        ]),
      );
      const checked = check(words, (port) => port !== 9);
      kinds.add(checked.kind);
      if (checked.kind === 'ok') new VectorRun(1, checked.program, new FakeBus(), new FakeLines()).step(0);
    }
    expect(kinds, `seed ${random.seed}`).toEqual(new Set(['ok', 'invalid', 'fault']));
  });
});

describe('VectorRun', () => {
  const run = (words: unknown[], bus: FakeBus, lines = new FakeLines()) =>
    new VectorRun(7, programOf(words), bus, lines);

  it('does its operations in order with their widths', () => {
    const bus = new FakeBus();
    const lines = new FakeLines();
    const words = [
      ...[
        op.WRITE8,
        1,
        0x11,
        op.WRITE16,
        2,
        0x2222,
        op.WRITE32,
        3,
        0x33333333,
        op.READ8,
        1,
        op.READ16,
        2,
        op.READ32,
        3,
      ],
      ...[op.READ_BLOCK8, 4, 3, op.READ_BLOCK16, 4, 3, op.READ_BLOCK32, 4, 3, op.WRITE_BLOCK8, 5, Buffer.from([1])],
      ...[
        op.WRITE_BLOCK16,
        5,
        Buffer.from([1, 2]),
        op.WRITE_BLOCK32,
        5,
        Buffer.from([1, 2, 3, 4]),
        op.CHECK8,
        1,
        0xf0,
        0x10,
      ],
      ...[op.POLL8, 1, 0x0f, 0x01, 0, op.ACKNOWLEDGE, 14],
    ];
    const vector = run(words, bus, lines);
    expect([vector.step(0), vector.ended, lines.acknowledged]).toEqual(['done', -1, [14]]);
    expect(bus.accesses).toEqual([
      ...['write8 1 17', 'write16 2 8738', 'write32 3 858993459', 'read8 1', 'read16 2', 'read32 3'],
      ...['block-read8 4 3', 'block-read16 4 6', 'block-read32 4 12', 'block-write8 5 01', 'block-write16 5 0102'],
      ...['block-write32 5 01020304', 'read8 1', 'read8 1'],
    ]);
    expect(vector.results).toEqual([
      0x11,
      0x2222,
      0x33333333,
      Buffer.alloc(3),
      Buffer.alloc(6),
      Buffer.alloc(12),
      0x11,
    ]);
  });

  it('waits in a poll, goes on when it is satisfied, and ends when its time is up', () => {
    const bus = new FakeBus();
    const vector = run(
      [op.POLL8, 1, 0x80, 0x00, 5000, op.WRITE8, 2, 9, op.POLL8, 1, 1, 1, 1000, op.WRITE8, 2, 10],
      bus,
    );
    bus.values.set(1, 0x80);
    expect([vector.step(100), vector.deadline]).toEqual(['waiting', 105]);
    expect(vector.step(104)).toBe('waiting');
    bus.values.set(1, 0x40);
    expect([vector.step(104.5), vector.deadline]).toEqual(['waiting', 105.5]);
    expect(vector.step(105.4)).toBe('waiting');
    expect([vector.step(105.5), vector.ended, vector.results]).toEqual(['done', 2, [0x40, 0x40]]);
    expect(bus.values.get(2)).toBe(9);
  });
});

describe('VectorRun with interrupts', () => {
  const words = [op.INTERRUPT, 14, 5000, op.ACKNOWLEDGE, 14, op.WRITE8, 1, 7];

  it('waits for an interrupt, which is its own', () => {
    const [bus, lines] = [new FakeBus(), new FakeLines()];
    const run = new VectorRun(1, programOf(words), bus, lines);
    expect([run.step(100), run.deadline, run.polls, run.interrupt(13)]).toEqual(['waiting', 105, false, false]);
    lines.masked.add(14);
    expect([run.interrupt(14), run.unclaimed]).toEqual([true, [14]]);
    expect([run.step(101), run.ended, run.unclaimed, lines.acknowledged]).toEqual(['done', -1, [], [14]]);
    expect(run.interrupt(14), 'one more is nothing that it waits for').toBe(false);
  });

  it('arms a line for the next one', () => {
    const [bus, lines] = [new FakeBus(), new FakeLines()];
    lines.masked.add(14);
    const inner = [op.READ8, 2];
    const run = new VectorRun(1, programOf([op.ON_INTERRUPT, 14, inner, op.READ8, 1]), bus, lines);
    expect([run.step(0), run.ended, [...lines.masked]]).toEqual(['done', -1, []]);
    expect([lines.armed.get(14)?.code, bus.accesses]).toEqual([inner, ['read8 1']]);
  });

  it('answers a request with what it has read, and ends where nobody waits for that', () => {
    const armed = programOf([op.ON_INTERRUPT, 14, [op.READ8, 2, op.ANSWER, 77]]).armed[0];
    for (const waits of [true, false]) {
      const answers: unknown[] = [];
      const answer = (reply: number, results: readonly unknown[]): boolean => {
        answers.push([reply, [...results]]);
        return waits;
      };
      if (armed === undefined) throw new Error('nothing is armed');
      const run = new VectorRun(0, armed, new FakeBus(), new FakeLines(), () => {}, null, answer);
      expect([run.step(0), run.ended, answers]).toEqual(['done', waits ? -1 : 1, [[77, [0]]]]);
    }
  });

  it('takes one that came before it began, and ends when none comes in time', () => {
    const lines = new FakeLines();
    lines.masked.add(14);
    expect(new VectorRun(1, programOf(words), new FakeBus(), lines).step(0)).toBe('done');
    const late = new VectorRun(1, programOf(words), new FakeBus(), lines);
    expect([late.step(0), late.step(4.9)]).toEqual(['waiting', 'waiting']);
    expect([late.step(5), late.ended, late.results, lines.acknowledged]).toEqual(['done', 0, [], [14]]);
  });

  it('gives back one that it does not come to', () => {
    const [bus, lines] = [new FakeBus(), new FakeLines()];
    const run = new VectorRun(1, programOf([op.POLL8, 1, 1, 1, 1000, ...words]), bus, lines);
    expect(run.step(0)).toBe('waiting');
    lines.masked.add(14);
    expect(run.interrupt(14)).toBe(true);
    expect([run.step(1), run.ended, run.unclaimed]).toEqual(['done', 0, [14]]);
  });
});

describe('VectorQueue', () => {
  it('steps what waits when a device changes or a millisecond has passed, and forgets the dead', () => {
    const time = new FakeTime();
    const timers = new Timers(time);
    const world = new World(['a', 'b']);
    const [first, second] = [world.start('a'), world.start('b')];
    const finished: string[] = [];
    const queue = new VectorQueue(
      timers,
      () => time.now(),
      (task, { ended, results }) => {
        task.vector = null;
        finished.push(`${task.name} ${ended} ${results}`);
      },
    );
    const bus = new FakeBus();
    for (const [task, port] of [
      [first, 1],
      [second, 2],
    ] as const) {
      const vector = new VectorRun(1, programOf([op.POLL8, port, 1, 1, 10_000]), bus, new FakeLines());
      vector.step(time.now());
      task.vector = vector;
      queue.add(task, vector);
    }
    expect([queue.size, timers.size]).toEqual([2, 1]);
    bus.values.set(1, 3);
    queue.step();
    expect([finished, queue.size]).toEqual([['a -1 3'], 1]);
    bus.values.set(2, 5);
    second.vector = null;
    time.advance(1);
    expect([finished.length, queue.size, timers.size], 'the second task died meanwhile').toEqual([1, 0, 0]);
    const late = new VectorRun(1, programOf([op.POLL8, 3, 1, 1, 10_000]), bus, new FakeLines());
    late.step(time.now());
    first.vector = late;
    queue.add(first, late);
    time.advance(9.9);
    expect(finished.length).toBe(1);
    time.advance(2);
    expect([finished, queue.size, timers.size, time.size]).toEqual([['a -1 3', 'a 0 0'], 0, 0, 0]);
  });

  it('wakes for an interrupt that does not come when its time is up, and not before', () => {
    const time = new FakeTime();
    const timers = new Timers(time);
    const task = new World(['a']).start('a');
    let ended: number | null = null;
    const queue = new VectorQueue(
      timers,
      () => time.now(),
      (_task, run) => {
        ended = run.ended;
      },
    );
    let looks = 0;
    const lines = { acknowledge: () => {}, pending: () => ++looks < 0, arm: () => {} };
    const run = new VectorRun(1, programOf([op.INTERRUPT, 14, 50_000]), new FakeBus(), lines);
    run.step(time.now());
    task.vector = run;
    queue.add(task, run);
    time.advance(49);
    expect([looks, ended]).toEqual([1, null]);
    time.advance(1);
    expect([looks, ended, timers.size]).toEqual([2, 0, 0]);
  });
});
