/**
 * Runs a vector of port operations (protocol/vector.ts). It is checked whole before the first access: a bad operation refuses it, a port outside the
 * bitmap is a fault, and in both cases nothing reaches a device. A POLL8 whose condition does not hold yet, or an INTERRUPT that has not come, suspends the run; the
 * kernel steps it again when a device has changed, the line has interrupted, or its time is up, so a vector never blocks the kernel.
 */

import type { Width } from '../../hw/device.ts';
import {
  MAX_NAME_BYTES,
  MAX_POLL_MICROSECONDS,
  MAX_VECTOR_BYTES,
  MAX_VECTOR_OPERATIONS,
} from '../../protocol/bounds.ts';
import { vectorOperation as op } from '../../protocol/vector.ts';

/** The port bus, as far as a vector needs it. */
export interface Ports {
  read(port: number, width: Width): number;
  write(port: number, width: Width, value: number): void;
  readBlock(port: number, width: Width, target: Buffer): void;
  writeBlock(port: number, width: Width, source: Buffer): void;
}

/** The interrupt lines, as far as a vector needs them. */
export interface Lines {
  /** Lets a line interrupt again. */
  acknowledge(irq: number): void;
  /** Whether a line has interrupted and was not acknowledged since. */
  pending(irq: number): boolean;
  /** Lets a line interrupt again, and has a vector carried out then. */
  arm(irq: number, words: readonly unknown[]): void;
}

/** Where the results of a vector are to be kept, and how many bytes they take at most. */
export interface Keep {
  readonly key: string;
  readonly tag: number;
  readonly mostBytes: number;
}

/** A vector that is carried out when a line interrupts. */
export interface ArmedVector {
  readonly words: readonly unknown[];
  readonly keep: Keep | null;
}

/** What the check found: fine, with the vectors in it for interrupts; a malformed operation; or a port that is not allowed. */
export type VectorCheck =
  | { kind: 'ok'; keep: Keep | null; armed: readonly ArmedVector[] }
  | { kind: 'invalid' }
  | { kind: 'fault'; port: number; width: Width };

/** `waiting`: for a register or an interrupt; step again when a device changed or the line interrupted, and not later than `deadline` (milliseconds of uptime). */
export type VectorState = 'waiting' | 'done';

const operands: readonly number[] = [0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 3, 1, 2, 2, 2];

/** Width of the accesses of an operation. */
function widthOf(code: number): Width {
  if (code > op.WRITE_BLOCK32) return 1;
  const step = (code - 1) % 3;
  return step === 0 ? 1 : step === 1 ? 2 : 4;
}

const isNumber = (value: unknown, most: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_NAME_BYTES;

/** One run of a vector. */
export class VectorRun {
  readonly id: number;
  readonly results: unknown[] = [];
  /** Index of the operation that ended it early, or -1. */
  ended = -1;
  /** When the POLL8 or INTERRUPT it waits in is over, in milliseconds of uptime. */
  deadline = 0;
  private readonly words: readonly unknown[];
  private readonly ports: Ports;
  private readonly lines: Lines;
  private readonly finished: (run: VectorRun) => void;
  private at = 0;
  private operation = 0;
  private waits = false;
  /** Lines whose interrupt came to it, and that it has not waited for yet. */
  private readonly interrupted = new Set<number>();

  /** `words` must have passed `checkVector`. `finished` is called once, at the end. */
  constructor(
    id: number,
    words: readonly unknown[],
    ports: Ports,
    lines: Lines,
    finished: (run: VectorRun) => void = () => {},
  ) {
    this.id = id;
    this.words = words;
    this.ports = ports;
    this.lines = lines;
    this.finished = finished;
  }

  /** Whether it waits for a register, which can change with the clock alone. */
  get polls(): boolean {
    return this.waits && this.number(0) === op.POLL8;
  }

  /** Interrupts that it was told of and has not waited for. */
  get unclaimed(): readonly number[] {
    return [...this.interrupted];
  }

  /** A line has interrupted. True: an INTERRUPT for it is still to end, so no notice is needed. */
  interrupt(irq: number): boolean {
    for (let at = this.at; at < this.words.length; at += 1 + (operands[this.words[at] as number] ?? 0)) {
      if (this.words[at] !== op.INTERRUPT || this.words[at + 1] !== irq) continue;
      this.interrupted.add(irq);
      return true;
    }
    return false;
  }

  /** Goes on until the end, an unsatisfied POLL8 or an INTERRUPT that has not come. `now` is the uptime in milliseconds. */
  step(now: number): VectorState {
    while (this.at < this.words.length && this.ended < 0) {
      const code = this.number(0);
      if (code === op.POLL8 || code === op.INTERRUPT) {
        if (!this.wait(code, now)) return 'waiting';
      } else this.run(code);
      this.at += 1 + (operands[code] ?? 0);
      this.operation++;
    }
    this.finished(this);
    return 'done';
  }

  private number(offset: number): number {
    return this.words[this.at + offset] as number;
  }

  /** False: it has to wait on. */
  private wait(code: number, now: number): boolean {
    if (!this.waits) {
      this.waits = true;
      this.deadline = now + this.number(code === op.POLL8 ? 4 : 2) / 1000;
    }
    const last = now >= this.deadline;
    const satisfied = code === op.POLL8 ? this.poll(last) : this.hasInterrupted(this.number(1));
    if (!satisfied && !last) return false;
    this.waits = false;
    if (!satisfied) this.ended = this.operation;
    return true;
  }

  private hasInterrupted(irq: number): boolean {
    if (!this.lines.pending(irq)) return false;
    this.interrupted.delete(irq);
    return true;
  }

  /** Reads the register; adds it to the results when its bits are as wanted, or this is the `last` time. */
  private poll(last: boolean): boolean {
    const value = this.ports.read(this.number(1), 1);
    const satisfied = (value & this.number(2)) === this.number(3);
    if (satisfied || last) this.results.push(value);
    return satisfied;
  }

  private run(code: number): void {
    const width = widthOf(code);
    const port = this.number(1);
    if (code <= op.READ32) this.results.push(this.ports.read(port, width));
    else if (code <= op.WRITE32) this.ports.write(port, width, this.number(2));
    else if (code <= op.READ_BLOCK32) {
      const target = Buffer.allocUnsafe(this.number(2) * width);
      this.ports.readBlock(port, width, target);
      this.results.push(target);
    } else if (code <= op.WRITE_BLOCK32) {
      const source = this.words[this.at + 2] as Uint8Array;
      this.ports.writeBlock(port, width, Buffer.from(source.buffer, source.byteOffset, source.length));
    } else if (code === op.CHECK8) {
      const value = this.ports.read(port, 1);
      if ((value & this.number(2)) === this.number(3)) return;
      this.results.push(value);
      this.ended = this.operation;
    } else if (code === op.ACKNOWLEDGE) this.lines.acknowledge(port);
    else if (code === op.ON_INTERRUPT) this.lines.arm(port, this.words[this.at + 2] as unknown[]);
  }
}

/** Operations of a vector that is carried out when a line interrupts: none that waits, and none that changes the line. */
const isAtOnce = (code: number): boolean => code < op.POLL8 || code === op.CHECK8 || code === op.KEEP;

/** Checks every operation of a vector. `allows` is the task's permission bitmap, `owns` says whether a line is its own. */
export function checkVector(
  words: unknown,
  allows: (port: number, width: number) => boolean,
  owns: (irq: number) => boolean,
  isArmed = false,
): VectorCheck {
  if (!Array.isArray(words)) return { kind: 'invalid' };
  let count = 0;
  let bytesRead = 0;
  let bytesWritten = 0;
  let keep: Keep | null = null;
  const armed: ArmedVector[] = [];
  for (let at = 0; at < words.length; ) {
    const code: unknown = words[at];
    if (!isNumber(code, op.ON_INTERRUPT) || code === 0 || ++count > MAX_VECTOR_OPERATIONS) return { kind: 'invalid' };
    if (isArmed && !isAtOnce(code)) return { kind: 'invalid' };
    const width = widthOf(code);
    const [port, second, third, fourth] = words.slice(at + 1, at + 5) as unknown[];
    if (code === op.KEEP) {
      if (at !== 0 || !isName(port) || !isNumber(second, Number.MAX_SAFE_INTEGER)) return { kind: 'invalid' };
      keep = { key: port, tag: second, mostBytes: 0 };
    } else if (code === op.ACKNOWLEDGE) {
      if (!isNumber(port, 15) || !owns(port)) return { kind: 'invalid' };
    } else if (code === op.INTERRUPT) {
      if (!isNumber(port, 15) || !owns(port) || !isNumber(second, MAX_POLL_MICROSECONDS)) return { kind: 'invalid' };
    } else if (code === op.ON_INTERRUPT) {
      if (!isNumber(port, 15) || !owns(port)) return { kind: 'invalid' };
      const inner = checkVector(second, allows, owns, true);
      if (inner.kind !== 'ok') return inner;
      armed.push({ words: second as unknown[], keep: inner.keep });
    } else {
      if (!isNumber(port, 0xffff)) return { kind: 'invalid' };
      if (code >= op.WRITE8 && code <= op.WRITE32 && !isNumber(second, 256 ** width - 1)) return { kind: 'invalid' };
      if (code >= op.READ_BLOCK8 && code <= op.READ_BLOCK32) {
        if (!isNumber(second, MAX_VECTOR_BYTES)) return { kind: 'invalid' };
        bytesRead += second * width;
      }
      if (code >= op.WRITE_BLOCK8 && code <= op.WRITE_BLOCK32) {
        if (!(second instanceof Uint8Array) || second.length % width !== 0) return { kind: 'invalid' };
        bytesWritten += second.length;
      }
      if (code >= op.POLL8 && !(isNumber(second, 255) && isNumber(third, 255))) return { kind: 'invalid' };
      if (code === op.POLL8 && !isNumber(fourth, MAX_POLL_MICROSECONDS)) return { kind: 'invalid' };
      if (bytesRead > MAX_VECTOR_BYTES || bytesWritten > MAX_VECTOR_BYTES) return { kind: 'invalid' };
      if (!allows(port, width)) return { kind: 'fault', port, width };
    }
    at += 1 + (operands[code] ?? 0);
    if (at > words.length) return { kind: 'invalid' };
  }
  // A number takes 9 bytes at most, a byte string 5 more than it holds.
  return { kind: 'ok', keep: keep && { ...keep, mostBytes: bytesRead + 9 * (words.length + 4) }, armed };
}
