/** Numbers in byte strings: they are those that Buffer reads and writes, and what it refuses is refused. */
import { describe, expect, it } from 'vitest';
import * as little from '../../../protocol/bytes.ts';
import * as big from '../../../wire/bytes.ts';
import { Random } from '../../support/random.ts';

const orders = [
  ['little endian', little, 'LE'],
  ['big endian', big, 'BE'],
] as const;

describe.each(orders)('numbers, %s', (_order, ours, end) => {
  it('are the same as those of Buffer', () => {
    const random = new Random();
    for (let round = 0; round < 2000; round++) {
      const bytes = random.bytes(12);
      const [mine, theirs] = [Buffer.from(bytes), Buffer.from(bytes)];
      const [at, two, four] = [random.below(9), random.below(2 ** 16), random.below(2 ** 32)];
      expect(ours.readUint16(mine, at), `seed ${random.seed}`).toBe(theirs[`readUInt16${end}`](at));
      expect(ours.readUint32(mine, at), `seed ${random.seed}`).toBe(theirs[`readUInt32${end}`](at));
      expect(ours.writeUint16(mine, two, at)).toBe(theirs[`writeUInt16${end}`](two, at));
      expect(ours.writeUint32(mine, four, at)).toBe(theirs[`writeUInt32${end}`](four, at));
      expect(mine, `seed ${random.seed}`).toEqual(theirs);
    }
  });

  it('are refused when they do not fit, or do not lie in the byte string, which stays as it is', () => {
    const bytes = Buffer.alloc(4, 7);
    for (const at of [-1, 1, 4, 0.5, Number.NaN]) {
      expect(() => ours.readUint32(bytes, at), `${at}`).toThrow(RangeError);
      expect(() => ours.writeUint32(bytes, 0, at), `${at}`).toThrow(RangeError);
    }
    for (const at of [-1, 3, 4, 0.5]) {
      expect(() => ours.readUint16(bytes, at), `${at}`).toThrow(RangeError);
      expect(() => ours.writeUint16(bytes, 0, at), `${at}`).toThrow(RangeError);
    }
    for (const value of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => ours.writeUint16(bytes, value, 0), `${value}`).toThrow(RangeError);
      expect(() => ours.writeUint32(bytes, value, 0), `${value}`).toThrow(RangeError);
    }
    expect(() => ours.writeUint16(bytes, 2 ** 16, 0)).toThrow(RangeError);
    expect(() => ours.writeUint32(bytes, 2 ** 32, 0)).toThrow(RangeError);
    expect(bytes).toEqual(Buffer.alloc(4, 7));
  });
});

describe('copies of bytes', () => {
  it('are made as far as there is room', () => {
    const target = Buffer.alloc(4);
    expect(little.copyBytes(Buffer.from([1, 2, 3, 4, 5]), target, 1, 1, 3)).toBe(2);
    expect(target).toEqual(Buffer.from([0, 2, 3, 0]));
    expect(little.copyBytes(Buffer.from([9, 9, 9]), target, 3, 0, 3)).toBe(1);
  });
});
