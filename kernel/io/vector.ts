/**
 * Runs a vector of port operations, which has been checked (vector-program.ts). A POLL8 or AWAIT8 whose condition does
 * not hold yet, or an INTERRUPT that has not come, suspends the run; the kernel steps it again when a device has
 * changed, the line has interrupted, or its time is up, so a vector never blocks the kernel.
 */

import type { Width } from '../../hw/device.ts';
import { vectorOperation as op } from '../../protocol/vector.ts';
import { ownBlocks, PROGRAM_WORDS, type VectorProgram, widthOf } from './vector-program.ts';

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
  arm(irq: number, program: VectorProgram): void;
}

/** What a vector may do besides: answers the request of a reply right. False: nobody waits for an answer. */
export type Answer = (reply: number, results: readonly unknown[]) => boolean;

const nobody: Answer = () => false;

/**
 * Where the byte strings that vectors read are put. Those of a vector that is carried out at once are of no use when
 * its result has been written.
 */
export class VectorMemory {
  private bytes = Buffer.alloc(0);
  private used = 0;

  /** What was taken before is not used any more. */
  clear(): void {
    this.used = 0;
  }

  take(count: number): Buffer {
    if (this.used + count > this.bytes.length) {
      this.bytes = Buffer.allocUnsafeSlow(Math.max(count, 2 * this.bytes.length));
      this.used = 0;
    }
    this.used += count;
    return this.bytes.subarray(this.used - count, this.used);
  }
}

/**
 * `waiting`: for a register or an interrupt; step again when a device changed or the line interrupted, and not later
 * than `deadline` (milliseconds of uptime).
 */
export type VectorState = 'waiting' | 'done';

/** One run of a vector. */
export class VectorRun {
  readonly id: number;
  readonly results: unknown[] = [];
  /** Index of the operation that ended it early, or -1. */
  ended = -1;
  /** When the operation it waits in is over, in milliseconds of uptime. */
  deadline = 0;
  private readonly code: readonly number[];
  private readonly program: VectorProgram;
  private readonly ports: Ports;
  private readonly lines: Lines;
  private readonly finished: (run: VectorRun) => void;
  private readonly answer: Answer;
  private memory: VectorMemory | null;
  private at = 0;
  private operation = 0;
  private waits = false;
  /** Lines whose interrupt came to it, and that it has not waited for yet. */
  private readonly interrupted = new Set<number>();

  /** `finished` is called once, at the end. `memory`: for what is read; null: the engine's. */
  constructor(
    id: number,
    program: VectorProgram,
    ports: Ports,
    lines: Lines,
    finished: (run: VectorRun) => void = () => {},
    memory: VectorMemory | null = null,
    answer: Answer = nobody,
  ) {
    this.memory = memory;
    this.id = id;
    this.code = program.code;
    this.program = program;
    this.ports = ports;
    this.lines = lines;
    this.finished = finished;
    this.answer = answer;
  }

  /** Whether it waits for a register, which can change with the clock alone. */
  get polls(): boolean {
    return this.waits && this.word(0) !== op.INTERRUPT;
  }

  /** Interrupts that it was told of and has not waited for. */
  get unclaimed(): readonly number[] {
    return [...this.interrupted];
  }

  /** A line has interrupted. True: an INTERRUPT for it is still to end, so no notice is needed. */
  interrupt(irq: number): boolean {
    const { code } = this;
    for (let at = this.at; at < code.length; at += PROGRAM_WORDS[code[at] ?? 0] ?? 0) {
      if (code[at] !== op.INTERRUPT || code[at + 1] !== irq) continue;
      this.interrupted.add(irq);
      return true;
    }
    return false;
  }

  /**
   * Goes on until the end, a register that is not as awaited, or an INTERRUPT that has not come. `now` is the uptime in
   * milliseconds.
   */
  step(now: number): VectorState {
    while (this.at < this.code.length && this.ended < 0) {
      const code = this.word(0);
      if (code === op.POLL8 || code === op.AWAIT8 || code === op.INTERRUPT) {
        if (!this.wait(code, now)) return 'waiting';
      } else this.run(code);
      this.at += PROGRAM_WORDS[code] ?? 0;
      this.operation++;
    }
    this.finished(this);
    return 'done';
  }

  /** It goes on later: it makes everything its own that was lent to it. */
  keep(): void {
    this.memory = null;
    ownBlocks(this.program);
    for (const [index, result] of this.results.entries())
      if (result instanceof Uint8Array) this.results[index] = Buffer.from(result);
  }

  private word(offset: number): number {
    return this.code[this.at + offset] ?? 0;
  }

  /** False: it has to wait on. */
  private wait(code: number, now: number): boolean {
    if (!this.waits) {
      this.waits = true;
      this.deadline = now + this.word(code === op.INTERRUPT ? 2 : 4) / 1000;
    }
    const last = now >= this.deadline;
    const satisfied = code === op.INTERRUPT ? this.hasInterrupted(this.word(1)) : this.poll(code, last);
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

  /**
   * Reads the register; adds it to the results when its bits are as wanted and that is asked for, or this is the `last`
   * time.
   */
  private poll(code: number, last: boolean): boolean {
    const value = this.ports.read(this.word(1), 1);
    const satisfied = (value & this.word(2)) === this.word(3);
    if (satisfied ? code === op.POLL8 : last) this.results.push(value);
    return satisfied;
  }

  private run(code: number): void {
    const width = widthOf(code);
    const port = this.word(1);
    if (code <= op.READ32) this.results.push(this.ports.read(port, width));
    else if (code <= op.WRITE32) this.ports.write(port, width, this.word(2));
    else if (code <= op.READ_BLOCK32) {
      const bytes = this.word(2) * width;
      const target = this.memory?.take(bytes) ?? Buffer.allocUnsafe(bytes);
      this.ports.readBlock(port, width, target);
      this.results.push(target);
    } else if (code <= op.WRITE_BLOCK32) this.writeBlock(port, width);
    else if (code === op.CHECK8) {
      const value = this.ports.read(port, 1);
      if ((value & this.word(2)) === this.word(3)) return;
      this.results.push(value);
      this.ended = this.operation;
    } else if (code === op.ANSWER) {
      if (!this.answer(port, this.results)) this.ended = this.operation;
    } else if (code === op.ACKNOWLEDGE) this.lines.acknowledge(port);
    else if (code === op.ON_INTERRUPT) {
      const program = this.program.armed[this.word(2)];
      if (program !== undefined) this.lines.arm(port, program);
    }
  }

  /** The bytes, the rest of the access that they leave begun, and accesses with zero. */
  private writeBlock(port: number, width: Width): void {
    const [block, start, count] = [this.program.blocks[this.word(2)], this.word(3), this.word(4)];
    if (block === undefined) return;
    const whole = count - (count % width);
    if (whole > 0) this.ports.writeBlock(port, width, block.subarray(start, start + whole));
    if (whole < count) this.ports.write(port, width, block.readUIntLE(start + whole, count - whole));
    for (let zeros = this.word(5); zeros > 0; zeros--) this.ports.write(port, width, 0);
  }
}
