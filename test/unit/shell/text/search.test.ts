/** Regular expressions and the test of lines, beside the engine of the language and beside the host's grep. */
import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../../services/shell/errors.ts';
import { type SearchOptions, searcher } from '../../../../services/shell/text/search.ts';
import { peer } from '../../../support/peer.ts';
import { Random } from '../../../support/random.ts';

const basic: SearchOptions = { fixed: false, extended: false, ignoreCase: false, whole: false };
const extended: SearchOptions = { ...basic, extended: true };

const finds = (pattern: string, text: string, options: SearchOptions): boolean =>
  searcher(pattern, options)(Buffer.from(text));

describe('an expression', () => {
  it.each([
    ['abc', 'xabcx', true],
    ['a.c', 'xabcx', true],
    ['a.c', 'ac', false],
    ['^a', 'ba', false],
    ['a$', 'ab', false],
    ['^$', '', true],
    ['^$', 'a', false],
    ['', 'anything', true],
    ['a*b', 'b', true],
    ['^a*$', 'aab', false],
    ['*a', '*a', true],
    ['\\(ab\\)*c', 'ababc', true],
    ['^\\(ab\\)\\{2\\}$', 'abab', true],
    ['^\\(ab\\)\\{2\\}$', 'ababab', false],
    ['a\\{2,\\}', 'aa', true],
    ['^a\\{1,2\\}$', 'aaa', false],
    ['a\\|b', 'xbx', true],
    ['a+', 'a', false],
    ['a+', 'a+', true],
    ['a\\+', 'aa', true],
    ['a(b)', 'a(b)', true],
    ['a^b$c', 'a^b$c', true],
    ['[abc]', 'xcx', true],
    ['[^abc]', 'abc', false],
    ['[]x]', ']', true],
    ['[^]x]', ']x', false],
    ['[a\\]', '\\', true],
    ['[a-c-]', '-', true],
    ['[[:digit:]]', 'a1', true],
    ['[[:digit:]]', 'ab', false],
    ['[[=a=]]', 'a', true],
    ['[[.-.]x]', '-', true],
    ['\\.', 'a', false],
    ['\\bword\\b', 'a word here', true],
    ['\\bword\\b', 'swordfish', false],
    ['\\<a\\>', 'a', true],
    ['\\Ba', 'ba', true],
    ['\\w\\+\\W\\w', 'ab-c', true],
    ['ä.ö', 'äüö', true],
    ['^.$', '😀', true],
    ['[α-ω]', 'β', true],
  ] as [string, string, boolean][])('basic %j on %j: %s', (pattern, text, expected) => {
    expect(finds(pattern, text, basic)).toBe(expected);
  });

  it.each([
    ['a+b?', 'aa', true],
    ['^(a|bc)+$', 'abcbca', true],
    ['^(a|bc)+$', 'abca b', false],
    ['a|b|', 'x', true],
    ['(^a|b$)', 'xb', true],
    ['^(a{2}){2}$', 'aaaa', true],
    ['a{0}b', 'b', true],
    ['a{,2}', 'a', true],
    ['(a*)*b', 'aaab', true],
    ['(a*)+$', '', true],
    ['()', 'a', true],
    ['a)', 'a)', true],
    ['\\(a\\)', '(a)', true],
    ['a\\|b', 'a|b', true],
    ['[(]', '(', true],
    ['a.*z', 'a日本z', true],
    ['\\s\\S', 'a b', true],
  ] as [string, string, boolean][])('extended %j on %j: %s', (pattern, text, expected) => {
    expect(finds(pattern, text, extended)).toBe(expected);
  });

  it.each([
    ['a(', extended],
    ['+a', extended],
    ['a|*', extended],
    ['a{2', extended],
    ['a{3,2}', extended],
    ['a{999}', extended],
    ['\\(a', basic],
    ['a\\)', basic],
    ['[a', basic],
    ['[[:no:]]', basic],
    ['[z-a]', basic],
    ['\\(a\\)\\1', basic],
    ['a\\', basic],
    ['('.repeat(500), extended],
    [`${'('.repeat(8)}a${'){200}'.repeat(8)}`, extended],
  ] as [string, SearchOptions][])('%j is refused', (pattern, options) => {
    expect(() => searcher(pattern, options)).toThrow(UsageError);
  });

  it('need not see case, and may have to match the whole line', () => {
    expect(finds('STRASSE', 'die Strasse', { ...basic, ignoreCase: true })).toBe(true);
    expect(finds('ÄÖ', 'xäöx', { ...basic, fixed: true, ignoreCase: true })).toBe(true);
    expect(finds('[a-c]', 'B', { ...basic, ignoreCase: true })).toBe(true);
    expect(finds('[^a]', 'A', { ...basic, ignoreCase: true })).toBe(false);
    expect(finds('a|ab', 'ab', { ...extended, whole: true })).toBe(true);
    expect(finds('a', 'ab', { ...basic, whole: true })).toBe(false);
    expect(finds('a.b', 'a.b', { ...basic, fixed: true, whole: true })).toBe(true);
  });

  it('may be one of several, a line each', () => {
    for (const options of [basic, { ...basic, fixed: true }]) {
      expect(finds('one\ntwo', 'a two', options)).toBe(true);
      expect(finds('one\ntwo', 'three', options)).toBe(false);
    }
  });

  it('takes time linear in the line, whatever it is', () => {
    const line = Buffer.from(`${'a'.repeat(100_000)}b`);
    const before = performance.now();
    for (const pattern of ['(a+)+$', '(a|a)*c', '^(a*)*$', '^(a|aa)+$', '(.*)(.*)(.*)c', 'a{1,100}c'])
      expect(searcher(pattern, extended)(line), pattern).toBe(false);
    expect(performance.now() - before).toBeLessThan(10_000);
  });
});

/** A random expression that means the same to the engine of the language. `assertions` are those it may have. */
function randomExpression(random: Random, depth: number, assertions: readonly string[]): string {
  const atom = (): string => {
    const kind = random.below(depth > 0 ? 9 : 6);
    if (kind < 3) return random.pick(['a', 'b', 'c']);
    if (kind === 3) return '.';
    if (kind === 4) return random.pick(['[ab]', '[^a]', '[a-c]']);
    if (kind === 5) return random.pick(['a', ...assertions]);
    return `(${randomExpression(random, depth - 1, assertions)})`;
  };
  const part = (): string => {
    const one = atom();
    const repeats = /^(\\[bB]|\^|\$)$/.test(one) ? [''] : ['', '', '', '*', '+', '?', '{2}', '{1,3}', '{0,1}'];
    return one + (repeats[random.below(repeats.length)] ?? '');
  };
  const sequence = (): string => Array.from({ length: 1 + random.below(4) }, part).join('');
  return Array.from({ length: 1 + random.below(2) }, sequence).join('|');
}

const context = vm.createContext({ pattern: '', flags: '', line: '' });
const script = new vm.Script('new RegExp(pattern, flags).test(line)');

/** What the engine of the language finds; undefined: it goes back and forth in the line for too long. */
function engineOf(pattern: string, flags: string): (line: string) => boolean | undefined {
  return (line) => {
    Object.assign(context, { pattern, flags, line });
    try {
      return script.runInContext(context, { timeout: 200 }) as boolean;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
      throw error;
    }
  };
}

const randomLine = (random: Random): string =>
  Array.from({ length: random.below(10) }, () => random.pick(['a', 'b', 'c', 'd', ' ', 'A'])).join('');

describe('random expressions', () => {
  it('find what the engine of the language finds', () => {
    const random = new Random();
    let endless = 0;
    for (let round = 0; round < 1500; round += 1) {
      const pattern = randomExpression(random, 2, ['^', '$', '\\b', '\\B']);
      const ignoreCase = random.below(4) === 0;
      const matches = searcher(pattern, { ...extended, ignoreCase });
      const engine = engineOf(pattern, ignoreCase ? 'i' : '');
      for (let count = 0; count < 4; count += 1) {
        const line = randomLine(random);
        const where = `seed ${random.seed}: ${JSON.stringify(pattern)} on ${JSON.stringify(line)}`;
        const found = matches(Buffer.from(line));
        const expected = engine(line);
        if (expected === undefined) endless++;
        else expect(found, where).toBe(expected);
      }
    }
    expect(endless, `seed ${random.seed}`).toBeLessThan(30);
  });

  const grep = peer('grep');
  it.skipIf(grep.missing !== '')(`find what grep finds${grep.missing}`, () => {
    const random = new Random();
    let endless = 0;
    for (let round = 0; round < 60; round += 1) {
      const lines = Array.from({ length: 60 }, () => randomLine(random));
      // GNU's grep errs about anchors in repeated groups.
      const pattern = `${random.pick(['', '^'])}(${randomExpression(random, 2, [])})${random.pick(['', '$'])}`;
      const [flag, options, written] = random.pick([
        ['-E', extended, pattern],
        ['-Ei', { ...extended, ignoreCase: true }, pattern],
        ['-Ex', { ...extended, whole: true }, pattern],
        ['-G', basic, pattern.replaceAll(/[(){}|+?]/g, '\\$&')],
        ['-F', { ...basic, fixed: true }, pattern.slice(0, 2)],
      ] as [[string, SearchOptions, string], ...[string, SearchOptions, string][]]);
      const matches = searcher(written, options);
      const found = lines.filter((line) => matches(Buffer.from(line)));
      const { stdout, tooLong } = grep.run([flag, '-e', written], `${lines.join('\n')}\n`, 1000);
      const where = `seed ${random.seed}: grep ${flag} ${JSON.stringify(written)}`;
      // One expression in some thousand keeps GNU's grep busy for hours.
      if (tooLong) endless++;
      else expect(found.map((line) => `${line}\n`).join(''), where).toBe(stdout.toString());
    }
    expect(endless, `seed ${random.seed}`).toBeLessThan(4);
  });
});
