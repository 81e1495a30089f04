/**
 * Assertions and the runner of the scenarios: init runs the cases one after another, reports each as a `RESULT` line of
 * the log, and ends the machine.
 */
import { halt, log, SystemError } from '../../../services/lib/index.ts';

/** Named cases; a case that throws has failed. */
export type Cases = Readonly<Record<string, () => void>>;

/** Fails unless two values are equal as JSON. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`${what}: expected ${wanted}, got ${got}`);
}

/** Fails unless a condition holds. */
export function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Fails unless an action ends with this error. */
export function fails(code: string, action: () => unknown): void {
  let ended = 'no error';
  try {
    action();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    ended = error.code;
  }
  if (ended !== code) throw new Error(`expected ${code}, got ${ended}`);
}

/** A value that is there; fails for undefined and null. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new Error(`missing: ${what}`);
  return value;
}

/** Runs the cases and ends the machine. `after` runs after each case, to clean up and to check that nothing is left. */
export function runCases(cases: Cases, after: () => void): void {
  let failed = 0;
  for (const [name, run] of Object.entries(cases)) {
    let error: string | null = null;
    log(`case: ${name}`);
    for (const part of [run, after]) {
      try {
        part();
      } catch (thrown) {
        error ??= thrown instanceof Error ? (thrown.stack ?? thrown.message).slice(0, 2000) : String(thrown);
      }
    }
    if (error !== null) failed++;
    log(`RESULT ${JSON.stringify({ name, error })}`);
  }
  halt(failed === 0 ? 0 : 1, false);
}
