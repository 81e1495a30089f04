/**
 * Parses shell input into lists of commands. Read POSIX, Shell & Utilities, 2.9 (Shell Commands) and 2.10 (Shell
 * Grammar).
 *
 * Total: any input gives a program, a fault, or the remark that it is not complete yet.
 */
import { lex, type Open, type Operator, type Token } from './lexer.ts';
import {
  type AndOrList,
  type Assignment,
  type Fault,
  fault,
  type Pipeline,
  type Program,
  type Redirection,
  redirectionOperators,
  type SimpleCommand,
  unexpected,
  type Word,
} from './syntax.ts';

/** What the input waits for: the end of something open, or a command after an operator. */
export type IncompleteReason = Open | 'command';

/** Result of parsing. */
export type ParseResult =
  | { readonly kind: 'program'; readonly program: Program }
  | { readonly kind: 'incomplete'; readonly reason: IncompleteReason }
  | { readonly kind: 'error'; readonly fault: Fault };

/** Words that begin a compound command elsewhere; better refused than looked up as a command. */
const reservedWords: ReadonlySet<string> = new Set(
  'if then else elif fi do done case esac while until for { } function [['.split(' '),
);

/** What operators begin elsewhere that have no meaning here. */
const unsupported: Partial<Readonly<Record<Operator, string>>> = {
  '<<': 'here-documents are not supported',
  '<>': 'opening a file for reading and writing is not supported',
};

const assignmentPattern = /^([A-Za-z_][A-Za-z0-9_]*)=/;

class Parser {
  private readonly source: string;
  private readonly tokens: readonly Token[];
  private next = 0;
  fault: Fault | null = null;
  /** Where input ended although a command has to follow. */
  wantsCommand = false;

  constructor(source: string, tokens: readonly Token[]) {
    this.source = source;
    this.tokens = tokens;
  }

  lists(): AndOrList[] {
    const lists: AndOrList[] = [];
    this.skipNewlines();
    while (this.token !== undefined && !this.halted) {
      lists.push(this.list());
      this.skipNewlines();
    }
    return lists;
  }

  private get token(): Token | undefined {
    return this.tokens[this.next];
  }

  private get halted(): boolean {
    return this.fault !== null || this.wantsCommand;
  }

  private at(...operators: Operator[]): Operator | null {
    const token = this.token;
    return token?.kind === 'operator' && operators.includes(token.operator) ? token.operator : null;
  }

  private skipNewlines(): void {
    while (this.at('\n')) this.next += 1;
  }

  /** Refuses the token here, or the end of the input. */
  private refuse(): void {
    const { token } = this;
    const start = token?.start ?? this.source.length;
    const found = this.source.slice(start, token?.end);
    const problem = token?.kind === 'operator' ? unsupported[token.operator] : undefined;
    this.fault =
      problem === undefined ? unexpected(this.source, start, found) : fault(this.source, start, found, problem);
  }

  /** An and-or list with the separator after it. */
  private list(): AndOrList {
    const start = this.token?.start ?? 0;
    const items: { operator: '&&' | '||' | null; pipeline: Pipeline }[] = [
      { operator: null, pipeline: this.pipeline() },
    ];
    while (!this.halted) {
      const operator = this.at('&&', '||');
      if (operator !== '&&' && operator !== '||') break;
      this.continueAfterOperator();
      if (!this.halted) items.push({ operator, pipeline: this.pipeline() });
    }
    const end = this.tokens[this.next - 1]?.end ?? start;
    const separator = this.at(';', '&', '\n');
    if (separator !== null) this.next += 1;
    else if (this.token !== undefined && !this.halted) this.refuse();
    return { items, background: separator === '&', text: this.source.slice(start, end) };
  }

  private pipeline(): Pipeline {
    let negated = false;
    if (this.token?.kind === 'word' && plainText(this.token.word) === '!') {
      negated = true;
      this.next += 1;
    }
    const commands = [this.command()];
    while (!this.halted && this.at('|')) {
      this.continueAfterOperator();
      if (!this.halted) commands.push(this.command());
    }
    return { negated, commands };
  }

  /** Passes an operator after which a command has to follow, on this line or a later one. */
  private continueAfterOperator(): void {
    this.next += 1;
    this.skipNewlines();
    if (this.token === undefined) this.wantsCommand = true;
  }

  private command(): SimpleCommand {
    const first = this.token;
    const assignments: Assignment[] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    if (first?.kind === 'word') {
      const text = plainText(first.word) ?? '';
      if (reservedWords.has(text)) {
        this.fault = fault(this.source, first.start, text, `'${text}' is not supported by this shell`);
      } else if (text === '!') {
        this.refuse();
      }
    }
    while (!this.halted) {
      const token = this.token;
      if (token?.kind === 'word') {
        const assignment = words.length === 0 ? assignmentOf(token.word) : null;
        if (assignment !== null) assignments.push(assignment);
        else words.push(token.word);
        this.next += 1;
      } else if (this.at(...redirectionOperators)) {
        this.redirection(redirections);
      } else {
        break;
      }
    }
    if (!this.halted && assignments.length + words.length + redirections.length === 0) this.refuse();
    const start = first?.start ?? this.source.length;
    const text = this.source.slice(start, this.tokens[this.next - 1]?.end ?? start);
    return { assignments, words, redirections, start, text };
  }

  private redirection(redirections: Redirection[]): void {
    const token = this.token;
    const operator = redirectionOperators.find((each) => this.at(each));
    if (token?.kind !== 'operator' || operator === undefined) return;
    this.next += 1;
    const target = this.token;
    if (target?.kind !== 'word') {
      this.refuse();
      return;
    }
    this.next += 1;
    const descriptor = token.descriptor ?? (operator.startsWith('<') ? 0 : 1);
    redirections.push({ descriptor, operator, target: target.word, start: token.start });
  }
}

/** The text of a word that is one unquoted piece of text; null for any other. */
function plainText(word: Word): string | null {
  const [only, ...others] = word.parts;
  return only?.kind === 'text' && !only.quoted && others.length === 0 ? only.text : null;
}

/** NAME=value, where NAME and the sign are unquoted. */
function assignmentOf(word: Word): Assignment | null {
  const [first, ...rest] = word.parts;
  if (first?.kind !== 'text' || first.quoted) return null;
  const name = assignmentPattern.exec(first.text)?.[1];
  if (name === undefined) return null;
  const text = first.text.slice(name.length + 1);
  const parts = text === '' ? rest : [{ kind: 'text', text, quoted: false } as const, ...rest];
  return { name, value: { parts, start: word.start + name.length + 1, end: word.end } };
}

/** Parses input of one or more lines. Never throws. Nothing but blanks and comments is a program without lists. */
export function parse(source: string): ParseResult {
  const lexed = lex(source);
  const parser = new Parser(source, lexed.tokens);
  const lists = parser.lists();
  // What stopped the lexer lies in or behind the last token, so a fault at one before it comes first.
  const lastStart = lexed.tokens.at(-1)?.start ?? 0;
  const early = parser.fault !== null && parser.fault.position < lastStart ? parser.fault : null;
  const found = early ?? lexed.fault ?? (lexed.open === null ? parser.fault : null);
  if (found !== null) return { kind: 'error', fault: found };
  if (lexed.open !== null) return { kind: 'incomplete', reason: lexed.open };
  if (parser.wantsCommand) return { kind: 'incomplete', reason: 'command' };
  return { kind: 'program', program: { source, lists } };
}
