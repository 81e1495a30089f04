/**
 * Which CPUs of the host processes run on. Set from outside with taskset (util-linux), since Node has no call for it; where there is no taskset or only one
 * CPU, nothing is ever moved. Read: sched_setaffinity(2), taskset(1), "Cpus_allowed_list" in proc(5).
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { findProgram } from './sandbox.ts';

const SHELL = '/bin/sh';
/** Moves the first thread of each process; what the engine does in its other threads may go on anywhere. */
const MOVE = 'for pid; do "$0" -p -c "$cpus" "$pid"; done';

/** The CPUs this process may use, as the host writes lists of them: `0-3,6`. Empty when the host does not say. */
export function allowedCpus(): string {
  try {
    return /^Cpus_allowed_list:\s*(\S+)$/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
  } catch {
    return '';
  }
}

/** The numbers of a list of CPUs; an empty list for one that cannot be read. */
export function cpuNumbers(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map((word) => (word === '' ? Number.NaN : Number(word)));
    return first <= last ? Array.from({ length: last - first + 1 }, (_, index) => first + index) : [];
  });
}

/** Moves processes between the CPU of the kernel and all CPUs. */
export class Placement {
  private readonly tool: string | null;
  private readonly everywhere: string;
  private readonly home: string;
  private kernelAtHome = false;

  /** `everywhere`: the CPUs of the machine. `seed`: machines with different ones take different CPUs for their kernels. */
  constructor(everywhere: string, seed: number) {
    const cpus = cpuNumbers(everywhere);
    this.tool = cpus.length > 1 ? findProgram('taskset') : null;
    this.everywhere = everywhere;
    this.home = String(cpus[seed % Math.max(1, cpus.length)] ?? '');
  }

  /** Whether processes can be moved. */
  get possible(): boolean {
    return this.tool !== null;
  }

  /** Words in front of a command, so that what it starts does not inherit the kernel's place. */
  get startWords(): string[] {
    return this.tool !== null && this.kernelAtHome ? [this.tool, '-c', this.everywhere] : [];
  }

  /** Puts processes on the kernel's CPU. From the first time on the kernel stays there itself. */
  gather(pids: readonly number[]): void {
    this.move(this.home, this.kernelAtHome ? pids : [process.pid, ...pids]);
    this.kernelAtHome = true;
  }

  /** Lets processes run on any CPU. */
  scatter(pids: readonly number[]): void {
    this.move(this.everywhere, pids);
  }

  private move(cpus: string, pids: readonly number[]): void {
    if (this.tool === null || pids.length === 0) return;
    const child = spawn(SHELL, ['-c', MOVE, this.tool, ...pids.map(String)], { stdio: 'ignore', env: { cpus } });
    // A process that has ended meanwhile is not moved, and one that is not moved works all the same.
    child.on('error', () => {});
    child.unref();
  }
}
