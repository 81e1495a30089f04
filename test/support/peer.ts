/**
 * Programs of the host that tests compare with. On the build server they have to be there; elsewhere tests that need a
 * missing one are left out.
 */
import { spawnSync } from 'node:child_process';

/** How long a program may run by default, in milliseconds. */
const LIMIT_MS = 20_000;

/** What a program has written, its status (255: it was ended), and whether it was ended because it took too long. */
export interface PeerOutcome {
  readonly stdout: Buffer;
  readonly status: number;
  readonly tooLong: boolean;
}

/** A program of the host. */
export interface Peer {
  /** Why tests that need it are left out, for their titles; empty when it is there. */
  readonly missing: string;
  /** Runs it, for so many milliseconds at most. */
  run(words: readonly string[], input?: string | Uint8Array, limitMs?: number): PeerOutcome;
}

/** Finds a program; `version` are words with which it ends well. Throws on the build server when it is missing. */
export function peer(program: string, version: readonly string[] = ['--version']): Peer {
  const found = spawnSync(program, version).status === 0;
  if (!found && process.env.CI === 'true') throw new Error(`${program} is not installed here`);
  return {
    missing: found ? '' : ` (left out: ${program} is not installed here)`,
    run: (words, input = '', limitMs = LIMIT_MS) => {
      const { stdout, status, error } = spawnSync(program, words, {
        input,
        env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
        maxBuffer: 2 ** 28,
        timeout: limitMs,
        killSignal: 'SIGKILL',
      });
      const tooLong = (error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT';
      return { stdout, status: status ?? 255, tooLong };
    },
  };
}
