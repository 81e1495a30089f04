/** A clock that a test moves. */
import type { TimeSource } from '../../../kernel/time/timers.ts';

/** Time that passes only in `advance`; single-shot timers fire in it, on time or as late as the test wants. */
export class FakeTime implements TimeSource {
  private milliseconds = 0;
  private readonly waiting = new Set<{ readonly due: number; readonly callback: () => void }>();
  /** Timers that were set, ever. */
  armed = 0;

  /** Host timers that are set. */
  get size(): number {
    return this.waiting.size;
  }

  now(): number {
    return this.milliseconds;
  }

  after(milliseconds: number, callback: () => void): () => void {
    this.armed++;
    const entry = { due: this.milliseconds + milliseconds, callback };
    this.waiting.add(entry);
    return () => this.waiting.delete(entry);
  }

  /** Lets time pass; what is due fires, each at its time plus `late`. */
  advance(milliseconds: number, late = 0): void {
    const end = this.milliseconds + milliseconds;
    for (;;) {
      const [next] = [...this.waiting].sort((a, b) => a.due - b.due);
      if (next === undefined || next.due > end) break;
      this.waiting.delete(next);
      this.milliseconds = Math.max(this.milliseconds, Math.min(end, next.due + late));
      next.callback();
    }
    this.milliseconds = end;
  }
}
