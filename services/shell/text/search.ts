/** What `grep` looks for: the test of one line. */
import { Matcher } from './automaton.ts';
import { type Expression, parseExpression } from './regular-expression.ts';

/** How patterns are meant. */
export interface SearchOptions {
  /** Patterns are texts and no expressions. */
  readonly fixed: boolean;
  readonly extended: boolean;
  readonly ignoreCase: boolean;
  /** The line as a whole has to match. */
  readonly whole: boolean;
}

/** Characters without a meaning in any notation. */
const plain = /^[^\\.[\]*^$+?(){}|]*$/;

function literal(text: string, ignoreCase: boolean): Expression {
  const fold = (character: string): string => (ignoreCase ? character.toLowerCase() : character);
  return {
    kind: 'sequence',
    parts: [...text].map((wanted) => ({
      kind: 'character',
      test: (character) => fold(character) === fold(wanted),
    })),
  };
}

/** A test of lines (without newline) for one of the patterns, which stand one in a line. Throws UsageError. */
export function searcher(patterns: string, options: SearchOptions): (line: Uint8Array) => boolean {
  const { fixed, ignoreCase, whole } = options;
  const list = patterns.split('\n');
  if (!ignoreCase && !whole && list.every((pattern) => fixed || plain.test(pattern))) {
    const texts = list.map((pattern) => Buffer.from(pattern));
    return (line) => {
      const bytes = Buffer.from(line.buffer, line.byteOffset, line.length);
      return texts.some((text) => bytes.includes(text));
    };
  }
  const expressions = list.map((pattern) => (fixed ? literal(pattern, ignoreCase) : parseExpression(pattern, options)));
  const matcher = new Matcher(expressions, whole);
  const decoder = new TextDecoder();
  return (line) => matcher.matches(decoder.decode(line));
}
