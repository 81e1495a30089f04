/**
 * SHA-256: the examples of NIST (FIPS 180-2, appendix B, and the example of one million characters), and the host's own
 * implementation.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Sha256 } from '../../../../services/shell/text/sha256.ts';
import { Random } from '../../../support/random.ts';
import { pieces } from './pieces.ts';

function digest(parts: Iterable<Uint8Array>): string {
  const sum = new Sha256();
  for (const part of parts) sum.update(part);
  return sum.hex();
}

describe('SHA-256', () => {
  it.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
    [
      'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
      'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
    ],
  ])('of %j', (text, hex) => {
    expect(digest([Buffer.from(text)])).toBe(hex);
  });

  it('of a million times a', () => {
    const piece = Buffer.alloc(1000, 'a');
    expect(digest(Array.from({ length: 1000 }, () => piece))).toBe(
      'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
    );
  });

  it('of random bytes of every length around a block, however they are cut', () => {
    const random = new Random();
    for (let length = 0; length < 200; length += 1) {
      const bytes = random.bytes(length);
      const expected = createHash('sha256').update(bytes).digest('hex');
      expect(digest(pieces(bytes, random, 90)), `seed ${random.seed} length ${length}`).toBe(expected);
    }
  });
});
