/** A bus that remembers every access, lines that interrupt when the test says so, and vectors for them. */
import type { Lines, Ports } from '../../../kernel/io/vector.ts';
import { checkVector, type VectorProgram } from '../../../kernel/io/vector-program.ts';

/** Reads answer what was written, or what `values` says; every access is noted. */
export class FakeBus implements Ports {
  readonly accesses: string[] = [];
  readonly values = new Map<number, number>();

  read(port: number, width: number): number {
    this.accesses.push(`read${8 * width} ${port}`);
    return this.values.get(port) ?? 0;
  }

  write(port: number, width: number, value: number): void {
    this.accesses.push(`write${8 * width} ${port} ${value}`);
    this.values.set(port, value);
  }

  readBlock(port: number, width: number, target: Buffer): void {
    this.accesses.push(`block-read${8 * width} ${port} ${target.length}`);
    target.fill(this.values.get(port) ?? 0);
  }

  writeBlock(port: number, width: number, source: Buffer): void {
    this.accesses.push(`block-write${8 * width} ${port} ${source.toString('hex')}`);
  }
}

/** Lines that interrupt when the test says so. */
export class FakeLines implements Lines {
  readonly acknowledged: number[] = [];
  readonly masked = new Set<number>();
  readonly armed = new Map<number, VectorProgram>();

  acknowledge(irq: number): void {
    this.acknowledged.push(irq);
    this.masked.delete(irq);
  }

  pending(irq: number): boolean {
    return this.masked.has(irq);
  }

  arm(irq: number, program: VectorProgram): void {
    this.armed.set(irq, program);
    this.masked.delete(irq);
  }
}

const everything = (): boolean => true;
/** The check of a vector by a task that owns line 14, and may touch all ports unless `allows` says otherwise. */
export const check = (words: unknown, allows: (port: number, width: number) => boolean = everything) =>
  checkVector(words, { allows, owns: (irq) => irq === 14 });

/** What the kernel makes of a vector that it does not refuse. */
export function programOf(words: unknown): VectorProgram {
  const checked = check(words);
  if (checked.kind !== 'ok') throw new Error(`the vector is ${checked.kind}`);
  return checked.program;
}
