/**
 * A shell session: carries out parsed programs. Read POSIX, Shell & Utilities, 2.8.2 (Exit Status for Commands) and 2.9
 * (Shell Commands).
 *
 * In the shell itself, commands that may take long and all stages of pipelines run as tasks of their own. In such a
 * task (a job) commands run where they are, but for pipelines and what is another program.
 */
import { init, SystemError, startInformation } from '../lib/index.ts';
import { Children } from './children.ts';
import type { Command, CommandContext, Shell } from './command.ts';
import type { Descriptors } from './descriptors.ts';
import { CommandError, fileReason, UsageError } from './errors.ts';
import { type ExpandedCommand, expandCommand } from './expand.ts';
import type { JobTable } from './jobs.ts';
import { JOB_PROGRAM, type Printed, type Stage } from './launch.ts';
import { nameSource } from './name-source.ts';
import { pathsMatching } from './path-patterns.ts';
import { listStages, pipelineStages, type StageMaker } from './pipelines.ts';
import { Services } from './services.ts';
import { BROKEN_PIPE_STATUS, BrokenPipe } from './streams.ts';
import type { AndOrList, Pipeline, Program, SimpleCommand } from './syntax.ts';
import type { Terminal } from './terminal.ts';

/**
 * Status of a command that does not exist, of one that was used wrongly, and of a line the user interrupted (128 +
 * SIGINT).
 */
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
  /** What commands read and write unless they are told otherwise. */
  readonly descriptors: Descriptors;
  history?(): readonly string[];
  /** Called after each list: variables or the working directory may have changed. */
  changed?(): void;
}

/** What a command is run with here. */
interface Surroundings {
  readonly descriptors: Descriptors;
  readonly services: Services;
}

/** See the head of this file. */
export class Session implements Shell {
  readonly commands: ReadonlyMap<string, Command>;
  readonly variables = new Map<string, string>();
  readonly jobs: JobTable | null;
  status = 0;
  directory = '/';
  previousDirectory: string | null = null;
  /** Set when the session is to end. */
  leaving = false;
  /** Set when init has been asked to end the machine. */
  machineEnding = false;
  private readonly terminal: Terminal;
  private readonly options: SessionOptions;
  private readonly children: Children;
  /** Those of the command at hand. */
  private current: Surroundings | null = null;

  constructor(options: SessionOptions) {
    this.options = options;
    this.terminal = options.terminal;
    this.jobs = options.jobs;
    this.commands = new Map(options.commands.map((command) => [command.name, command]));
    this.children = new Children((line) => this.complain(line));
  }

  columns(): number {
    return this.terminal.size().columns;
  }

  history(): readonly string[] {
    return this.options.history?.() ?? [];
  }

  flush(): void {
    (this.current ?? this.options).descriptors.flush();
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

  /**
   * Carries out a program. `before` is told what is left of the source before each list. False: the user interrupted
   * it.
   */
  run(program: Program, before?: (rest: string) => void): boolean {
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

  /** Runs a command of these words with what the command at hand reads and writes. */
  runWords(words: readonly string[]): number {
    if (this.current !== null) return this.execute(words, this.current);
    const { descriptors } = this.options;
    return this.withServices((services) => this.execute(words, { descriptors, services })) ?? 1;
  }

  /** Prints what the shell had to say in the place of this job. Answers the status. */
  print(printed: Printed, status: number): number {
    const { descriptors } = this.options;
    return this.guarded('', null, descriptors, () => {
      for (const { descriptor, text } of printed)
        (descriptor === 2 ? descriptors.error : descriptors.output).print(text);
      return status;
    });
  }

  /** Shows a message of the shell itself. */
  complain(message: string): void {
    this.options.descriptors.complain(message);
  }

  /** Whether the user pressed the interrupt key since the last look. */
  wasInterrupted(): boolean {
    if (this.jobs === null) return false;
    this.jobs.poll();
    const { interrupted } = this.jobs;
    if (interrupted === 0) return false;
    this.jobs.interrupted = 0;
    this.status = 128 + interrupted;
    return true;
  }

  private list(list: AndOrList): void {
    if (list.background) {
      this.background(list);
      return;
    }
    for (const { operator, pipeline } of list.items) {
      if (operator === '&&' && this.status !== 0) continue;
      if (operator === '||' && this.status === 0) continue;
      this.pipeline(pipeline);
      if (this.leaving || (this.jobs?.interrupted ?? 0) !== 0) return;
    }
  }

  private background(list: AndOrList): void {
    const { jobs } = this;
    if (jobs === null) {
      this.complain('&: a job has no jobs of its own');
      this.status = 1;
      return;
    }
    const stages = this.withServices((services) =>
      listStages(list, this.stageMaker(services), this.options.interactive),
    );
    if (stages === null) return;
    try {
      const job = jobs.startBehind(stages, list.text);
      if (this.options.interactive) this.complain(`[${job.number}] ${job.pid}`);
      this.status = 0;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.complain(`&: ${error.message}`);
      this.status = 1;
    }
  }

  private pipeline({ commands, negated }: Pipeline): void {
    const [only, ...others] = commands;
    if (only === undefined) return;
    if (others.length === 0) this.withServices((services) => this.simple(only, services));
    else {
      const text = commands.map((command) => command.text).join(' | ');
      const stages = this.withServices((services) =>
        pipelineStages(commands, this.options.descriptors, this.stageMaker(services)),
      );
      if (stages !== null) this.guardedStatus(() => this.runStages(stages, text));
    }
    if (negated && !this.leaving) this.status = this.status === 0 ? 1 : 0;
  }

  /** Runs processes in the foreground. Throws CommandError. */
  private runStages(stages: readonly Stage[], text: string): number {
    return this.jobs === null ? this.children.run(stages) : this.jobs.run(stages, text);
  }

  /** Whether somebody sits at a prompt. */
  get interactive(): boolean {
    return this.options.interactive;
  }

  /** Does something with rights to services, which are given up afterwards. Null, and status 1, when it fails. */
  private withServices<T>(act: (services: Services) => T): T | null {
    const services = new Services(this.directory);
    try {
      return act(services);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.complain(error.message);
      this.status = 1;
      return null;
    } finally {
      services.release();
    }
  }

  private guardedStatus(act: () => number): void {
    try {
      this.status = act();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.complain(error.message);
      this.status = 1;
    }
  }

  /** Runs a command that is no pipeline. Throws CommandError. */
  private simple(command: SimpleCommand, services: Services): void {
    const expanded = this.expand(command, services);
    if (expanded.words.length === 0) {
      for (const { name, value } of expanded.assignments) this.variables.set(name, value);
    }
    const { descriptors: usual } = this.options;
    const { descriptors, problem } = usual.redirected(expanded.redirections, () => services.files);
    try {
      const run = (): number => {
        if (problem === null && expanded.words.length > 0)
          return this.execute(expanded.words, { descriptors, services });
        if (problem !== null) descriptors.complain(problem);
        return problem === null ? 0 : 1;
      };
      const status = this.assigned(expanded, run);
      if (!this.leaving) this.status = status & 0xff;
    } finally {
      if (descriptors !== usual) descriptors.close();
    }
  }

  private expand(command: SimpleCommand, services: Services): ExpandedCommand {
    const expanded = expandCommand(command, {
      variable: (name) => this.variables.get(name),
      commandName: 'vros',
      arguments: [],
      status: this.status,
      pid: startInformation.pid,
      backgroundPid: this.jobs?.lastBackground ?? null,
      paths: (pattern) => pathsMatching(pattern, nameSource(services.files)),
    });
    if (expanded.kind === 'error') throw new CommandError(expanded.message);
    return expanded.command;
  }

  /** Does something under the assignments that stand before a command, which hold for that command only. */
  private assigned<T>({ words, assignments }: ExpandedCommand, act: () => T): T {
    if (words.length === 0) return act();
    const before = new Map(this.variables);
    for (const { name, value } of assignments) this.variables.set(name, value);
    try {
      return act();
    } finally {
      for (const { name } of assignments) {
        const value = before.get(name);
        if (value === undefined) this.variables.delete(name);
        else this.variables.set(name, value);
      }
    }
  }

  /** How commands and lists become processes (pipelines.ts). */
  private stageMaker(services: Services): StageMaker {
    return {
      usual: this.options.descriptors,
      files: () => services.files,
      expand: (command) => this.expand(command, services),
      assigned: (expanded, act) => this.assigned(expanded, act),
      command: (words, text, descriptors) => this.stageOf(words, text, { descriptors, services }),
      list: (text, descriptors) => ({ text, program: JOB_PROGRAM, order: this.order({ text }), descriptors }),
      printing: (printed, status, text, descriptors) => this.printing(printed, status, text, descriptors),
    };
  }

  private order(
    what: Partial<Pick<Stage['order'], 'words' | 'text' | 'printed'>>,
    status = this.status,
  ): Stage['order'] {
    const variables = [...this.variables].map(([name, value]) => ({ name, value }));
    return { words: null, text: null, printed: null, ...what, variables, status, directory: this.directory };
  }

  /** The process that is to run a command. */
  private stageOf(words: readonly string[], text: string, surroundings: Surroundings): Stage {
    const { descriptors } = surroundings;
    const command = this.commands.get(words[0] ?? '');
    const program = command?.program ?? JOB_PROGRAM;
    if (command?.ofShell !== true || this.jobs === null)
      return { text, program, order: this.order({ words: [...words] }), descriptors };
    const printed: Printed = [];
    const collected = descriptors.collected((descriptor, bytes) =>
      printed.push({ descriptor, text: Buffer.from(bytes).toString() }),
    );
    const status = this.execute(words, { ...surroundings, descriptors: collected });
    return this.printing(printed, status, text, descriptors);
  }

  /** The process that is to print something, and end with a status. */
  private printing(printed: Printed, status: number, text: string, descriptors: Descriptors): Stage {
    return { text, program: JOB_PROGRAM, order: this.order({ printed }, status), descriptors };
  }

  /** Runs a command of these words. Answers its status. */
  private execute(words: readonly string[], surroundings: Surroundings): number {
    const { descriptors } = surroundings;
    const [name = '', ...rest] = words;
    const command = this.commands.get(name);
    if (command === undefined) {
      descriptors.complain(`${name}: no such command; 'help' lists them`);
      return NOT_FOUND;
    }
    return this.guarded(name, command, descriptors, () => {
      if (rest[0] === '--help') {
        for (const line of helpOf(command)) descriptors.output.print(`${line}\n`);
        return 0;
      }
      const kind = typeof command.kind === 'string' ? command.kind : command.kind(rest);
      if (command.run === undefined || (kind === 'job' && this.jobs !== null)) {
        const text = words.join(' ');
        return this.runStages([this.stageOf(words, text, surroundings)], text);
      }
      const before = this.current;
      this.current = surroundings;
      try {
        return command.run(this.context(command, rest, surroundings));
      } finally {
        this.current = before;
      }
    });
  }

  private context(command: Command, words: readonly string[], { descriptors, services }: Surroundings): CommandContext {
    const print = (text: string): void => descriptors.output.print(text);
    return {
      ...{ name: command.name, words, shell: this, services, descriptors, print },
      get files() {
        return services.files;
      },
      get input() {
        return descriptors.input;
      },
      get output() {
        return descriptors.output;
      },
      lines: (...texts) => {
        for (const text of texts) print(`${text}\n`);
      },
      complain: (problem) => descriptors.complain(`${command.name}: ${problem}`),
    };
  }

  /** Does what a command does, and sends what it has written. Its failures become a message and a status. */
  private guarded(name: string, command: Command | null, descriptors: Descriptors, act: () => number): number {
    try {
      const status = act();
      descriptors.flushFiles();
      return status;
    } catch (error) {
      if (error instanceof BrokenPipe) return BROKEN_PIPE_STATUS;
      if (error instanceof UsageError && command !== null) {
        descriptors.complain(`${name}: ${error.message}\nusage: ${usageOf(command)}`);
        return USAGE;
      }
      if (error instanceof CommandError) descriptors.complain(`${name}: ${error.message}`);
      else if (error instanceof SystemError) descriptors.complain(`${name}: ${fileReason(error)}`);
      else throw error;
      return error instanceof CommandError ? error.status : 1;
    }
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
