/** Patterns of names, and the paths that match them. */
import { describe, expect, it } from 'vitest';
import { CommandError } from '../../../services/shell/errors.ts';
import { pathsMatching } from '../../../services/shell/path-patterns.ts';
import { compilePattern, isPattern, quotePattern, unquotePattern } from '../../../services/shell/patterns.ts';
import { compareTexts } from '../../../services/shell/texts.ts';
import { Random } from '../../support/random.ts';

describe('a pattern', () => {
  it.each([
    ['*', ['', 'a', 'abc'], []],
    ['a*', ['a', 'abc'], ['', 'ba']],
    ['*.c', ['.c', 'a.c', 'a.c.c'], ['c', 'a.cc']],
    ['a*b*c', ['abc', 'axbxc', 'abbcc', 'abcbc'], ['ab', 'acb', 'abcd']],
    ['**a**', ['a', 'xax'], ['', 'x']],
    ['?', ['a', 'ä', '😀', '日'], ['', 'ab']],
    ['??', ['ab', '😀😀'], ['😀']],
    ['[abc]', ['a', 'c'], ['d', '', 'ab']],
    ['[a-cx-z]', ['b', 'y'], ['d', 'w', '-']],
    ['[!a-c]', ['d', '!', '^'], ['a', 'b']],
    ['[^a]', ['b', '^'], ['a']],
    ['[]a]', [']', 'a'], ['b']],
    ['[!]a]', ['b'], [']', 'a']],
    ['[a-]', ['a', '-'], ['b']],
    ['[-a]', ['a', '-'], ['b']],
    ['[\\]a]', [']', 'a'], ['\\']],
    ['[[:digit:]_]*', ['1', '_x', '9a'], ['a1']],
    ['[[:upper:]]', ['A', 'Ä'], ['a', '1']],
    ['[α-ω]', ['β'], ['b']],
    ['[a', ['[a'], ['a']],
    ['a[', ['a['], ['a']],
    ['\\*', ['*'], ['a']],
    ['\\?a\\[', ['?a['], ['xa[']],
    ['a\\', ['a\\'], ['a']],
    ['[[:no:]]', [':]', 'n]', 'o]', '[]'], [':', 'x]']],
  ] as [string, string[], string[]][])('%s', (pattern, yes, no) => {
    const matches = compilePattern(pattern);
    for (const text of yes) expect(matches(text), text).toBe(true);
    for (const text of no) expect(matches(text), text).toBe(false);
  });

  it('is special only outside of quotes', () => {
    for (const text of ['*', 'a?b', '[x]', '\\', 'ä*']) {
      const quoted = quotePattern(text);
      expect(isPattern(quoted)).toBe(false);
      expect(unquotePattern(quoted)).toBe(text);
      expect(compilePattern(quoted)(text)).toBe(true);
    }
    expect(['*', 'a?', '\\\\*', 'x['].map(isPattern)).toEqual([true, true, true, true]);
    expect(['', 'a', '\\*', 'a]', 'a\\[b'].map(isPattern)).toEqual([false, false, false, false, false]);
  });

  it('takes no more than the product of the lengths', () => {
    const matches = compilePattern(`${'a*'.repeat(200)}b`);
    const before = performance.now();
    expect(matches('a'.repeat(5000))).toBe(false);
    expect(performance.now() - before).toBeLessThan(5000);
  });

  it('means the same as a regular expression does', () => {
    const random = new Random();
    for (let round = 0; round < 5000; round += 1) {
      const pattern = Array.from({ length: random.below(8) }, () =>
        random.pick(['a', 'b', '*', '?', '[ab]', '[!a]']),
      ).join('');
      const text = Array.from({ length: random.below(8) }, () => random.pick(['a', 'b', 'c'])).join('');
      const expression = pattern.replaceAll('*', '.*').replaceAll('?', '.').replaceAll('[!', '[^');
      const expected = new RegExp(`^${expression}$`, 's').test(text);
      expect(compilePattern(pattern)(text), `seed ${random.seed}: ${pattern} on ${text}`).toBe(expected);
    }
  });
});

/** A tree: directories end in a slash, links to them in an at sign. */
const tree = [
  '/a.c',
  '/b.c',
  '/.hidden',
  '/dir/',
  '/dir/x.c',
  '/dir/.y.c',
  '/dir/sub/',
  '/dir/sub/z',
  '/link@',
  '/*',
  '/日本',
  '/other/',
  '/other/x.c',
];

const source = {
  entries: (directory: string) => {
    const inside = `${directory.replace(/^\.?\/*/, '/').replace(/\/+$/, '')}/`;
    return tree
      .filter((path) => path.startsWith(inside) && /^[^/]+\/?$/.test(path.slice(inside.length)))
      .map((path) => {
        const type = path.endsWith('/') ? 'directory' : path.endsWith('@') ? 'symlink' : 'file';
        return { name: path.slice(inside.length).replace(/[/@]$/, ''), type } as const;
      });
  },
  exists: (path: string) => tree.some((known) => known.replace(/[/@]$/, '') === path.replace(/^\/*/, '/')),
  isDirectory: (path: string) => tree.includes(`${path.replace(/^\/*/, '/').replace(/\/+$/, '')}/`),
};

describe('paths', () => {
  it.each([
    ['*.c', ['a.c', 'b.c']],
    ['/*.c', ['/a.c', '/b.c']],
    ['//*.c', ['//a.c', '//b.c']],
    ['*', ['*', 'a.c', 'b.c', 'dir', 'link', 'other', '日本']],
    ['.*', ['.hidden']],
    ['*/*.c', ['dir/x.c', 'other/x.c']],
    ['*/.*', ['dir/.y.c']],
    ['*/x.c', ['dir/x.c', 'other/x.c']],
    ['dir/*/z', ['dir/sub/z']],
    ['*/', ['dir/', 'other/']],
    ['dir/s*/', ['dir/sub/']],
    ['[ab].c', ['a.c', 'b.c']],
    ['\\*', []],
    ['[*]', ['*']],
    ['no/*', []],
    ['a.c/*', []],
    ['*/no', []],
    ['日*', ['日本']],
  ] as [string, string[]][])('%s', (pattern, expected) => {
    expect(pathsMatching(pattern, source)).toEqual(pattern === '\\*' ? ['*'] : expected);
  });

  it('are refused when there are too many', () => {
    const entries = Array.from({ length: 9000 }, (_, index) => ({ name: `n${index}`, type: 'file' as const }));
    expect(() => pathsMatching('*', { ...source, entries: () => entries })).toThrow(CommandError);
  });

  it('are in the order of their code points', () => {
    const texts = ['b', 'a', '', 'ab', '\u{ffff}', '\u{1f600}', 'é', 'z', 'A'];
    const bytes = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect([...texts].sort(compareTexts)).toEqual(bytes);
  });
});
