/**
 * A whole machine in a pseudo-terminal: a user who types and looks. node-pty is optional: without a compiler it is not
 * installed.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type * as NodePty from 'node-pty';
import { onTestFinished } from 'vitest';
import { configured, nodeArguments, type StandardServices, type TestManifest } from './machine.ts';

/** node-pty, or null where it is not installed. On the build server it has to be. */
export const nodePty: typeof NodePty | null = await import('node-pty').catch((error: unknown) => {
  if (process.env.CI === 'true') throw error;
  return null;
});

/** Why terminal tests are left out, for their title. */
export const whyNoTerminal = nodePty === null ? ' (left out: node-pty is not installed here)' : '';

const COLUMNS = 100;
const ROWS = 30;

/** How to start a machine in a terminal. */
export interface TerminalSettings extends StandardServices {
  readonly options?: readonly string[];
  /** Further services beside the standard ones. */
  readonly services?: readonly TestManifest[];
  /** A shell script to run instead of the kernel; `$VROS` in it starts the machine. */
  readonly script?: string;
}

/** A machine with a user in front of it. */
export class TerminalMachine {
  /** Everything on the screen so far. */
  output = '';
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-terminal-'));
  private readonly pty: NodePty.IPty;
  private seen = 0;
  private readonly ended: Promise<number>;
  private hasEnded = false;
  private changed: () => void = () => {};

  constructor(settings: TerminalSettings = {}) {
    if (nodePty === null) throw new Error('node-pty is not installed');
    const log = path.join(this.folder, 'kernel.log');
    const { options = ['--no-disk'], services = [] } = settings;
    const words = [
      ...[...nodeArguments, '--log', log],
      ...configured(settings, options, this.folder, services),
      ...options,
    ];
    const quoted = [process.execPath, ...words].map((word) => `'${word}'`).join(' ');
    const script = settings.script?.replaceAll('$VROS', quoted);
    this.pty = nodePty.spawn(
      script === undefined ? process.execPath : '/bin/sh',
      script === undefined ? words : ['-c', script],
      { cols: COLUMNS, rows: ROWS, cwd: this.folder, env: { ...process.env, TERM: 'xterm' } },
    );
    this.pty.onData((text) => {
      this.output += text;
      this.changed();
    });
    this.ended = new Promise((resolve) => {
      this.pty.onExit(({ exitCode }) => {
        this.hasEnded = true;
        this.changed();
        resolve(exitCode);
      });
    });
    onTestFinished(() => this.dispose());
  }

  /** Host process id of the machine (or of the script). */
  get pid(): number {
    return this.pty.pid;
  }

  /** The window of the terminal goes away, and with it its other end. */
  closeWindow(): void {
    (this.pty as NodePty.IPty & { destroy(): void }).destroy();
  }

  /** What the machine writes is not taken any more. */
  pauseReading(): void {
    this.pty.pause();
  }

  type(text: string): void {
    this.pty.write(text);
  }

  resize(columns: number, rows: number): void {
    this.pty.resize(columns, rows);
  }

  /** Waits until the screen shows a match behind what was seen before, and answers it. */
  async see(pattern: RegExp, milliseconds = 10_000): Promise<RegExpExecArray> {
    const deadline = performance.now() + milliseconds;
    for (;;) {
      const found = pattern.exec(this.output.slice(this.seen));
      if (found !== null) {
        this.seen += found.index + found[0].length;
        return found;
      }
      const left = deadline - performance.now();
      if (left <= 0 || this.hasEnded) {
        const rest = JSON.stringify(this.output.slice(this.seen));
        throw new Error(`${this.hasEnded ? 'the machine ended' : 'not in time'}: ${pattern} in ${rest}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Waits for the prompt with nothing behind it. */
  async prompt(): Promise<void> {
    await this.see(/vros\$ $/);
  }

  /** Types a line and waits for the next prompt. Answers what came in between, without the line itself. */
  async run(line: string): Promise<string> {
    this.type(`${line}\r`);
    const from = this.seen;
    await this.see(/\x1b\[\?2004l[\s\S]*vros\$ $/);
    const text = this.output.slice(from, this.seen);
    const start = text.indexOf('\x1b[?2004l') + 8;
    return text.slice(start, text.lastIndexOf('\x1b[?2004h')).replaceAll(/\r+\n/g, '\n');
  }

  /** Host process id of a service, from `ps`. */
  async hostOf(service: string): Promise<number> {
    const rows = (await this.run('ps')).split('\n');
    return Number(
      rows
        .find((row) => row.endsWith(` ${service}`))
        ?.trim()
        .split(/ +/)[1],
    );
  }

  /** Waits for the end and answers the exit status. */
  async end(): Promise<number> {
    return this.ended;
  }

  private async dispose(): Promise<void> {
    if (!this.hasEnded) this.pty.kill('SIGKILL');
    await this.ended;
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Starts a machine in a terminal and waits for its prompt. */
export async function startInTerminal(settings: TerminalSettings = {}): Promise<TerminalMachine> {
  const machine = new TerminalMachine(settings);
  await machine.prompt();
  return machine;
}
