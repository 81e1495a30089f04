/**
 * The advisory lock on a disk image: flock(2), taken by the `flock` command on a descriptor it inherits.
 *
 * Node has no call for it, but a lock made with flock(2) belongs to the open file description, and that is shared with
 * a child process that inherits the descriptor. So the command takes the lock and ends, and the lock stays with us. The
 * kernel drops it when our descriptor is closed, whichever way we end: it cannot go stale, it holds across mount and
 * network name spaces and hard links, and readers can share it.
 *
 * Limits: it binds only those who ask for it the same way, so not other emulators and not `dd`; on NFS it is as good as
 * the server; a system without the `flock` command (util-linux, BusyBox) cannot take it.
 */
import { spawn } from 'node:child_process';

/** How asking for a lock ended. `unavailable`: the lock could not be asked for at all; `reason` says why. */
export type LockResult =
  | { readonly kind: 'locked' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'unavailable'; readonly reason: string };

/**
 * Locks the file open as `fd` without waiting, until it is closed: `exclusive` against everybody, `shared` against
 * exclusive ones.
 */
export function lockOpenFile(fd: number, mode: 'shared' | 'exclusive'): Promise<LockResult> {
  return new Promise((resolve) => {
    const child = spawn('flock', [mode === 'exclusive' ? '-x' : '-s', '-n', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
    });
    child.once('error', (error) => {
      resolve({ kind: 'unavailable', reason: `the flock command cannot be run (${error.message})` });
    });
    child.once('exit', (status, signal) => {
      if (status === 0) resolve({ kind: 'locked' });
      else if (status === 1) resolve({ kind: 'conflict' });
      else resolve({ kind: 'unavailable', reason: `the flock command ended with ${signal ?? status}` });
    });
  });
}
