/** Programs of other makers that tests compare with. */
import { execFileSync, spawnSync } from 'node:child_process';

/** How a program ended. */
export interface Outcome {
  readonly status: number;
  /** The signal that ended it; null if it ended by itself. */
  readonly signal: NodeJS.Signals | null;
  /** Standard output and error, one after the other. */
  readonly output: string;
}

/**
 * Why tests that need these programs cannot run here: the missing ones; '' if they can. With CI set nothing may be
 * missing, so that it throws.
 */
export function missingTools(...names: readonly string[]): string {
  const missing = names.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (missing.length === 0) return '';
  if (process.env.CI !== undefined)
    throw new Error(`programs that the tests need are not installed: ${missing.join(', ')}`);
  return `not installed: ${missing.join(', ')}`;
}

/** How long a program may run, in milliseconds. */
const LIMIT_MS = 60_000;

const environment = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8', TZ: 'UTC' };

/** Runs a program, whatever comes of it. */
export function outcomeOf(name: string, args: readonly string[]): Outcome {
  const { status, signal, stdout, stderr, error } = spawnSync(name, args, {
    env: environment,
    encoding: 'utf8',
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  if (error !== undefined) throw error;
  return { status: status ?? -1, signal, output: stdout + stderr };
}

/** Runs a program, which has to succeed. Answers its standard output. */
export function run(name: string, ...args: readonly string[]): string {
  return execFileSync(name, args, {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
}
