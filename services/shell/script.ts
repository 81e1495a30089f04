/**
 * A script: commands from a pipe, a file, or the option --exec. Read POSIX, Shell & Utilities, 2.8.1 (Consequences of
 * Shell Errors): a syntax error ends the script.
 *
 * What has been read and not been run is kept in the recovery store. When the shell is killed, its next incarnation
 * goes on behind the list under way, which may or may not have done its work.
 */
import { record, text, u8, u32 } from '../../protocol/schema.ts';
import { log, SystemError, storeGet, storePut } from '../lib/index.ts';
import { parse } from './parser.ts';
import { type Session, USAGE } from './session.ts';
import { MAX_INPUT_CHARACTERS } from './syntax.ts';
import type { Terminal } from './terminal.ts';

const SCRIPT_KEY = 'script';

const kept = record({ rest: text(1024 * 1024), line: u32, status: u8 });

/** Where a script comes from: pieces of text, null at the end. */
export type ScriptSource = () => string | null;

/** Commands read from the terminal's line, which is a pipe or file. */
export function terminalSource(terminal: Terminal): ScriptSource {
  const decoder = new TextDecoder();
  return () => {
    for (;;) {
      const bytes = terminal.read();
      if (bytes === null) continue;
      if (bytes.length === 0) return null;
      return decoder.decode(bytes, { stream: true });
    }
  };
}

/** A text that is there as a whole. */
export function textSource(whole: string): ScriptSource {
  let given = false;
  return () => {
    if (given) return null;
    given = true;
    return whole;
  };
}

/** What an earlier incarnation had left to run; undefined when there was none. */
export function keptScript(): { rest: string; line: number; status: number } | undefined {
  const stored = storeGet(SCRIPT_KEY);
  if (stored === undefined) return undefined;
  try {
    return kept.fromWire(stored, []);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log(`kept script dropped: ${error.message}`, 'error');
    return undefined;
  }
}

/** Runs a script to its end. */
export class Script {
  private readonly session: Session;
  private readonly source: ScriptSource;
  /** Text that has been read and not been run. */
  private waiting: string;
  /** Number of its first line, from 1. */
  private line: number;
  private ended = false;

  /** `waiting` begins in line `line` of the script. */
  constructor(session: Session, source: ScriptSource, waiting = '', line = 1) {
    this.session = session;
    this.source = source;
    this.waiting = waiting;
    this.line = line;
  }

  run(): void {
    for (let command = this.next(); command !== null; command = this.next()) {
      const parsed = parse(command);
      if (parsed.kind === 'error' || parsed.kind === 'incomplete') {
        const message =
          parsed.kind === 'error'
            ? parsed.fault.message
            : `line 1: syntax error: unexpected end of input (${parsed.reason})`;
        this.session.complain(this.placed(message));
        this.session.status = USAGE;
        return;
      }
      const first = this.line;
      this.line += command.split('\n').length - 1;
      const finished = this.session.run(parsed.program, (rest) => this.keep(rest, first));
      if (!finished || this.session.leaving) return;
    }
  }

  /** The next lines that make a complete command; at the end what is left. Null when there is nothing left. */
  private next(): string | null {
    let at = 0;
    for (;;) {
      const end = this.waiting.indexOf('\n', at);
      if (end < 0 && !this.ended) {
        const piece = this.source();
        if (piece === null) this.ended = true;
        else this.waiting += piece;
        continue;
      }
      const stop = end < 0 ? this.waiting.length : end + 1;
      const command = this.waiting.slice(0, stop);
      if (end < 0 && command === '') return null;
      if (end < 0 || command.length > MAX_INPUT_CHARACTERS || parse(command).kind !== 'incomplete') {
        this.waiting = this.waiting.slice(stop);
        return command;
      }
      at = stop;
    }
  }

  /** A message of the parser, which counts lines from the start of the command, with the line of the script. */
  private placed(message: string): string {
    return message.replace(/^line (\d+)/, (_, line: string) => `line ${Number(line) + this.line - 1}`);
  }

  private keep(rest: string, line: number): void {
    const value = { rest: rest + this.waiting, line, status: this.session.status & 0xff };
    try {
      storePut(SCRIPT_KEY, kept.toWire(value, []));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      log(`script not kept: ${error.message}`, 'warning');
    }
  }
}
