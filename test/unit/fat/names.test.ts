import { describe, expect, it } from 'vitest';
import {
  aliases,
  checkName,
  checksum,
  encodeLabel,
  fold,
  LongNameReader,
  longEntries,
  plainShortName,
  shortNameText,
} from '../../../filesystems/fat/names.ts';
import { codeOf } from './volume.ts';

const text = (bytes: Buffer | undefined): string => (bytes === undefined ? '' : shortNameText(bytes, 0, 0));

function firstAliases(name: string, count: number): string[] {
  const found: string[] = [];
  for (const alias of aliases(name)) {
    found.push(text(alias));
    if (found.length === count) break;
  }
  return found;
}

describe('short names', () => {
  it('stand for themselves where nothing of the name is lost', () => {
    expect(text(plainShortName('README.TXT'))).toBe('README.TXT');
    expect(text(plainShortName('NOEXT'))).toBe('NOEXT');
    expect(text(plainShortName('A-$~1.{}'))).toBe('A-$~1.{}');
    const others = ['readme.TXT', 'README.', 'TOOLONGNAME', 'A.LONG', 'A.B.C', '.A', 'A B', 'A+B', 'Ä', ''];
    for (const name of others) expect(plainShortName(name), name).toBeUndefined();
  });

  it('are made from long ones as fatgen103 says', () => {
    expect(firstAliases('readme.txt', 2)).toEqual(['README.TXT', 'README~1.TXT']);
    expect(firstAliases('The quick brown.fox', 3)).toEqual(['THEQUI~1.FOX', 'THEQUI~2.FOX', 'THEQUI~3.FOX']);
    expect(firstAliases('a.b.c.long', 1)).toEqual(['ABC~1.LON']);
    expect(firstAliases('.bashrc', 1)).toEqual(['BASHRC~1']);
    expect(firstAliases('a+b.[x]', 1)).toEqual(['A_B~1._X_']);
    expect(firstAliases('日本', 1)).toEqual(['__~1']);
    expect(firstAliases('...x', 1)).toEqual(['X~1']);
    expect(firstAliases('+', 1)).toEqual(['_~1']);
  });

  it('do not run out', () => {
    const many = firstAliases('The quick brown.fox', 2000);
    expect(new Set(many).size).toBeGreaterThan(1990);
    for (const alias of many) expect(alias).toMatch(/^[A-Z0-9_~]{1,8}\.FOX$/);
  });

  it('are shown with the letters that their case bits say', () => {
    const bytes = Buffer.from('README  TXT', 'latin1');
    expect(shortNameText(bytes, 0, 0x08)).toBe('readme.TXT');
    expect(shortNameText(bytes, 0, 0x10)).toBe('README.txt');
    expect(shortNameText(bytes, 0, 0x18)).toBe('readme.txt');
    expect(shortNameText(Buffer.from([0x05, 0x8e, ...Buffer.from('/     \x01  ')]), 0, 0)).toBe('σÄ_._');
  });
});

describe('names', () => {
  it('are equal without regard to capitals, where one is one letter', () => {
    expect(fold('äöü smörgås')).toBe(fold('ÄÖÜ SMÖRGÅS'));
    expect(fold('straße')).toBe('STRAßE');
    expect(fold('straße')).not.toBe(fold('STRASSE'));
    expect(fold('𐐨')).toBe('𐐀');
  });

  it('lose the dots at their end, and are refused where FAT cannot have them', () => {
    expect(checkName('name...')).toBe('name');
    expect(checkName(' .name')).toBe(' .name');
    for (const name of [
      '...',
      'a ',
      'a .',
      'a*',
      'a?',
      'a:b',
      '"',
      '<',
      '>',
      '|',
      'a\\b',
      'a\u001f',
      '\ud800',
      'x\udc00y',
    ])
      expect(
        codeOf(() => checkName(name)),
        JSON.stringify(name),
      ).toBe('EINVAL');
    for (const name of ['con', 'AUX', 'nul.txt', 'Com1', 'lpt9.x.y'])
      expect(
        codeOf(() => checkName(name)),
        name,
      ).toBe('EINVAL');
    for (const name of ['cona', 'com0', 'xnul', 'com10']) expect(checkName(name)).toBe(name);
    expect(codeOf(() => checkName('é'.repeat(128)))).toBe('ENAMETOOLONG');
    expect(checkName('😀'.repeat(63))).toHaveLength(126);
  });
});

describe('long names', () => {
  const short = Buffer.from('THEQUI~1FOX', 'latin1');
  const entry = Buffer.concat([short, Buffer.alloc(21)]);

  function readBack(parts: Buffer): string | undefined {
    const reader = new LongNameReader();
    for (let offset = 0; offset < parts.length; offset += 32) reader.add(parts, offset);
    return reader.finish(entry, 0);
  }

  it('have the check of fatgen103 and its form', () => {
    // The example of fatgen103.
    const parts = longEntries('The quick brown.fox', short);
    expect(parts.length).toBe(64);
    expect([parts[0], parts[32]]).toEqual([0x42, 0x01]);
    expect(parts.subarray(1, 11).toString('utf16le')).toBe('wn.fo');
    expect(parts.subarray(14, 16).toString('utf16le')).toBe('x');
    expect(parts.subarray(16, 20)).toEqual(Buffer.from([0, 0, 0xff, 0xff]));
    expect(parts.subarray(26, 28)).toEqual(Buffer.from([0, 0]));
    expect(parts[13]).toBe(checksum(short));
    expect(checksum(short)).toBe(0x07);
  });

  it.each([1, 12, 13, 14, 26, 27, 254, 255])('of %i units come back', (length) => {
    const name = 'abcdefghijklm'.repeat(20).slice(0, length);
    expect(readBack(longEntries(name, short))).toBe(name);
  });

  it('can have letters beyond the basic plane', () => {
    const name = `${'x'.repeat(12)}😀 𝄞`;
    expect(readBack(longEntries(name, short))).toBe(name);
  });

  it('are ignored where they do not belong to the short name, or cannot be names', () => {
    const parts = longEntries('The quick brown.fox jumps over it', short);
    expect(readBack(parts)).toBe('The quick brown.fox jumps over it');
    expect(readBack(parts.subarray(32))).toBeUndefined();
    expect(readBack(parts.subarray(0, 64))).toBeUndefined();
    expect(
      readBack(Buffer.concat([parts.subarray(32, 64), parts.subarray(0, 32), parts.subarray(64)])),
    ).toBeUndefined();
    const wrong = Buffer.from(parts);
    wrong[13 + 32] = 1;
    expect(readBack(wrong)).toBeUndefined();
    expect(readBack(longEntries('The quick brown.fox', Buffer.from('OTHER      ')))).toBeUndefined();
    for (const name of ['a/b', 'a\u0001', '\ud83d', '..', '日'.repeat(86)])
      expect(readBack(longEntries(name, short))).toBeUndefined();
    expect(readBack(Buffer.concat([longEntries('rest of another', short).subarray(0, 32), parts]))).toBe(
      'The quick brown.fox jumps over it',
    );
  });
});

describe('labels', () => {
  it('have 11 characters of code page 437', () => {
    expect(encodeLabel('My Disk').toString('latin1')).toBe('MY DISK    ');
    expect([...encodeLabel('ÄÖ').subarray(0, 2)]).toEqual([0x8e, 0x99]);
    for (const label of ['TWELVE CHARS', 'A*B', 'A.B', '日本', ' X', 'a\n'])
      expect(
        codeOf(() => encodeLabel(label)),
        label,
      ).toBe('EINVAL');
  });
});
