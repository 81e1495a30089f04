import { describe, expect, it } from 'vitest';
import { ByteQueue } from '../../../hw/network/user/byte-queue.ts';
import { Random } from '../../support/random.ts';

describe('a queue of bytes', () => {
  it('gives what was put in, in order', () => {
    const random = new Random();
    const queue = new ByteQueue();
    let model = Buffer.alloc(0);
    for (let round = 0; round < 3000; round++) {
      if (random.below(2) === 0) {
        const bytes = random.bytes(random.below(random.pick([10, 3000])));
        queue.push(bytes);
        model = Buffer.concat([model, bytes]);
      } else {
        const count = random.below(model.length + 10);
        queue.drop(count);
        model = model.subarray(Math.min(count, model.length));
      }
      expect(queue.length).toBe(model.length);
      const offset = random.below(model.length + 1);
      const length = random.below(model.length - offset + 1);
      const copy = queue.copy(offset, length);
      expect(copy.equals(model.subarray(offset, offset + length)), `seed ${random.seed}, round ${round}`).toBe(true);
    }
  });

  it('has no bytes that are not there', () => {
    const queue = new ByteQueue();
    queue.push(Buffer.from('abc'));
    expect(() => queue.copy(1, 3)).toThrow(RangeError);
    expect(() => queue.copy(-1, 1)).toThrow(RangeError);
    expect(queue.copy(3, 0)).toHaveLength(0);
  });
});
