/**
 * Patterns for names: `*`, `?`, `[…]`. Read POSIX, Shell & Utilities, 2.14 (Pattern Matching Notation). A backslash
 * quotes the character behind it; a character is a code point. Matching takes at most the product of both lengths.
 */

/** A test of one character, or `*`. */
type Element = ((character: string) => boolean) | '*';

/** The classes of characters that brackets may name. */
export const characterClasses: Readonly<Record<string, RegExp>> = {
  alpha: /^\p{L}$/u,
  digit: /^[0-9]$/,
  alnum: /^[\p{L}\p{N}]$/u,
  upper: /^\p{Lu}$/u,
  lower: /^\p{Ll}$/u,
  space: /^\s$/u,
  blank: /^[ \t]$/,
  punct: /^[\p{P}\p{S}]$/u,
  cntrl: /^\p{Cc}$/u,
  xdigit: /^[0-9A-Fa-f]$/,
  print: /^[^\p{Cc}]$/u,
  graph: /^[^\p{Cc}\s]$/u,
};

/** The same text as a pattern that matches nothing else. */
export function quotePattern(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, '\\$&');
}

/** Whether a pattern can match more than one text. */
export function isPattern(pattern: string): boolean {
  return /^(?:[^\\*?[]|\\.)*[*?[]/s.test(pattern);
}

/** The text that a pattern without special characters matches. */
export function unquotePattern(pattern: string): string {
  return pattern.replaceAll(/\\(.)/gs, '$1');
}

/** A test of whole texts. */
export function compilePattern(pattern: string): (text: string) => boolean {
  const characters = [...pattern];
  const elements: Element[] = [];
  for (let at = 0; at < characters.length; ) {
    const character = characters[at] ?? '';
    const bracket = character === '[' ? readBracket(characters, at) : null;
    if (bracket !== null) {
      elements.push(bracket.test);
      at = bracket.end;
    } else if (character === '*') {
      if (elements.at(-1) !== '*') elements.push('*');
      at += 1;
    } else if (character === '?') {
      elements.push(() => true);
      at += 1;
    } else {
      const literal = character === '\\' ? (characters[++at] ?? '\\') : character;
      elements.push((other) => other === literal);
      at += 1;
    }
  }
  return (text) => matches(elements, [...text]);
}

/** Only the last `*` has to be reconsidered: what an earlier one could take more, the last can take as well. */
function matches(elements: readonly Element[], characters: readonly string[]): boolean {
  let element = 0;
  let at = 0;
  let star = -1;
  let retry = 0;
  while (at < characters.length) {
    const test = elements[element];
    if (test === '*') {
      star = element;
      retry = at;
      element += 1;
    } else if (test?.(characters[at] ?? '') === true) {
      element += 1;
      at += 1;
    } else if (star >= 0) {
      retry += 1;
      at = retry;
      element = star + 1;
    } else {
      return false;
    }
  }
  while (elements[element] === '*') element += 1;
  return element === elements.length;
}

/** `[abc]`, `[a-z]`, `[!…]`, `[[:alpha:]]`; null when no `]` ends it, so that the `[` stands for itself. */
function readBracket(
  characters: readonly string[],
  start: number,
): { test: (character: string) => boolean; end: number } | null {
  let at = start + 1;
  const negated = characters[at] === '!' || characters[at] === '^';
  if (negated) at += 1;
  const tests: ((character: string) => boolean)[] = [];
  for (const first = at; ; ) {
    const character = characters[at];
    if (character === undefined) return null;
    if (character === ']' && at > first) break;
    const named = character === '[' ? /^\[:([a-z]+):\]/.exec(characters.slice(at, at + 12).join('')) : null;
    const known = characterClasses[named?.[1] ?? ''];
    if (named !== null && known !== undefined) {
      tests.push((other) => known.test(other));
      at += named[0].length;
      continue;
    }
    const low = readMember(characters, at);
    const dash = characters[low.end] === '-' && characters[low.end + 1] !== ']';
    const high = dash && characters[low.end + 1] !== undefined ? readMember(characters, low.end + 1) : low;
    tests.push((other) => isBetween(low.character, other, high.character));
    at = high.end;
  }
  return { test: (character) => tests.some((test) => test(character)) !== negated, end: at + 1 };
}

function readMember(characters: readonly string[], at: number): { character: string; end: number } {
  const character = characters[at] ?? '';
  const quoted = character === '\\' ? characters[at + 1] : undefined;
  return quoted === undefined ? { character, end: at + 1 } : { character: quoted, end: at + 2 };
}

function isBetween(low: string, character: string, high: string): boolean {
  const point = character.codePointAt(0) ?? 0;
  return (low.codePointAt(0) ?? 0) <= point && point <= (high.codePointAt(0) ?? 0);
}
