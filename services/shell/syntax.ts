/**
 * The syntax tree of the shell and its faults. Read POSIX (IEEE Std 1003.1), Shell & Utilities, 2.10 (Shell Grammar),
 * of which this is the part without compound commands, functions, here-documents and substitution of commands.
 */

/** Longest input in UTF-16 code units, continuation lines included. */
export const MAX_INPUT_CHARACTERS = 65536;

/** Most words and operators of one input. */
export const MAX_TOKENS = 8192;

/** Deepest `${A:-${B:-…}}`. */
export const MAX_PARAMETER_DEPTH = 16;

/** How `${NAME…}` treats a missing value; with a colon an empty one counts as missing. */
export type ParameterOperator = ':-' | '-' | ':+' | '+';

/**
 * A piece of a word. What is quoted is neither split into fields nor recognised as part of an assignment or keyword.
 */
export type WordPart =
  | { readonly kind: 'text'; readonly text: string; readonly quoted: boolean }
  | {
      readonly kind: 'parameter';
      readonly name: string;
      readonly operator: ParameterOperator | null;
      readonly word: readonly WordPart[];
      readonly quoted: boolean;
    };

/** A word, from `start` up to but not including `end` in the input. */
export interface Word {
  readonly parts: readonly WordPart[];
  readonly start: number;
  readonly end: number;
}

/** NAME=value. */
export interface Assignment {
  readonly name: string;
  readonly value: Word;
}

/**
 * What a redirection does: read, write, append, read a text that stands there (`<<<`), or be the same as another
 * descriptor (`<&`, `>&`).
 */
export const redirectionOperators = ['<', '>', '>|', '>>', '<<<', '<&', '>&'] as const;
export type RedirectionOperator = (typeof redirectionOperators)[number];

/** A redirection with its target; `descriptor` is the number written before it, or the usual one. */
export interface Redirection {
  readonly descriptor: number;
  readonly operator: RedirectionOperator;
  readonly target: Word;
  readonly start: number;
}

/** Assignments, words and redirections; at least one of them. `text` is the source of the command. */
export interface SimpleCommand {
  readonly assignments: readonly Assignment[];
  readonly words: readonly Word[];
  readonly redirections: readonly Redirection[];
  readonly start: number;
  readonly text: string;
}

/** Commands joined by `|`; `negated` by a `!` before them. */
export interface Pipeline {
  readonly negated: boolean;
  readonly commands: readonly SimpleCommand[];
}

/**
 * Pipelines joined by `&&` and `||`; `operator` is what stands before the pipeline, null before the first. `text` is
 * the source of the list.
 */
export interface AndOrList {
  readonly items: readonly { readonly operator: '&&' | '||' | null; readonly pipeline: Pipeline }[];
  readonly background: boolean;
  readonly text: string;
}

/** A complete input. */
export interface Program {
  readonly source: string;
  readonly lists: readonly AndOrList[];
}

/** Something wrong in the input: where (offset in UTF-16 code units), what stands there, and a message for the user. */
export interface Fault {
  readonly position: number;
  readonly found: string;
  readonly message: string;
}

const MAX_FOUND_CHARACTERS = 20;

/** What is quoted of the input in a message: without control characters and not too long. */
function excerpt(found: string): string {
  const clean = found.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
  return clean.length > MAX_FOUND_CHARACTERS ? `${clean.slice(0, MAX_FOUND_CHARACTERS)}…` : clean;
}

/** Builds a fault; line and column in the message count from 1. */
export function fault(source: string, position: number, found: string, problem: string): Fault {
  const before = source.slice(0, position);
  const line = before.split('\n').length;
  const column = [...before.slice(before.lastIndexOf('\n') + 1)].length + 1;
  return { position, found, message: `line ${line}, column ${column}: ${problem}` };
}

/** The fault of a piece of input that may not stand where it does. */
export function unexpected(source: string, position: number, found: string): Fault {
  const shown = found === '\n' ? 'end of line' : found === '' ? 'end of input' : `'${excerpt(found)}'`;
  return fault(source, position, found, `syntax error: unexpected ${shown}`);
}
