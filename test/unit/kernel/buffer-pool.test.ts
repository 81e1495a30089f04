/** Memory that is used again: what two hold at the same time never overlaps, and what is kept has a bound. */
import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../../kernel/mm/buffer-pool.ts';
import { Random } from '../../support/random.ts';

describe('the buffer pool', () => {
  it('gives the same memory again, to one at a time', () => {
    const pool = new BufferPool();
    const first = pool.take(70_000);
    pool.give(first);
    const [second, third] = [pool.take(70_001), pool.take(70_000)];
    expect([second.length, second.buffer === first.buffer, third.buffer === first.buffer]).toEqual([
      70_001,
      true,
      false,
    ]);
    pool.give(second);
    expect(pool.take(4096).buffer).not.toBe(first.buffer);
  });

  it('wastes at most a fourth, and takes nothing back that is not its own', () => {
    const pool = new BufferPool();
    for (const bytes of [4096, 4097, 5000, 65_536, 65_600, 131_071, 1_048_600])
      expect(pool.take(bytes).buffer.byteLength, String(bytes)).toBeLessThanOrEqual(1.25 * bytes);
    for (const other of [Buffer.alloc(0), Buffer.alloc(100), Buffer.alloc(4097), pool.take(9000).subarray(1)])
      pool.give(other);
    expect(pool.keptBytes).toBe(0);
  });

  it('keeps every content while it is held, through any order of taking and giving, within its bound', () => {
    const random = new Random();
    const pool = new BufferPool();
    const held: { buffer: Buffer; mark: number }[] = [];
    for (let step = 0; step < 5000; step++) {
      if (held.length < 40 && random.below(2) === 0) {
        const mark = random.below(256);
        const source = Buffer.alloc(random.below(300_000), mark);
        held.push({ buffer: pool.copy(source, 0, source.length), mark });
      } else {
        const [one] = held.splice(random.below(Math.max(1, held.length)), 1);
        if (one === undefined) continue;
        expect(
          one.buffer.every((byte) => byte === one.mark),
          `seed ${random.seed}`,
        ).toBe(true);
        pool.give(one.buffer);
      }
      expect(pool.keptBytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    }
  }, 20_000);
});
