/**
 * Jobs: commands that run as tasks of their own, in the foreground or behind it. Read POSIX, Shell & Utilities, 2.9.3.1 (Asynchronous
 * AND-OR Lists) and the utilities jobs, fg, bg and wait.
 */
import type { Infer } from '../../protocol/schema.ts';
import { type SignalName, signalName } from '../../protocol/signal.ts';
import { kill, SystemError, spawn, waitpid } from '../lib/index.ts';
import { CommandError, reasonOf } from './errors.ts';
import { jobOrder, MAX_ORDER_BYTES } from './order-schema.ts';
import type { Terminal, TerminalEvent } from './terminal.ts';

/** Name of the program that jobs run; the same bundle as the shell. */
export const JOB_PROGRAM = 'job';

/** Jobs at the same time. */
const MAX_JOBS = 64;

/** Status of a job that was stopped: 128 + SIGTSTP. */
const STOPPED_STATUS = 148;

const SIGINT = 2;

/** What a job is told to do. */
export type Order = Infer<typeof jobOrder>;

/** One job. */
export interface Job {
  readonly number: number;
  readonly pid: number;
  readonly text: string;
  state: 'running' | 'stopped' | 'ended';
  status: number;
  signal: number;
  /** Whether the user has been told of its end. */
  reported: boolean;
}

/** The jobs of a shell. */
export class JobTable {
  private readonly terminal: Terminal;
  private readonly port: ReturnType<Terminal['takeForeground']>;
  private jobs: Job[] = [];
  /** Pid of the last background job, for `$!`. */
  lastBackground: number | null = null;
  /** The user pressed the interrupt key: the rest of the command line is off. */
  interrupted = false;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
    this.port = terminal.takeForeground();
  }

  get all(): readonly Job[] {
    return this.jobs;
  }

  /** Starts a job. Throws CommandError. */
  start(order: Order, text: string): Job {
    if (this.jobs.length >= MAX_JOBS) throw new CommandError(`there are ${MAX_JOBS} jobs already`);
    const argument = JSON.stringify(jobOrder.toWire(order, []));
    if (Buffer.byteLength(argument) > MAX_ORDER_BYTES)
      throw new CommandError('the command and the variables are too long for a job');
    this.terminal.flush();
    try {
      const pid = spawn(JOB_PROGRAM, [argument], this.port);
      const number = this.jobs.reduce((most, job) => Math.max(most, job.number), 0) + 1;
      const job: Job = { number, pid, text, state: 'running', status: 0, signal: 0, reported: false };
      this.jobs.push(job);
      return job;
    } catch (error) {
      if (error instanceof SystemError) throw new CommandError(`the job cannot be started: ${reasonOf(error)}`);
      throw error;
    }
  }

  /** Starts a job behind the foreground. */
  startBehind(order: Order, text: string): Job {
    const job = this.start(order, text);
    this.lastBackground = job.pid;
    return job;
  }

  /** Waits for a job in the foreground, passing signals from the keyboard on. Answers its status. */
  foreground(job: Job): number {
    while (job.state === 'running') {
      const event = this.terminal.event(true);
      if (event === undefined) break;
      this.handle(event);
      if (event.kind === 'signal') this.signal(job, event.signal);
    }
    if (job.state === 'stopped') {
      this.terminal.print(`\n[${job.number}]+ Stopped  ${job.text}\n`);
      return STOPPED_STATUS;
    }
    this.remove(job);
    if (job.signal === SIGINT) this.terminal.print('\n');
    else if (job.signal !== 0) this.terminal.print(`${job.text}: ended by ${signalName(job.signal)}\n`);
    return job.status;
  }

  /** Lets a stopped job go on. */
  resume(job: Job): void {
    if (job.state !== 'stopped') return;
    this.send(job, 'CONT');
    job.state = 'running';
  }

  /** Waits until these jobs have ended, or the user interrupts. False: interrupted. */
  wait(jobs: readonly Job[]): boolean {
    while (jobs.some((job) => job.state === 'running')) {
      const event = this.terminal.event(true);
      if (event === undefined) return true;
      this.handle(event);
      if (this.interrupted) return false;
    }
    return true;
  }

  /** Takes notice of what has happened meanwhile. */
  poll(): void {
    for (let event = this.terminal.event(false); event !== undefined; event = this.terminal.event(false)) {
      this.handle(event);
    }
  }

  /** What the user interrupted until now is over. */
  forgetInterrupt(): void {
    this.poll();
    this.interrupted = false;
  }

  /** Lines on the background jobs that have ended since the last time. */
  endings(): string[] {
    this.poll();
    const ended = this.jobs.filter((job) => job.state === 'ended');
    this.jobs = this.jobs.filter((job) => job.state !== 'ended');
    return ended.filter(({ reported }) => !reported).map((job) => `[${job.number}]  ${stateText(job)}  ${job.text}`);
  }

  /** `%3`, `%%`, `%+` or a pid; without a word the current job: the one stopped last, else the newest. Throws CommandError. */
  find(word?: string): Job {
    const alive = this.jobs.filter((job) => job.state !== 'ended');
    if (word === undefined || word === '%%' || word === '%+' || word === '%') {
      const current = alive.findLast((job) => job.state === 'stopped') ?? alive.at(-1);
      if (current === undefined) throw new CommandError('there is no job');
      return current;
    }
    const number = Number(word.replace(/^%/, ''));
    const found = this.jobs.find((job) => (word.startsWith('%') ? job.number === number : job.pid === number));
    if (found === undefined) throw new CommandError(`${word}: there is no such job`);
    return found;
  }

  /** Forgets a job that has ended. */
  remove(job: Job): void {
    this.jobs = this.jobs.filter((other) => other !== job);
  }

  private handle(event: TerminalEvent): void {
    if (event.kind === 'signal' && event.signal !== 'TSTP') this.interrupted = true;
    if (event.kind !== 'exit') return;
    const job = this.jobs.find(({ pid }) => pid === event.pid);
    try {
      waitpid(event.pid, 0);
    } catch (error) {
      // A notice may come twice.
      if (!(error instanceof SystemError)) throw error;
    }
    if (job === undefined) return;
    job.state = 'ended';
    job.status = event.status & 0xff;
    job.signal = event.signal;
  }

  private signal(job: Job, signal: 'INT' | 'QUIT' | 'TSTP'): void {
    if (job.state !== 'running') return;
    if (signal === 'TSTP') {
      this.send(job, 'STOP');
      job.state = 'stopped';
    } else this.send(job, signal);
  }

  private send(job: Job, signal: SignalName): void {
    try {
      kill(job.pid, signal);
    } catch (error) {
      // It has ended; its notice is on the way.
      if (!(error instanceof SystemError) || error.code !== 'ESRCH') throw error;
    }
  }
}

/** The state of a job in words. */
export function stateText(job: Job): string {
  if (job.state === 'running') return 'Running';
  if (job.state === 'stopped') return 'Stopped';
  if (job.signal !== 0) return `Ended by ${signalName(job.signal)}`;
  return job.status === 0 ? 'Done' : `Done (${job.status})`;
}
