/**
 * Builds vectors of port accesses (protocol/vector.ts) for the card.
 */
import type { Handle } from '../../protocol/schema.ts';
import { vectorOperation as operation, type PackedOperations } from '../../protocol/vector.ts';
import type { Operand } from './hardware.ts';
import { CR, command, DATA, IRQ, ISR, interrupt, RBCR0, RBCR1, RSAR0, RSAR1 } from './registers.ts';

const NO_DATA = new Uint8Array(0);

/** Longest wait for the end of a remote DMA, in microseconds. */
export const DMA_MICROSECONDS = 20_000;

/**
 * Remembers what has been built, by what it is for. Of the kinds here there are a few thousand at most, and mostly it
 * is one of a dozen.
 */
export function remembering(): (key: number, build: () => PackedOperations) => Uint8Array {
  const known = new Map<number, Uint8Array>();
  return (key, build) => {
    const found = known.get(key);
    if (found !== undefined) return found;
    const built = build().build();
    known.set(key, built);
    return built;
  };
}

/**
 * Adds the reading of memory of the card, by remote DMA (9.0, "remote read"), which gives the bytes. `count` has to be
 * even where words are moved.
 */
export function addReadMemory(
  operations: PackedOperations,
  address: number,
  count: number,
  words: boolean,
): PackedOperations {
  return operations
    .write8(RBCR0, count & 0xff)
    .write8(RBCR1, count >>> 8)
    .write8(RSAR0, address & 0xff)
    .write8(RSAR1, address >>> 8)
    .write8(CR, command.STA | command.READ)
    .readBlock(DATA, words ? 2 : 1, words ? count >>> 1 : count)
    .write8(ISR, interrupt.RDC);
}

/** A vector under construction; every method adds operations and answers the vector. */
export class PortVector {
  readonly operations: Operand[] = [];

  /** Has the kernel keep the results in the recovery store. To be called first. */
  keep(key: string, tag: number): this {
    this.operations.push(operation.KEEP, key, tag);
    return this;
  }

  read(port: number): this {
    this.operations.push(operation.READ8, port);
    return this;
  }

  write(port: number, value: number): this {
    this.operations.push(operation.WRITE8, port, value);
    return this;
  }

  /** Reads until the bits of `mask` have `value`; adds what was read last. */
  poll(port: number, mask: number, value: number, microseconds: number): this {
    this.operations.push(operation.POLL8, port, mask, value, microseconds);
    return this;
  }

  /** Ends the vector, and adds what was read, unless the bits of `mask` have `value`. */
  check(port: number, mask: number, value: number): this {
    this.operations.push(operation.CHECK8, port, mask, value);
    return this;
  }

  /** Lets the card's interrupt line interrupt again. */
  acknowledge(): this {
    this.operations.push(operation.ACKNOWLEDGE, IRQ);
    return this;
  }

  /** The same, and has another vector carried out at the interrupt. */
  onInterrupt(vector: PortVector): this {
    this.operations.push(operation.ON_INTERRUPT, IRQ, vector.operations);
    return this;
  }

  /** Answers a request with the results; the last operation of a vector for `onInterrupt`. */
  answer(reply: Handle): this {
    this.operations.push(operation.ANSWER, reply);
    return this;
  }

  /** Adds operations that were packed before, which write nothing from a byte string. */
  packed(operations: Uint8Array): this {
    this.operations.push(operation.PACKED, operations, NO_DATA);
    return this;
  }
}
