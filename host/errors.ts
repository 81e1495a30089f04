/** How the host's commands fail, and what the user reads then. */
import { SystemError } from '../protocol/errno.ts';

/** A command failed; the message says what and why. */
export class CommandError extends Error {
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

/** A mistake on the command line. */
export class UsageError extends Error {}

/** The reason in any error, without the name of its code. */
export function reasonOf(error: unknown): string {
  if (error instanceof SystemError) return error.reason;
  return error instanceof Error ? error.message : String(error);
}

/** Does something about `what`; an error of the system names it. */
export function about<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const ofHost = error instanceof Error && 'syscall' in error;
    if (error instanceof SystemError || ofHost) throw new CommandError(`${what}: ${reasonOf(error)}`);
    throw error;
  }
}
