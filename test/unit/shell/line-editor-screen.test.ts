/** What the line editor draws: rows, wide characters, changes of width, and how little it sends. */
import { describe, expect, it } from 'vitest';
import { EditorSession, keys } from './editor-session.ts';

describe('rows', () => {
  it('wraps a long line and moves over its rows', () => {
    const session = new EditorSession({ columns: 10 });
    session.type('abcdefghijklmnopqrstuvwxyz');
    expect(session.screen).toEqual(['$ abcdefgh', 'ijklmnopqr', 'stuvwxyz']);
    expect(session.cursor).toEqual([2, 8]);
    session.type('\x01');
    expect(session.cursor).toEqual([0, 2]);
    session.type('12');
    expect(session.screen).toEqual(['$ 12abcdef', 'ghijklmnop', 'qrstuvwxyz']);
    expect(session.cursor).toEqual([0, 4]);
    session.type('\x0b');
    expect(session.screen).toEqual(['$ 12']);
  });

  it('has the cursor on the next row when a row is full', () => {
    const session = new EditorSession({ columns: 10 });
    session.type('abcdefgh');
    expect(session.cursor).toEqual([1, 0]);
    session.type(keys.backspace);
    expect(session.screen).toEqual(['$ abcdefg']);
    expect(session.cursor).toEqual([0, 9]);
    session.type(`hi${keys.left}${keys.left}`);
    expect(session.cursor).toEqual([0, 9]);
    expect(session.type('\r')).toEqual([{ kind: 'line', text: 'abcdefghi' }]);
    expect(session.cursor).toEqual([2, 0]);
  });

  it('never cuts a wide character at the edge', () => {
    const session = new EditorSession({ columns: 5 });
    session.type('日本語');
    expect(session.screen).toEqual(['$ 日', '本語']);
    session.type(`\x01x`);
    expect(session.screen).toEqual(['$ x日', '本語']);
    session.type(keys.backspace);
    expect(session.screen).toEqual(['$ 日', '本語']);
    session.type(`${keys.right}${keys.left}${keys.delete}a`);
    expect(session.screen).toEqual(['$ a本', '語']);
  });

  it('shows control characters and lone marks so that they take room', () => {
    const session = new EditorSession({ columns: 20 });
    session.type('\x1b[200~\u0301a\nb\x1b[201~');
    expect(session.screen).toEqual(['$ ◌\u0301a^Jb']);
    expect(session.cursor).toEqual([0, 7]);
  });

  it('counts a coloured prompt without its colours', () => {
    const session = new EditorSession({ prompt: '\x1b[1;32mvros\x1b[0m$ \x1b[0m', columns: 10 });
    session.type('abcdef');
    expect(session.screen).toEqual(['vros$ abcd', 'ef']);
    expect(session.cursor).toEqual([1, 2]);
  });

  it('shows another prompt from the next edit on', () => {
    const session = new EditorSession();
    session.editor.setPrompt('> ');
    session.type("echo 'a\r");
    session.start();
    expect(session.screen).toEqual(["$ echo 'a", '>']);
  });

  it('^L clears the screen and shows the line again', () => {
    const session = new EditorSession();
    session.type('one\r');
    session.start();
    session.type(`two${keys.left}\x0c`);
    expect(session.screen).toEqual(['$ two']);
    expect(session.cursor).toEqual([0, 4]);
  });

  it('prints above the line being edited', () => {
    const session = new EditorSession({ columns: 10 });
    session.type(`abcdefghijk${keys.left}`);
    session.terminal.write(session.editor.printAbove('ata: restarted\n'));
    expect(session.screen).toEqual(['ata: resta', 'rted', '$ abcdefgh', 'ijk']);
    expect(session.cursor).toEqual([3, 2]);
    session.type('x');
    expect(session.screen.at(-1)).toBe('ijxk');
  });
});

describe('a change of width', () => {
  it.each([
    [20, 10, ['$ abcdefgh', 'ijklmnopqr', 'stuv']],
    [10, 20, ['$ abcdefghijklmnopqr', 'stuv']],
    [12, 24, ['$ abcdefghijklmnopqrstuv']],
    [24, 12, ['$ abcdefghij', 'klmnopqrstuv']],
    [24, 7, ['$ abcde', 'fghijkl', 'mnopqrs', 'tuv']],
  ])('from %i to %i columns draws the line anew and nothing else', (before, after, rows) => {
    for (const moves of ['', '\x01', keys.left.repeat(7)]) {
      const session = new EditorSession({ columns: before });
      session.type('x\r');
      session.start();
      session.type(`abcdefghijklmnopqrstuv${moves}`);
      session.resize(after);
      expect(session.screen).toEqual(['$ x', ...rows]);
      const plain = new EditorSession({ columns: after });
      plain.type(`abcdefghijklmnopqrstuv${moves}`);
      expect(session.cursor).toEqual([plain.cursor[0] + 1, plain.cursor[1]]);
    }
  });

  it('bears any number', () => {
    const session = new EditorSession();
    session.type('abc');
    for (const columns of [0, -5, 1, Number.NaN, 1e9, 2.5]) session.editor.resize(columns);
    expect(session.editor.text).toBe('abc');
  });
});

describe('what is sent', () => {
  it('is the character alone when one is added at the end', () => {
    const session = new EditorSession();
    for (const character of ['a', 'é', '日']) {
      session.type(character);
      expect(session.output).toBe(character);
    }
  });

  it.each([
    ['left', 'abc', keys.left, '\b'],
    ['right', 'abc\x02', keys.right, '\x1b[C'],
    ['home', 'abcdef', '\x01', '\x1b[6D'],
    ['backspace at the end', 'abc', keys.backspace, '\b\x1b[K'],
    ['a character in the middle', 'abc\x02', 'x', 'xc\b'],
    ['delete in the middle', `abc\x01`, keys.delete, 'bc\x1b[K\b\b'],
    ['nothing', 'abc', '\x1b[99~', ''],
  ])('is little for %s', (_name, before, key, output) => {
    const session = new EditorSession();
    session.type(before);
    session.type(key);
    expect(session.output).toBe(output);
  });
});
