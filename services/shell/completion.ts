/**
 * Computes what a word on the command line may become: a command, an argument as the command proposes it, or a variable. Quoting is respected: a
 * value with special characters comes quoted the way the user began.
 */

import { type Lexed, lex, type Token } from './lexer.ts';
import type { Completion } from './line-editor.ts';
import type { Word } from './syntax.ts';
import { isControl } from './width.ts';

/** Gives all values that can stand after `words` (the command first); those that do not begin like what is typed are left out afterwards. */
export type ArgumentCompleter = (words: readonly string[]) => readonly string[];

/** What can be completed. */
export interface CompletionSource {
  /** Commands by name, with the values of their arguments; null when there are none. */
  readonly commands: ReadonlyMap<string, ArgumentCompleter | null>;
  /** Names of variables. */
  readonly variables: readonly string[];
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
  const context = commandBefore(current === null ? lexed.tokens : lexed.tokens.slice(0, -1));
  if (typed === null || context === null) return nothing(cursor);
  const [command] = context;
  const values = command === undefined ? [...source.commands.keys()] : (source.commands.get(command)?.(context) ?? []);
  const matching = values.filter((value) => value.startsWith(typed) && ![...value].some(isControl));
  const candidates = [...new Set(matching)].sort().map((value) => quote(value, raw));
  return { start: current?.start ?? cursor, candidates };
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

/** The words of the command that the tokens end in, without assignments; null where no word can be completed (the target of a redirection). */
function commandBefore(tokens: readonly Token[]): string[] | null {
  let words: string[] = [];
  let afterRedirection = false;
  for (const token of tokens) {
    if (token.kind === 'operator') {
      afterRedirection = token.operator.startsWith('<') || token.operator.startsWith('>');
      if (!afterRedirection) words = [];
      continue;
    }
    const text = plainText(token.word) ?? '';
    const leads = words.length === 0 && (text === '!' || /^[A-Za-z_][A-Za-z0-9_]*=/.test(text));
    if (!afterRedirection && !leads) words.push(text);
    afterRedirection = false;
  }
  return afterRedirection ? null : words;
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

/** A value as it has to be typed, in the kind of quotes that `raw` begins with. */
function quote(value: string, raw: string): string {
  if (raw.startsWith('"')) return `"${value.replaceAll(/[$`"\\]/g, '\\$&')}"`;
  if (raw.startsWith("'") && !value.includes("'")) return `'${value}'`;
  return value.replaceAll(/[ \t"'`$\\;&|<>()#!*?[\]{}~]/g, '\\$&');
}
