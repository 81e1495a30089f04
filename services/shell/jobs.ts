/**
 * Jobs: commands that run as tasks of their own, in the foreground or behind it. Read POSIX, Shell & Utilities, 2.9.3.1
 * (Asynchronous AND-OR Lists) and the utilities jobs, fg, bg and wait.
 */
import { type SignalName, signalName, signals } from '../../protocol/signal.ts';
import { CommandError } from './errors.ts';
import type { Stage } from './launch.ts';
import { ended, endingLines, type Process, reap, sendSignal, startAll, stateOf, withDescendants } from './processes.ts';
import type { Terminal, TerminalEvent } from './terminal.ts';

/** Jobs at the same time. */
const MAX_JOBS = 64;

/** Status of a job that was stopped: 128 + SIGTSTP. */
const STOPPED_STATUS = 148;

/** One job: the processes of a pipeline. */
export class Job {
  readonly number: number;
  readonly text: string;
  readonly processes: readonly Process[];
  /** Whether the user has been told of its end. */
  reported = false;

  constructor(number: number, text: string, processes: readonly Process[]) {
    this.number = number;
    this.text = text;
    this.processes = processes;
  }

  /** The last process, whose status is that of the job. */
  private get last(): Process | undefined {
    return this.processes.at(-1);
  }

  get pid(): number {
    return this.last?.pid ?? 0;
  }

  get state(): Process['state'] {
    return stateOf(this.processes);
  }

  get status(): number {
    return this.last?.status ?? 0;
  }

  /** The state in words. */
  get stateText(): string {
    if (this.state === 'running') return 'Running';
    if (this.state === 'stopped') return 'Stopped';
    if (this.last !== undefined && this.last.signal !== 0) return `Ended by ${signalName(this.last.signal)}`;
    return this.status === 0 ? 'Done' : `Done (${this.status})`;
  }
}

/** The jobs of a shell. */
export class JobTable {
  private readonly terminal: Terminal;
  private readonly port: ReturnType<Terminal['takeForeground']>;
  private jobs: Job[] = [];
  /** Pid of the last background job, for `$!`. */
  lastBackground: number | null = null;
  /** The signal by which the user has interrupted the command line, whose rest is off; 0: none. */
  interrupted = 0;
  /** The user pressed ^Z before the job was in the foreground that it is for. */
  private stopsNext = false;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
    this.port = terminal.takeForeground();
  }

  get all(): readonly Job[] {
    return this.jobs;
  }

  /** Runs stages in the foreground. Answers the status of the last. Throws CommandError. */
  run(stages: readonly Stage[], text: string): number {
    return this.foreground(this.start(stages, text));
  }

  /** Starts a job. Throws CommandError. */
  private start(stages: readonly Stage[], text: string): Job {
    this.terminal.flush();
    if (this.jobs.length >= MAX_JOBS) {
      for (const { descriptors } of stages) descriptors.close();
      throw new CommandError(`there are ${MAX_JOBS} jobs already`);
    }
    const processes = startAll(stages, this.port);
    const number = this.jobs.reduce((most, job) => Math.max(most, job.number), 0) + 1;
    const job = new Job(number, text, processes);
    this.jobs.push(job);
    return job;
  }

  /** Starts a job behind the foreground. Throws CommandError. */
  startBehind(stages: readonly Stage[], text: string): Job {
    const job = this.start(stages, text);
    this.lastBackground = job.pid;
    return job;
  }

  /** Waits for a job in the foreground, passing signals from the keyboard on. Answers its status. */
  foreground(job: Job): number {
    if (job.state === 'running') this.terminal.giveInput(withDescendants(job.processes.map(({ pid }) => pid)));
    // Keys that were pressed for it before it was there.
    if (this.interrupted !== 0) this.send(job, this.interrupted);
    else if (this.stopsNext) this.signal(job, 'TSTP');
    this.stopsNext = false;
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
    if (job.processes.some(({ signal }) => signal === signals.INT)) this.terminal.print('\n');
    for (const line of endingLines(job.processes)) this.terminal.print(`${line}\n`);
    return job.status;
  }

  /** Lets a stopped job go on. */
  resume(job: Job): void {
    if (job.state === 'stopped') this.send(job, 'CONT');
  }

  /** Sends a signal to all processes of a job. */
  send(job: Job, signal: SignalName | number): void {
    sendSignal(job.processes, signal);
  }

  /** Waits until these jobs have ended, or the user interrupts. False: interrupted. */
  wait(jobs: readonly Job[]): boolean {
    while (jobs.some((job) => job.state === 'running')) {
      const event = this.terminal.event(true);
      if (event === undefined) return true;
      this.handle(event);
      if (this.interrupted !== 0) return false;
    }
    return true;
  }

  /** Takes notice of what has happened meanwhile. */
  poll(): void {
    for (let event = this.terminal.event(false); event !== undefined; event = this.terminal.event(false)) {
      this.handle(event);
      if (event.kind === 'signal' && event.signal === 'TSTP') this.stopsNext = true;
    }
  }

  /** What the user interrupted until now is over. */
  forgetInterrupt(): void {
    this.poll();
    this.interrupted = 0;
    this.stopsNext = false;
  }

  /** Lines on the background jobs that have ended since the last time. */
  endings(): string[] {
    this.poll();
    const over = this.jobs.filter((job) => job.state === 'ended');
    this.jobs = this.jobs.filter((job) => job.state !== 'ended');
    return over.filter(({ reported }) => !reported).map((job) => `[${job.number}]  ${job.stateText}  ${job.text}`);
  }

  /**
   * `%3`, `%%`, `%+` or a pid; without a word the current job: the one stopped last, else the newest. Throws
   * CommandError.
   */
  find(word?: string): Job {
    const alive = this.jobs.filter((job) => job.state !== 'ended');
    if (word === undefined || word === '%%' || word === '%+' || word === '%') {
      const current = alive.findLast((job) => job.state === 'stopped') ?? alive.at(-1);
      if (current === undefined) throw new CommandError('there is no job');
      return current;
    }
    const number = Number(word.replace(/^%/, ''));
    const isMeant = (job: Job): boolean =>
      word.startsWith('%') ? job.number === number : job.processes.some(({ pid }) => pid === number);
    const found = alive.find(isMeant) ?? this.jobs.find(isMeant);
    if (found === undefined) throw new CommandError(`${word}: there is no such job`);
    return found;
  }

  /** Forgets a job that has ended. */
  remove(job: Job): void {
    this.jobs = this.jobs.filter((other) => other !== job);
  }

  private handle(event: TerminalEvent): void {
    if (event.kind === 'signal' && event.signal !== 'TSTP') this.interrupted = signals[event.signal];
    if (event.kind !== 'exit') return;
    reap(event.pid);
    for (const job of this.jobs) ended(job.processes, event);
  }

  private signal(job: Job, signal: 'INT' | 'QUIT' | 'TSTP'): void {
    if (job.state === 'running') this.send(job, signal === 'TSTP' ? 'STOP' : signal);
  }
}
