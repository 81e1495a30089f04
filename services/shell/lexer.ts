/**
 * Cuts shell input into words and operators. Read POSIX, Shell & Utilities, 2.2 (Quoting) and 2.3 (Token Recognition).
 *
 * Total: any input gives tokens, and says why they end early: something is open that the next line may close, or there
 * is a fault.
 */
import {
  type Fault,
  fault,
  MAX_INPUT_CHARACTERS,
  MAX_PARAMETER_DEPTH,
  MAX_TOKENS,
  type ParameterOperator,
  type Word,
  type WordPart,
} from './syntax.ts';

/** Operators, longest first; those that the parser does not accept are known here so that it can name them. */
const operators = [
  '<<<',
  '&&',
  '||',
  ';;',
  '>>',
  '<<',
  '>&',
  '<&',
  '>|',
  '<>',
  '&',
  ';',
  '|',
  '<',
  '>',
  '(',
  ')',
  '\n',
] as const;
export type Operator = (typeof operators)[number];

/** A piece of input. `descriptor` is the number directly before a redirection operator. */
export type Token =
  | { readonly kind: 'word'; readonly word: Word; readonly start: number; readonly end: number }
  | {
      readonly kind: 'operator';
      readonly operator: Operator;
      readonly descriptor: number | null;
      readonly start: number;
      readonly end: number;
    };

/** What the end of the input left open. */
export type Open = 'single quote' | 'double quote' | 'backslash' | 'parameter';

/** All tokens up to the first thing wrong. With `open` the last word may be unfinished. */
export interface Lexed {
  readonly tokens: readonly Token[];
  readonly open: Open | null;
  readonly fault: Fault | null;
}

const isNameStart = (character: string): boolean => /^[A-Za-z_]$/.test(character);
const isNameCharacter = (character: string): boolean => /^[A-Za-z0-9_]$/.test(character);
const isDigit = (character: string): boolean => character >= '0' && character <= '9' && character.length === 1;
const isBlank = (character: string): boolean => character === ' ' || character === '\t';
const isSpecialParameter = (character: string): boolean => character !== '' && '?$#!@*'.includes(character);
const endsWord = (character: string): boolean => character === '' || ' \t\n;&|<>()'.includes(character);

/** Where parts are read: it decides what ends them and which quotes count. */
type Place = 'word' | 'double quote' | 'parameter' | 'quoted parameter';

class Lexer {
  readonly tokens: Token[] = [];
  open: Open | null = null;
  fault: Fault | null = null;
  private readonly source: string;
  private position = 0;

  constructor(source: string) {
    this.source = source;
  }

  run(): void {
    while (this.position < this.source.length && !this.halted) this.token();
  }

  private get halted(): boolean {
    return this.open !== null || this.fault !== null;
  }

  private peek(ahead = 0): string {
    return this.source.charAt(this.position + ahead);
  }

  private fail(position: number, problem: string): void {
    this.fault = fault(this.source, position, this.source.charAt(position), problem);
  }

  /** Takes one token, or blanks, a comment or a line continuation. */
  private token(): void {
    const character = this.peek();
    if (isBlank(character)) {
      this.position += 1;
    } else if (character === '\\' && this.peek(1) === '\n') {
      this.position += 2;
    } else if (character === '#') {
      const end = this.source.indexOf('\n', this.position);
      this.position = end < 0 ? this.source.length : end;
    } else if (this.tokens.length >= MAX_TOKENS) {
      this.fail(this.position, `more than ${MAX_TOKENS} words`);
    } else if (endsWord(character)) {
      this.operator(null, this.position);
    } else {
      this.word();
    }
  }

  private operator(descriptor: number | null, start: number): void {
    const operator = operators.find((each) => this.source.startsWith(each, this.position)) ?? '\n';
    this.position += operator.length;
    this.tokens.push({ kind: 'operator', operator, descriptor, start, end: this.position });
  }

  private word(): void {
    const start = this.position;
    const parts = this.parts('word', 0);
    const [only, ...others] = parts;
    const next = this.peek();
    if ((next === '<' || next === '>') && others.length === 0 && only?.kind === 'text' && !only.quoted) {
      if (/^[0-9]{1,3}$/.test(only.text)) {
        this.operator(Number(only.text), start);
        return;
      }
    }
    this.tokens.push({ kind: 'word', word: { parts, start, end: this.position }, start, end: this.position });
  }

  /** Reads parts up to what ends them in this place, which stays unread. */
  private parts(place: Place, depth: number): WordPart[] {
    const parts: WordPart[] = [];
    const quoted = place === 'double quote' || place === 'quoted parameter';
    while (!this.halted) {
      const character = this.peek();
      if (place === 'word' ? endsWord(character) : character === (place === 'double quote' ? '"' : '}')) break;
      if (character === '') {
        this.open = place === 'double quote' ? 'double quote' : 'parameter';
      } else if (character === '\\') {
        this.backslash(parts, place);
      } else if (character === '$') {
        this.parameter(parts, quoted, depth);
      } else if (character === '`') {
        this.fail(this.position, 'command substitution is not supported');
      } else if (character === "'" && !quoted) {
        this.singleQuotes(parts);
      } else if (character === '"') {
        this.doubleQuotes(parts, depth);
      } else {
        append(parts, character, quoted);
        this.position += 1;
      }
    }
    return parts;
  }

  /**
   * Outside quotes a backslash quotes any character, inside only those that mean something there; it joins lines in
   * both.
   */
  private backslash(parts: WordPart[], place: Place): void {
    const next = this.peek(1);
    if (next === '') {
      this.open = 'backslash';
      this.position += 1;
      return;
    }
    this.position += 2;
    if (next === '\n') return;
    const special = place === 'double quote' ? '$`"\\' : place === 'quoted parameter' ? '$`"\\}' : next;
    append(parts, special.includes(next) ? next : `\\${next}`, true);
  }

  private singleQuotes(parts: WordPart[]): void {
    const end = this.source.indexOf("'", this.position + 1);
    if (end < 0) this.open = 'single quote';
    append(parts, this.source.slice(this.position + 1, end < 0 ? undefined : end), true);
    this.position = end < 0 ? this.source.length : end + 1;
  }

  private doubleQuotes(parts: WordPart[], depth: number): void {
    this.position += 1;
    const inside = this.parts('double quote', depth);
    if (inside.length === 0) append(parts, '', true);
    for (const part of inside) {
      if (part.kind === 'text') append(parts, part.text, part.quoted);
      else parts.push(part);
    }
    if (!this.halted) this.position += 1;
  }

  /** `$NAME`, `$1`, `$?`, `${…}`; a dollar sign before anything else is itself. */
  private parameter(parts: WordPart[], quoted: boolean, depth: number): void {
    const next = this.peek(1);
    if (next === '(') {
      const what = this.peek(2) === '(' ? 'arithmetic expansion' : 'command substitution';
      this.fail(this.position, `${what} is not supported`);
    } else if (next === '{') {
      this.braces(parts, quoted, depth + 1);
    } else if (isNameStart(next) || isDigit(next) || isSpecialParameter(next)) {
      this.position += 1;
      const name = isNameStart(next) ? this.name() : next;
      if (!isNameStart(next)) this.position += 1;
      parts.push({ kind: 'parameter', name, operator: null, word: [], quoted });
    } else {
      append(parts, '$', quoted);
      this.position += 1;
    }
  }

  private braces(parts: WordPart[], quoted: boolean, depth: number): void {
    const start = this.position;
    if (depth > MAX_PARAMETER_DEPTH) {
      this.fail(start, 'parameters are nested too deeply');
      return;
    }
    this.position += 2;
    const name = this.parameterName();
    const operator = this.parameterOperator();
    if (name === '' || (operator === null && this.peek() !== '}')) {
      if (this.position >= this.source.length) this.open = 'parameter';
      else this.fail(start, 'bad substitution');
      return;
    }
    const word = operator === null ? [] : this.parts(quoted ? 'quoted parameter' : 'parameter', depth);
    parts.push({ kind: 'parameter', name, operator, word, quoted });
    if (!this.halted) this.position += 1;
  }

  private parameterName(): string {
    const first = this.peek();
    if (isNameStart(first)) return this.name();
    if (isSpecialParameter(first)) {
      this.position += 1;
      return first;
    }
    const start = this.position;
    while (isDigit(this.peek())) this.position += 1;
    return this.source.slice(start, this.position);
  }

  private parameterOperator(): ParameterOperator | null {
    const operator = ([':-', ':+', '-', '+'] as const).find((each) => this.source.startsWith(each, this.position));
    if (operator !== undefined) this.position += operator.length;
    return operator ?? null;
  }

  private name(): string {
    const start = this.position;
    while (isNameCharacter(this.peek())) this.position += 1;
    return this.source.slice(start, this.position);
  }
}

/** Appends text to the last part where that is text of the same kind. */
function append(parts: WordPart[], text: string, quoted: boolean): void {
  const last = parts.at(-1);
  if (last?.kind === 'text' && last.quoted === quoted) {
    parts[parts.length - 1] = { kind: 'text', text: last.text + text, quoted };
  } else {
    parts.push({ kind: 'text', text, quoted });
  }
}

/** Cuts input into tokens. Never throws. */
export function lex(source: string): Lexed {
  if (source.length > MAX_INPUT_CHARACTERS) {
    const problem = `more than ${MAX_INPUT_CHARACTERS} characters`;
    return { tokens: [], open: null, fault: fault(source, MAX_INPUT_CHARACTERS, '', problem) };
  }
  const lexer = new Lexer(source);
  lexer.run();
  return { tokens: lexer.tokens, open: lexer.open, fault: lexer.fault };
}
