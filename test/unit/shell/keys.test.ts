/** Keys from bytes: sequences of terminals, broken ones, and any cut between calls. */
import { describe, expect, it } from 'vitest';
import { type Key, KeyDecoder } from '../../../services/shell/keys.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Keys in short: names in angle brackets, text as it is, pasted text in braces. */
function short(keys: readonly Key[]): string {
  return keys
    .map((key) => (key.kind === 'key' ? `<${key.name}>` : key.kind === 'paste' ? `{${key.text}}` : key.text))
    .join('');
}

const cases: [string, string][] = [
  ['plain é日😀', 'plain é日😀'],
  ['\x01\x02\x1a\x1c\x1f', '<ctrl-a><ctrl-b><ctrl-z><ctrl-\\><ctrl-_>'],
  ['\x00\t\r\n\b\x7f', '<ctrl-space><tab><enter><enter><backspace><backspace>'],
  ['\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F', '<up><down><right><left><home><end>'],
  ['\x1bOA\x1bOH\x1bOF\x1bOM', '<up><home><end><enter>'],
  ['\x1b[1~\x1b[3~\x1b[4~\x1b[5~\x1b[6~\x1b[2~', '<home><delete><end><page-up><page-down><insert>'],
  ['\x1b[1;5C\x1b[1;3D\x1b[1;2A\x1b[3;5~\x1b[1;7D', '<ctrl-right><alt-left><up><ctrl-delete><ctrl-left>'],
  ['\x1bb\x1bF\x1b.\x1b\x7f', '<alt-b><alt-f><alt-.><alt-backspace>'],
  ['a\x1b[15~b\x1bOPc\x1b[[Ad\x1b(Be', 'abcde'],
  ['a\x1b[?1;2cb\x1b[>0;276;0cc\x1b[200;1;5;9zd', 'abcd'],
  [`a\x1b[${'1;'.repeat(1000)}mb`, 'ab'],
  ['a\x1b]0;title\x07b\x1b]0;title\x1b\\c\x1bPq\x1b\\d', 'abcd'],
  ['a\x1b[12\x03b', 'a<ctrl-c>b'],
  ['a\x1b]never ended\rb', 'a<enter>b'],
  ['a\x1b\x1b[Ab', 'a<up>b'],
  ['a\x1b\x1b\x1bb', 'a<alt-b>'],
  ['a\x1b\rb', 'a<enter>b'],
  ['a\x1béb', 'aéb'],
  ['a\x1b[1日b', 'a日b'],
  ['\u0085a\u2028b\u009bc', 'abc'],
  ['x\x1b[200~a\r\nb\rc\nd\te\x03\x1b[201~y', 'x{a\nb\nc\nd\te}y'],
  ['\x1b[200~\x1b[20\x1b[2\x1b\x1b[201~z', '{[20[2}z'],
  ['\x1b[201~a', 'a'],
];

describe('KeyDecoder', () => {
  it.each(cases)('%j is %j', (input, keys) => {
    expect(short(new KeyDecoder().feed(bytes(input)))).toBe(keys);
  });

  it.each(cases)('%j is the same byte by byte', (input, keys) => {
    const decoder = new KeyDecoder();
    const found = [...bytes(input)].flatMap((byte) => decoder.feed(Uint8Array.of(byte)));
    expect(short(found).replaceAll('}{', '')).toBe(keys);
  });

  it('makes U+FFFD of what is not UTF-8', () => {
    const decoder = new KeyDecoder();
    expect(short(decoder.feed(Uint8Array.from([0x61, 0xff, 0xe6, 0x97, 0x62, 0xc3])))).toBe('a\u{fffd}\u{fffd}b');
    expect(short(decoder.feed(Uint8Array.from([0x0d])))).toBe('\u{fffd}<enter>');
  });

  it('gives one piece of text for a run of characters', () => {
    expect(new KeyDecoder().feed(bytes('abc\x01def'))).toHaveLength(3);
  });
});
