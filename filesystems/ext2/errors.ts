/** Short forms for refusing. */
import { type ErrorName, SystemError } from '../../protocol/errno.ts';

/** Throws SystemError. */
export function refuse(code: ErrorName, text?: string): never {
  throw new SystemError(code, text);
}

/** Throws SystemError EUCLEAN: what is on the disk cannot be. */
export function damaged(text: string): never {
  throw new SystemError('EUCLEAN', text);
}
