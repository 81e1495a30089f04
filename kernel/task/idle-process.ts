/**
 * A process that is nobody's yet: it has started, says `task_start`, and waits for the answer. It may do nothing else.
 */
import type { HostProcess, ProcessOwner } from './host-process.ts';

/** Starts a process that will wait in `task_start`. */
export type StartProcess = (owner: ProcessOwner) => HostProcess;

/** Reads the first frame of a process: the call's id and the protocol version, or null when it is no `task_start`. */
export type ReadStart = (buffer: Buffer, start: number) => WaitingStart | null;

/** A `task_start` that waits for its answer. */
export interface WaitingStart {
  readonly startId: number;
  readonly protocolVersion: number;
}

/** Whoever keeps such a process. */
export interface Keeper {
  /** It waits in `task_start`. */
  waits(): void;
  /** It has ended, or was ended for doing something else: why, in words. Called once at most. */
  gone(reason: string): void;
}

/** Longest reason for an end. */
const MAX_REASON_CHARACTERS = 500;

/** See the head of this file. */
export class IdleProcess {
  readonly process: HostProcess;
  keeper: Keeper;
  /** What it waits with; null while it does not. */
  waiting: WaitingStart | null = null;
  private over = false;

  /** Throws when the host cannot start a process. */
  constructor(start: StartProcess, readStart: ReadStart, keeper: Keeper) {
    this.keeper = keeper;
    const gone = (reason: string): void => {
      if (this.over) return;
      this.over = true;
      this.keeper.gone(reason);
    };
    const refused = (reason: string): void => {
      this.process.discard();
      gone(reason);
    };
    this.process = start({
      frame: (buffer, at) => {
        const read = this.waiting === null ? readStart(buffer, at) : null;
        if (read === null) {
          refused('it asks the kernel for something before it is a task');
          return;
        }
        this.waiting = read;
        this.process.identify();
        this.keeper.waits();
      },
      abused: (how) => refused(`it ${how}`),
      line: () => {},
      ended: (status) =>
        gone(`exit status ${status}: ${this.process.output.join('; ')}`.slice(0, MAX_REASON_CHARACTERS)),
    });
  }

  /** Whether it can be made a task now. */
  get ready(): boolean {
    return this.waiting !== null && !this.process.ending;
  }

  /** Answers its `task_start`; it has to say it again. */
  answer(frame: Buffer): void {
    this.waiting = null;
    this.process.pipe.write(frame, 0, frame.length);
  }

  /** Ends it. */
  discard(): void {
    this.over = true;
    this.process.discard();
  }
}
