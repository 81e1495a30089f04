/** How far long work has come: a line that is written over, where errors go to a terminal. */
import { uptime } from '../../lib/index.ts';
import type { CommandContext } from '../command.ts';

/** Milliseconds between two updates. */
const PERIOD_MS = 200;

/** Shows progress of `title`. */
export class ProgressLine {
  private readonly context: CommandContext;
  private readonly title: string;
  private readonly shown: boolean;
  private last: number;
  private begun = false;

  constructor(context: CommandContext, title: string) {
    this.context = context;
    this.title = title;
    this.shown = context.descriptors.isTerminal(2);
    this.last = uptime();
  }

  /** `fraction` from 0 to 1. */
  readonly show = (fraction: number): void => {
    if (!this.shown) return;
    const now = uptime();
    if (now - this.last < PERIOD_MS) return;
    this.last = now;
    this.begun = true;
    this.print(`\r\x1b[K${this.title}: ${Math.floor(100 * fraction)} %`);
  };

  /** Takes the line away. */
  end(): void {
    if (this.begun) this.print('\r\x1b[K');
    this.begun = false;
  }

  private print(text: string): void {
    const { error } = this.context.descriptors;
    error.print(text);
    error.flush();
  }
}
