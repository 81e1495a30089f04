/**
 * Builds vectors of port accesses (protocol/vector.ts) for one channel.
 */
import { vectorOperation } from '../../protocol/vector.ts';
import type { Operand } from './hardware.ts';
import type { ChannelRegisters } from './registers.ts';

/** A vector under construction; every method adds one operation and answers the vector. */
export class PortVector {
  readonly operations: Operand[] = [];
  readonly registers: ChannelRegisters;
  /** Index of the operation that issues the command; 0: it was issued earlier. */
  commandAt = 0;
  /** Index of the operation that waits for the interrupt, or -1. */
  interruptAt = -1;
  /** Index of the first operation that moves data, or -1. */
  dataAt = -1;
  #length = 0;

  constructor(registers: ChannelRegisters) {
    this.registers = registers;
  }

  #add(...operands: Operand[]): this {
    this.operations.push(...operands);
    this.#length++;
    return this;
  }

  read8(port: number): this {
    return this.#add(vectorOperation.READ8, port);
  }

  write8(port: number, value: number): this {
    return this.#add(vectorOperation.WRITE8, port, value);
  }

  /** Issues a command. */
  command(code: number): this {
    this.commandAt = this.#length;
    return this.write8(this.registers.status, code);
  }

  /** Reads `words` words of the Data register. */
  readData(words: number): this {
    if (this.dataAt === -1) this.dataAt = this.#length;
    return this.#add(vectorOperation.READ_BLOCK16, this.registers.data, words);
  }

  writeData(data: Uint8Array): this {
    if (this.dataAt === -1) this.dataAt = this.#length;
    return this.#add(vectorOperation.WRITE_BLOCK16, this.registers.data, data);
  }

  /** Reads until the bits of `mask` have `value`, at most `milliseconds` (up to 10,000). */
  poll8(port: number, mask: number, value: number, milliseconds: number): this {
    return this.#add(vectorOperation.POLL8, port, mask, value, milliseconds * 1000);
  }

  /** Ends the vector unless the bits of `mask` have `value`. */
  check8(port: number, mask: number, value: number): this {
    return this.#add(vectorOperation.CHECK8, port, mask, value);
  }

  /** Waits for the channel's interrupt, at most `milliseconds` (up to 10,000). */
  awaitInterrupt(milliseconds: number): this {
    this.interruptAt = this.#length;
    return this.#add(vectorOperation.INTERRUPT, this.registers.irq, milliseconds * 1000);
  }

  /** Lets the channel's interrupt line interrupt again. */
  acknowledge(): this {
    return this.#add(vectorOperation.ACKNOWLEDGE, this.registers.irq);
  }

  /**
   * Lets 400 ns pass, after which a device shows the status that a command or a selection gave it (each access takes at
   * least 100 ns).
   */
  settle(): this {
    for (let access = 0; access < 4; access++) this.read8(this.registers.control);
    return this;
  }
}
