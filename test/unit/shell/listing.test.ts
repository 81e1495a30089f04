/** How files are listed. */
import { describe, expect, it } from 'vitest';
import { longLines, modeText, timeText } from '../../../services/shell/listing.ts';

const attributes = {
  ...{ fileSystem: 1, node: 2, type: 'file' as const, mode: 0o644, links: 1, size: 1234, allocated: 4096 },
  ...{ accessed: 0, modified: Date.UTC(2026, 10, 25, 19, 8, 3), changed: 0, created: 0 },
};

describe('a listing', () => {
  it.each([
    ['file', 0o644, '-rw-r--r--'],
    ['directory', 0o755, 'drwxr-xr-x'],
    ['symlink', 0o777, 'lrwxrwxrwx'],
    ['block', 0o600, 'brw-------'],
    ['character', 0o666, 'crw-rw-rw-'],
    ['pipe', 0, 'p---------'],
    ['file', 0o7777, '-rwsrwsrwt'],
    ['file', 0o7000, '---S--S--T'],
  ] as const)('of a %s with mode %o', (type, mode, text) => {
    expect(modeText({ type, mode })).toBe(text);
  });

  it('has figures in columns, and where links lead', () => {
    const files = [
      { name: 'a b', attributes, target: null },
      {
        name: 'link',
        attributes: { ...attributes, type: 'symlink' as const, mode: 0o777, links: 12, size: 5 },
        target: '/x y',
      },
    ];
    expect(longLines(files, false)).toEqual([
      '-rw-r--r--  1 1234 2026-11-25 19:08 a b',
      'lrwxrwxrwx 12    5 2026-11-25 19:08 link -> /x y',
    ]);
    expect(longLines(files, true)[0]).toBe('-rw-r--r--  1 1.3K 2026-11-25 19:08 a b');
    expect(longLines([], false)).toEqual([]);
  });

  it('shows any time', () => {
    expect([0, -1000, 8.65e15].map(timeText)).toEqual([
      '1970-01-01 00:00:00',
      '1969-12-31 23:59:59',
      '8650000000000000 ms',
    ]);
  });
});
