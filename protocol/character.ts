/**
 * Characters on a terminal: UTF-8 one byte at a time, and the cells a character takes. The tty driver (erase) and its
 * clients (line editing, tables) have to agree on both, so the rule stands here. Read The Unicode Standard, section 3.9
 * (UTF-8, replacement of ill-formed sequences) and UAX #11 (East Asian Width).
 */

/** What an ill-formed sequence decodes to. */
export const REPLACEMENT_CHARACTER = 0xfffd;

/**
 * Decodes UTF-8 that arrives in pieces of any size. An ill-formed sequence becomes one U+FFFD per maximal subpart, and
 * the byte that broke it is looked at again, as the Unicode Standard recommends.
 */
export class Utf8Decoder {
  private bytes: number[] = [];
  private needed = 0;
  private codePoint = 0;
  private least = 0x80;
  private most = 0xbf;

  /** Bytes of an unfinished sequence, at most 3: pushed into a fresh decoder they give the same state. */
  get pending(): readonly number[] {
    return this.bytes;
  }

  /** Takes one byte and appends the code points it completes (none, one or two) to `codePoints`. */
  push(byte: number, codePoints: number[]): void {
    if (this.needed > 0) {
      if (byte >= this.least && byte <= this.most) {
        this.codePoint = (this.codePoint << 6) | (byte & 0x3f);
        this.least = 0x80;
        this.most = 0xbf;
        this.bytes.push(byte);
        this.needed -= 1;
        if (this.needed === 0) {
          this.bytes = [];
          codePoints.push(this.codePoint);
        }
        return;
      }
      this.finish(codePoints);
    }
    this.start(byte, codePoints);
  }

  /** Ends the input: an unfinished sequence becomes U+FFFD. */
  finish(codePoints: number[]): void {
    if (this.needed === 0) return;
    this.needed = 0;
    this.bytes = [];
    this.least = 0x80;
    this.most = 0xbf;
    codePoints.push(REPLACEMENT_CHARACTER);
  }

  private start(byte: number, codePoints: number[]): void {
    if (byte < 0x80) {
      codePoints.push(byte);
      return;
    }
    if (byte < 0xc2 || byte > 0xf4) {
      codePoints.push(REPLACEMENT_CHARACTER);
      return;
    }
    this.bytes = [byte];
    if (byte < 0xe0) {
      this.needed = 1;
      this.codePoint = byte & 0x1f;
    } else if (byte < 0xf0) {
      this.needed = 2;
      this.codePoint = byte & 0x0f;
      // No overlong forms, no surrogates.
      if (byte === 0xe0) this.least = 0xa0;
      if (byte === 0xed) this.most = 0x9f;
    } else {
      this.needed = 3;
      this.codePoint = byte & 0x07;
      // No overlong forms, nothing above U+10FFFF.
      if (byte === 0xf0) this.least = 0x90;
      if (byte === 0xf4) this.most = 0x8f;
    }
  }
}

/**
 * First and last code points of the ranges that are Wide or Fullwidth; unassigned gaps inside a script count with it.
 */
const wideRanges: readonly number[] = (
  '1100-115f 231a-231b 2329-232a 23e9-23ec 23f0 23f3 25fd-25fe 2614-2615 2648-2653 267f 2693 26a1 26aa-26ab 26bd-26be 26c4-26c5 26ce ' +
  '26d4 26ea 26f2-26f3 26f5 26fa 26fd 2705 270a-270b 2728 274c 274e 2753-2755 2757 2795-2797 27b0 27bf 2b1b-2b1c 2b50 2b55 2e80-303e ' +
  '3041-3247 3250-4dbf 4e00-a4c6 a960-a97c ac00-d7a3 f900-faff fe10-fe19 fe30-fe6b ff01-ff60 ffe0-ffe6 16fe0-18aff 1aff0-1b2fb 1f004 ' +
  '1f0cf 1f18e 1f191-1f19a 1f200-1f320 1f32d-1f335 1f337-1f37c 1f37e-1f393 1f3a0-1f3ca 1f3cf-1f3d3 1f3e0-1f3f0 1f3f4 1f3f8-1f43e ' +
  '1f440 1f442-1f4fc 1f4ff-1f53d 1f54b-1f54e 1f550-1f567 1f57a 1f595-1f596 1f5a4 1f5fb-1f64f 1f680-1f6c5 1f6cc 1f6d0-1f6d2 ' +
  '1f6d5-1f6df 1f6eb-1f6ec 1f6f4-1f6fc 1f7e0-1f7f0 1f90c-1f93a 1f93c-1f945 1f947-1f9ff 1fa70-1faff 20000-2fffd 30000-3fffd'
)
  .split(' ')
  .flatMap((range) => {
    const [first = '', last = first] = range.split('-');
    return [Number.parseInt(first, 16), Number.parseInt(last, 16)];
  });

function isWide(codePoint: number): boolean {
  let low = 0;
  let high = wideRanges.length / 2 - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (codePoint < (wideRanges[2 * middle] ?? 0)) high = middle - 1;
    else if (codePoint > (wideRanges[2 * middle + 1] ?? 0)) low = middle + 1;
    else return true;
  }
  return false;
}

const zeroWidth = /[\p{Mn}\p{Me}\p{Cf}\p{Cc}\p{Zl}\p{Zp}\u{1160}-\u{11ff}]/u;

/**
 * Cells that a code point takes: 0, 1 or 2. Control characters, combining marks and format characters take none; a soft
 * hyphen is shown, and so takes one.
 */
export function characterWidth(codePoint: number): 0 | 1 | 2 {
  if (codePoint < 0x7f) return codePoint < 0x20 ? 0 : 1;
  if (codePoint < 0x300) return codePoint < 0xa0 ? 0 : 1;
  if (zeroWidth.test(String.fromCodePoint(codePoint))) return 0;
  return isWide(codePoint) ? 2 : 1;
}
