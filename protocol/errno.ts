/**
 * Error numbers. Every system call and every reply ends with one of these; 0 is success. Names and meanings follow
 * POSIX (IEEE Std 1003.1, <errno.h>), the numbers are Linux's, so that a service in another language can use its own
 * `errno` module.
 */

const numbers = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EBADMSG: 74,
  EILSEQ: 84,
  EDESTADDRREQ: 89,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  EISCONN: 106,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EUCLEAN: 117,
  ECANCELED: 125,
} as const;

/** Name of an error, for example `ENOENT`. The set is closed. */
export type ErrorName = keyof typeof numbers;

/** Number of each error. */
export const errno: Readonly<Record<ErrorName, number>> = numbers;

const names = new Map<number, ErrorName>(Object.entries(numbers).map(([name, number]) => [number, name as ErrorName]));

/** The name of an error number; an unknown number is EIO, as an error it certainly is. */
export function errorName(number: number): ErrorName {
  return names.get(number) ?? 'EIO';
}

const texts: Readonly<Record<ErrorName, string>> = {
  EPERM: 'operation not permitted',
  ENOENT: 'no such name',
  ESRCH: 'no such task',
  EINTR: 'interrupted',
  EIO: 'input/output error',
  ENXIO: 'no such device or address',
  E2BIG: 'argument list too long',
  EBADF: 'bad handle',
  ECHILD: 'no such child task',
  EAGAIN: 'try again: a queue or limit is full',
  ENOMEM: 'out of memory',
  EACCES: 'permission denied',
  EFAULT: 'bad address',
  EBUSY: 'busy',
  EEXIST: 'exists already',
  EXDEV: 'on another file system',
  ENODEV: 'no such device',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  EINVAL: 'invalid argument',
  EMFILE: 'too many handles',
  ENOTTY: 'not a terminal',
  EFBIG: 'too large',
  ENOSPC: 'no space left',
  ESPIPE: 'cannot seek',
  EROFS: 'read-only',
  EMLINK: 'too many links',
  EPIPE: 'the other side is gone',
  ERANGE: 'out of range',
  EDEADLK: 'would wait for itself',
  ENAMETOOLONG: 'name too long',
  ENOSYS: 'no such call',
  ENOTEMPTY: 'not empty',
  ELOOP: 'too many links in a path',
  EBADMSG: 'malformed message',
  EILSEQ: 'not well-formed UTF-8',
  EDESTADDRREQ: 'a destination is missing',
  EMSGSIZE: 'message too long',
  EOPNOTSUPP: 'not supported',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'no such address here',
  ENETDOWN: 'the network is down',
  ENETUNREACH: 'network unreachable',
  ECONNABORTED: 'connection aborted',
  ECONNRESET: 'connection reset by peer',
  EISCONN: 'connected already',
  ENOTCONN: 'not connected',
  ETIMEDOUT: 'timed out',
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'host unreachable',
  EALREADY: 'under way already',
  EUCLEAN: 'the file system is damaged',
  ECANCELED: 'cancelled',
};

/** What an error means, in words. */
export function errorText(name: ErrorName): string {
  return texts[name];
}

const brand = Symbol.for('vros.SystemError');

/**
 * An error with a name from the closed set. Thrown by the service library where C would return -1, and by handlers to
 * answer a request with an error; anything else that is thrown is a bug and ends the service.
 */
export class SystemError extends Error {
  readonly code: ErrorName;
  /** Marks the class, since a service and its library each carry a copy of it. */
  readonly [brand] = true;

  constructor(code: ErrorName, detail?: string) {
    super(detail === undefined ? `${code}: ${texts[code]}` : `${code}: ${detail}`);
    this.name = 'SystemError';
    this.code = code;
  }

  /** The message without the name of the code. */
  get reason(): string {
    return this.message.slice(this.code.length + 2);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}
