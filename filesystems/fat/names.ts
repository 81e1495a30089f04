/**
 * Names: long ones in UTF-16 over several entries, and the short alias of 8 + 3 bytes that each file has. Read:
 * fatgen103, "Long Directory Entries", "Organization and Association of Short & Long Directory Entries" and "Name
 * Limits and Character Sets". What is refused and how names are compared follows Linux's vfat.
 */
import { SystemError } from '../../protocol/errno.ts';
import { MAX_NAME_BYTES } from '../file-system.ts';
import { ENTRY_BYTES } from './boot-sector.ts';
import { decodeText, encodeCharacter } from './code-page.ts';
import { attribute, LONG_NAME, LONG_NAME_MASK, REALLY_E5 } from './entry.ts';

/** Bytes of a short name: 8, and 3 of the extension, without the dot, filled with blanks. */
export const SHORT_NAME_BYTES = 11;
const BASE_BYTES = 8;

/** UTF-16 units of a long name at most, and the offsets of those in one entry. */
const MAX_UNITS = 255;
const UNIT_OFFSETS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const;
/** UTF-16 units of a long name in one entry. */
export const UNITS_PER_ENTRY = UNIT_OFFSETS.length;

/** Bit of the order number of the entry with the end of a name, which comes first. */
const LAST_PART = 0x40;

const BLANK = 0x20;
const BASE_SMALL = 0x08;
const EXTENSION_SMALL = 0x10;

/** Characters that no long name can have; '/' too, but it never comes here. */
const FORBIDDEN = /[\u0000-\u001f"*/:<>?\\|]/;

/** Half of a pair: no UTF-16, and cannot be written in UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Names of devices to DOS and Windows, also with an extension. */
const DEVICE = /^(?:aux|con|nul|prn|com[1-9]|lpt[1-9])(?:\.|$)/i;

/** Bytes of short names besides letters and digits. */
const SHORT_PUNCTUATION = "!#$%&'()-@^_`{}~";

/** Names are equal when this of them is: capital letters, unit by unit where there is one. */
export function fold(name: string): string {
  const capitals = name.toUpperCase();
  if (capitals.length === name.length) return capitals;
  return Array.from(name, (character) => {
    const capital = character.toUpperCase();
    return capital.length === character.length ? capital : character;
  }).join('');
}

/** Without the dots at its end, which do not count. */
export function withoutDots(name: string): string {
  let end = name.length;
  while (end > 0 && name.charCodeAt(end - 1) === 0x2e) end--;
  return name.slice(0, end);
}

/**
 * The name under which something can be made: without dots at the end. Throws SystemError: EINVAL: FAT cannot have it;
 * ENAMETOOLONG.
 */
export function checkName(name: string): string {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES)
    throw new SystemError('ENAMETOOLONG', `a name has at most ${MAX_NAME_BYTES} bytes`);
  const kept = withoutDots(name);
  if (kept === '' || kept.endsWith(' '))
    throw new SystemError('EINVAL', 'a name on FAT cannot end in a blank or have dots only');
  if (FORBIDDEN.test(kept) || LONE_SURROGATE.test(kept))
    throw new SystemError('EINVAL', `a name on FAT cannot have control characters or any of " * / : < > ? \\ |`);
  if (DEVICE.test(kept)) throw new SystemError('EINVAL', `${kept} is the name of a device to other systems`);
  return kept;
}

/**
 * A short name as it is shown, at `offset`; `cases` says which part is in small letters. Bytes that no name can have
 * are shown as '_'.
 */
export function shortNameText(bytes: Uint8Array, offset: number, cases: number): string {
  const part = (from: number, to: number, small: boolean): string => {
    const raw = Buffer.from(bytes.subarray(offset + from, offset + to));
    if (from === 0 && raw[0] === REALLY_E5) raw[0] = 0xe5;
    const text = decodeText(raw)
      .replace(/ +$/, '')
      .replace(/[\u0000-\u001f/]/g, '_');
    return small ? text.toLowerCase() : text;
  };
  const base = part(0, BASE_BYTES, (cases & BASE_SMALL) !== 0);
  const extension = part(BASE_BYTES, SHORT_NAME_BYTES, (cases & EXTENSION_SMALL) !== 0);
  return extension === '' ? base : `${base}.${extension}`;
}

function packed(base: string, extension: string): Buffer {
  return Buffer.from(base.padEnd(BASE_BYTES) + extension.padEnd(SHORT_NAME_BYTES - BASE_BYTES), 'latin1');
}

/** What is left of part of a name in a short one, and whether that is less. */
function shortened(text: string): { text: string; lossy: boolean } {
  let result = '';
  let lossy = false;
  for (const character of text) {
    const capital = character.toUpperCase();
    if (/^[A-Z0-9]$/.test(capital) || SHORT_PUNCTUATION.includes(character)) result += capital;
    else {
      lossy = true;
      if (character !== ' ' && character !== '.') result += '_';
    }
  }
  return { text: result, lossy };
}

/** The short name that says all of a name, if there is one: then no long one is needed. */
export function plainShortName(name: string): Buffer | undefined {
  const dot = name.lastIndexOf('.');
  const [base, extension] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
  if (base === '' || base.length > BASE_BYTES || extension.length > SHORT_NAME_BYTES - BASE_BYTES) return undefined;
  if (dot >= 0 && extension === '') return undefined;
  const [shortBase, shortExtension] = [shortened(base), shortened(extension)];
  return shortBase.text === base && shortExtension.text === extension ? packed(base, extension) : undefined;
}

/** A number of 16 bits made from a name, to tell aliases of similar names apart. */
function hash(name: string): string {
  let value = 0x811c;
  for (let at = 0; at < name.length; at++)
    value = (Math.imul(value ^ name.charCodeAt(at), 0x0193) + (value >>> 5)) & 0xffff;
  return value.toString(16).toUpperCase().padStart(4, '0');
}

/**
 * Short names for a long one, in the order in which they are to be tried (fatgen103, "Basis-Name Generation Algorithm"
 * and "Numeric-Tail Generation"): the name itself if nothing of it is lost; with ~1 to ~4; then two characters and a
 * number made from the name, so that thousands of similar names do not have to be tried one by one.
 */
export function* aliases(name: string): Generator<Buffer> {
  const trimmed = name.replace(/^[. ]+/, '');
  const dot = trimmed.lastIndexOf('.');
  const base = shortened(dot < 0 ? trimmed : trimmed.slice(0, dot));
  const extension = shortened(dot < 0 ? '' : trimmed.slice(dot + 1));
  const lossy = base.lossy || extension.lossy || trimmed !== name;
  const shortExtension = extension.text.slice(0, SHORT_NAME_BYTES - BASE_BYTES);
  const fits = base.text.length <= BASE_BYTES && extension.text.length === shortExtension.length && base.text !== '';
  if (fits && !lossy) yield packed(base.text, shortExtension);
  const stem = base.text || '_';
  const numbered = (start: string, number: number): Buffer => {
    const tail = `~${number}`;
    return packed(start.slice(0, BASE_BYTES - tail.length) + tail, shortExtension);
  };
  for (let number = 1; number <= 4; number++) yield numbered(stem, number);
  const hashed = stem.slice(0, 2) + hash(name);
  for (let number = 1; number <= 9; number++) yield numbered(hashed, number);
  for (let number = 5; number <= 999_999; number++) yield numbered(stem, number);
}

/** The check of a short name in the parts of its long name (fatgen103, `ChkSum`). */
export function checksum(shortName: Uint8Array, offset = 0): number {
  let sum = 0;
  for (let at = offset; at < offset + SHORT_NAME_BYTES; at++)
    sum = (((sum & 1) << 7) + (sum >> 1) + (shortName[at] ?? 0)) & 0xff;
  return sum;
}

/** The entries of a long name, in their order on the disk. */
export function longEntries(name: string, shortName: Uint8Array): Buffer {
  const count = Math.ceil(name.length / UNITS_PER_ENTRY);
  const bytes = Buffer.alloc(count * ENTRY_BYTES);
  const sum = checksum(shortName);
  for (let part = 0; part < count; part++) {
    const offset = (count - 1 - part) * ENTRY_BYTES;
    bytes[offset] = (part + 1) | (part === count - 1 ? LAST_PART : 0);
    bytes[offset + 11] = LONG_NAME;
    bytes[offset + 13] = sum;
    for (const [index, at] of UNIT_OFFSETS.entries()) {
      const unit = part * UNITS_PER_ENTRY + index;
      const value = unit < name.length ? name.charCodeAt(unit) : unit === name.length ? 0 : 0xffff;
      bytes.writeUInt16LE(value, offset + at);
    }
  }
  return bytes;
}

/** Whether an entry is part of a long name. */
export function isLongPart(bytes: Uint8Array, offset: number): boolean {
  return ((bytes[offset + 11] ?? 0) & LONG_NAME_MASK) === LONG_NAME;
}

/** Whether an entry is a label. */
export function isLabel(bytes: Uint8Array, offset: number): boolean {
  return !isLongPart(bytes, offset) && ((bytes[offset + 11] ?? 0) & attribute.VOLUME) !== 0;
}

/** Puts a long name together from its entries as they come. */
export class LongNameReader {
  private parts: string[] = [];
  /** Number of the part that has to come next; 0: the short entry. */
  private expected = -1;
  private sum = 0;

  /** Forgets what has come so far. */
  reset(): void {
    this.expected = -1;
    this.parts = [];
  }

  /** Parts that have come and belong together. */
  get count(): number {
    return this.parts.length;
  }

  /** Takes an entry with part of a name. */
  add(bytes: Uint8Array, offset: number): void {
    const order = bytes[offset] ?? 0;
    const sum = bytes[offset + 13] ?? 0;
    const number = order & (LAST_PART - 1);
    if ((order & LAST_PART) !== 0) {
      this.parts = [];
      this.expected = number;
      this.sum = sum;
    }
    const fits =
      number > 0 &&
      number === this.expected &&
      sum === this.sum &&
      number * UNITS_PER_ENTRY < MAX_UNITS + UNITS_PER_ENTRY;
    if (!fits) {
      this.reset();
      return;
    }
    let text = '';
    for (const at of UNIT_OFFSETS)
      text += String.fromCharCode((bytes[offset + at] ?? 0) | ((bytes[offset + at + 1] ?? 0) << 8));
    this.parts.push(text);
    this.expected--;
  }

  /** Whether what has come is whole and belongs to the short entry at `offset`. */
  belongsTo(bytes: Uint8Array, offset: number): boolean {
    return this.expected === 0 && this.parts.length > 0 && this.sum === checksum(bytes, offset);
  }

  /**
   * The long name that belongs to the short entry at `offset`, which comes next; undefined: there is none, or none that
   * can be used: parts are missing or belong to another entry (a system without long names has changed it), it is no
   * UTF-16, or it cannot be a name here. Then the short name counts.
   */
  finish(bytes: Uint8Array, offset: number): string | undefined {
    const [name = ''] = this.belongsTo(bytes, offset) ? this.parts.reverse().join('').split('\0', 1) : [];
    const usable =
      name !== '' &&
      name.length <= MAX_UNITS &&
      !LONE_SURROGATE.test(name) &&
      Buffer.byteLength(name) <= MAX_NAME_BYTES;
    return usable && !/[\u0000-\u001f/]/.test(name) && name !== '.' && name !== '..' ? name : undefined;
  }
}

/** The 11 bytes of a label. Throws SystemError EINVAL. */
export function encodeLabel(label: string): Buffer {
  const bytes = Buffer.alloc(SHORT_NAME_BYTES, BLANK);
  const characters = [...label.toUpperCase()];
  if (characters.length > SHORT_NAME_BYTES || label.startsWith(' '))
    throw new SystemError(
      'EINVAL',
      `a label on FAT has at most ${SHORT_NAME_BYTES} characters and does not begin with a blank`,
    );
  for (const [at, character] of characters.entries()) {
    const code = encodeCharacter(character);
    if (code === undefined || code < BLANK || '"*+,./:;<=>?[\\]|'.includes(character))
      throw new SystemError('EINVAL', `a label on FAT cannot have the character ${JSON.stringify(character)}`);
    bytes[at] = at === 0 && code === 0xe5 ? REALLY_E5 : code;
  }
  return bytes;
}
