/** The prompt: lines from the line editor to the session, until the input ends. */
import { log, SystemError, storeGet, storePut } from '../lib/index.ts';
import { complete } from './completion.ts';
import { CommandError } from './errors.ts';
import { History } from './history.ts';
import { lastingOfFiles, WARNING } from './lasting.ts';
import { type Completion, LineEditor } from './line-editor.ts';
import { pathsFor } from './name-source.ts';
import { parse } from './parser.ts';
import { Services } from './services.ts';
import { INTERRUPTED, type Session, USAGE } from './session.ts';
import type { Terminal } from './terminal.ts';
import { visibleText } from './width.ts';

/** The prompt says where the user is, unless that is the root. */
function promptOf({ directory }: Session): string {
  return directory === '/' ? 'vros$ ' : `vros:${visibleText(directory)}$ `;
}

const CONTINUATION = '> ';
const HISTORY_KEY = 'history';

/** Commands before which it is asked whether files last, until that is known. */
const MAX_QUESTIONS = 20;

/** The lines entered before, kept over a restart of the shell. */
export class KeptHistory extends History {
  constructor() {
    super();
    const stored = storeGet(HISTORY_KEY);
    if (stored === undefined) return;
    try {
      this.restore(stored);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      log(`history dropped: ${error.message}`, 'warning');
    }
  }

  /** Keeps a line, here and in the recovery store. */
  enter(line: string): void {
    this.add(line);
    try {
      storePut(HISTORY_KEY, this.snapshot());
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      log(`history not kept: ${error.message}`, 'warning');
    }
  }

  get lines(): string[] {
    return Array.from({ length: this.length }, (_, index) => this.at(index) ?? '');
  }
}

/** What a line of input came to. */
type Line =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'eof' };

/** See the head of this file. */
export class Prompt {
  private readonly terminal: Terminal;
  private readonly session: Session;
  private readonly history: KeptHistory;
  private readonly editor: LineEditor;
  /** How often it is still to be asked whether files last. */
  private questions = MAX_QUESTIONS;

  constructor(terminal: Terminal, session: Session, history: KeptHistory) {
    this.terminal = terminal;
    this.session = session;
    this.history = history;
    this.editor = new LineEditor({
      prompt: promptOf(session),
      columns: terminal.size().columns,
      history,
      complete: (text, cursor) => this.complete(text, cursor),
    });
  }

  /** Reads and runs until the session is to end. */
  loop(): void {
    while (!this.session.leaving) {
      for (const line of this.session.jobs?.endings() ?? []) this.session.complain(line);
      if (!this.command()) this.session.leave(this.session.status);
    }
  }

  /** Reads a command of one or more lines and runs it. False at the end of the input. */
  private command(): boolean {
    // In this order: a ^C that the terminal has seen before it changed its mode was meant for what ran until now.
    this.terminal.mode = 'edit';
    this.session.jobs?.forgetInterrupt();
    let source = '';
    for (let prompt = promptOf(this.session); ; prompt = CONTINUATION) {
      const line = this.readLine(prompt);
      if (line.kind === 'interrupt') {
        this.session.status = INTERRUPTED;
        return true;
      }
      if (line.kind !== 'text') {
        if (source === '') return false;
        this.session.complain('syntax error: unexpected end of input');
        this.session.status = USAGE;
        return true;
      }
      source += line.text;
      const parsed = parse(source);
      if (parsed.kind === 'incomplete') {
        source += '\n';
        continue;
      }
      this.history.enter(source);
      if (parsed.kind === 'program') {
        this.warn();
        // A ^C typed since the line was taken is for its command, even if that has not begun.
        if (this.session.wasInterrupted()) this.terminal.print('\n');
        else this.session.run(parsed.program);
      } else {
        this.session.complain(parsed.fault.message);
        this.session.status = USAGE;
      }
      return true;
    }
  }

  /** Before the first command; or, when nobody can tell then, before one of the next. */
  private warn(): void {
    if (this.questions === 0) return;
    this.questions -= 1;
    const lasting = lastingOfFiles();
    if (lasting !== 'unknown') this.questions = 0;
    if (lasting === 'lost') this.session.complain(WARNING);
  }

  private readLine(prompt: string): Line {
    const { terminal, editor } = this;
    terminal.mode = 'edit';
    const { columns, column } = terminal.size();
    terminal.print(editor.resize(columns));
    // The editor begins at the start of a row, whatever was printed before.
    if (column !== 0) terminal.print('\r\n');
    editor.setPrompt(prompt);
    let result = editor.start();
    for (;;) {
      const [event] = result.events;
      if (event?.kind === 'line') {
        // Before the user sees that the line was taken, so that what is typed then is for the command: above all ^C.
        // What has been typed behind the line already is for it, too.
        terminal.mode = 'run';
        terminal.print(result.output.replaceAll('\r\n', '\n'));
        return { kind: 'text', text: event.text };
      }
      terminal.print(result.output);
      if (event?.kind === 'eof' || event?.kind === 'interrupt') return { kind: event.kind };
      if (event?.kind === 'suspend') {
        result = editor.start();
        continue;
      }
      const bytes = terminal.read(true);
      if (bytes === null) result = { output: editor.resize(terminal.size().columns), events: [] };
      else if (bytes.length === 0) return { kind: 'eof' };
      else result = editor.feed(bytes);
    }
  }

  private complete(text: string, cursor: number): Completion {
    const { session } = this;
    const services = new Services(session.directory);
    /** Nothing is proposed when the service that knows it does not answer. */
    const proposed = (propose: () => readonly string[]): readonly string[] => {
      try {
        return propose();
      } catch (error) {
        if (error instanceof SystemError || error instanceof CommandError) return [];
        throw error;
      }
    };
    const commands = [...session.commands.values()];
    const completers = commands.map(({ name, complete: values }) => {
      if (values === undefined) return [name, null] as const;
      return [name, (words: readonly string[]) => proposed(() => values(words, services, session))] as const;
    });
    try {
      return complete(text, cursor, {
        commands: new Map(completers),
        operands: new Map(commands.flatMap(({ name, operands }) => (operands === undefined ? [] : [[name, operands]]))),
        variables: [...session.variables.keys()],
        paths: (typed, directoriesOnly) => proposed(() => pathsFor(services.files, typed, directoriesOnly)),
      });
    } finally {
      services.release();
    }
  }
}
