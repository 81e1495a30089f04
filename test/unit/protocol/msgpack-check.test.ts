/** The check of msgpack from peers, against known bytes, against msgpackr, and against mutations. */
import assert from 'node:assert';
import { Packr } from 'msgpackr/pack';
import { describe, expect, it } from 'vitest';
import { MAX_MSGPACK_DEPTH } from '../../../protocol/bounds.ts';
import { decode, encodeAfter } from '../../../protocol/codec.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { checkMsgpack } from '../../../protocol/msgpack-check.ts';
import { Random } from '../../support/random.ts';

const check = (hex: string): string | null => {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return checkMsgpack(bytes, 0, bytes.length);
};

/** A plain value: what the protocol lets through. */
function plain(random: Random, depth: number): unknown {
  const long = random.below(20) === 0 ? 70_000 : 3;
  switch (random.below(depth > 0 ? 11 : 8)) {
    case 0:
      return null;
    case 1:
      return random.below(2) === 0;
    case 2:
      return random.pick([
        0,
        1,
        -1,
        127,
        128,
        -32,
        -33,
        255,
        256,
        65_535,
        65_536,
        -128,
        -129,
        2 ** 31,
        -(2 ** 31),
        2 ** 32,
      ]);
    case 3:
      return random.next() * 10 ** random.below(300);
    case 4:
      return -random.below(2 ** 31) * random.below(2 ** 21);
    case 5:
      return random.bytes(random.pick([0, 1, 31, 32, 255, 256, long])).toString(random.pick(['latin1', 'utf8']));
    case 6:
      return random.bytes(random.pick([0, 1, 255, 256, long]));
    case 7:
      return '€'.repeat(random.below(30));
    case 8:
    case 9:
      return Array.from({ length: random.pick([0, 1, 3, 15, 16, 20]) }, () => plain(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.pick([0, 1, 15, 16]) }, (_, index) => [`k${index}`, plain(random, depth - 1)]),
      );
  }
}

/** Why bytes cannot be decoded, or null. Anything but a SystemError is thrown on. */
function decodingProblem(bytes: Buffer): string | null {
  try {
    decode(bytes, 0, bytes.length);
    return null;
  } catch (error) {
    if (error instanceof SystemError) return error.message;
    throw error;
  }
}

describe('checkMsgpack', () => {
  it('passes each format of plain msgpack', () => {
    const formats = [
      ...['c0', 'c2', 'c3', '00', '7f', 'e0', 'ff', 'cc ff', 'cd ffff', 'ce ffffffff', `cf ${'ff'.repeat(8)}`],
      ...['d0 80', 'd1 8000', 'd2 80000000', `d3 80${'00'.repeat(7)}`, 'ca 3f800000', `cb ${'00'.repeat(8)}`],
      ...['a0', 'a1 61', `bf ${'61'.repeat(31)}`, 'd9 01 61', 'da 0001 61', 'db 00000001 61'],
      ...['c4 00', 'c4 01 ff', 'c5 0001 ff', 'c6 00000001 ff'],
      ...['90', '91 c0', 'dc 0001 c0', 'dd 00000001 c0', '80', '81 a161 c0', 'de 0001 01 02', 'df 00000001 c0 c0'],
    ];
    for (const format of formats) expect(check(format), format).toBeNull();
  });

  it('refuses extension types, the reserved mark, and bytes after the value', () => {
    for (const mark of [
      'c7 00 01',
      'c8 0000 01',
      'c9 00000000 01',
      'd4 01 00',
      'd5 01 0000',
      'd6 ff 00000000',
      'd7 ff',
      'd8 01',
    ])
      expect(check(mark), mark).toBe('extension type');
    expect(check('c1')).toBe('reserved mark 0xc1');
    expect(check('92 c0 d4 00 00'), 'inside').toBe('extension type');
    expect(check('c0 c0')).toBe('bytes after the value');
    expect(check('90 00')).toBe('bytes after the value');
  });

  it('refuses everything that is cut short, also counts that lie', () => {
    expect(check('')).toBe('cut short');
    for (const lie of [
      'dd ffffffff',
      'df ffffffff',
      'df 80000001 c0 c0',
      'dc ffff c0',
      'de 8000 c0',
      '9f c0',
      'db ffffffff 61',
      'c6 7fffffff',
      'c5 0002 00',
      'd9',
    ])
      expect(check(lie), lie).toBe('cut short');
    const random = new Random();
    const bytes = Buffer.from(encodeAfter(0, plain(random, 4)));
    for (let end = 0; end < Math.min(bytes.length, 2000); end++) {
      expect(checkMsgpack(bytes, 0, end), `seed ${random.seed}, cut at ${end}`).toBe('cut short');
    }
  });

  it('counts nesting of arrays and maps, and needs no stack for it', () => {
    const leaf = 'c0';
    expect(check('91'.repeat(MAX_MSGPACK_DEPTH) + leaf)).toBeNull();
    expect(check('91'.repeat(MAX_MSGPACK_DEPTH + 1) + leaf)).toBe('nested too deep');
    expect(check('81c0'.repeat(MAX_MSGPACK_DEPTH) + leaf)).toBeNull();
    expect(check('81c0'.repeat(MAX_MSGPACK_DEPTH + 1) + leaf)).toBe('nested too deep');
    expect(check('91'.repeat(500_000) + leaf)).toBe('nested too deep');
    // Siblings do not count as depth.
    expect(check(`dc 0100 ${'91c0'.repeat(256)}`)).toBeNull();
  });

  it('looks only at the bytes it is told to', () => {
    const bytes = Buffer.from('c1 92 01 02 c1'.replaceAll(' ', ''), 'hex');
    expect(checkMsgpack(bytes, 1, 4)).toBeNull();
    expect(checkMsgpack(bytes, 1, 5)).toBe('bytes after the value');
    expect(checkMsgpack(bytes, 1, 3)).toBe('cut short');
  });

  it('passes whatever msgpackr makes of plain values, and that comes back as it was', () => {
    const random = new Random();
    const other = new Packr({ useRecords: false, variableMapSize: false });
    for (let round = 0; round < 300; round++) {
      const value = plain(random, 4);
      const what = `seed ${random.seed} round ${round}`;
      for (const encode of [
        (plainValue: unknown) => encodeAfter(0, plainValue),
        (plainValue: unknown) => other.encode(plainValue),
      ]) {
        const bytes = Buffer.from(encode(value));
        expect(checkMsgpack(bytes, 0, bytes.length), what).toBeNull();
        // Much faster than the test runner's own comparison.
        assert.deepStrictEqual(decode(bytes, 0, bytes.length), value, what);
      }
    }
  });

  it('lets nothing through that ends a decoder', () => {
    const random = new Random();
    let passed = 0;
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.from(
        random.below(3) === 0 ? random.bytes(1 + random.below(40)) : encodeAfter(0, plain(random, 2)).subarray(0, 500),
      );
      for (let changes = random.below(5); changes > 0; changes--) bytes[random.below(bytes.length)] = random.below(256);
      if (checkMsgpack(bytes, 0, bytes.length) !== null) continue;
      passed++;
      const problem = decodingProblem(bytes);
      // A map with an array or a map as key is well formed, but no value: that is said, and nothing else goes wrong.
      if (problem !== null) {
        expect(problem, `seed ${random.seed} round ${round} ${bytes.toString('hex')}`).toMatch(/^EBADMSG: .*record/);
      }
    }
    expect(passed).toBeGreaterThan(200);
  });
});
