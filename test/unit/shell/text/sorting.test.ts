/** The order of lines, beside the host's sort. */
import { describe, expect, it } from 'vitest';
import { CommandError, UsageError } from '../../../../services/shell/errors.ts';
import { collectLines, parseKey, type SortOptions, sortLines } from '../../../../services/shell/text/sorting.ts';
import { peer } from '../../../support/peer.ts';
import { Random } from '../../../support/random.ts';
import { pieces } from './pieces.ts';

const plain: SortOptions = { numeric: false, reverse: false, unique: false, key: null, separator: null };

const sorted = (lines: string, options: Partial<SortOptions> = {}): string =>
  sortLines(collectLines([Buffer.from(lines)]), { ...plain, ...options })
    .map((line) => Buffer.from(line, 'latin1').toString())
    .join(' ');

describe('lines', () => {
  it('are in the order of their bytes', () => {
    expect(sorted('b\na\nB\n\nä\nz\nab')).toBe(' B a ab b z ä');
    expect(sorted('b\na\nc\n', { reverse: true })).toBe('c b a');
    expect(sorted('b\na\nb\na\n', { unique: true })).toBe('a b');
  });

  it('are in the order of the numbers they begin with', () => {
    expect(sorted('10\n9\n-1\nx\n0.5\n2 b\n2 a\n', { numeric: true })).toBe('-1 x 0.5 2 a 2 b 9 10');
    expect(sorted('1\n01\n2\n', { numeric: true, unique: true })).toBe('1 2');
  });

  it('are in the order of a key', () => {
    expect(sorted('a 2\nb 1\nc 10', { key: { first: 2, last: null } })).toBe('b 1 c 10 a 2');
    expect(sorted('a 2\nb 1\nc 10', { key: { first: 2, last: 2 }, numeric: true })).toBe('b 1 a 2 c 10');
    expect(sorted('x:2\ny:1', { key: { first: 2, last: 2 }, separator: ':' })).toBe('y:1 x:2');
    expect(parseKey('2,3')).toEqual({ first: 2, last: 3, numeric: false, reverse: false });
    expect(parseKey('2nr')).toEqual({ first: 2, last: null, numeric: true, reverse: true });
    for (const key of ['', '0', 'a', '1,0', '1.2', '2b']) expect(() => parseKey(key)).toThrow(UsageError);
  });

  it('may not be too many', () => {
    const many = Buffer.from('a\n'.repeat(600_000));
    expect(() => collectLines([many, many])).toThrow(CommandError);
  });

  const sort = peer('sort');
  it.skipIf(sort.missing !== '')(`are in the order of the host's sort${sort.missing}`, () => {
    const random = new Random();
    const words = ['a', 'b', 'B', '10', '9', '-3', '0.5', 'ä', ' ', '', '01', 'x1'] as const;
    for (let round = 0; round < 60; round += 1) {
      const line = (): string =>
        Array.from({ length: random.below(4) }, () => random.pick([...words])).join(random.pick([' ', ' ', '\t']));
      const text = Array.from({ length: random.below(40) }, () => `${line()}\n`).join('');
      const options = {
        ...{ numeric: random.below(2) === 0, reverse: random.below(2) === 0, unique: random.below(3) === 0 },
        key: random.pick([null, { first: 2, last: 2 }, { first: 2, last: null }, { first: 1, last: 2 }]),
        separator: random.pick([null, ' ']),
      };
      const { numeric, reverse, unique, key, separator } = options;
      const flags = [...(numeric ? ['-n'] : []), ...(reverse ? ['-r'] : []), ...(unique ? ['-u'] : [])];
      if (key !== null) flags.push('-k', key.last === null ? String(key.first) : `${key.first},${key.last}`);
      if (separator !== null) flags.push('-t', separator);
      const lines = sortLines(collectLines(pieces(text, random)), options);
      const found = Buffer.from(lines.map((each) => `${each}\n`).join(''), 'latin1').toString();
      const where = `seed ${random.seed}: sort ${flags.join(' ')} of ${JSON.stringify(text)}`;
      expect(found, where).toBe(sort.run(flags, text).stdout.toString());
    }
  });
});
