/**
 * Computes what a word on the command line may become: a command, an argument as the command proposes it, a path, or a
 * variable. Quoting is respected: a value with special characters comes quoted the way the user began.
 */
import type { Command } from './command.ts';

import { type Lexed, lex, type Token } from './lexer.ts';
import type { Completion } from './line-editor.ts';
import type { Word } from './syntax.ts';
import { isControl } from './width.ts';

/**
 * Gives all values that can stand after `words` (the command first); those that do not begin like what is typed are
 * left out afterwards.
 */
export type ArgumentCompleter = (words: readonly string[]) => readonly string[];

/** What can be completed. */
export interface CompletionSource {
  /** Commands by name, with the values of their arguments; null when there are none. */
  readonly commands: ReadonlyMap<string, ArgumentCompleter | null>;
  /** What else their operands are; left out: paths where they propose nothing, and nothing where they do. */
  readonly operands?: ReadonlyMap<string, Exclude<Command['operands'], undefined>>;
  /** Names of variables. */
  readonly variables: readonly string[];
  /** Paths that begin like what is typed; those of directories end in a slash. */
  paths?(typed: string, directoriesOnly: boolean): readonly string[];
}

const nothing = (cursor: number): Completion => ({ start: cursor, candidates: [] });

/** Completes the word before the cursor (UTF-16 code units). Never throws, unless a completer does. */
export function complete(text: string, cursor: number, source: CompletionSource): Completion {
  const before = text.slice(0, cursor);
  const lexed = lex(before);
  if (lexed.fault !== null) return nothing(cursor);
  const last = lexed.tokens.at(-1);
  const current = last?.kind === 'word' && last.end === before.length ? last.word : null;
  if (current === null && inComment(before, last)) return nothing(cursor);
  const raw = current === null ? '' : before.slice(current.start);
  const variable = completeVariable(raw, lexed, cursor, source.variables);
  if (variable !== null) return variable;
  const typed = current === null ? '' : plainText(current);
  const context = contextOf(current === null ? lexed.tokens : lexed.tokens.slice(0, -1));
  if (typed === null || context === null) return nothing(cursor);
  // The home directory is the root: what stands behind the sign is a path of its own.
  const home = raw.startsWith('~/') ? '~' : '';
  const begun = typed.slice(home.length);
  const values = valuesFor(context, begun, home === '', source);
  const matching = values.filter((value) => value.startsWith(begun) && ![...value].some(isControl));
  const candidates = [...new Set(matching)].sort().map((value) => home + quote(value, raw.slice(home.length)));
  return { start: current?.start ?? cursor, candidates };
}

/** Everything that may stand where the word is. */
function valuesFor(context: Context, typed: string, plain: boolean, source: CompletionSource): readonly string[] {
  const paths = (directoriesOnly: boolean): readonly string[] => source.paths?.(typed, directoriesOnly) ?? [];
  if (context === 'target') return paths(false);
  const [command] = context;
  if (command === undefined) return plain ? [...source.commands.keys()] : [];
  const completer = source.commands.get(command);
  const proposed = completer == null || !plain ? [] : completer(context);
  const operands = source.operands?.get(command) ?? (completer == null ? 'paths' : 'none');
  if (operands === 'none' || typed.startsWith('-')) return proposed;
  return [...proposed, ...paths(operands === 'directories')];
}

/** Whether the end of the text, which no token reaches, belongs to a comment. */
function inComment(text: string, last: Token | undefined): boolean {
  return text.slice(last?.end ?? 0).includes('#');
}

/** `$NA` or `${NA` at the end of the word; null when there is none. */
function completeVariable(raw: string, lexed: Lexed, cursor: number, variables: readonly string[]): Completion | null {
  const match = lexed.open === 'single quote' ? null : /\$(\{?)((?:[A-Za-z_][A-Za-z0-9_]*)?)$/.exec(raw);
  if (match === null || /\\(?:\\\\)*$/.test(raw.slice(0, match.index))) return null;
  const [whole, brace = '', name = ''] = match;
  const candidates = variables
    .filter((variable) => variable.startsWith(name))
    .sort()
    .map((variable) => (brace === '' ? `$${variable}` : `\${${variable}}`));
  return { start: cursor - whole.length, candidates };
}

/**
 * The words of the command before the one to be completed, without assignments; or that it is the file of a
 * redirection.
 */
type Context = readonly string[] | 'target';

/** What the tokens end in. Null where nothing can be completed: a descriptor, a text. */
function contextOf(tokens: readonly Token[]): Context | null {
  let words: string[] = [];
  let redirection: string | null = null;
  for (const token of tokens) {
    if (token.kind === 'operator') {
      redirection = /^[<>]/.test(token.operator) ? token.operator : null;
      if (redirection === null) words = [];
      continue;
    }
    const text = plainText(token.word) ?? '';
    const leads = words.length === 0 && (text === '!' || /^[A-Za-z_][A-Za-z0-9_]*=/.test(text));
    if (redirection === null && !leads) words.push(text);
    redirection = null;
  }
  if (redirection === null) return words;
  return ['<', '>', '>>', '>|'].includes(redirection) ? 'target' : null;
}

/** The text of a word without its quotes; null when it has parameters, whose values are not known here. */
function plainText(word: Word): string | null {
  let text = '';
  for (const part of word.parts) {
    if (part.kind === 'parameter') return null;
    text += part.text;
  }
  return text;
}

/**
 * A value as it has to be typed, in the kind of quotes that `raw` begins with. They stay open behind a directory, which
 * is to be continued.
 */
function quote(value: string, raw: string): string {
  const end = (mark: string): string => (value.endsWith('/') ? '' : mark);
  if (raw.startsWith('"')) return `"${value.replaceAll(/[$`"\\]/g, '\\$&')}${end('"')}`;
  if (raw.startsWith("'") && !value.includes("'")) return `'${value}${end("'")}`;
  return value.replaceAll(/[ \t"'`$\\;&|<>()#!*?[\]{}~]/g, '\\$&');
}
