/**
 * The kernel's timers: one binary heap of deadlines, one host timer for the earliest. Tickless: with no timer set,
 * nothing wakes the host. Setting and cancelling cost O(log n).
 */

/** The host's clock and its single-shot timer, injected so that tests run without real time. */
export interface TimeSource {
  /** Milliseconds since power-on, with fractions; never goes back. */
  now(): number;
  /** Calls back once, no earlier than after `milliseconds`. Returns a function that cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** A timer that is set. */
export interface Timer {
  /** When it fires, in milliseconds since power-on. */
  readonly deadline: number;
  cancel(): void;
}

class Entry implements Timer {
  readonly deadline: number;
  readonly callback: () => void;
  readonly order: number;
  index = -1;
  private readonly timers: Timers;

  constructor(timers: Timers, deadline: number, order: number, callback: () => void) {
    this.timers = timers;
    this.deadline = deadline;
    this.order = order;
    this.callback = callback;
  }

  cancel(): void {
    this.timers.remove(this);
  }
}

/** The heap of timers. */
export class Timers {
  private readonly source: TimeSource;
  private readonly heap: Entry[] = [];
  private cancelHost: (() => void) | null = null;
  private hostDeadline = Number.POSITIVE_INFINITY;
  private count = 0;

  constructor(source: TimeSource) {
    this.source = source;
  }

  /** Milliseconds since power-on. */
  now(): number {
    return this.source.now();
  }

  /** Timers that are set. */
  get size(): number {
    return this.heap.length;
  }

  /** Calls back once after some milliseconds; timers that are due together fire in the order they were set. */
  set(milliseconds: number, callback: () => void): Timer {
    const entry = new Entry(this, this.source.now() + Math.max(0, milliseconds), this.count++, callback);
    entry.index = this.heap.length;
    this.heap.push(entry);
    this.up(entry.index);
    this.arm();
    return entry;
  }

  /** Drops all timers. */
  clear(): void {
    this.heap.length = 0;
    this.cancelHost?.();
    this.cancelHost = null;
    this.hostDeadline = Number.POSITIVE_INFINITY;
  }

  /** Takes an entry out; does nothing when it has fired or was cancelled. */
  remove(entry: Entry): void {
    const { index } = entry;
    if (index < 0 || this.heap[index] !== entry) return;
    entry.index = -1;
    const last = this.heap.pop();
    if (last === undefined || last === entry) return;
    this.heap[index] = last;
    last.index = index;
    this.up(index);
    this.down(last.index);
  }

  /**
   * A host timer that is early for what is left is kept: it re-arms when it fires, which costs less than replacing it.
   */
  private arm(): void {
    const first = this.heap[0];
    if (first === undefined || first.deadline >= this.hostDeadline) return;
    this.cancelHost?.();
    this.hostDeadline = first.deadline;
    this.cancelHost = this.source.after(Math.max(0, first.deadline - this.source.now()), () => this.fire());
  }

  private fire(): void {
    this.cancelHost = null;
    this.hostDeadline = Number.POSITIVE_INFINITY;
    const now = this.source.now();
    for (let first = this.heap[0]; first !== undefined && first.deadline <= now; first = this.heap[0]) {
      this.remove(first);
      first.callback();
    }
    this.arm();
  }

  private before(a: Entry, b: Entry): boolean {
    return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
  }

  private up(start: number): void {
    let index = start;
    const entry = this.heap[index];
    if (entry === undefined) return;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.heap[parentIndex];
      if (parent === undefined || !this.before(entry, parent)) break;
      this.heap[index] = parent;
      parent.index = index;
      index = parentIndex;
    }
    this.heap[index] = entry;
    entry.index = index;
  }

  private down(start: number): void {
    let index = start;
    const entry = this.heap[index];
    if (entry === undefined) return;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = this.heap[childIndex];
      const right = this.heap[childIndex + 1];
      if (child !== undefined && right !== undefined && this.before(right, child)) {
        childIndex++;
        child = right;
      }
      if (child === undefined || !this.before(child, entry)) break;
      this.heap[index] = child;
      child.index = index;
      index = childIndex;
    }
    this.heap[index] = entry;
    entry.index = index;
  }
}
