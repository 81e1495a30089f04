/** Tables, columns, figures and dumps. */
import { describe, expect, it } from 'vitest';
import { formatBytes, formatColumns, formatMilliseconds, formatTable } from '../../../services/shell/table.ts';
import { hexdump } from '../../../services/shell/text/dump.ts';

describe('formatTable', () => {
  it('aligns columns by the cells their texts take', () => {
    const columns = [
      { title: 'PID', align: 'right' },
      { title: 'NAME', align: 'left' },
      { title: 'STATE', align: 'left' },
    ] as const;
    const rows = [['1', 'init', 'BLOCKED'], ['1234', '日本', 'READY'], ['5', 'e\u0301', ''], ['6']];
    expect(formatTable(columns, rows)).toEqual([
      ' PID NAME STATE',
      '   1 init BLOCKED',
      '1234 日本 READY',
      '   5 e\u0301',
      '   6',
    ]);
  });

  it('makes control characters visible', () => {
    expect(formatTable([{ title: 'X', align: 'left' }], [['a\x1b[2J\n\u0085']])).toEqual(['X', 'a^[[2J^J\u{fffd}']);
  });
});

describe('formatColumns', () => {
  it('fills downwards into as many columns as fit', () => {
    expect(formatColumns(['one', 'two', 'three', 'four', 'five'], 18)).toEqual(['one    four', 'two    five', 'three']);
    expect(formatColumns(['one', 'two', 'three'], 19)).toEqual(['one    two    three']);
    expect(formatColumns(['one', 'two', 'three'], 18)).toEqual(['one    three', 'two']);
    expect(formatColumns(['one', 'two'], 1)).toEqual(['one', 'two']);
    expect(formatColumns([], 80)).toEqual([]);
  });
});

describe('figures', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1048575, '1 MiB'],
    [67108864, '64 MiB'],
    [128 * 2 ** 30, '128 GiB'],
    [2 ** 62, '4096 PiB'],
    [-2048, '-2 KiB'],
  ])('%i bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [0, '0 ms'],
    [0.0625, '0.06 ms'],
    [1.5, '1.5 ms'],
    [12.34, '12.3 ms'],
    [100, '100 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [1250, '1.25 s'],
    [59_900, '59.9 s'],
    [60_000, '1 min 0 s'],
    [125_400, '2 min 5 s'],
    [3_600_000, '1 h 0 min'],
    [187_200_000, '2 d 4 h'],
  ])('%f ms are %s', (milliseconds, text) => {
    expect(formatMilliseconds(milliseconds)).toBe(text);
  });
});

describe('hexdump', () => {
  it('has the canonical form', () => {
    const text = new TextEncoder().encode('Hello, world\n~\x7f\x80 rest');
    expect([...hexdump([text])]).toEqual([
      '00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 0a 7e 7f c2  |Hello, world.~..|',
      '00000010  80 20 72 65 73 74                                 |. rest|',
      '00000016',
    ]);
  });

  it('leaves out lines equal to the one before', () => {
    const bytes = new Uint8Array(84);
    bytes[48] = 1;
    for (const cut of [1, 16, 17, 50, 84]) {
      const pieces = Array.from({ length: Math.ceil(84 / cut) }, (_, index) =>
        bytes.subarray(index * cut, (index + 1) * cut),
      );
      expect([...hexdump(pieces, 512)]).toEqual([
        '00000200  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|',
        '*',
        '00000230  01 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|',
        '00000240  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|',
        '00000250  00 00 00 00                                       |....|',
        '00000254',
      ]);
    }
    expect([...hexdump([new Uint8Array(0)])]).toEqual([]);
    expect([...hexdump([Uint8Array.of(65)], 2 ** 36)].at(-1)).toBe('1000000001');
  });
});
