/** What a command of the shell is, and what it works with. */
import type { Files } from '../lib/index.ts';
import type { Descriptors } from './descriptors.ts';
import { UsageError } from './errors.ts';
import type { JobTable } from './jobs.ts';
import type { Services } from './services.ts';
import type { Input, Output } from './streams.ts';

/** The shell, as far as commands see it. */
export interface Shell {
  readonly commands: ReadonlyMap<string, Command>;
  readonly variables: Map<string, string>;
  /** Exit status of the last command. */
  readonly status: number;
  /** The working directory, and the one before it. */
  directory: string;
  previousDirectory: string | null;
  /** Whether somebody sits at a prompt. */
  readonly interactive: boolean;
  /** Null in a job, which has none of its own. */
  readonly jobs: JobTable | null;
  /** Width of the terminal in cells. */
  columns(): number;
  /** Lines entered before, oldest first. */
  history(): readonly string[];
  /** Runs a command of these words here. */
  runWords(words: readonly string[]): number;
  /** Ends the session with a status after the command at hand. */
  leave(status: number): void;
  /** Ends the machine, or starts it again, after the command at hand. */
  endMachine(status: number, reboot: boolean): void;
  /** Sends what was printed; returns when it is out. */
  flush(): void;
}

/** What a command is run with. */
export interface CommandContext {
  readonly name: string;
  /** The words after the name. */
  readonly words: readonly string[];
  readonly shell: Shell;
  readonly services: Services;
  /** The name space, seen from the working directory. Throws MissingService when it is read and vfs does not run. */
  readonly files: Files;
  readonly descriptors: Descriptors;
  readonly input: Input;
  readonly output: Output;
  print(text: string): void;
  /** Prints lines. */
  lines(...texts: readonly string[]): void;
  /** Says what is wrong, on the output for errors, behind the name of the command. */
  complain(problem: string): void;
}

/** Where a command runs. */
export type CommandKind = 'here' | 'job';

/** What a command does. Answers the exit status. Throws CommandError, UsageError or SystemError. */
export type Run = (context: CommandContext) => number;

/** A command. */
export interface Command {
  readonly name: string;
  /** What may stand after the name. */
  readonly usage: string;
  /** One line for `help`. */
  readonly about: string;
  /** More for `help NAME`, in lines. */
  readonly details?: readonly string[];
  /**
   * `here`: in the shell itself; `job`: a task of its own, because it may take long. It may depend on the words after
   * the name.
   */
  readonly kind: CommandKind | ((words: readonly string[]) => CommandKind);
  /** Program that has `run`, where it is missing here: it needs code that would make the shell start more slowly. */
  readonly program?: string;
  /** It tells of the shell itself: in a pipeline a job passes on what it has printed here. */
  readonly ofShell?: boolean;
  /** What its operands are, for completion: paths unless it says otherwise, or `complete` does. */
  readonly operands?: 'paths' | 'directories' | 'none';
  /** Values for the word after `words`, which begin with the name. */
  complete?(words: readonly string[], services: Services, shell: Shell): readonly string[];
  readonly run?: Run;
}

/** The words, of which there have to be so many. Throws UsageError. */
export function expectWords(words: readonly string[], least: number, most: number): readonly string[] {
  if (words.length < least) throw new UsageError('an argument is missing');
  if (words.length > most) throw new UsageError(`too many arguments: ${words[most] ?? ''}`);
  return words;
}

/** A whole number from `least` to `most`, decimal or hexadecimal with 0x. Throws UsageError naming `what`. */
export function wholeNumber(text: string, what: string, least: number, most: number): number {
  const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new UsageError(`${what}: expected a whole number from ${least} to ${most}, got '${text}'`);
  return value;
}
