/**
 * Warm spares: processes that have started, hold the service library, and wait in `task_start` for something to run. Taking one over costs about a
 * millisecond; a cold start costs fifty.
 */
import type { HostProcess, ProcessOwner } from './host-process.ts';

/** Starts a process that will wait in `task_start`. */
export type StartProcess = (owner: ProcessOwner) => HostProcess;

/** Reads the first frame of a spare: the call's id and the protocol version, or null when it is no `task_start`. */
export type ReadStart = (buffer: Buffer, start: number) => { startId: number; protocolVersion: number } | null;

/** A spare and the id of its waiting `task_start`, once that has come. */
export interface Spare {
  readonly process: HostProcess;
  readonly startId: number | null;
  readonly protocolVersion: number;
}

interface Waiting {
  process: HostProcess | null;
  startId: number | null;
  protocolVersion: number;
}

/** The pool. */
export class SparePool {
  private readonly start: StartProcess;
  private readonly readStart: ReadStart;
  private readonly waiting: Waiting[] = [];
  private target: number;
  private failures = 0;
  private closed = false;

  constructor(target: number, start: StartProcess, readStart: ReadStart) {
    this.target = target;
    this.start = start;
    this.readStart = readStart;
  }

  /** Spares that have started and wait. */
  get ready(): number {
    return this.waiting.filter((spare) => spare.startId !== null).length;
  }

  /** Starts spares until there are as many as wanted. */
  fill(target = this.target): void {
    this.target = target;
    while (!this.closed && this.waiting.length < this.target && this.failures < 5) this.add();
  }

  /** Takes a spare: one that waits if there is one, else the one that was started first. */
  take(): Spare | null {
    const index = this.waiting.findIndex((spare) => spare.startId !== null);
    const [spare] = this.waiting.splice(Math.max(0, index), 1);
    if (spare === undefined || spare.process === null) return null;
    return { process: spare.process, startId: spare.startId, protocolVersion: spare.protocolVersion };
  }

  /** Ends all spares and starts no more. */
  close(): void {
    this.closed = true;
    for (const spare of this.waiting.splice(0)) spare.process?.discard();
  }

  private add(): void {
    const spare: Waiting = { process: null, startId: null, protocolVersion: 0 };
    const gone = (): void => {
      const index = this.waiting.indexOf(spare);
      if (index >= 0) this.waiting.splice(index, 1);
    };
    const owner: ProcessOwner = {
      frame: (buffer, start) => {
        const read = spare.startId === null ? this.readStart(buffer, start) : null;
        if (read !== null) {
          spare.startId = read.startId;
          spare.protocolVersion = read.protocolVersion;
          spare.process?.identify();
          this.failures = 0;
        } else {
          gone();
          spare.process?.discard();
        }
      },
      overflow: () => {
        gone();
        spare.process?.discard();
      },
      unread: () => {},
      line: () => {},
      ended: () => {
        this.failures++;
        gone();
      },
    };
    try {
      spare.process = this.start(owner);
      this.waiting.push(spare);
    } catch {
      // The host cannot start a process now. Whoever needs one is told so; the next fill tries again.
      this.failures++;
    }
  }
}
