/**
 * A shell session: carries out parsed programs. Read POSIX, Shell & Utilities, 2.8.2 (Exit Status for Commands) and 2.9 (Shell Commands).
 */
import { init, SystemError, startInformation } from '../lib/index.ts';
import type { Command, Shell } from './command.ts';
import { CommandError, reasonOf, UsageError } from './errors.ts';
import { expandCommand } from './expand.ts';
import type { JobTable, Order } from './jobs.ts';
import { checkSupported } from './parser.ts';
import { Services } from './services.ts';
import type { AndOrList, Pipeline, Program, SimpleCommand } from './syntax.ts';
import type { Terminal } from './terminal.ts';

/** Status of a command that does not exist, of one that was used wrongly, and of a line the user interrupted (128 + SIGINT). */
export const NOT_FOUND = 127;
export const USAGE = 2;
export const INTERRUPTED = 130;

/** What a session is made with. */
export interface SessionOptions {
  readonly terminal: Terminal;
  readonly commands: readonly Command[];
  /** Null in a job. */
  readonly jobs: JobTable | null;
  /** Tells the user about jobs. */
  readonly interactive: boolean;
  history?(): readonly string[];
  /** Called after each list: variables may have changed. */
  changed?(): void;
}

/** See the head of this file. */
export class Session implements Shell {
  readonly commands: ReadonlyMap<string, Command>;
  readonly variables = new Map<string, string>();
  readonly jobs: JobTable | null;
  status = 0;
  /** Set when the session is to end. */
  leaving = false;
  /** Set when init has been asked to end the machine. */
  machineEnding = false;
  private readonly terminal: Terminal;
  private readonly options: SessionOptions;

  constructor(options: SessionOptions) {
    this.options = options;
    this.terminal = options.terminal;
    this.jobs = options.jobs;
    this.commands = new Map(options.commands.map((command) => [command.name, command]));
  }

  columns(): number {
    return this.terminal.size().columns;
  }

  history(): readonly string[] {
    return this.options.history?.() ?? [];
  }

  flush(): void {
    this.terminal.flush();
  }

  leave(status: number): void {
    this.status = status & 0xff;
    this.leaving = true;
  }

  endMachine(status: number, reboot: boolean): void {
    this.flush();
    const services = new Services();
    services.client(init, 'init').shutdown({ status: status & 0xff, reboot });
    services.release();
    this.leave(status);
    this.machineEnding = true;
  }

  /** Carries out a program. `before` is told what is left of the source before each list. False: the user interrupted it. */
  run(program: Program, before?: (rest: string) => void): boolean {
    const fault = checkSupported(program);
    if (fault !== null) {
      this.complain(fault.message);
      this.status = USAGE;
      return true;
    }
    let at = 0;
    for (const list of program.lists) {
      at = program.source.indexOf(list.text, at) + list.text.length;
      before?.(program.source.slice(at).replace(/^[ \t]*[;&\n]/, ''));
      this.list(list);
      this.options.changed?.();
      if (this.wasInterrupted()) return false;
      if (this.leaving) return true;
    }
    return true;
  }

  runWords(words: readonly string[]): number {
    const [name = '', ...rest] = words;
    const command = this.commands.get(name);
    if (command === undefined) {
      this.complain(`${name}: no such command; 'help' lists them`);
      return NOT_FOUND;
    }
    const services = new Services();
    try {
      if (rest[0] === '--help') {
        for (const line of helpOf(command)) this.terminal.print(`${line}\n`);
        return 0;
      }
      const kind = typeof command.kind === 'string' ? command.kind : command.kind(rest);
      if (kind === 'job' && this.jobs !== null) {
        return this.jobs.foreground(this.jobs.start(this.order({ words }), words.join(' ')));
      }
      return command.run({
        name,
        words: rest,
        shell: this,
        services,
        print: (text) => this.terminal.print(text),
        lines: (...texts) => {
          for (const text of texts) this.terminal.print(`${text}\n`);
        },
      });
    } catch (error) {
      return this.failed(name, command, error);
    } finally {
      services.release();
    }
  }

  /** Shows a message of the shell itself. */
  complain(message: string): void {
    this.terminal.print(`${message}\n`);
  }

  /** Whether the user pressed the interrupt key since the last look. */
  wasInterrupted(): boolean {
    if (this.jobs === null) return false;
    this.jobs.poll();
    if (!this.jobs.interrupted) return false;
    this.jobs.interrupted = false;
    this.status = INTERRUPTED;
    return true;
  }

  private list(list: AndOrList): void {
    if (list.background) {
      this.background(list.text);
      return;
    }
    for (const { operator, pipeline } of list.items) {
      if (operator === '&&' && this.status !== 0) continue;
      if (operator === '||' && this.status === 0) continue;
      this.pipeline(pipeline);
      if (this.leaving || this.jobs?.interrupted === true) return;
    }
  }

  private background(text: string): void {
    if (this.jobs === null) {
      this.complain('&: a job cannot start jobs');
      this.status = 1;
      return;
    }
    try {
      const job = this.jobs.startBehind(this.order({ text }), text);
      if (this.options.interactive) this.complain(`[${job.number}] ${job.pid}`);
      this.status = 0;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.complain(`&: ${error.message}`);
      this.status = 1;
    }
  }

  private order(what: { words: readonly string[] } | { text: string }): Order {
    const variables = [...this.variables].map(([name, value]) => ({ name, value }));
    const todo = 'words' in what ? { words: [...what.words], text: null } : { words: null, text: what.text };
    return { ...todo, variables, status: this.status };
  }

  private pipeline({ commands, negated }: Pipeline): void {
    const [command] = commands;
    if (command === undefined) return;
    this.command(command);
    if (negated && !this.leaving) this.status = this.status === 0 ? 1 : 0;
  }

  private command(command: SimpleCommand): void {
    const expanded = expandCommand(command, {
      variable: (name) => this.variables.get(name),
      commandName: 'vros',
      arguments: [],
      status: this.status,
      pid: startInformation.pid,
      backgroundPid: this.jobs?.lastBackground ?? null,
    });
    if (expanded.kind === 'error') {
      this.complain(expanded.message);
      this.status = 1;
      return;
    }
    const { words, assignments } = expanded.command;
    const before = new Map(this.variables);
    for (const { name, value } of assignments) this.variables.set(name, value);
    if (words.length === 0) {
      this.status = 0;
      return;
    }
    const status = this.runWords(words);
    if (!this.leaving) this.status = status & 0xff;
    // Assignments before a command hold for that command.
    for (const { name } of assignments) {
      const value = before.get(name);
      if (value === undefined) this.variables.delete(name);
      else this.variables.set(name, value);
    }
  }

  private failed(name: string, command: Command, error: unknown): number {
    if (error instanceof UsageError) {
      this.complain(`${name}: ${error.message}`);
      this.complain(`usage: ${usageOf(command)}`);
      return USAGE;
    }
    if (error instanceof CommandError) this.complain(`${name}: ${error.message}`);
    else if (error instanceof SystemError) this.complain(`${name}: ${reasonOf(error)}`);
    else throw error;
    return 1;
  }
}

/** Name and arguments of a command. */
export function usageOf(command: Command): string {
  return command.usage === '' ? command.name : `${command.name} ${command.usage}`;
}

/** What `help NAME` and `NAME --help` show. */
export function helpOf(command: Command): string[] {
  return [`usage: ${usageOf(command)}`, command.about, ...(command.details ?? [])];
}
