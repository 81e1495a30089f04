/** Checks as the test commands print them: one line each, and a sum at the end. */
import { SystemError } from '../lib/index.ts';
import type { CommandContext } from './command.ts';
import { CommandError, reasonOf } from './errors.ts';

/** A check that did not hold. */
class Failure extends Error {}

/** Fails the check under way unless `holds`. */
export function expect(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Failure(message);
}

/** Expects an act to fail with this error. Answers its name for the report. */
export function expectError(code: string, act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof SystemError && error.code === code) return code;
    if (error instanceof SystemError) throw new Failure(`expected ${code}, got ${error.code}: ${reasonOf(error)}`);
    throw error;
  }
  throw new Failure(`expected ${code}, but it succeeded`);
}

/** Runs checks and prints what came of each. */
export class Checks {
  private readonly context: CommandContext;
  private passed = 0;
  private failed = 0;

  constructor(context: CommandContext) {
    this.context = context;
  }

  /** Runs one check. `act` answers what to say of it. */
  run(name: string, act: () => string): boolean {
    try {
      const detail = act();
      this.passed += 1;
      this.context.lines(`ok    ${name}${detail === '' ? '' : `: ${detail}`}`);
      return true;
    } catch (error) {
      let reason: string;
      if (error instanceof Failure || error instanceof CommandError) reason = error.message;
      else if (error instanceof SystemError) reason = `${error.code}: ${reasonOf(error)}`;
      else throw error;
      this.failed += 1;
      this.context.lines(`FAIL  ${name}: ${reason}`);
      return false;
    } finally {
      this.context.shell.flush();
    }
  }

  /** Prints the sum. Answers the exit status. */
  finish(): number {
    this.context.lines(`${this.context.name}: ${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0 ? 0 : 1;
  }
}

/** Median of some figures. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** Whether two byte strings are the same. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
