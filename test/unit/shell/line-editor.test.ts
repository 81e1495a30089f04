/** The keys of the line editor, seen on a virtual terminal. */
import { describe, expect, it } from 'vitest';
import { EditorSession, keys, type SessionOptions } from './editor-session.ts';

/** Types the keys, then a mark where the cursor is, then enter; returns the line. */
function edited(typed: string, options: SessionOptions = {}): string {
  const session = new EditorSession(options);
  session.type(typed);
  const [event] = session.type('|\r');
  if (event?.kind !== 'line') throw new Error('no line');
  expect(session.terminal.text()[0]).toBe(`$ ${event.text}`.trimEnd());
  return event.text;
}

describe('moving and changing', () => {
  it.each([
    ['typing', 'echo hi', 'echo hi|'],
    ['left, right', `abc${keys.left}${keys.left}${keys.right}`, 'ab|c'],
    ['left at the start', `a${keys.left}${keys.left}`, '|a'],
    ['right at the end', `a${keys.right}`, 'a|'],
    ['home, end', `abc${keys.home}x${keys.end}y`, 'xabcy|'],
    ['other home and end keys', 'abc\x1b[1~x\x1b[4~y\x1bOHz\x1bOFw\x1b[7~v', 'v|zxabcyw'],
    ['^A ^E', 'abc\x01x\x05y', 'xabcy|'],
    ['^B ^F', 'abc\x02\x02\x06', 'ab|c'],
    ['backspace', `abc${keys.left}${keys.backspace}`, 'a|c'],
    ['^H', 'abc\b', 'ab|'],
    ['backspace at the start', `a\x01${keys.backspace}`, '|a'],
    ['delete', `abc\x01${keys.delete}`, '|bc'],
    ['^D in the line', 'abc\x01\x04', '|bc'],
    ['^D at the end', 'abc\x04', 'abc|'],
    ['^K', 'abc def\x01\x06\x0b', 'a|'],
    ['^U', 'abc def\x02\x02\x15', '|ef'],
    ['^W', 'one two-three  \x17', 'one |'],
    ['alt-backspace', `one two-three${keys.altBackspace}`, 'one two-|'],
    ['alt-B', 'one two-three\x1bb\x1bb', 'one |two-three'],
    ['alt-F', 'one two-three\x01\x1bf\x1bf', 'one two|-three'],
    ['ctrl-left, ctrl-right', 'one two\x1b[1;5D\x1b[1;5D\x1b[1;5C', 'one| two'],
    ['alt-D', 'one two three\x01\x1bd\x1bd', '| three'],
    ['^Y', 'one two\x17\x01\x19', 'two|one '],
    ['kills collect', 'one two three\x17\x17\x19\x19', 'one two threetwo three|'],
    ['kills forward collect', 'one two three\x01\x1bd\x1bd\x05\x19', ' threeone two|'],
    ['a move between kills', 'one two\x17\x02\x06\x17\x19', 'one |'],
    ['^Y of nothing', 'a\x19', 'a|'],
    ['^T', 'abcd\x02\x02\x14', 'acb|d'],
    ['^T at the end', 'abcd\x14', 'abdc|'],
    ['^T at the start', 'ab\x01\x14', '|ab'],
    ['multi-byte', `aé日😀${keys.left}${keys.left}${keys.backspace}`, 'a|日😀'],
    ['combining mark', `xe\u0301y${keys.left}${keys.backspace}`, 'x|y'],
    ['keys without a meaning', 'a\x1b[15~\x1b[99;99~\x1bz\x1c\x1b[Z\x00b', 'ab|'],
  ])('%s', (_name, typed, line) => {
    expect(edited(typed)).toBe(line);
  });

  it('rings the bell where there is nothing to do', () => {
    const session = new EditorSession();
    session.type(`${keys.backspace}${keys.delete}\x14${keys.up}${keys.down}`);
    expect(session.terminal.bells).toBe(5);
    expect(session.screen).toEqual(['$']);
  });

  it('takes lines of up to 65536 characters', () => {
    const session = new EditorSession({ columns: 200 });
    session.type('x'.repeat(65536));
    session.type('yz');
    expect(session.terminal.bells).toBe(1);
    const [event] = session.type('\r');
    expect(event).toEqual({ kind: 'line', text: 'x'.repeat(65536) });
  });
});

describe('ends of an edit', () => {
  it('enter gives the line and a new row', () => {
    const session = new EditorSession();
    expect(session.type('ls\r')).toEqual([{ kind: 'line', text: 'ls' }]);
    expect(session.editor.editing).toBe(false);
    expect(session.cursor).toEqual([1, 0]);
    session.start();
    expect(session.screen).toEqual(['$ ls', '$']);
    expect(session.editor.text).toBe('');
  });

  it('^C shows itself behind the line and drops it', () => {
    const session = new EditorSession();
    expect(session.type(`abc${keys.left}${keys.left}\x03`)).toEqual([{ kind: 'interrupt' }]);
    session.start();
    expect(session.screen).toEqual(['$ abc^C', '$']);
    expect(session.type('\r')).toEqual([{ kind: 'line', text: '' }]);
  });

  it('^D on an empty line is the end of the input', () => {
    const session = new EditorSession();
    expect(session.type('\x04')).toEqual([{ kind: 'eof' }]);
  });

  it('^Z suspends and keeps the line', () => {
    const session = new EditorSession();
    expect(session.type('abc\x1a')).toEqual([{ kind: 'suspend' }]);
    session.start();
    expect(session.screen).toEqual(['$ abc^Z', '$ abc']);
    expect(session.type('\r')).toEqual([{ kind: 'line', text: 'abc' }]);
  });

  it('keeps what is typed ahead for the next edit, one event at a time', () => {
    const session = new EditorSession();
    expect(session.type('one\rtwo\rthr')).toEqual([{ kind: 'line', text: 'one' }]);
    expect(session.type('ee')).toEqual([]);
    expect(session.start()).toEqual([{ kind: 'line', text: 'two' }]);
    expect(session.start()).toEqual([]);
    expect(session.screen).toEqual(['$ one', '$ two', '$ three']);
    expect(session.type('\r')).toEqual([{ kind: 'line', text: 'three' }]);
  });

  it('bounds what is typed ahead', () => {
    const session = new EditorSession();
    session.type('\r');
    for (let block = 0; block < 10; block += 1) session.type('x'.repeat(60000));
    expect(session.terminal.bells).toBeGreaterThan(0);
    session.start();
    expect(session.editor.text.length).toBeLessThanOrEqual(65536);
  });

  it('switches bracketed paste on while editing only', () => {
    const session = new EditorSession();
    expect(session.terminal.bracketedPaste).toBe(true);
    session.type('\r');
    expect(session.terminal.bracketedPaste).toBe(false);
  });
});

describe('history', () => {
  const history = ['first', 'second', 'third'];

  it('goes up and down, and keeps the draft', () => {
    const session = new EditorSession({ history });
    session.type('dra');
    for (const [key, shown] of [
      [keys.up, 'third'],
      ['\x10', 'second'],
      [keys.up, 'first'],
      [keys.up, 'first'],
      [keys.down, 'second'],
      ['\x0e', 'third'],
      [keys.down, 'dra'],
      [keys.down, 'dra'],
    ]) {
      session.type(key ?? '');
      expect(session.screen).toEqual([`$ ${shown}`]);
      expect(session.cursor).toEqual([0, 2 + (shown?.length ?? 0)]);
    }
    expect(session.type('ft\r')).toEqual([{ kind: 'line', text: 'draft' }]);
  });

  it('begins at the newest line with each edit', () => {
    const session = new EditorSession({ history });
    session.type(`${keys.up}${keys.up}\r`);
    session.history.add('fourth');
    session.start();
    session.type(keys.up);
    expect(session.screen.at(-1)).toBe('$ fourth');
  });

  it('searches backwards as one types', () => {
    const session = new EditorSession({ history: ['echo one', 'ls', 'echo two'] });
    session.type('\x12');
    expect(session.screen).toEqual(["(reverse-i-search)`':"]);
    session.type('e');
    expect(session.screen).toEqual(["(reverse-i-search)`e': echo two"]);
    session.type('cho');
    session.type('\x12');
    expect(session.screen).toEqual(["(reverse-i-search)`echo': echo one"]);
    expect(session.cursor).toEqual([0, "(reverse-i-search)`echo': ".length]);
    session.type(' x');
    expect(session.screen).toEqual(["(failed reverse-i-search)`echo x': echo", 'one']);
    session.type(`${keys.backspace}t`);
    expect(session.screen).toEqual(["(reverse-i-search)`echo t': echo two"]);
    expect(session.type('\r')).toEqual([{ kind: 'line', text: 'echo two' }]);
    expect(session.screen).toEqual(['$ echo two']);
  });

  it('leaves a search with the line found, ready to be changed', () => {
    const session = new EditorSession({ history: ['echo one', 'ls', 'echo two'] });
    session.type(`draft\x12one${keys.left}`);
    expect(session.screen).toEqual(['$ echo one']);
    expect(session.cursor).toEqual([0, 2 + 4]);
    session.type(keys.down);
    expect(session.screen).toEqual(['$ ls']);
    session.type(`${keys.down}${keys.down}`);
    expect(session.screen).toEqual(['$ draft']);
  });

  it('leaves a search with ^G for what was there, and with ^C altogether', () => {
    const session = new EditorSession({ history });
    session.type(`dr${keys.left}\x12sec\x07`);
    expect(session.screen).toEqual(['$ dr']);
    expect(session.cursor).toEqual([0, 3]);
    expect(session.type('\x12fir\x03')).toEqual([{ kind: 'interrupt' }]);
    session.start();
    expect(session.screen).toEqual(['$ first^C', '$']);
  });
});

describe('paste', () => {
  it('puts text in as it is, without running it', () => {
    const session = new EditorSession();
    expect(session.type('\x1b[200~echo a\r\nb\tc\x03\x04\x1b[201~')).toEqual([]);
    expect(session.screen).toEqual(['$ echo a^Jb^Ic']);
    session.type(keys.backspace);
    expect(session.type('\r')).toEqual([{ kind: 'line', text: 'echo a\nb\t' }]);
  });

  it('comes in pieces too', () => {
    const session = new EditorSession();
    const pasted = new TextEncoder().encode('\x1b[200~a\rb日\x1b[20\x1b[201~c\r');
    const events = [...pasted].flatMap((byte) => [...session.type(Uint8Array.of(byte))]);
    expect(events).toEqual([{ kind: 'line', text: 'a\nb日[20c' }]);
  });
});

describe('completion', () => {
  const words = ['service', 'sched', 'sleep', 'ps', 'dir/', 'naïve', 'naïf'];
  const complete = (text: string, cursor: number) => {
    const start = text.lastIndexOf(' ', cursor - 1) + 1;
    return { start, candidates: words.filter((word) => word.startsWith(text.slice(start, cursor))) };
  };

  it('puts in the only candidate with a space behind it, and none behind a slash', () => {
    const session = new EditorSession({ complete });
    session.type('p\t');
    expect(session.editor.text).toBe('ps ');
    session.type('di\t');
    expect(session.editor.text).toBe('ps dir/');
  });

  it('puts in what the candidates have in common, then lists them at the second tab', () => {
    const session = new EditorSession({ complete });
    session.type('na\t');
    expect(session.editor.text).toBe('naï');
    expect(session.terminal.bells).toBe(0);
    session.type('\t');
    expect(session.terminal.bells).toBe(1);
    session.type('\t');
    expect(session.screen).toEqual(['$ naï', 'naïve  naïf', '$ naï']);
    session.type('v\t');
    expect(session.editor.text).toBe('naïve ');
  });

  it('works in the middle of the line and keeps what is behind the cursor', () => {
    const session = new EditorSession({ complete });
    session.type(`日 sc x${keys.left}${keys.left}\t`);
    expect(session.editor.text).toBe('日 sched  x');
    expect(session.cursor).toEqual([0, 2 + 3 + 6]);
  });

  it('lists at most 200 candidates and never sends their control characters', () => {
    const many = Array.from({ length: 300 }, (_, index) => `a${index}`);
    const session = new EditorSession({ complete: () => ({ start: 0, candidates: [...many, 'a\x1b[2J', 'a\n'] }) });
    session.type('a\t\t');
    expect(session.screen.join('\n')).toContain('… and 100 more');
    expect(session.output).not.toContain('\x1b[2J');
  });

  it('bears a completer that answers nonsense', () => {
    for (const start of [-1, 5, 1.5, Number.NaN]) {
      const session = new EditorSession({ complete: () => ({ start, candidates: ['x'] }) });
      session.type('ab\t');
      expect(session.editor.text).toBe('ab');
      expect(session.terminal.bells).toBe(1);
    }
  });
});
