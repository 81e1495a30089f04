/** The line discipline against POSIX chapter 11: input, editing, echo, signals, flow control, end of input, bounds. */
import { describe, expect, it } from 'vitest';
import type { TerminalAttributes } from '../../../services/tty/attributes.ts';
import { LineDiscipline } from '../../../services/tty/line-discipline.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (data: Uint8Array): string => Buffer.from(data).toString('utf8');

/** A discipline with helpers that speak text. */
function terminal(changes: Partial<TerminalAttributes> = {}) {
  const discipline = new LineDiscipline();
  discipline.setAttributes(changes);
  return {
    discipline,
    type: (text: string): string => textOf(discipline.input(bytes(text)).echo),
    read: (maxBytes = 65536): string | null => {
      const data = discipline.read(maxBytes);
      return data === null ? null : textOf(data);
    },
  };
}

const raw: Partial<TerminalAttributes> = { canonical: false, echo: false, signals: false, flowControl: false };

describe('canonical input', () => {
  it('gives a line once it has ended, newline included, one line a read', () => {
    const { type, read } = terminal();
    expect(type('one')).toBe('one');
    expect(read()).toBeNull();
    expect(type('\rtwo\n')).toBe('\r\ntwo\r\n');
    expect(read()).toBe('one\n');
    expect(read()).toBe('two\n');
    expect(read()).toBeNull();
  });

  it('keeps the rest of a line that was read in part', () => {
    const { type, read } = terminal();
    type('abcdef\n');
    expect(read(2)).toBe('ab');
    expect(read(4)).toBe('cdef');
    expect(read(4)).toBe('\n');
    expect(read()).toBeNull();
  });

  it('answers a read of nothing with nothing, and refuses an impossible size', () => {
    const { discipline, read } = terminal();
    expect(read(0)).toBe('');
    expect(() => discipline.read(-1)).toThrow('EINVAL');
    expect(() => discipline.read(1.5)).toThrow('EINVAL');
  });

  it('maps return and newline as ICRNL, INLCR and IGNCR say', () => {
    const ignoring = terminal({ ignoreReturn: true });
    ignoring.type('a\rb\n');
    expect(ignoring.read()).toBe('ab\n');
    const swapped = terminal({ ...raw, mapReturnToNewline: true, mapNewlineToReturn: true });
    swapped.type('a\rb\nc');
    expect(swapped.read()).toBe('a\nb\rc');
    const unmapped = terminal({ mapReturnToNewline: false });
    expect(unmapped.type('a\r\n')).toBe('a^M\r\n');
    expect(unmapped.read()).toBe('a\r\n');
  });

  it('ends a line at VEOL too', () => {
    const { discipline, type, read } = terminal();
    const { characters } = discipline.getAttributes();
    discipline.setAttributes({ characters: { ...characters, endOfLine: 0x3b } });
    type('a;b');
    expect(read()).toBe('a;');
    expect(read()).toBeNull();
  });
});

describe('editing', () => {
  it.each([
    ['DEL', 'ab\x7fc\n', 'ac\n', 'ab\b \bc\r\n'],
    ['^H', 'ab\bc\n', 'ac\n', 'ab\b \bc\r\n'],
    ['DEL on an empty line', '\x7f\n', '\n', '\r\n'],
    ['^W', 'one two  \x17x\n', 'one x\n', `one two  ${'\b \b'.repeat(5)}x\r\n`],
    ['^W over tabs', 'one\ttwo\x17x\n', 'one\tx\n', `one\ttwo${'\b \b'.repeat(3)}x\r\n`],
    ['^U', 'abc\x15x\n', 'x\n', `abc${'\b \b'.repeat(3)}x\r\n`],
    ['^V', 'a\x16\x03b\n', 'a\x03b\n', 'a^\b^Cb\r\n'],
    ['^V before newline', 'a\x16\nb\n', 'a\nb\n', 'a^\b^Jb\r\n'],
    ['^V keeps return as it is', '\x16\r\n', '\r\n', '^\b^M\r\n'],
    ['^R', 'ab\x12c\n', 'abc\n', 'ab^R\r\nabc\r\n'],
    ['erase of a control character', '\x01\x7f\n', '\n', '^A\b \b\b \b\r\n'],
    ['erase of two bytes', 'é\x7f\n', '\n', 'é\b \b\r\n'],
    ['erase of a wide character', '日\x7f\n', '\n', '日\b \b\b \b\r\n'],
    ['erase of four bytes', 'a😀\x7f\n', 'a\n', 'a😀\b \b\b \b\r\n'],
    ['erase of a character with a combining mark', 'xe\u0301\x7f\n', 'x\n', 'xe\u0301\b \b\r\n'],
    ['erase of a tab', 'ab\tc\x7f\x7f\n', 'ab\n', `ab\tc\b \b${'\b \b'.repeat(6)}\r\n`],
  ])('%s', (_name, typed, line, echo) => {
    const { type, read } = terminal();
    expect(type(typed)).toBe(echo);
    expect(read()).toBe(line);
  });

  it('erases a tab to where it began, also after a prompt', () => {
    const { discipline, type } = terminal();
    discipline.process(bytes('\x1b[32mvros$ \x1b[0m'));
    expect(discipline.column).toBe(6);
    expect(type('a\t\x7f')).toBe('a\t\b \b');
    expect(discipline.column).toBe(7);
  });

  it('erases bytes one at a time without IUTF8, and those of an ill-formed sequence', () => {
    const { type, read } = terminal({ utf8: false, echo: false });
    type('aé\x7f\x7f\n');
    expect(read()).toBe('a\n');
    const other = terminal();
    other.discipline.input(Uint8Array.from([0x61, 0x80, 0x80, 0x7f, 0x0a]));
    expect(other.discipline.read(10)).toEqual(Uint8Array.from([0x61, 0x80, 0x0a]));
  });

  it('shows the erase or kill character instead where ECHOE, ECHOKE or ECHOK are off', () => {
    expect(terminal({ echoErase: false }).type('ab\x7f')).toBe('ab^?');
    expect(terminal({ echoKillErase: false }).type('ab\x15')).toBe('ab^U\r\n');
    expect(terminal({ echoKillErase: false, echoKill: false }).type('ab\x15')).toBe('ab^U');
  });

  it('leaves ^W, ^R and ^V alone without IEXTEN', () => {
    const { type, read } = terminal({ extended: false });
    expect(type('a\x17\x12\x16\n')).toBe('a^W^R^V\r\n');
    expect(read()).toBe('a\x17\x12\x16\n');
  });

  it('has no meaning for a character that is turned off', () => {
    const { discipline, type, read } = terminal();
    const { characters } = discipline.getAttributes();
    discipline.setAttributes({ characters: { ...characters, interrupt: 0, endOfLine: 0 } });
    expect(type('a\0\x03\n')).toBe('a^@^C\r\n');
    expect(read()).toBe('a\0\x03\n');
  });
});

describe('echo', () => {
  it('is silent without ECHO, but for newline with ECHONL', () => {
    const silent = terminal({ echo: false });
    expect(silent.type('secret\x7f\x15\x12\x16a\n')).toBe('');
    expect(silent.read()).toBe('a\n');
    expect(terminal({ echo: false, echoNewline: true }).type('secret\n')).toBe('\r\n');
  });

  it('sends control characters as they are without ECHOCTL', () => {
    expect(terminal({ echoControl: false }).type('a\x01\t')).toBe('a\x01\t');
  });

  it('is there in raw mode too when asked for', () => {
    expect(terminal({ ...raw, echo: true }).type('ab\x01\n')).toBe('ab^A\r\n');
  });
});

describe('signals', () => {
  it.each([
    ['\x03', 'INT', '^C'],
    ['\x1c', 'QUIT', '^\\'],
    ['\x1a', 'TSTP', '^Z'],
  ])('%j sends %s, is shown, and drops what is unread', (key, signal, shown) => {
    const { discipline, type, read } = terminal();
    type('complete\nhalf');
    const result = discipline.input(bytes(key));
    expect(result.signals).toEqual([signal]);
    expect(textOf(result.echo)).toBe(shown);
    expect(read()).toBeNull();
    type('\n');
    expect(read()).toBe('\n');
  });

  it('keep the input with NOFLSH', () => {
    const { discipline, type, read } = terminal({ keepInputOnSignal: true });
    type('one\ntw');
    expect(discipline.input(bytes('\x03o\n')).signals).toEqual(['INT']);
    expect(read()).toBe('one\n');
    expect(read()).toBe('two\n');
  });

  it('come in the order of their keys, in raw mode too; without ISIG they are input', () => {
    const { discipline } = terminal({ canonical: false });
    expect(discipline.input(bytes('\x1aab\x03\x1c')).signals).toEqual(['TSTP', 'INT', 'QUIT']);
    const plain = terminal(raw);
    expect(plain.discipline.input(bytes('\x03\x1c\x1a')).signals).toEqual([]);
    expect(plain.read()).toBe('\x03\x1c\x1a');
  });
});

describe('flow control', () => {
  it('^S holds the output and ^Q releases it; neither is input', () => {
    const { discipline, type, read } = terminal();
    type('a\x13');
    expect(discipline.outputStopped).toBe(true);
    type('b');
    expect(discipline.outputStopped).toBe(true);
    type('\x11c\n');
    expect(discipline.outputStopped).toBe(false);
    expect(read()).toBe('abc\n');
  });

  it('any character releases it with IXANY, a signal always', () => {
    const any = terminal({ restartOnAny: true });
    any.type('\x13x');
    expect(any.discipline.outputStopped).toBe(false);
    const signalled = terminal();
    signalled.type('\x13\x03');
    expect(signalled.discipline.outputStopped).toBe(false);
  });

  it('is input without IXON', () => {
    const { discipline, read } = terminal(raw);
    discipline.input(bytes('\x13\x11'));
    expect(discipline.outputStopped).toBe(false);
    expect(read()).toBe('\x13\x11');
  });
});

describe('end of the input', () => {
  it('^D hands over a line without its end, and at the start of a line is the end', () => {
    const { type, read } = terminal();
    expect(type('ab\x04\x04')).toBe('ab');
    expect(read()).toBe('ab');
    expect(read()).toBe('');
    expect(read()).toBeNull();
    type('more\n');
    expect(read()).toBe('more\n');
  });

  it('comes after what is buffered when the line hangs up, and stays', () => {
    const { discipline, type, read } = terminal();
    type('one\ntw');
    discipline.hangUp();
    expect(type('ignored\n')).toBe('');
    expect(discipline.readable).toBe(true);
    expect([read(), read(), read(), read()]).toEqual(['one\n', 'tw', '', '']);
  });

  it('comes after raw bytes too, fewer than VMIN or not', () => {
    const { discipline, type, read } = terminal({ ...raw, minimumBytes: 10 });
    type('abc');
    expect(read()).toBeNull();
    discipline.hangUp();
    expect([read(), read()]).toEqual(['abc', '']);
  });
});

describe('raw input', () => {
  it('passes every byte as it comes', () => {
    const { discipline } = terminal({ ...raw, mapReturnToNewline: false });
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(discipline.input(all)).toEqual({ echo: new Uint8Array(0), signals: [] });
    expect(discipline.availableBytes).toBe(256);
    expect(discipline.read(200)).toEqual(all.slice(0, 200));
    expect(discipline.read(200)).toEqual(all.slice(200));
    expect(discipline.read(200)).toBeNull();
  });

  it('waits for VMIN bytes, or for as many as the read asks; with VMIN 0 it never waits', () => {
    const { discipline, type, read } = terminal({ ...raw, minimumBytes: 3 });
    type('ab');
    expect(discipline.readable).toBe(false);
    expect(read()).toBeNull();
    expect(read(2)).toBe('ab');
    type('cde');
    expect(discipline.readable).toBe(true);
    expect(read()).toBe('cde');
    const polling = terminal({ ...raw, minimumBytes: 0 });
    expect(polling.read()).toBe('');
  });
});

describe('change of mode', () => {
  it('makes an unfinished line readable, and takes raw bytes that nobody has read as if they came now', () => {
    const { discipline, type, read } = terminal();
    type('one\ntw');
    discipline.setAttributes(raw);
    expect(read(5)).toBe('one\nt');
    discipline.setAttributes({ canonical: true, echo: true });
    expect(read()).toBeNull();
    expect(type('o\n')).toBe('o\r\n');
    expect(read()).toBe('wo\n');
  });

  it('gives what was typed behind a return in raw mode to the lines, without showing it again', () => {
    const { discipline, type } = terminal({ ...raw, signals: false, echo: false, mapReturnToNewline: false });
    type('cat\rone\rtwx\x7fo\rdone\x03thr\x7free\r');
    const bytes = discipline.read(100, true);
    expect(Buffer.from(bytes ?? []).toString()).toBe('cat\r');
    const settings = { canonical: true, echo: true, signals: true, mapReturnToNewline: true, keepInputOnSignal: true };
    expect(discipline.setAttributes(settings)).toEqual(['INT']);
    const lines = [1, 2, 3].map(() => Buffer.from(discipline.read(100) ?? []).toString());
    expect(lines).toEqual(['one\n', 'two\n', 'donethree\n']);
    expect(type('')).toBe('');
  });

  it('refuses values that are none and changes nothing', () => {
    const { discipline } = terminal();
    const before = discipline.getAttributes();
    const wrong: unknown[] = [
      { echo: 1 },
      { minimumBytes: 256 },
      { characters: { interrupt: 3 } },
      { canonical: undefined },
    ];
    for (const changes of wrong) {
      expect(() => discipline.setAttributes(changes as Partial<TerminalAttributes>)).toThrow('EINVAL');
    }
    expect(discipline.getAttributes()).toEqual(before);
  });

  it('hands out copies of the settings', () => {
    const { discipline } = terminal();
    discipline.getAttributes().characters.interrupt = 0;
    expect(discipline.input(bytes('\x03')).signals).toEqual(['INT']);
  });
});

describe('bounds', () => {
  it('takes 4095 bytes and the end of a line; more rings the bell and is counted', () => {
    const { discipline, type, read } = terminal();
    type('x'.repeat(4090));
    expect(type('yyyyyzz')).toBe('yyyyy\x07\x07');
    expect(discipline.droppedBytes).toBe(2);
    expect(type('\x7fa\x7f\x7fbc')).toBe('\b \ba\b \b\b \bbc');
    expect(type('\n')).toBe('\r\n');
    const line = read();
    expect(line?.length).toBe(4096);
    expect(line?.endsWith('yyybc\n')).toBe(true);
  });

  it('keeps at most 64 KiB of lines and takes input again once they are read', () => {
    const { discipline, type, read } = terminal({ echo: false });
    for (let line = 0; line < 20; line += 1) type(`${'x'.repeat(4095)}\n`);
    expect(discipline.availableBytes).toBeLessThanOrEqual(65536);
    expect(discipline.droppedBytes).toBeGreaterThan(0);
    while (discipline.readable) read();
    discipline.input(bytes('\x15ok\n'));
    expect(read()).toBe('ok\n');
  });

  it('counts ends of the input, which have no bytes', () => {
    const { discipline } = terminal();
    discipline.input(new Uint8Array(70000).fill(0x04));
    expect(discipline.droppedBytes).toBe(70000 - 65536);
    let ends = 0;
    while (discipline.read(1) !== null) ends += 1;
    expect(ends).toBe(65536);
  });

  it('keeps at most 64 KiB of raw bytes, the oldest, and counts the others', () => {
    const { discipline } = terminal({ ...raw, mapReturnToNewline: false });
    const sent = Uint8Array.from({ length: 70000 }, (_, index) => index & 0xff);
    discipline.input(sent);
    expect(discipline.droppedBytes).toBe(70000 - 65536);
    expect(discipline.read(100000)).toEqual(sent.slice(0, 65536));
  });

  it('does not let reprint flood the screen', () => {
    const { discipline } = terminal();
    discipline.input(new Uint8Array(4000).fill(0x61));
    expect(discipline.input(new Uint8Array(65536).fill(0x12)).echo.length).toBeLessThan(100_000);
  });
});
