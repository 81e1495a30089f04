/** What is said of a system call in the table of all of them (syscall.ts). */
import type { ErrorName } from './errno.ts';
import type { Schema } from './schema.ts';

/** Description of one system call. */
export interface SystemCall<A, R> {
  readonly number: number;
  /** One sentence for the docs. */
  readonly about: string;
  readonly arguments: Schema<A>;
  readonly result: Schema<R>;
  /** What the header's handle carries to the kernel and back, if anything. */
  readonly handle?: string;
  /** The body is a message. */
  readonly message?: boolean;
  /** Errors of this call, each with its cause. */
  readonly errors: Readonly<Partial<Record<ErrorName, string>>>;
}

/** A row of the table. */
export function call<A, R>(
  number: number,
  about: string,
  args: Schema<A>,
  result: Schema<R>,
  errors: SystemCall<A, R>['errors'] = {},
  more: Pick<SystemCall<A, R>, 'handle' | 'message'> = {},
): SystemCall<A, R> {
  return { number, about, arguments: args, result, errors, ...more };
}

/** What the header's handle carries where a call is about a port. */
export const portHandle = { handle: 'the port' };
