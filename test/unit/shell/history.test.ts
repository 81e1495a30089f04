/** The history: what is kept, its bounds, search, and the recovery store. */
import { describe, expect, it } from 'vitest';
import { History } from '../../../services/shell/history.ts';

function historyOf(...lines: string[]): History {
  const history = new History();
  for (const line of lines) history.add(line);
  return history;
}

const linesOf = (history: History): (string | undefined)[] =>
  Array.from({ length: history.length }, (_, index) => history.at(index));

describe('History', () => {
  it('keeps lines in order, without repetitions, blank lines and lines that start with a space', () => {
    expect(linesOf(historyOf('a', 'a', 'b', '', '  ', ' secret', 'a', 'a b', 'a\nb'))).toEqual([
      'a',
      'b',
      'a',
      'a b',
      'a\nb',
    ]);
  });

  it('keeps the newest 1000', () => {
    const history = historyOf(...Array.from({ length: 1500 }, (_, index) => `line ${index}`));
    expect(history.length).toBe(1000);
    expect(history.at(0)).toBe('line 500');
    expect(history.at(999)).toBe('line 1499');
    expect(history.at(1000)).toBeUndefined();
    expect(history.at(-1)).toBeUndefined();
  });

  it('keeps at most 128 Ki characters', () => {
    const history = historyOf('first', ...Array.from({ length: 10 }, (_, index) => String(index).repeat(20000)));
    expect(linesOf(history)).toEqual([4, 5, 6, 7, 8, 9].map((digit) => String(digit).repeat(20000)));
    history.add('x'.repeat(128 * 1024 + 1));
    expect(history.length).toBe(6);
  });

  it('finds the newest line that contains a text, from a line on', () => {
    const history = historyOf('echo one', 'ls', 'echo two');
    expect(history.search('echo', 2)).toBe(2);
    expect(history.search('echo', 1)).toBe(0);
    expect(history.search('echo', 100)).toBe(2);
    expect(history.search('none', 2)).toBe(-1);
    expect(history.search('echo', -1)).toBe(-1);
    expect(new History().search('', 0)).toBe(-1);
  });

  it('survives in a snapshot, and refuses anything else', () => {
    const history = historyOf('one', '日本', 'a\nb');
    const copy = historyOf('gone');
    copy.restore(JSON.parse(JSON.stringify(history.snapshot())));
    expect(linesOf(copy)).toEqual(['one', '日本', 'a\nb']);
    for (const wrong of [null, {}, [], [1], [2, []], [1, 'x'], [1, [1]], [1, new Array(1001).fill('a')]]) {
      expect(() => copy.restore(wrong)).toThrow('EINVAL');
    }
    expect(copy.length).toBe(3);
  });

  it('has a snapshot that fits into the recovery store, whatever the characters', () => {
    const history = historyOf(...Array.from({ length: 20 }, (_, index) => `${index}${'日'.repeat(10000)}`));
    expect(Buffer.byteLength(JSON.stringify(history.snapshot()))).toBeLessThan(512 * 1024);
  });
});
