/** Operations in the packed form (protocol/vector.ts): their check, and their runs. */
import { describe, expect, it } from 'vitest';
import { VectorRun } from '../../../kernel/io/vector.ts';
import { ownBlocks } from '../../../kernel/io/vector-program.ts';
import { MAX_POLL_MICROSECONDS, MAX_VECTOR_BYTES, MAX_VECTOR_OPERATIONS } from '../../../protocol/bounds.ts';
import { vectorOperation as op, PackedOperations } from '../../../protocol/vector.ts';
import { check, FakeBus, FakeLines, programOf } from './fake-bus.ts';

describe('packed operations', () => {
  const everyOne = new PackedOperations()
    .write8(1, 0x11)
    .read8(1)
    .readBlock(4, 2, 3)
    .writeBlock(5, 2, 3, 2)
    .writeBlock(6, 1, 2, 1)
    .await8(1, 0x0f, 0x01, 5000)
    .check8(1, 0xf0, 0x10)
    .build();

  it('are done like others, with byte strings from the data, the last access filled up with zeros', () => {
    const bus = new FakeBus();
    const words = [op.READ8, 9, op.PACKED, everyOne, Buffer.from([1, 2, 3, 4, 5]), op.READ8, 9];
    const vector = new VectorRun(1, programOf(words), bus, new FakeLines());
    expect([vector.step(0), vector.ended, vector.results]).toEqual(['done', -1, [0, 0x11, Buffer.alloc(6), 0]]);
    expect(bus.accesses).toEqual([
      ...['read8 9', 'write8 1 17', 'read8 1', 'block-read16 4 6', 'block-write16 5 0102', 'write16 5 3'],
      ...['write16 5 0', 'write16 5 0', 'block-write8 6 0405', 'write8 6 0', 'read8 1', 'read8 1', 'read8 9'],
    ]);
  });

  it('count one by one for the index of what ended the vector', () => {
    const bus = new FakeBus();
    const packed = new PackedOperations().read8(2).check8(1, 0xff, 7).read8(3).build();
    const vector = new VectorRun(1, programOf([op.READ8, 9, op.PACKED, packed, Buffer.alloc(0)]), bus, new FakeLines());
    expect([vector.step(0), vector.ended, vector.results]).toEqual(['done', 2, [0, 0, 0]]);
  });

  it('wait, and give the register only when their time is up', () => {
    const bus = new FakeBus();
    const packed = new PackedOperations().await8(1, 1, 1, 5000).read8(2).build();
    const start = (): VectorRun =>
      new VectorRun(1, programOf([op.PACKED, packed, Buffer.alloc(0)]), bus, new FakeLines());
    const late = start();
    expect([late.step(100), late.polls, late.deadline]).toEqual(['waiting', true, 105]);
    expect([late.step(105), late.ended, late.results]).toEqual(['done', 0, [0]]);
    const timely = start();
    timely.step(200);
    bus.values.set(1, 3);
    expect([timely.step(201), timely.ended, timely.results]).toEqual(['done', -1, [0]]);
    const plain = new VectorRun(1, programOf([op.AWAIT8, 1, 1, 1, 10]), bus, new FakeLines());
    expect([plain.step(0), plain.results]).toEqual(['done', []]);
  });

  it('keep their bytes when they have to wait with a frame that is read over', () => {
    const bus = new FakeBus();
    const data = Buffer.from([1, 2]);
    const packed = new PackedOperations().await8(1, 1, 1, 5000).writeBlock(5, 2, 2, 0).build();
    const program = programOf([op.PACKED, packed, data]);
    const vector = new VectorRun(1, program, bus, new FakeLines());
    expect(vector.step(0)).toBe('waiting');
    ownBlocks(program);
    data.fill(0xee);
    packed.fill(0xee);
    bus.values.set(1, 1);
    expect(vector.step(1)).toBe('done');
    expect(bus.accesses.at(-1)).toBe('block-write16 5 0102');
  });

  it('keep the bytes of a vector for the next interrupt, too', () => {
    const [bus, lines] = [new FakeBus(), new FakeLines()];
    const [data, packed] = [Buffer.from([1, 2]), new PackedOperations().writeBlock(5, 2, 2, 0).build()];
    const inner = [op.WRITE_BLOCK8, 6, data, op.PACKED, packed, data];
    const vector = new VectorRun(1, programOf([op.POLL8, 1, 1, 1, 5000, op.ON_INTERRUPT, 14, inner]), bus, lines);
    expect(vector.step(0)).toBe('waiting');
    vector.keep();
    data.fill(0xee);
    packed.fill(0xee);
    bus.values.set(1, 1);
    expect(vector.step(1)).toBe('done');
    const armed = lines.armed.get(14);
    if (armed === undefined) throw new Error('nothing is armed');
    new VectorRun(2, armed, bus, lines).step(2);
    expect(bus.accesses.slice(-2)).toEqual(['block-write8 6 0102', 'block-write16 5 0102']);
  });

  it('are refused where they are malformed, too many, or leave data over', () => {
    const none = Buffer.alloc(0);
    const raw = (...bytes: number[]): Buffer => Buffer.from(bytes);
    const reads = (count: number): Uint8Array =>
      Buffer.concat(Array(count).fill(new PackedOperations().read8(1).build()));
    const refused: unknown[][] = [
      ...[
        [op.PACKED],
        [op.PACKED, none],
        [op.PACKED, 'text', none],
        [op.PACKED, none, null],
        [op.PACKED, [1, 1, 0], none],
      ],
      ...[
        [op.PACKED, raw(0, 1, 0), none],
        [op.PACKED, raw(op.READ8), none],
        [op.PACKED, raw(op.READ8, 1), none],
        [op.PACKED, raw(op.WRITE8, 1, 0), none],
        [op.PACKED, raw(op.WRITE32, 1, 0, 1, 2, 3), none],
      ],
      ...[op.ACKNOWLEDGE, op.KEEP, op.INTERRUPT, op.ON_INTERRUPT, op.PACKED, 21, 255].map((code) => [
        ...[op.PACKED, raw(code, 14, 0, 0, 0, 0, 0, 0, 0, 0), none],
      ]),
      [op.PACKED, everyOne, Buffer.alloc(4)],
      [op.PACKED, everyOne, Buffer.alloc(6)],
      [op.PACKED, reads(MAX_VECTOR_OPERATIONS), none],
      [op.READ8, 1, op.PACKED, reads(MAX_VECTOR_OPERATIONS - 1), none],
      Array.from({ length: MAX_VECTOR_OPERATIONS + 1 }, () => [op.PACKED, none, none]).flat(),
      [op.PACKED, new PackedOperations().readBlock(1, 2, MAX_VECTOR_BYTES / 2 + 1).build(), none],
      [op.PACKED, new PackedOperations().writeBlock(1, 1, 1, 0).build(), none],
      [op.PACKED, Buffer.concat(Array(9).fill(new PackedOperations().writeBlock(1, 1, 0, 65_535).build())), none],
      [op.PACKED, new PackedOperations().await8(1, 1, 1, MAX_POLL_MICROSECONDS + 1).build(), none],
      [op.ON_INTERRUPT, 14, [op.PACKED, new PackedOperations().await8(1, 1, 1, 1).build(), none]],
      [op.ON_INTERRUPT, 14, [op.AWAIT8, 1, 1, 1, 1]],
    ];
    for (const words of refused) expect(check(words), JSON.stringify(words).slice(0, 100)).toEqual({ kind: 'invalid' });
    expect(check([op.PACKED, reads(MAX_VECTOR_OPERATIONS - 1), none]).kind).toBe('ok');
    const allows = (port: number, width: number): boolean => port + width <= 5;
    const wide = new PackedOperations().read8(4).readBlock(4, 2, 1).build();
    expect(check([op.PACKED, wide, none], allows)).toEqual({ kind: 'fault', port: 4, width: 2 });
  });
});
