/**
 * A disk that fails by rule: wraps another back end and makes chosen requests go wrong the way real disks do, so that
 * whatever is above can be tested against errors, slowness, and writes that lie about what they did.
 */
import { type DiskBackend, type DiskDone, DiskError, rangeError, SECTOR_BYTES } from './backend.ts';

/** Which requests a rule strikes: the next `times` of one kind that touch the sectors `first` to `last`, inclusive. */
export interface FaultTarget {
  readonly operation: 'read' | 'write' | 'flush';
  /** Default 0. A flush touches every sector. */
  readonly first?: number;
  /** Default: the last sector of the disk. */
  readonly last?: number;
  /** So many that match pass before the first is struck. Default 0. */
  readonly skip?: number;
  /** Default: for ever. */
  readonly times?: number;
}

/**
 * What goes wrong. `error`: the request fails with `io` at the first struck sector, and has no effect. `slow`: it ends
 * `nanoseconds` later than it would. The others are writes that claim success: `torn` keeps only the first `sectors`
 * sectors, `lost` keeps nothing, `misdirected` lands `offset` sectors away (lost when that is outside of the disk).
 */
export type Fault =
  | { readonly kind: 'error' }
  | { readonly kind: 'slow'; readonly nanoseconds: number }
  | { readonly kind: 'torn'; readonly sectors: number }
  | { readonly kind: 'lost' }
  | { readonly kind: 'misdirected'; readonly offset: number };

export type FaultRule = FaultTarget & Fault;

/** Calls `callback` after `nanoseconds`, on whatever clock the test keeps. */
export type Schedule = (nanoseconds: number, callback: () => void) => void;

interface ActiveRule {
  readonly rule: FaultRule;
  skip: number;
  left: number;
}

/** `inner` with faults. Requests no rule strikes pass unchanged. The first rule that matches a request decides. */
export class FaultyDisk implements DiskBackend {
  readonly sectors: number;
  readonly readOnly: boolean;
  readonly #inner: DiskBackend;
  readonly #schedule: Schedule;
  #rules: ActiveRule[] = [];

  constructor(inner: DiskBackend, schedule: Schedule = (_nanoseconds, callback) => callback()) {
    this.#inner = inner;
    this.sectors = inner.sectors;
    this.readOnly = inner.readOnly;
    this.#schedule = schedule;
  }

  /** Adds a rule behind those already there. */
  add(rule: FaultRule): void {
    this.#rules.push({ rule, skip: rule.skip ?? 0, left: rule.times ?? Number.POSITIVE_INFINITY });
  }

  /** Forgets all rules: the disk is healthy again. */
  clear(): void {
    this.#rules = [];
  }

  read(lba: number, target: Buffer, done: DiskDone): void {
    const rule = this.#strike('read', lba, target.length / SECTOR_BYTES);
    if (rule?.kind === 'error') done(injected(rule, lba));
    else this.#inner.read(lba, target, this.#slowed(rule, done));
  }

  write(lba: number, source: Buffer, done: DiskDone): void {
    const rule = this.#strike('write', lba, source.length / SECTOR_BYTES);
    if (rule?.kind === 'error') done(injected(rule, lba));
    else if (rule?.kind === 'torn') this.#keep(lba, source.subarray(0, rule.sectors * SECTOR_BYTES), done);
    else if (rule?.kind === 'misdirected') this.#keep(lba + rule.offset, source, done);
    else if (rule?.kind === 'lost') done(null);
    else this.#inner.write(lba, source, this.#slowed(rule, done));
  }

  flush(done: DiskDone): void {
    const rule = this.#strike('flush', 0, this.sectors);
    if (rule?.kind === 'error') done(injected(rule, 0));
    else if (rule?.kind === 'lost') done(null);
    else this.#inner.flush(this.#slowed(rule, done));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** Writes what there is to write and is inside of the disk; the rest is lost. */
  #keep(lba: number, source: Buffer, done: DiskDone): void {
    if (rangeError(this.sectors, lba, source.length) !== null) done(null);
    else this.#inner.write(lba, source, done);
  }

  #strike(operation: FaultTarget['operation'], lba: number, count: number): FaultRule | null {
    for (const active of this.#rules) {
      const { rule } = active;
      if (active.left <= 0 || rule.operation !== operation) continue;
      if (lba > (rule.last ?? this.sectors - 1) || lba + count <= (rule.first ?? 0)) continue;
      if (active.skip-- > 0) continue;
      active.left -= 1;
      return rule;
    }
    return null;
  }

  /** The request itself keeps its place in the order; only its end comes late. */
  #slowed(rule: FaultRule | null, done: DiskDone): DiskDone {
    if (rule?.kind !== 'slow') return done;
    return (error) => this.#schedule(rule.nanoseconds, () => done(error));
  }
}

function injected(rule: FaultRule, lba: number): DiskError {
  const at = Math.max(lba, rule.first ?? 0);
  return new DiskError('io', `injected ${rule.operation} error at sector ${at}`, at);
}
