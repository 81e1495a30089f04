/**
 * The lines entered before, as readline and POSIX `fc` keep them: bounded, without repetitions, kept over a restart in
 * the recovery store.
 */
import { SystemError } from '../../protocol/errno.ts';
import { list, record, text, u8 } from '../../protocol/schema.ts';

/** Most lines kept. */
export const MAX_HISTORY_ENTRIES = 1000;

/**
 * Most characters (UTF-16 code units) kept altogether, so that a snapshot fits into the recovery store; older lines go
 * first.
 */
export const MAX_HISTORY_CHARACTERS = 128 * 1024;

const SNAPSHOT_VERSION = 1;

/** A code unit takes at most three bytes of UTF-8. */
const state = record({ version: u8, entries: list(text(3 * MAX_HISTORY_CHARACTERS), MAX_HISTORY_ENTRIES) });

/** Lines in the order they were entered. */
export class History {
  private entries: string[] = [];
  private characters = 0;

  /** Number of lines. */
  get length(): number {
    return this.entries.length;
  }

  /** A line by number, from 0 for the oldest. */
  at(index: number): string | undefined {
    return index < 0 ? undefined : this.entries[index];
  }

  /** Keeps a line, unless it is blank, starts with a space, or repeats the last one. */
  add(line: string): void {
    if (line.startsWith(' ') || line.trim() === '' || line === this.entries.at(-1)) return;
    if (line.length > MAX_HISTORY_CHARACTERS) return;
    this.entries.push(line);
    this.characters += line.length;
    while (this.entries.length > MAX_HISTORY_ENTRIES || this.characters > MAX_HISTORY_CHARACTERS) {
      this.characters -= this.entries.shift()?.length ?? 0;
    }
  }

  /** Number of the newest line, at most `from`, that contains `query`; -1 when there is none. */
  search(query: string, from: number): number {
    let index = Math.min(from, this.entries.length - 1);
    while (index >= 0 && this.entries[index]?.includes(query) !== true) index -= 1;
    return Math.max(index, -1);
  }

  /** All lines, as a value for the recovery store. */
  snapshot(): unknown {
    return state.toWire({ version: SNAPSHOT_VERSION, entries: [...this.entries] }, []);
  }

  /** Takes over the lines that `snapshot` gave. Throws EINVAL, and changes nothing, for anything else. */
  restore(snapshot: unknown): void {
    const { version, entries } = state.fromWire(snapshot, []);
    if (version !== SNAPSHOT_VERSION) throw new SystemError('EINVAL', 'not a history');
    this.entries = [];
    this.characters = 0;
    for (const entry of entries) this.add(entry);
  }
}
