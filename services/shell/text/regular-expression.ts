/**
 * Parses regular expressions, basic and extended. Read POSIX, Base Definitions, chapter 9 (Regular Expressions). Of
 * GNU's additions it knows `\+`, `\?`, `\|` in basic ones, and `\w \W \s \S \b \B \< \>`. There are no back references:
 * nobody knows how to match them in linear time.
 */
import { UsageError } from '../errors.ts';
import { characterClasses } from '../patterns.ts';

/** A test of one code point, given as text. */
export type CharacterTest = (character: string) => boolean;

/** What has to be so between two characters. */
export type Assertion = 'line start' | 'line end' | 'word boundary' | 'no word boundary' | 'word start' | 'word end';

/** A parsed expression. `most` is null for any number. */
export type Expression =
  | { readonly kind: 'character'; readonly test: CharacterTest }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'choice'; readonly choices: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly part: Expression; readonly least: number; readonly most: number | null };

/** How an expression is written and meant. */
export interface ExpressionOptions {
  readonly extended: boolean;
  readonly ignoreCase: boolean;
}

/** Most repetitions of an interval, as in POSIX's RE_DUP_MAX. */
const MAX_REPEATS = 255;

/** Deepest nesting of parentheses. */
const MAX_DEPTH = 100;

export const isWordCharacter = (character: string): boolean => /^[\p{L}\p{N}_]$/u.test(character);

const assertions: Readonly<Record<string, Assertion>> = {
  b: 'word boundary',
  B: 'no word boundary',
  '<': 'word start',
  '>': 'word end',
};

const escapedClasses: Readonly<Record<string, CharacterTest>> = {
  w: isWordCharacter,
  W: (character) => !isWordCharacter(character),
  s: (character) => /^\s$/.test(character),
  S: (character) => !/^\s$/.test(character),
};

/** Operators as basic and extended expressions write them. */
interface Notation {
  readonly open: string;
  readonly close: string;
  readonly choice: string;
  readonly interval: string;
  readonly intervalEnd: string;
  readonly repeats: Readonly<Record<string, readonly [least: number, most: number | null]>>;
}

const extendedNotation: Notation = {
  ...{ open: '(', close: ')', choice: '|', interval: '{', intervalEnd: '}' },
  repeats: { '*': [0, null], '+': [1, null], '?': [0, 1] },
};

const basicNotation: Notation = {
  ...{ open: '\\(', close: '\\)', choice: '\\|', interval: '\\{', intervalEnd: '\\}' },
  repeats: { '*': [0, null], '\\+': [1, null], '\\?': [0, 1] },
};

class ExpressionParser {
  private readonly tokens: string[];
  private readonly options: ExpressionOptions;
  private readonly notation: Notation;
  private at = 0;
  private depth = 0;

  constructor(source: string, options: ExpressionOptions) {
    // A token is a character, or a backslash and what it quotes.
    this.tokens = source.match(/\\.|./gsu) ?? [];
    this.options = options;
    this.notation = options.extended ? extendedNotation : basicNotation;
  }

  whole(): Expression {
    return this.choice();
  }

  private refuse(problem: string): never {
    throw new UsageError(`in the regular expression: ${problem}`);
  }

  private choice(): Expression {
    const choices = [this.sequence()];
    while (this.tokens[this.at] === this.notation.choice) {
      this.at += 1;
      choices.push(this.sequence());
    }
    const [only] = choices;
    return choices.length === 1 && only !== undefined ? only : { kind: 'choice', choices };
  }

  private sequence(): Expression {
    const parts: Expression[] = [];
    const { choice, close } = this.notation;
    for (let first = true; ; first = false) {
      const token = this.tokens[this.at];
      if (token === undefined || token === choice || (token === close && this.depth > 0)) break;
      const atom = this.atom(token, first);
      parts.push(atom.kind === 'assertion' && !this.options.extended ? atom : this.repeated(atom));
    }
    return { kind: 'sequence', parts };
  }

  private atom(token: string, first: boolean): Expression {
    this.at += 1;
    const { open, close, repeats, interval } = this.notation;
    if (token === open) return this.group();
    // An extended expression takes it as a character, as everybody does.
    if (token === close && !this.options.extended) this.refuse(`'${close}' closes nothing`);
    if (token === '[') return { kind: 'character', test: this.bracket() };
    if (token === '.') return { kind: 'character', test: () => true };
    if (token === '^' && (this.options.extended || first)) return { kind: 'assertion', assertion: 'line start' };
    if (token === '$' && this.endsHere()) return { kind: 'assertion', assertion: 'line end' };
    if (Object.hasOwn(repeats, token) || token === interval) {
      // POSIX leaves it open; basic expressions take a leading `*` as a character.
      if (this.options.extended || token !== '*') this.refuse(`'${token}' repeats nothing`);
    }
    if (!token.startsWith('\\')) return this.literal(token);
    const quoted = token.slice(1);
    if (quoted === '') this.refuse('it ends in a backslash');
    if (/^[1-9]$/.test(quoted)) this.refuse('back references are not supported');
    const assertion = assertions[quoted];
    if (assertion !== undefined) return { kind: 'assertion', assertion };
    const test = escapedClasses[quoted];
    return test === undefined ? this.literal(quoted) : { kind: 'character', test };
  }

  private endsHere(): boolean {
    const next = this.tokens[this.at];
    const { choice, close } = this.notation;
    return this.options.extended || next === undefined || next === choice || (next === close && this.depth > 0);
  }

  private group(): Expression {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) this.refuse(`more than ${MAX_DEPTH} parentheses in one another`);
    const inside = this.choice();
    if (this.tokens[this.at] !== this.notation.close) this.refuse(`'${this.notation.open}' is not closed`);
    this.at += 1;
    this.depth -= 1;
    return inside;
  }

  private repeated(atom: Expression): Expression {
    let part = atom;
    for (;;) {
      const token = this.tokens[this.at] ?? '';
      const repeat = Object.hasOwn(this.notation.repeats, token) ? this.notation.repeats[token] : undefined;
      if (repeat !== undefined) {
        this.at += 1;
        const [least, most] = repeat;
        part = { kind: 'repeat', part, least, most };
      } else if (token === this.notation.interval) {
        this.at += 1;
        part = { kind: 'repeat', part, ...this.interval() };
      } else {
        return part;
      }
    }
  }

  private interval(): { least: number; most: number | null } {
    const end = this.tokens.indexOf(this.notation.intervalEnd, this.at);
    const text = end < 0 ? '' : this.tokens.slice(this.at, end).join('');
    const [, low = '', comma = '', high = ''] = /^(\d*)(,?)(\d*)$/.exec(text) ?? [];
    if (low === '' && comma === '') this.refuse(`an interval is not closed, or is not '{N}', '{N,}' or '{N,M}'`);
    const least = Number(low);
    const most = comma === '' ? least : high === '' ? null : Number(high);
    if (least > MAX_REPEATS || (most !== null && (most > MAX_REPEATS || most < least)))
      this.refuse(`an interval is 0 to ${MAX_REPEATS}, the smaller number first`);
    this.at = end + 1;
    return { least, most };
  }

  private literal(character: string): Expression {
    return { kind: 'character', test: this.folded((other) => other === character) };
  }

  /** A test that does not see case, if that is asked for. */
  private folded(test: CharacterTest): CharacterTest {
    if (!this.options.ignoreCase) return test;
    return (character) => test(character) || test(character.toLowerCase()) || test(character.toUpperCase());
  }

  /** What follows `[`. A backslash is a character like any other. */
  private bracket(): CharacterTest {
    const characters = [...this.tokens.slice(this.at).join('')];
    let at = 0;
    const negated = characters[at] === '^';
    if (negated) at += 1;
    const tests: CharacterTest[] = [];
    for (const first = at; characters[at] !== ']' || at === first; ) {
      const named =
        characters[at] === '[' ? /^\[([:.=])(.+?)\1\]/su.exec(characters.slice(at, at + 16).join('')) : null;
      if (named?.[1] === ':') {
        const test = characterClasses[named[2] ?? ''];
        if (test === undefined) this.refuse(`[:${named[2] ?? ''}:] is no class of characters`);
        tests.push((character) => test.test(character));
        at += [...named[0]].length;
        continue;
      }
      const low = this.member(characters, at);
      const isRange = characters[low.end] === '-' && characters[low.end + 1] !== ']';
      const high = isRange ? this.member(characters, low.end + 1) : low;
      if (high.point < low.point) this.refuse('a range in brackets is upside down');
      tests.push((character) => {
        const point = character.codePointAt(0) ?? 0;
        return low.point <= point && point <= high.point;
      });
      at = high.end;
    }
    // The brackets were cut into tokens with the backslashes in them; the rest is cut anew.
    this.tokens.splice(
      this.at,
      this.tokens.length,
      ...(characters
        .slice(at + 1)
        .join('')
        .match(/\\.|./gsu) ?? []),
    );
    const test = this.folded((character) => tests.some((each) => each(character)));
    return negated ? (character) => !test(character) : test;
  }

  private member(characters: readonly string[], at: number): { point: number; end: number } {
    const named = characters[at] === '[' ? /^\[([.=])(.)\1\]/su.exec(characters.slice(at, at + 5).join('')) : null;
    const character = named?.[2] ?? characters[at];
    if (character === undefined) this.refuse("'[' is not closed");
    return { point: character.codePointAt(0) ?? 0, end: at + (named === null ? 1 : 5) };
  }
}

/** Parses an expression. Throws UsageError. */
export function parseExpression(source: string, options: ExpressionOptions): Expression {
  return new ExpressionParser(source, options).whole();
}
