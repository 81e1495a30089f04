/**
 * Ends a run in which a file of tests does not come to its end, and says which: what computes for ever, or waits
 * without letting its thread go on, no time limit of a test can interrupt.
 */
import type { Reporter, TestModule } from 'vitest/node';

const LOOK_MS = 5000;

/** See the head of this file. */
export class LateFiles implements Reporter {
  private readonly limitMs: number;
  /** When each file that is under way has begun. */
  private readonly begun = new Map<string, number>();

  /** `limitMs`: how long one file may take. */
  constructor(limitMs: number) {
    this.limitMs = limitMs;
    setInterval(() => this.look(), LOOK_MS).unref();
  }

  onTestModuleQueued(file: TestModule): void {
    this.begun.set(file.relativeModuleId, performance.now());
  }

  onTestModuleEnd(file: TestModule): void {
    this.begun.delete(file.relativeModuleId);
  }

  private look(): void {
    const latest = performance.now() - this.limitMs;
    const late = [...this.begun].flatMap(([file, at]) => (at < latest ? [file] : []));
    if (late.length === 0) return;
    process.stderr.write(`not finished after ${this.limitMs / 1000} s: ${late.join(', ')}\n`);
    process.exit(1);
  }
}
