/**
 * Expands words: parameters, field splitting, removal of quotes. Read POSIX, Shell & Utilities, 2.5 (Parameters and Variables) and 2.6 (Word
 * Expansions). Fields are split at spaces, tabs and newlines (IFS is fixed); there are no patterns or `~`, which need a file system.
 */
import type { SimpleCommand, Word, WordPart } from './syntax.ts';

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
}

/** A command ready to run. */
export interface ExpandedCommand {
  readonly words: readonly string[];
  /** In the order written; a later one sees the earlier ones. */
  readonly assignments: readonly { readonly name: string; readonly value: string }[];
}

/** Result of expanding a command. */
export type ExpansionResult =
  | { readonly kind: 'command'; readonly command: ExpandedCommand }
  | { readonly kind: 'error'; readonly message: string };

/** Collects fields. Counts what it collects and takes nothing more once that is too much. */
class Fields {
  readonly fields: string[] = [];
  overflow = false;
  private current: string | null = null;
  private characters = 0;

  /** Text that stays in one field. */
  append(text: string): void {
    this.characters += text.length;
    if (this.characters > MAX_EXPANDED_CHARACTERS) this.overflow = true;
    if (!this.overflow) this.current = (this.current ?? '') + text;
  }

  /** Text that is split at blanks. */
  appendSplit(text: string): void {
    for (const piece of text.split(/([ \t\n]+)/)) {
      if (piece === '') continue;
      if (/^[ \t\n]/.test(piece)) this.end();
      else this.append(piece);
      if (this.overflow) return;
    }
  }

  /** Ends the field, if one has begun. */
  end(): void {
    if (this.current === null) return;
    if (this.fields.length >= MAX_FIELDS) this.overflow = true;
    else this.fields.push(this.current);
    this.current = null;
  }
}

class Expander {
  readonly fields = new Fields();
  private readonly context: ExpansionContext;
  private readonly split: boolean;
  private readonly assigned: ReadonlyMap<string, string>;

  /** `split` is false for the value of an assignment, which is one field. `assigned` are variables set before in the same command. */
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
      else this.fields.append(part.text);
    }
  }

  private parameter(part: WordPart & { kind: 'parameter' }): void {
    const value = this.value(part.name);
    const missing = value === undefined || (part.operator?.startsWith(':') === true && value === '');
    const replaces = part.operator?.endsWith('-') === true ? missing : part.operator !== null && !missing;
    if (replaces) {
      this.parts(part.word, true);
      // "${NAME:-}" is an empty field, not none.
      if (part.quoted) this.fields.append('');
      return;
    }
    if (part.operator?.endsWith('+') === true) {
      if (part.quoted) this.fields.append('');
      return;
    }
    if (this.split && (part.name === '@' || (part.name === '*' && !part.quoted))) this.allArguments(part.quoted);
    else if (part.quoted || !this.split) this.fields.append(value ?? '');
    else this.fields.appendSplit(value ?? '');
  }

  /** `$@`: each argument is a field of its own; none is no field, even in quotes. */
  private allArguments(quoted: boolean): void {
    for (const [index, argument] of this.context.arguments.entries()) {
      if (this.fields.overflow) return;
      if (index > 0) this.fields.end();
      if (quoted) this.fields.append(argument);
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

const tooLarge = {
  kind: 'error',
  message: `expands to more than ${MAX_EXPANDED_CHARACTERS} characters or ${MAX_FIELDS} words`,
} as const;

/** Expands the words of a command, then its assignments. An error when the result is too large. Never throws. */
export function expandCommand(command: SimpleCommand, context: ExpansionContext): ExpansionResult {
  const assigned = new Map<string, string>();
  const expander = new Expander(context, true, assigned);
  for (const word of command.words) {
    expander.parts(word.parts, false);
    expander.fields.end();
    if (expander.fields.overflow) return tooLarge;
  }
  const assignments: { name: string; value: string }[] = [];
  let characters = 0;
  for (const { name, value: word } of command.assignments) {
    const value = expandAssignment(word, context, assigned);
    characters += value?.length ?? 0;
    if (value === null || characters > MAX_EXPANDED_CHARACTERS) return tooLarge;
    assigned.set(name, value);
    assignments.push({ name, value });
  }
  return { kind: 'command', command: { words: expander.fields.fields, assignments } };
}

function expandAssignment(word: Word, context: ExpansionContext, assigned: ReadonlyMap<string, string>): string | null {
  const expander = new Expander(context, false, assigned);
  expander.parts(word.parts, false);
  expander.fields.end();
  return expander.fields.overflow ? null : (expander.fields.fields[0] ?? '');
}
