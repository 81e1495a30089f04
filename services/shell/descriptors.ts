/**
 * The descriptors of a command: 0 its input, 1 its output, 2 its errors, others only to be named in redirections. Two
 * descriptors may mean the same target, which has one position and one buffer then. Read POSIX, Shell & Utilities, 2.7
 * (Redirection).
 */
import type { File, Files, Handle } from '../lib/index.ts';
import { ipcDuplicate } from '../lib/index.ts';
import { aboutFile, CommandError } from './errors.ts';
import type { ExpandedRedirection } from './expand.ts';
import { BrokenPipe, type Input, inputFrom, type Output, outputTo, TextInput } from './streams.ts';
import type { Terminal } from './terminal.ts';

/** Highest number of a descriptor. */
export const MAX_DESCRIPTOR = 9;

/** Bytes collected before they are written: to a file in large pieces, into a pipe sooner, since somebody waits. */
const FILE_BUFFER_BYTES = 256 * 1024;
const STREAM_BUFFER_BYTES = 64 * 1024;

/** What a descriptor means. `owned`: the file is closed with the command. */
export type Target =
  | { readonly kind: 'terminal' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly file: File; readonly owned: boolean }
  | { readonly kind: 'output'; readonly output: Output };

/** What redirections made. `problem`: why one could not be made, and those behind it were not; null: all were. */
export interface Redirected {
  readonly descriptors: Descriptors;
  readonly problem: string | null;
}

const terminalTarget: Target = { kind: 'terminal' };

/** An input that has ended. */
export const emptyTarget: Target = { kind: 'text', text: '' };

/** How each operator opens its file. */
const openings = {
  '<': { read: true },
  '>': { write: true, create: true, truncate: true },
  '>|': { write: true, create: true, truncate: true },
  '>>': { append: true, write: true, create: true },
} as const;

/** See the head of this file. */
export class Descriptors {
  private readonly terminal: Terminal;
  private readonly targets: ReadonlyMap<number, Target>;
  private readonly outputs = new Map<Target, Output>();
  private openInput: Input | null = null;
  private moved = false;

  constructor(terminal: Terminal, targets: ReadonlyMap<number, Target>) {
    this.terminal = terminal;
    this.targets = targets;
  }

  /** Descriptors that all mean the terminal, but for some. */
  static standard(terminal: Terminal, input: Target = terminalTarget): Descriptors {
    return new Descriptors(
      terminal,
      new Map([
        [0, input],
        [1, terminalTarget],
        [2, terminalTarget],
      ]),
    );
  }

  /** The same with other targets for some. */
  with(changes: readonly (readonly [descriptor: number, target: Target])[]): Descriptors {
    return new Descriptors(this.terminal, new Map([...this.targets, ...changes]));
  }

  /** The same, but what is written to 1 and 2 is handed to `take`, in its order where both mean the same. */
  collected(take: (descriptor: number, bytes: Uint8Array) => void): Descriptors {
    const taking = (descriptor: number): Target => {
      const output = outputTo((bytes) => take(descriptor, bytes), STREAM_BUFFER_BYTES);
      return { kind: 'output', output };
    };
    const output = taking(1);
    return this.with([
      [1, output],
      [2, this.targets.get(1) === this.targets.get(2) ? output : taking(2)],
    ]);
  }

  /**
   * The same with redirections, from left to right; what is owned here is owned there from now on. When one cannot be
   * made, its problem is to be told where errors go by then.
   */
  redirected(redirections: readonly ExpandedRedirection[], files: () => Files): Redirected {
    if (redirections.length === 0) return { descriptors: this, problem: null };
    const targets = new Map(this.targets);
    const opened: File[] = [];
    let problem: string | null = null;
    try {
      for (const { descriptor, operator, target } of redirections) {
        if (descriptor > MAX_DESCRIPTOR) throw new CommandError(`${descriptor}: bad file descriptor`);
        if (operator === '<<<') targets.set(descriptor, { kind: 'text', text: `${target}\n` });
        else if (operator === '<&' || operator === '>&') duplicate(targets, descriptor, target);
        else {
          const file = aboutFile(target, () => files().open(target, openings[operator]));
          opened.push(file);
          targets.set(descriptor, { kind: 'file', file, owned: true });
        }
      }
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      problem = error.message;
    }
    // What a later redirection has taken the place of is closed: the end of a pipe, or a file that was made all the
    // same.
    const kept = new Set(fileTargets(targets).map(({ file }) => file));
    const owned = fileTargets(this.targets).flatMap((target) => (target.owned ? [target.file] : []));
    for (const file of [...owned, ...opened]) if (!kept.has(file)) file.close();
    return { descriptors: new Descriptors(this.terminal, targets), problem };
  }

  /** Input of descriptor 0. What has been written goes out before the reader waits for more. */
  get input(): Input {
    this.openInput ??= this.makeInput(this.targets.get(0));
    return this.openInput;
  }

  /** The file that descriptor 0 is, for those who can do better with its position; null when it is none. */
  get inputFile(): File | null {
    const target = this.targets.get(0);
    return target?.kind === 'file' && !target.file.stream ? target.file : null;
  }

  get output(): Output {
    return this.outputOf(1);
  }

  get error(): Output {
    return this.outputOf(2);
  }

  /** Reads a file. What has been written goes out before the reader waits for more. */
  read(file: File, count?: number): Uint8Array {
    if (file.stream) this.flush();
    return file.read(count);
  }

  /** Whether an output is a terminal, whose width counts. */
  isTerminal(descriptor: 1 | 2): boolean {
    const target = this.targets.get(descriptor);
    if (target?.kind === 'terminal') return this.terminal.size().terminal;
    return target?.kind === 'file' && target.file.type === 'character' && target.file.isTerminal();
  }

  /** Shows a message where errors go. If they can go nowhere, there is nobody to be told. */
  complain(message: string): void {
    try {
      this.error.print(`${message}\n`);
      this.error.flush();
    } catch (error) {
      if (!(error instanceof CommandError || error instanceof BrokenPipe)) throw error;
    }
  }

  /** Sends what was written. Throws CommandError, BrokenPipe. */
  flush(): void {
    for (const output of this.outputs.values()) output.flush();
  }

  /** Sends what was written, but for the terminal, which collects from many commands. Throws as `flush` does. */
  flushFiles(): void {
    for (const output of this.outputs.values()) if (output !== this.terminal) output.flush();
  }

  /** What is owned here has moved to a process. */
  giveAway(): void {
    this.moved = true;
  }

  /** Closes the files that are owned here. */
  close(): void {
    if (this.moved) return;
    this.moved = true;
    for (const { file, owned } of fileTargets(this.targets)) if (owned) file.close();
  }

  /** Each descriptor with its target, for a job. */
  get entries(): readonly (readonly [descriptor: number, target: Target])[] {
    return [...this.targets];
  }

  private makeInput(target: Target | undefined): Input {
    const { terminal } = this;
    if (target?.kind === 'text') return new TextInput(target.text);
    if (target?.kind === 'file') {
      const { file } = target;
      return inputFrom(() => this.read(file));
    }
    if (target?.kind !== 'terminal') throw new CommandError('standard input is closed');
    return inputFrom(() => {
      this.flush();
      for (;;) {
        const bytes = terminal.read();
        // Null: only the window has another size.
        if (bytes !== null) return bytes;
      }
    });
  }

  private outputOf(descriptor: number): Output {
    const target = this.targets.get(descriptor);
    const known = target === undefined ? undefined : this.outputs.get(target);
    if (known !== undefined) return known;
    const output = this.makeOutput(target);
    if (target !== undefined) this.outputs.set(target, output);
    return output;
  }

  private makeOutput(target: Target | undefined): Output {
    if (target?.kind === 'terminal') return this.terminal;
    if (target?.kind === 'output') return target.output;
    if (target?.kind !== 'file') return closedOutput;
    const { file } = target;
    return outputTo((bytes) => file.write(bytes), file.stream ? STREAM_BUFFER_BYTES : FILE_BUFFER_BYTES);
  }
}

const refuse = (written: { readonly length: number }): void => {
  if (written.length > 0) throw new CommandError('write error: the output is closed');
};
const closedOutput: Output = { write: refuse, print: refuse, flush: () => {} };

/** The files among some targets, each once. */
function fileTargets(targets: ReadonlyMap<number, Target>): (Target & { kind: 'file' })[] {
  return [...new Set(targets.values())].filter((target) => target.kind === 'file');
}

/** Lets a descriptor mean what another one does; `-` closes it. Throws CommandError. */
function duplicate(targets: Map<number, Target>, descriptor: number, word: string): void {
  const target = /^[0-9]$/.test(word) ? targets.get(Number(word)) : undefined;
  if (word === '-') targets.delete(descriptor);
  else if (target === undefined) throw new CommandError(`${word}: bad file descriptor`);
  else targets.set(descriptor, target);
}

/**
 * The right that a job is given for a file: the one here if it is to be closed with the command anyway, else a copy.
 */
export function rightFor({ file, owned }: Target & { kind: 'file' }): Handle {
  return owned ? file.right : ipcDuplicate(file.right);
}
