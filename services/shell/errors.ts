/** How commands fail, and what the user reads then. */
import { type ErrorName, errorText } from '../../protocol/errno.ts';
import { systemCalls } from '../../protocol/syscall.ts';
import { SystemError } from '../lib/index.ts';

/** A command failed; the message says what and why. */
export class CommandError extends Error {
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

/** A command was called wrongly. Exit status 2. */
export class UsageError extends Error {}

/** A service that a command needs does not run: it need not try its other operands. */
export class MissingService extends CommandError {}

/** Errors as those who use files know them. */
const fileTexts: Partial<Readonly<Record<ErrorName, string>>> = {
  ENOENT: 'no such file or directory',
  EEXIST: 'file exists',
  EBADF: 'bad file descriptor',
  ENXIO: 'no such device',
  EMFILE: 'too many open files',
  EFBIG: 'file too large',
  ENOSPC: 'no space left on device',
  EROFS: 'read-only file system',
  ENOTEMPTY: 'directory not empty',
  ELOOP: 'too many levels of symbolic links',
  EXDEV: 'invalid cross-device link',
  ENAMETOOLONG: 'file name too long',
};

/** Errors that need no words of the server. */
const plainErrors: ReadonlySet<ErrorName> = new Set(['ENOENT', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'EXDEV']);

/** The reason in an error of the system: the server's words, or what the code means. */
export function reasonOf(error: SystemError): string {
  const { code, reason } = error;
  return reason === '' || Object.hasOwn(systemCalls, reason) ? errorText(code) : reason;
}

/**
 * The reason in an error of something done to a file. No space is called so by every file system; the server's words
 * come behind, which say what it is that there is no more of.
 */
export function fileReason(error: SystemError): string {
  const text = fileTexts[error.code] ?? errorText(error.code);
  const reason = reasonOf(error);
  if (plainErrors.has(error.code) || reason === errorText(error.code)) return text;
  return error.code === 'ENOSPC' ? `${text}: ${reason}` : reason;
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

/** Does something to a file; an error of the system names its path. */
export function aboutFile<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof SystemError) throw new CommandError(`${path}: ${fileReason(error)}`);
    throw error;
  }
}
