/** How commands fail, and what the user reads then. */
import { errorText } from '../../protocol/errno.ts';
import { systemCalls } from '../../protocol/syscall.ts';
import { SystemError } from '../lib/index.ts';

/** A command failed; the message says what and why. Exit status 1. */
export class CommandError extends Error {}

/** A command was called wrongly. Exit status 2. */
export class UsageError extends Error {}

/** The reason in an error of the system: the server's words, or what the code means. */
export function reasonOf(error: SystemError): string {
  const detail = error.message.slice(error.code.length + 2);
  return detail === '' || Object.hasOwn(systemCalls, detail) ? errorText(error.code) : detail;
}

/** Does something about `what`; an error of the system names it. */
export function about<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof SystemError) throw new CommandError(`${what}: ${reasonOf(error)}`);
    throw error;
  }
}
