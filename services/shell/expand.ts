/**
 * Expands words: `~`, parameters, field splitting, patterns for names of files, removal of quotes. Read POSIX, Shell &
 * Utilities, 2.5 (Parameters and Variables) and 2.6 (Word Expansions). Fields are split at spaces, tabs and newlines
 * (IFS is fixed); the home directory is `/`.
 */
import { CommandError } from './errors.ts';
import { isPattern, quotePattern } from './patterns.ts';
import type { RedirectionOperator, SimpleCommand, Word, WordPart } from './syntax.ts';

/** What `~` stands for. */
export const HOME_DIRECTORY = '/';

/** Most characters (UTF-16 code units) that one command may expand to: variables that double each other grow fast. */
export const MAX_EXPANDED_CHARACTERS = 256 * 1024;

/** Most fields that one command may expand to. */
export const MAX_FIELDS = 8192;

/** Values that parameters take. */
export interface ExpansionContext {
  /** Value of a variable, undefined when it is not set. */
  variable(name: string): string | undefined;
  /** `$0`. */
  readonly commandName: string;
  /** `$1` and on. */
  readonly arguments: readonly string[];
  /** `$?`, exit status of the last command. */
  readonly status: number;
  /** `$$`. */
  readonly pid: number;
  /** `$!`, pid of the last background command; null when there was none. */
  readonly backgroundPid: number | null;
  /** Paths that match a pattern (patterns.ts), sorted. Throws CommandError. */
  paths(pattern: string): readonly string[];
}

/** A command ready to run. */
export interface ExpandedCommand {
  readonly words: readonly string[];
  /** In the order written; a later one sees the earlier ones. */
  readonly assignments: readonly { readonly name: string; readonly value: string }[];
  /** In the order written. */
  readonly redirections: readonly ExpandedRedirection[];
}

/** A redirection whose target is known: a path, a text for `<<<`, a descriptor for `<&` and `>&`. */
export interface ExpandedRedirection {
  readonly descriptor: number;
  readonly operator: RedirectionOperator;
  readonly target: string;
}

/** Result of expanding a command. */
export type ExpansionResult =
  | { readonly kind: 'command'; readonly command: ExpandedCommand }
  | { readonly kind: 'error'; readonly message: string };

/** A field; `pattern` is null when nothing in it is special outside quotes. */
interface Field {
  readonly text: string;
  readonly pattern: string | null;
}

/** Collects fields. Counts what it collects and takes nothing more once that is too much. */
class Fields {
  readonly fields: Field[] = [];
  overflow = false;
  private text: string | null = null;
  private pattern = '';
  private characters = 0;

  /** Text that stays in one field. */
  append(text: string, quoted: boolean): void {
    this.characters += text.length;
    if (this.characters > MAX_EXPANDED_CHARACTERS) this.overflow = true;
    if (this.overflow) return;
    this.text = (this.text ?? '') + text;
    // Outside quotes a backslash comes from a value, where it is a character as any other.
    this.pattern += quoted ? quotePattern(text) : text.replaceAll('\\', '\\\\');
  }

  /** Text that is split at blanks. */
  appendSplit(text: string): void {
    for (const piece of text.split(/([ \t\n]+)/)) {
      if (piece === '') continue;
      if (/^[ \t\n]/.test(piece)) this.end();
      else this.append(piece, false);
      if (this.overflow) return;
    }
  }

  /** Ends the field, if one has begun. */
  end(): void {
    if (this.text === null) return;
    if (this.fields.length >= MAX_FIELDS) this.overflow = true;
    else this.fields.push({ text: this.text, pattern: isPattern(this.pattern) ? this.pattern : null });
    this.text = null;
    this.pattern = '';
  }
}

class Expander {
  readonly fields = new Fields();
  private readonly context: ExpansionContext;
  private readonly split: boolean;
  private readonly assigned: ReadonlyMap<string, string>;

  /**
   * `split` is false for the value of an assignment, which is one field. `assigned` are variables set before in the
   * same command.
   */
  constructor(context: ExpansionContext, split: boolean, assigned: ReadonlyMap<string, string>) {
    this.context = context;
    this.split = split;
    this.assigned = assigned;
  }

  /** Text outside quotes is split only where it comes from `${NAME:-word}`. */
  parts(parts: readonly WordPart[], splitText: boolean): void {
    for (const part of parts) {
      if (this.fields.overflow) return;
      if (part.kind === 'parameter') this.parameter(part);
      else if (splitText && !part.quoted && this.split) this.fields.appendSplit(part.text);
      else this.fields.append(part.text, part.quoted);
    }
  }

  private parameter(part: WordPart & { kind: 'parameter' }): void {
    const value = this.value(part.name);
    const missing = value === undefined || (part.operator?.startsWith(':') === true && value === '');
    const replaces = part.operator?.endsWith('-') === true ? missing : part.operator !== null && !missing;
    if (replaces) {
      this.parts(part.word, true);
      // "${NAME:-}" is an empty field, not none.
      if (part.quoted) this.fields.append('', true);
      return;
    }
    if (part.operator?.endsWith('+') === true) {
      if (part.quoted) this.fields.append('', true);
      return;
    }
    if (this.split && (part.name === '@' || (part.name === '*' && !part.quoted))) this.allArguments(part.quoted);
    else if (part.quoted || !this.split) this.fields.append(value ?? '', part.quoted);
    else this.fields.appendSplit(value ?? '');
  }

  /** `$@`: each argument is a field of its own; none is no field, even in quotes. */
  private allArguments(quoted: boolean): void {
    for (const [index, argument] of this.context.arguments.entries()) {
      if (this.fields.overflow) return;
      if (index > 0) this.fields.end();
      if (quoted) this.fields.append(argument, true);
      else this.fields.appendSplit(argument);
    }
  }

  private value(name: string): string | undefined {
    const { context } = this;
    switch (name) {
      case '?':
        return String(context.status);
      case '$':
        return String(context.pid);
      case '#':
        return String(context.arguments.length);
      case '!':
        return context.backgroundPid === null ? undefined : String(context.backgroundPid);
      case '@':
      case '*':
        return context.arguments.length === 0 ? undefined : context.arguments.join(' ');
      case '0':
        return context.commandName;
      default:
        if (/^[0-9]/.test(name)) return context.arguments[Number(name) - 1];
        return this.assigned.get(name) ?? context.variable(name);
    }
  }
}

const tooLarge = `expands to more than ${MAX_EXPANDED_CHARACTERS} characters or ${MAX_FIELDS} words`;

/** `~` and `~/…` at the start of a word, unquoted. */
function withHome({ parts }: Word): readonly WordPart[] {
  const [first, ...rest] = parts;
  if (first?.kind !== 'text' || first.quoted || !/^~(\/|$)/.test(first.text)) return parts;
  if (first.text === '~' && rest.length > 0) return parts;
  return [{ ...first, text: first.text === '~' ? HOME_DIRECTORY : first.text.slice(1) }, ...rest];
}

/** The fields of some words, or one of each word where `split` is false. */
function fieldsOf(
  words: readonly Word[],
  context: ExpansionContext,
  split: boolean,
  assigned: ReadonlyMap<string, string>,
): Field[] {
  const expander = new Expander(context, split, assigned);
  for (const word of words) {
    expander.parts(withHome(word), false);
    expander.fields.end();
    if (expander.fields.overflow) throw new CommandError(tooLarge);
  }
  return expander.fields.fields;
}

/** Patterns become the paths they match; one that matches nothing stays as it is. */
function withPaths(fields: readonly Field[], context: ExpansionContext): string[] {
  const words: string[] = [];
  for (const { text, pattern } of fields) {
    const found = pattern === null ? [] : context.paths(pattern);
    if (words.length + found.length > MAX_FIELDS) throw new CommandError(tooLarge);
    if (found.length === 0) words.push(text);
    else words.push(...found);
  }
  return words;
}

function assignmentsOf(command: SimpleCommand, context: ExpansionContext): ExpandedCommand['assignments'] {
  const assigned = new Map<string, string>();
  let characters = 0;
  return command.assignments.map(({ name, value: word }) => {
    const value = fieldsOf([word], context, false, assigned)[0]?.text ?? '';
    characters += value.length;
    if (characters > MAX_EXPANDED_CHARACTERS) throw new CommandError(tooLarge);
    assigned.set(name, value);
    return { name, value };
  });
}

function redirectionsOf(command: SimpleCommand, context: ExpansionContext): ExpandedRedirection[] {
  return command.redirections.map(({ descriptor, operator, target: word }) => {
    const text = operator === '<<<';
    const fields = fieldsOf([word], context, !text, new Map());
    const targets = text ? fields.map((field) => field.text) : withPaths(fields, context);
    const [target = ''] = targets;
    if (!text && targets.length !== 1)
      throw new CommandError(`${targets.join(' ')}: ambiguous target of '${operator}'`);
    return { descriptor, operator, target };
  });
}

/**
 * Expands the words of a command, then its redirections and assignments. An error when the result is too large, or a
 * target is not one path.
 */
export function expandCommand(command: SimpleCommand, context: ExpansionContext): ExpansionResult {
  try {
    const words = withPaths(fieldsOf(command.words, context, true, new Map()), context);
    const redirections = redirectionsOf(command, context);
    return { kind: 'command', command: { words, redirections, assignments: assignmentsOf(command, context) } };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { kind: 'error', message: error.message };
  }
}
