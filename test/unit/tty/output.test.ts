/** Output processing: newline and tab mapping, and the column. */
import { describe, expect, it } from 'vitest';
import { LineDiscipline } from '../../../services/tty/line-discipline.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function processed(discipline: LineDiscipline, text: string): string {
  return Buffer.from(discipline.process(bytes(text))).toString('utf8');
}

describe('output', () => {
  it('sends return before newline with OPOST and ONLCR', () => {
    const discipline = new LineDiscipline();
    expect(processed(discipline, 'a\nb\n')).toBe('a\r\nb\r\n');
    discipline.setAttributes({ mapNewlineToReturnNewline: false });
    expect(processed(discipline, 'a\n')).toBe('a\n');
    discipline.setAttributes({ mapNewlineToReturnNewline: true, processOutput: false });
    expect(processed(discipline, 'a\n\t')).toBe('a\n\t');
  });

  it('maps return to newline with OCRNL', () => {
    const discipline = new LineDiscipline();
    discipline.setAttributes({ mapOutputReturnToNewline: true });
    expect(processed(discipline, 'a\rb')).toBe('a\nb');
  });

  it('expands tabs with TAB3 from the column it knows', () => {
    const discipline = new LineDiscipline();
    discipline.setAttributes({ expandTabs: true });
    expect(processed(discipline, 'ab\tc\t\n\t|')).toBe('ab      c       \r\n        |');
    expect(processed(discipline, '\n日\t|')).toBe('\r\n日      |');
  });

  it.each([
    ['abc', 3],
    ['abc\rd', 1],
    ['abc\n', 0],
    ['\b\b', 0],
    ['ab\b', 1],
    ['a\tb', 9],
    ['日本', 4],
    ['e\u0301', 1],
    ['\x1b[1;32mok\x1b[0m', 2],
    ['\x1b[?2004hok', 2],
    ['\x1b(Bok', 2],
    ['\x1b7ok\x1b8', 2],
    ['\u{fffd}', 1],
  ])('%j leaves the cursor in column %i', (text, column) => {
    const discipline = new LineDiscipline();
    discipline.process(bytes(text));
    expect(discipline.column).toBe(column);
  });

  it('follows a character that arrives byte by byte', () => {
    const discipline = new LineDiscipline();
    for (const byte of bytes('a日😀')) discipline.process(Uint8Array.of(byte));
    expect(discipline.column).toBe(5);
  });
});
