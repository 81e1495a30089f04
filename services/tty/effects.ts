/** What the terminal driver asks of the kernel; main.ts has the real thing, tests have their own. */
import type { Handle } from '../lib/index.ts';
import type { TerminalSignal } from './line-discipline.ts';
import type { RunVector } from './uart.ts';
import type { WindowSize } from './window.ts';

/** What the driver asks of the kernel. */
export interface DriverEffects {
  readonly vector: RunVector;
  /** Keeps a value in the recovery store, in order with the answers given afterwards. */
  save(key: string, value: unknown): void;
  /** The value kept by an earlier incarnation, or undefined. */
  load(key: string): unknown;
  /** Whether a task that waits for an answer is still there. */
  waits(pid: number): boolean;
  /** Posts a signal to the foreground; false when that is gone. */
  signal(foreground: Handle, signal: TerminalSignal): boolean;
  /** Posts the new size to the foreground; false when that is gone. */
  resized(foreground: Handle, size: WindowSize): boolean;
  release(right: Handle): void;
  log(text: string, level: 'info' | 'warning'): void;
}
