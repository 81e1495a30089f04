/**
 * Warm spares: processes that have started, hold the service library, and wait in `task_start` for something to run.
 * Taking one over costs about a millisecond; a cold start costs fifty.
 */
import { IdleProcess, type ReadStart, type StartProcess } from './idle-process.ts';

/** Starts that fail in a row, after which no more are tried. */
const MAX_FAILURES = 5;

/** The pool. */
export class SparePool {
  private readonly start: StartProcess;
  private readonly readStart: ReadStart;
  private readonly spares: IdleProcess[] = [];
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
    return this.spares.filter(({ ready }) => ready).length;
  }

  /** Starts spares until there are as many as wanted. */
  fill(target = this.target): void {
    this.target = target;
    while (!this.closed && this.spares.length < this.target && this.failures < MAX_FAILURES) this.add();
  }

  /** Takes a spare that waits, or null. */
  takeReady(): IdleProcess | null {
    return this.ready > 0 ? this.take() : null;
  }

  /**
   * Takes a spare: one that waits if there is one, else the one that was started first. One that is ending is of no
   * use.
   */
  take(): IdleProcess | null {
    const spare = this.spares.find(({ ready }) => ready) ?? this.spares.find(({ process }) => !process.ending);
    if (spare !== undefined) this.spares.splice(this.spares.indexOf(spare), 1);
    return spare ?? null;
  }

  /** Ends all spares and starts no more. */
  close(): void {
    this.closed = true;
    for (const spare of this.spares.splice(0)) spare.discard();
  }

  private add(): void {
    try {
      const spare: IdleProcess = new IdleProcess(this.start, this.readStart, {
        waits: () => {
          this.failures = 0;
        },
        gone: () => {
          this.failures++;
          const index = this.spares.indexOf(spare);
          if (index >= 0) this.spares.splice(index, 1);
        },
      });
      this.spares.push(spare);
    } catch {
      // The host cannot start a process now. Whoever needs one is told so; the next fill tries again.
      this.failures++;
    }
  }
}
