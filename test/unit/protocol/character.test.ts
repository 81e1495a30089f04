/** UTF-8 in pieces against TextDecoder, and the cells of characters against known ones. */
import { describe, expect, it } from 'vitest';
import { characterWidth, Utf8Decoder } from '../../../protocol/character.ts';

function decode(bytes: Iterable<number>): string {
  const decoder = new Utf8Decoder();
  const codePoints: number[] = [];
  for (const byte of bytes) decoder.push(byte, codePoints);
  decoder.finish(codePoints);
  return codePoints.map((codePoint) => String.fromCodePoint(codePoint)).join('');
}

describe('Utf8Decoder', () => {
  it('decodes what TextDecoder decodes, well-formed or not', () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const interesting = [
      0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff,
    ];
    const reference = new TextDecoder('utf-8', { ignoreBOM: true });
    for (let round = 0; round < 5000; round += 1) {
      const bytes = Uint8Array.from({ length: random(12) }, () =>
        random(4) === 0 ? random(256) : (interesting[random(interesting.length)] ?? 0),
      );
      expect(decode(bytes), `seed ${seed} round ${round} bytes ${bytes}`).toBe(reference.decode(bytes));
    }
  });

  it('gives the unfinished bytes, from which another decoder goes on', () => {
    const first = new Utf8Decoder();
    const codePoints: number[] = [];
    for (const byte of [0x41, 0xf0, 0x9f, 0x98]) first.push(byte, codePoints);
    const second = new Utf8Decoder();
    for (const byte of first.pending) second.push(byte, codePoints);
    second.push(0x80, codePoints);
    expect(codePoints).toEqual([0x41, 0x1f600]);
    expect(second.pending).toEqual([]);
  });
});

describe('characterWidth', () => {
  it.each([
    ['a', 1],
    ['~', 1],
    ['é', 1],
    ['ß', 1],
    ['Ж', 1],
    ['€', 1],
    ['│', 1],
    ['\u{00ad}', 1],
    ['日', 2],
    ['한', 2],
    ['ｱ', 1],
    ['Ａ', 2],
    ['😀', 2],
    ['⌚', 2],
    ['\u{20000}', 2],
    ['\u{0301}', 0],
    ['\u{200b}', 0],
    ['\u{200d}', 0],
    ['\u{fe0f}', 0],
    ['\u{1160}', 0],
    ['\n', 0],
    ['\u{1b}', 0],
    ['\u{7f}', 0],
    ['\u{85}', 0],
  ])('%j takes %i cells', (character, cells) => {
    expect(characterWidth(character.codePointAt(0) ?? 0)).toBe(cells);
  });
});
