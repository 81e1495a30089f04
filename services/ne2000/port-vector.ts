/**
 * Builds vectors of port accesses (protocol/vector.ts) for the card.
 */
import { vectorOperation as operation } from '../../protocol/vector.ts';
import type { Operand } from './hardware.ts';
import { CR, command, DATA, IRQ, ISR, interrupt, RBCR0, RBCR1, RSAR0, RSAR1 } from './registers.ts';

/** Longest wait for the end of a remote DMA, in microseconds. */
const DMA_MICROSECONDS = 20_000;

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

  /** Reads memory of the card, by remote DMA (9.0, "remote read"); adds the bytes. `count` has to be even where words are moved. */
  readMemory(address: number, count: number, words: boolean): this {
    this.startDma(address, count, command.READ);
    if (words) this.operations.push(operation.READ_BLOCK16, DATA, count >>> 1);
    else this.operations.push(operation.READ_BLOCK8, DATA, count);
    return this.write(ISR, interrupt.RDC);
  }

  /**
   * Writes memory of the card, by remote DMA, and waits for its end; adds the interrupt status. Behind an odd number of bytes goes a zero where words are
   * moved; `padding`: how many further zeros, an even number.
   */
  writeMemory(address: number, bytes: Uint8Array, padding: number, words: boolean): this {
    const { operations } = this;
    const odd = words ? bytes.length & 1 : 0;
    this.write(ISR, interrupt.RDC).startDma(address, bytes.length + odd + padding, command.WRITE);
    const whole = odd === 0 ? bytes : bytes.subarray(0, bytes.length - 1);
    operations.push(words ? operation.WRITE_BLOCK16 : operation.WRITE_BLOCK8, DATA, whole);
    if (odd !== 0) operations.push(operation.WRITE16, DATA, bytes.at(-1) ?? 0);
    if (padding > 0)
      operations.push(words ? operation.WRITE_BLOCK16 : operation.WRITE_BLOCK8, DATA, new Uint8Array(padding));
    return this.poll(ISR, interrupt.RDC, interrupt.RDC, DMA_MICROSECONDS);
  }

  private startDma(address: number, count: number, direction: number): this {
    return this.write(RBCR0, count & 0xff)
      .write(RBCR1, count >>> 8)
      .write(RSAR0, address & 0xff)
      .write(RSAR1, address >>> 8)
      .write(CR, command.STA | direction);
  }
}
