/** A client of the qtest protocol: talks to a server in a process of its own, over its stdin and stdout. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

const REPLY_TIMEOUT_MS = 10_000;
/** Commands under way at once, so that neither pipe fills up with both sides writing. */
const COMMANDS_AT_ONCE = 64;

interface Waiter {
  readonly resolve: (reply: string) => void;
  readonly reject: (error: Error) => void;
}

/** What is known of an interrupt line. */
interface Line {
  level: boolean;
  /** Rising edges since they were last asked for. */
  raises: number;
}

export class QtestClient {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiters: Waiter[] = [];
  readonly #lines = new Map<number, Line>();
  readonly #lineWaiters = new Set<() => void>();
  #partial = '';
  #errors = '';
  #ended = false;

  constructor(program: string, args: readonly string[]) {
    this.#process = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process.stdout.setEncoding('latin1').on('data', (text: string) => this.#take(text));
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    // A server that has gone shows as its `close`.
    this.#process.stdin.on('error', () => {});
    this.#process.on('error', (error) => this.#fail(error));
    this.#process.on('close', () => this.#fail(new Error(`the server has ended. ${this.#errors}`)));
  }

  #take(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) {
      const report = /^IRQ (raise|lower) (\d+)$/.exec(line);
      if (report === null) this.#waiters.shift()?.resolve(line);
      else this.#setLine(Number(report[2]), report[1] === 'raise');
    }
  }

  #setLine(irq: number, level: boolean): void {
    const line = this.line(irq);
    if (level && !line.level) line.raises++;
    line.level = level;
    for (const check of this.#lineWaiters) check();
  }

  #fail(error: Error): void {
    this.#ended = true;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  /** What the server has reported of an interrupt line so far. */
  line(irq: number): Line {
    const line = this.#lines.get(irq) ?? { level: false, raises: 0 };
    this.#lines.set(irq, line);
    return line;
  }

  /** Waits until a line is high; false when it stays low for `timeoutMs`. */
  waitForLine(irq: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#lineWaiters.delete(check);
        resolve(this.line(irq).level);
      };
      const check = (): void => {
        if (this.line(irq).level) end();
      };
      const timer = setTimeout(end, timeoutMs);
      this.#lineWaiters.add(check);
      check();
    });
  }

  /** Sends commands and returns what follows OK in each reply. Rejects on a FAIL, or when no reply comes. */
  async commands(commands: readonly string[]): Promise<string[]> {
    const answers: string[] = [];
    for (let at = 0; at < commands.length; at += COMMANDS_AT_ONCE) {
      const part = commands.slice(at, at + COMMANDS_AT_ONCE);
      const replies = part.map(() => this.#nextReply());
      this.#process.stdin.write(`${part.join('\n')}\n`);
      for (const reply of await Promise.all(replies)) {
        if (!/^OK( |$)/.test(reply)) throw new Error(reply);
        answers.push(reply.slice(3));
      }
    }
    return answers;
  }

  #nextReply(): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(new Error('the server has ended'));
        return;
      }
      const timer = setTimeout(() => reject(new Error('no reply')), REPLY_TIMEOUT_MS);
      this.#waiters.push({
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  /** Ends the server. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.stdin.end();
    this.#process.kill('SIGTERM');
    await closed;
  }
}
