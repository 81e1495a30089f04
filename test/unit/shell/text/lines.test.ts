/** Lines, counts, beginnings, ends and differences of texts that come in pieces. */
import { describe, expect, it } from 'vitest';
import { CommandError } from '../../../../services/shell/errors.ts';
import { copyBlocks } from '../../../../services/shell/job/dd.ts';
import { firstDifference } from '../../../../services/shell/text/difference.ts';
import {
  behindBytes,
  behindLines,
  firstBytes,
  firstLines,
  lastBytes,
  lastLines,
  startOfLastLines,
} from '../../../../services/shell/text/ends.ts';
import { countText, linesOf, MAX_LINE_BYTES, withoutNewline } from '../../../../services/shell/text/lines.ts';
import { Random } from '../../../support/random.ts';
import { joined, pieces } from './pieces.ts';

const ROUNDS = 400;

function randomText(random: Random): string {
  return Array.from({ length: random.below(60) }, () => random.pick(['a', 'b', ' ', '\n', '\n', 'ä', '日', '\t'])).join(
    '',
  );
}

/** The lines of a text with their newlines, made in another way. */
const linesIn = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

describe('lines', () => {
  it('are those of the whole text, however it is cut', () => {
    const random = new Random();
    for (let round = 0; round < ROUNDS; round += 1) {
      const text = randomText(random);
      const found = [...linesOf(pieces(text, random))].map((line) => Buffer.from(line).toString());
      expect(found, `seed ${random.seed}`).toEqual(linesIn(text));
    }
  });

  it('lose only their newline', () => {
    const without = (text: string): string => Buffer.from(withoutNewline(Buffer.from(text))).toString();
    expect(['a\n', 'a', '\n', '', 'a\n\n', 'a\r\n'].map(without)).toEqual(['a', 'a', '', '', 'a\n', 'a\r']);
  });

  it('have a bound', () => {
    const piece = new Uint8Array(1024 * 1024);
    expect(() => [...linesOf(Array.from({ length: 10 }, () => piece))]).toThrow(CommandError);
    expect([...linesOf([new Uint8Array(MAX_LINE_BYTES)])][0]?.length).toBe(MAX_LINE_BYTES);
  });

  it('are counted, with words and bytes', () => {
    const random = new Random();
    for (let round = 0; round < ROUNDS; round += 1) {
      const text = randomText(random);
      const words = text.split(/[ \t\n]+/).filter((word) => word !== '').length;
      const lines = text.split('\n').length - 1;
      const expected = { lines, words, bytes: Buffer.byteLength(text) };
      expect(countText(pieces(text, random)), `seed ${random.seed}`).toEqual(expected);
      expect(countText(pieces(text, random), false)).toEqual({ ...expected, words: 0 });
    }
  });
});

describe('parts of a text', () => {
  it('are those of the whole, however it is cut', () => {
    const random = new Random();
    for (let round = 0; round < ROUNDS; round += 1) {
      const text = randomText(random);
      const bytes = Buffer.from(text);
      const lines = linesIn(text);
      const count = random.below(12);
      const where = `seed ${random.seed} round ${round} count ${count}`;
      const cut = (): Uint8Array[] => pieces(text, random);
      expect(joined(firstBytes(cut(), count)), where).toBe(bytes.subarray(0, count).toString());
      expect(joined(behindBytes(cut(), count)), where).toBe(bytes.subarray(count).toString());
      expect(joined(lastBytes(cut(), count)), where).toBe(bytes.subarray(Math.max(0, bytes.length - count)).toString());
      expect(joined(firstLines(cut(), count)), where).toBe(lines.slice(0, count).join(''));
      expect(joined(behindLines(cut(), count)), where).toBe(lines.slice(count).join(''));
      expect(joined(lastLines(cut(), count)), where).toBe(lines.slice(Math.max(0, lines.length - count)).join(''));
    }
  });

  it('do not read on when they have enough', () => {
    function* endless(): Generator<Uint8Array> {
      for (;;) yield Buffer.from('line\n');
    }
    expect(joined(firstLines(endless(), 3))).toBe('line\nline\nline\n');
    expect(joined(firstBytes(endless(), 7))).toBe('line\nli');
    expect([...firstLines(endless(), 0), ...firstBytes(endless(), 0)]).toEqual([]);
  });

  it('at the end of a file are found from its end', () => {
    const line = `${'x'.repeat(999)}\n`;
    const bytes = Buffer.from(`first\n${line.repeat(500)}last`);
    let read = 0;
    const file = {
      readAt: (offset: number, count: number) => {
        read += count;
        return bytes.subarray(offset, offset + count);
      },
    };
    const tail = (count: number): string => bytes.subarray(startOfLastLines(file, bytes.length, count)).toString();
    expect(tail(0)).toBe('');
    expect(tail(1)).toBe('last');
    expect(tail(3)).toBe(`${line}${line}last`);
    expect(read).toBeLessThan(200_000);
    expect(tail(501).length).toBe(bytes.length - 6);
    expect([tail(502).length, tail(9999).length]).toEqual([bytes.length, bytes.length]);
    const random = new Random();
    for (let round = 0; round < ROUNDS; round += 1) {
      const text = randomText(random);
      const small = Buffer.from(text);
      const count = random.below(8);
      const start = startOfLastLines(
        { readAt: (offset, length) => small.subarray(offset, offset + length) },
        small.length,
        count,
      );
      const lines = linesIn(text);
      const expected = lines.slice(Math.max(0, lines.length - count)).join('');
      expect(small.subarray(start).toString(), `seed ${random.seed}: ${JSON.stringify(text)} ${count}`).toBe(expected);
    }
  });

  it('keep no more than they may', () => {
    function* large(): Generator<Uint8Array> {
      for (let count = 0; count < 40; count += 1) yield new Uint8Array(1024 * 1024).fill(0x0a);
    }
    expect(() => lastBytes(large(), 2 ** 40)).toThrow(CommandError);
    expect(joined(lastBytes(large(), 5))).toBe('\n'.repeat(5));
  });
});

describe('a difference', () => {
  it('is the first one, however both are cut', () => {
    const random = new Random();
    for (let round = 0; round < ROUNDS; round += 1) {
      const text = Buffer.from(randomText(random));
      const other = Buffer.from(text);
      const at = random.below(text.length + 1);
      const flip = random.below(2) === 0 && at < text.length;
      if (flip) other[at] = (other[at] ?? 0) ^ 1;
      const second = flip ? other : other.subarray(0, at);
      const found = firstDifference(pieces(text, random, 9), pieces(second, random, 7));
      const line = text.subarray(0, at).toString('latin1').split('\n').length;
      const expected = flip ? { at, line, ended: null } : at === text.length ? null : { at, line, ended: 'second' };
      expect(found, `seed ${random.seed}`).toEqual(expected);
    }
  });
});

describe('blocks', () => {
  it('are put together from what comes, and counted', () => {
    const random = new Random();
    const bytes = random.bytes(1000);
    const copy = (blockBytes: number, count: number | null): [number[], string] => {
      let at = 0;
      const written: Buffer[] = [];
      const figures = { whole: 0, partial: 0, bytes: 0 };
      const read = (most: number): Uint8Array => {
        const piece = bytes.subarray(at, at + Math.min(most, 1 + random.below(50)));
        at += piece.length;
        return piece;
      };
      const write = (data: Uint8Array): number => {
        const some = data.subarray(0, 70);
        written.push(Buffer.from(some));
        return some.length;
      };
      copyBlocks(read, write, { blockBytes, count }, figures);
      return [[figures.whole, figures.partial, figures.bytes], Buffer.concat(written).toString('hex')];
    };
    expect(copy(300, null)).toEqual([[3, 1, 1000], bytes.toString('hex')]);
    expect(copy(100, 4)).toEqual([[4, 0, 400], bytes.subarray(0, 400).toString('hex')]);
    expect(copy(1000, null)).toEqual([[1, 0, 1000], bytes.toString('hex')]);
    expect(copy(4096, 1)).toEqual([[0, 1, 1000], bytes.toString('hex')]);
    expect(copy(10, 0)).toEqual([[0, 0, 0], '']);
  });

  it('count as far as they could be written', () => {
    const copy = (room: number): unknown => {
      let left = room;
      const figures = { whole: 0, partial: 0, bytes: 0 };
      const write = (data: Uint8Array): number => {
        if (left === 0) throw new CommandError('no space left on device');
        const length = Math.min(data.length, 10, left);
        left -= length;
        return length;
      };
      expect(() => copyBlocks((most) => new Uint8Array(most), write, { blockBytes: 30, count: null }, figures)).toThrow(
        CommandError,
      );
      return figures;
    };
    expect(copy(65)).toEqual({ whole: 2, partial: 1, bytes: 65 });
    expect(copy(60)).toEqual({ whole: 2, partial: 0, bytes: 60 });
  });
});
