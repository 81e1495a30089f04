/**
 * Programs of the host that tests compare with. On the build server they have to be there; elsewhere tests that need a
 * missing one are left out.
 */
import { spawnSync } from 'node:child_process';

/** A program of the host. */
export interface Peer {
  /** Why tests that need it are left out, for their titles; empty when it is there. */
  readonly missing: string;
  /** Runs it. Answers its output and status. */
  run(words: readonly string[], input?: string | Uint8Array): { stdout: Buffer; status: number };
}

/** Finds a program; `version` are words with which it ends well. Throws on the build server when it is missing. */
export function peer(program: string, version: readonly string[] = ['--version']): Peer {
  const found = spawnSync(program, version).status === 0;
  if (!found && process.env.CI === 'true') throw new Error(`${program} is not installed here`);
  return {
    missing: found ? '' : ` (left out: ${program} is not installed here)`,
    run: (words, input = '') => {
      const environment = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };
      const { stdout, status } = spawnSync(program, words, { input, env: environment, maxBuffer: 2 ** 28 });
      return { stdout, status: status ?? 255 };
    },
  };
}
