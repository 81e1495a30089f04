/**
 * Which CPUs of the host processes run on. Set from outside with taskset (util-linux), since Node has no call for it;
 * where there is no taskset or only one CPU, nothing is ever moved. Read: sched_setaffinity(2), taskset(1),
 * "Cpus_allowed_list" in proc(5).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import type net from 'node:net';
import { findProgram } from './sandbox.ts';

const SHELL = '/bin/sh';
/**
 * Moves the processes of a line. One shell does it for as long as the kernel runs: to start a process costs
 * the kernel many times what it costs a shell, since the host copies the tables of all its memory.
 */
const MOVE = 'while read -r how cpus pids; do for pid in $pids; do "$0" "$how" -c "$cpus" "$pid"; done; done';
/** Options of taskset: the first thread of a process, or all of them. */
const FIRST_THREAD = '-p';
const ALL_THREADS = '-ap';

/** Where the first thread of a process may run: on any CPU, on the kernel's, or on all others. */
export type Place = 'anywhere' | 'home' | 'away';

/** A process of the host that can be moved. */
export interface Placed {
  readonly pid: number;
  place: Place;
}

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
  private readonly away: string;
  private readonly kernel: Placed = { pid: process.pid, place: 'anywhere' };
  private mover: ChildProcess | null = null;

  /**
   * `everywhere`: the CPUs of the machine. `seed`: machines with different ones take different CPUs for their kernels.
   */
  constructor(everywhere: string, seed: number) {
    const cpus = cpuNumbers(everywhere);
    this.tool = cpus.length > 1 ? findProgram('taskset') : null;
    this.everywhere = everywhere;
    const home = cpus[seed % Math.max(1, cpus.length)];
    this.home = String(home ?? '');
    this.away = cpus.filter((cpu) => cpu !== home).join(',');
  }

  /** Whether processes can be moved. */
  get possible(): boolean {
    return this.tool !== null;
  }

  /** Whether the kernel stays on its CPU. */
  get inForce(): boolean {
    return this.kernel.place === 'home';
  }

  /** Where a process is started that nobody waits for: it is not to hold up the kernel. */
  get startPlace(): Place {
    return this.inForce ? 'away' : 'anywhere';
  }

  /** Words in front of a command, so that what it starts does not inherit the kernel's place. */
  startWords(place: Place): string[] {
    return this.tool !== null && this.inForce ? [this.tool, '-c', this.cpusOf(place)] : [];
  }

  private cpusOf(place: Place): string {
    if (place === 'anywhere') return this.everywhere;
    return place === 'home' ? this.home : this.away;
  }

  /**
   * Keeps a process, which gets ready to be used later, off the kernel's CPU: for good what the engine does in other
   * threads than the first.
   */
  sendAway(process: Placed): void {
    if (this.inForce) this.move(ALL_THREADS, 'away', [process]);
  }

  /**
   * Puts the first thread of processes on the kernel's CPU; what the engine does in others may go on anywhere. From the
   * first time on the kernel stays there itself.
   */
  gather(processes: readonly Placed[]): void {
    this.move(FIRST_THREAD, 'home', this.inForce ? processes : [this.kernel, ...processes]);
  }

  /** Lets processes run on any CPU. */
  scatter(processes: readonly Placed[]): void {
    this.move(FIRST_THREAD, 'anywhere', processes);
  }

  private move(how: string, place: Place, processes: readonly Placed[]): void {
    if (this.tool === null || processes.length === 0) return;
    this.mover ??= this.startMover(this.tool);
    this.mover?.stdin?.write(`${how} ${this.cpusOf(place)} ${processes.map(({ pid }) => pid).join(' ')}\n`);
    for (const process of processes) process.place = place;
  }

  /**
   * A process that has ended meanwhile is not moved, and one that is not moved works all the same: so nothing is made
   * of errors, and one more shell is started when there is none.
   */
  private startMover(tool: string): ChildProcess | null {
    const [program = SHELL, ...words] = [...this.startWords('anywhere'), SHELL, '-c', MOVE, tool];
    const mover = spawn(program, words, { stdio: ['pipe', 'ignore', 'ignore'], env: {}, detached: true });
    const gone = (): void => {
      if (this.mover === mover) this.mover = null;
    };
    mover.on('error', gone);
    mover.on('exit', gone);
    mover.unref();
    // Without descriptors left, Node gives no stream and reports the error later.
    const stdin = mover.stdin as net.Socket | undefined;
    stdin?.on('error', gone);
    stdin?.unref();
    return stdin === undefined ? null : mover;
  }
}
