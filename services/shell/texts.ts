/** The order of texts. */

/** Compares by code points, which is also the order of the bytes of UTF-8. */
export function compareTexts(left: string, right: string): number {
  const most = Math.min(left.length, right.length);
  for (let at = 0; at < most; at += 1) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a === b) continue;
    // Surrogates stand for code points behind all others.
    const aSurrogate = a >= 0xd800 && a < 0xe000;
    const bSurrogate = b >= 0xd800 && b < 0xe000;
    return aSurrogate === bSurrogate ? a - b : aSurrogate ? 1 : -1;
  }
  return left.length - right.length;
}
