/** Options of commands, sizes, and what is done with them. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../services/shell/errors.ts';
import { parsePlan } from '../../../services/shell/job/dd.ts';
import { parseOptions } from '../../../services/shell/options.ts';
import { parseSize, shortSize } from '../../../services/shell/sizes.ts';

describe('options', () => {
  const parse = (words: string): string => {
    const { flags, values, operands } = parseOptions(words === '' ? [] : words.split(' '), {
      flags: 'abl',
      values: 'nc',
    });
    return `${[...flags].join('')}|${[...values].map(([letter, value]) => `${letter}=${value}`).join(',')}|${operands.join(' ')}`;
  };

  it.each([
    ['', '||'],
    ['-a x', 'a||x'],
    ['-ab x -l y', 'abl||x y'],
    ['-n 5 x', '|n=5|x'],
    ['-n5', '|n=5|'],
    ['-an5 -c -a', 'a|n=5,c=-a|'],
    ['-n 1 -n 2', '|n=2|'],
    ['-- -a', '||-a'],
    ['x -- -a -- y', '||x -a -- y'],
    ['- -a', 'a||-'],
    ['-n -', '|n=-|'],
  ])('%j', (words, expected) => {
    expect(parse(words)).toBe(expected);
  });

  it.each(['-x', '-ax', '-n', '-an', '--all', '-é'])('%s is refused', (words) => {
    expect(() => parse(words)).toThrow(UsageError);
  });
});

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['512', 512],
    ['1b', 512],
    ['4K', 4096],
    ['4k', 4096],
    ['3M', 3 * 2 ** 20],
    ['2G', 2 ** 31],
    ['1T', 2 ** 40],
  ] as const)('%s', (text, bytes) => {
    expect(parseSize(text, 'size')).toBe(bytes);
  });

  it.each(['', '-1', '1.5', '1X', 'K', '9007199254740993', '9999999T', '0x10'])('%j is refused', (text) => {
    expect(() => parseSize(text, 'size')).toThrow(/^size: /);
  });

  it.each([
    [0, '0'],
    [1023, '1023'],
    [1024, '1.0K'],
    [1025, '1.1K'],
    [9 * 1024, '9.0K'],
    [10 * 1024 - 1, '10K'],
    [10 * 1024 + 1, '11K'],
    [1023 * 1024 + 1, '1.0M'],
    [64 * 2 ** 20, '64M'],
    [2 ** 41, '2.0T'],
  ])('%d is %s', (bytes, text) => {
    expect(shortSize(bytes)).toBe(text);
  });
});

describe('the operands of dd', () => {
  it('say what to copy', () => {
    expect(parsePlan([])).toMatchObject({ input: null, output: null, blockBytes: 512, count: null, skip: 0, seek: 0 });
    const plan = parsePlan([
      'if=a=b',
      'of=',
      'bs=1M',
      'count=0',
      'skip=2',
      'seek=3',
      'conv=fsync,notrunc',
      'status=progress',
    ]);
    expect(plan).toMatchObject({
      input: 'a=b',
      output: '',
      blockBytes: 2 ** 20,
      count: 0,
      skip: 2,
      seek: 3,
      progress: true,
    });
    expect([...plan.conversions]).toEqual(['fsync', 'notrunc']);
  });

  it.each(['bs=0', 'bs=17M', 'count=x', 'skip=-1', 'conv=swab', 'status=none', 'of', 'ibs=1', '-h'])(
    '%s is refused',
    (word) => {
      expect(() => parsePlan([word])).toThrow(UsageError);
    },
  );
});
