/** Crash records: what happened to a task that ended badly, kept for `crash list` and `crash show`. */
import type { CrashRecord, CrashRow } from '../../protocol/records.ts';

/** Records kept; the oldest go first. */
const RECORDS = 64;

/** The records. */
export class CrashRecords {
  private readonly records: CrashRecord[] = [];
  private count = 0;

  /** Adds a record and answers its number, from 1. */
  add(record: Omit<CrashRecord, 'number'>): number {
    this.records.push({ number: ++this.count, ...record });
    if (this.records.length > RECORDS) this.records.shift();
    return this.count;
  }

  list(): CrashRow[] {
    return this.records.map(({ number, time, name, pid, incarnation, reason }) => ({
      number,
      time,
      name,
      pid,
      incarnation,
      reason,
    }));
  }

  get(number: number): CrashRecord | undefined {
    return this.records.find((record) => record.number === number);
  }
}
