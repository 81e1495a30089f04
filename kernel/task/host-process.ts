/**
 * A process of the host behind a task: started with nothing but its pipe and two captured output streams, signalled by
 * its real process id, and reported once when it has ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import type net from 'node:net';
import os from 'node:os';
import { LineLimit } from './line-limit.ts';
import { captureLines } from './output.ts';
import { TaskPipe } from './pipe.ts';
import type { Place } from './placement.ts';

/**
 * Longest wait for the other signs of an end (pipe closed, output closed, process reaped) after the first, in
 * milliseconds.
 */
const END_MILLISECONDS = 100;

/** Lines of output kept for the crash record. */
const OUTPUT_LINES = 64;

/** Whoever the process works for. */
export interface ProcessOwner {
  frame(buffer: Buffer, start: number, end: number): void;
  /** It has done what nobody may do with a pipe, as words that follow its name. */
  abused(how: string): void;
  /** A line on stdout or stderr. */
  line(text: string): void;
  /** The process is gone; nothing comes after this. */
  ended(status: number, signal: number): void;
}

/** Signals the kernel sends to processes. */
type HostSignal = 'SIGKILL' | 'SIGSTOP' | 'SIGCONT';

/** One process. */
export class HostProcess {
  owner: ProcessOwner;
  readonly pipe: TaskPipe;
  /** True once the process has said that it is there. */
  readonly memory: number;
  /** Where it may run, as whoever has moved it last has noted. */
  place: Place = 'anywhere';
  /** The last lines it wrote. */
  readonly output: string[] = [];
  private readonly child: ChildProcess;
  private readonly wrapped: boolean;
  private realPid = 0;
  private reaped: { status: number; signal: number } | null = null;
  private readonly lineLimit = new LineLimit();
  private pipeClosed = false;
  private openOutputs = 0;
  private over = false;

  /**
   * Starts `command`. `wrapped`: the command starts another process that runs the task. Throws when the host cannot
   * start it.
   */
  constructor(command: readonly string[], wrapped: boolean, memory: number, owner: ProcessOwner) {
    this.owner = owner;
    this.wrapped = wrapped;
    this.memory = memory;
    const [program = '', ...words] = command;
    this.child = spawn(program, words, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      env: {},
      cwd: '/',
      // A session of its own: keys of the host's terminal reach the kernel only.
      detached: true,
    });
    this.child.on('error', () => this.reap(127, 0));
    this.child.on('exit', (code, signal) => this.reap(code ?? 0, signal === null ? 0 : os.constants.signals[signal]));
    // Without descriptors left, Node gives no streams and reports the error later.
    const { 3: toTask, 4: fromTask } = this.child.stdio ?? [];
    if (!toTask || !fromTask) {
      this.over = true;
      throw new Error('the host has no descriptors left for a process');
    }
    this.pipe = new TaskPipe(fromTask as net.Socket, toTask as net.Socket, {
      frame: (buffer, start, end) => this.owner.frame(buffer, start, end),
      abused: (how) => this.owner.abused(how),
      closed: () => {
        this.pipeClosed = true;
        this.finish();
      },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      this.openOutputs++;
      captureLines(
        stream,
        (text) => this.line(text),
        () => {
          this.openOutputs--;
          if (this.reaped !== null) this.finish();
        },
      );
    }
  }

  /** It ends, though nobody has been told yet. */
  get ending(): boolean {
    return this.pipeClosed || this.reaped !== null;
  }

  /** The process id on the host: of the task itself, not of what wraps it. 0 when it could not be started. */
  get pid(): number {
    if (this.realPid === 0) this.realPid = this.wrapped ? onlyChild(this.child.pid ?? 0) : (this.child.pid ?? 0);
    return this.realPid;
  }

  /** Looks the process id up again: before the task's first frame, a wrapper may not have started it yet. */
  identify(): void {
    this.realPid = 0;
  }

  /** Sends a signal; one for a process that is gone is dropped. */
  signal(name: HostSignal): void {
    if (this.reaped !== null || this.pid === 0) return;
    try {
      process.kill(this.pid, name);
    } catch {
      // It has ended in the meantime; its end is reported by itself.
    }
  }

  /** Ends the process and what wraps it. */
  kill(): void {
    this.signal('SIGKILL');
    if (this.reaped === null) this.child.kill('SIGKILL');
  }

  /** For a process nobody has a use for: lets the kernel end without it. */
  discard(): void {
    this.owner = { frame: () => {}, abused: () => {}, line: () => {}, ended: () => {} };
    this.kill();
  }

  private reap(code: number, signal: number): void {
    if (this.reaped !== null) return;
    // A wrapper reports the signal its child died of as 128 + signal, as shells do.
    const decoded = signal === 0 && this.wrapped && code > 128 && code <= 192 ? code - 128 : signal;
    this.reaped = { status: decoded === 0 ? code : 128 + decoded, signal: decoded };
    this.finish();
  }

  /** Reports the end when pipe and output are drained and the process reaped, or one of them takes too long. */
  private finish(): void {
    if (this.over) return;
    if (this.pipeClosed && this.openOutputs === 0 && this.reaped !== null) this.end();
    else setTimeout(() => this.end(), END_MILLISECONDS);
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    const { status, signal } = this.reaped ?? { status: 128 + 9, signal: 9 };
    this.kill();
    this.pipe.destroy();
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
    this.child.unref();
    const note = this.lineLimit.takeNote();
    if (note !== '') this.owner.line(note);
    this.owner.ended(status, signal);
  }

  /** A line of output. False when there are too many. */
  private line(text: string): boolean {
    const now = performance.now();
    if (!this.lineLimit.take(now)) return false;
    const note = this.lineLimit.takeNote(now);
    if (note !== '') this.owner.line(note);
    this.output.push(text);
    if (this.output.length > OUTPUT_LINES) this.output.shift();
    this.owner.line(text);
    return true;
  }
}

/** What a wrapper (bwrap, unshare) has started: its one child; itself until there is one. */
function onlyChild(wrapper: number): number {
  try {
    const [child = ''] = fs.readFileSync(`/proc/${wrapper}/task/${wrapper}/children`, 'utf8').split(' ');
    return child === '' ? wrapper : Number(child);
  } catch {
    return wrapper;
  }
}
