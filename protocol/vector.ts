/**
 * Vectors of port accesses: a list of operations that the kernel runs in order in one system call, so that a disk
 * command costs one kernel entry and not twenty. On the wire a flat array: operation, port, operands; operation, port,
 * operands …
 *
 *     READ8, READ16, READ32     port                             adds the value to the results
 *     WRITE8, WRITE16, WRITE32  port, value
 *     READ_BLOCK8, 16, 32       port, count of accesses          adds a byte string to the results (`rep ins`)
 *     WRITE_BLOCK8, 16, 32      port, byte string                (`rep outs`)
 *     POLL8                     port, mask, value, microseconds  reads until (register & mask) == value; adds the
 *                                                                register
 *     AWAIT8                    port, mask, value, microseconds  the same, but adds the register only when it runs out
 *                                                                of time
 *     CHECK8                    port, mask, value                reads once; ends the vector with EIO unless (register
 *                                                                & mask) == value
 *     ACKNOWLEDGE               irq                              unmasks the line, as irq_acknowledge does
 *     INTERRUPT                 irq, microseconds                waits until the line has interrupted, and is masked
 *                                                                so; at once, if it is already
 *     ON_INTERRUPT              irq, vector                      unmasks the line, and has the other vector carried out
 *                                                                when it interrupts; takes back the notice of an
 *                                                                earlier interrupt that still waits
 *     PACKED                    byte string, data                more operations, in the short form below
 *     KEEP                      key, tag                         keeps the results; only as the first operation
 *     ANSWER                    reply right                      answers a request with the results; only as the last
 *                                                                operation of the vector of ON_INTERRUPT
 *
 * Of an interrupt that comes while a vector with INTERRUPT runs no notice is sent, unless it ends before this
 * operation.
 *
 * The vector of ON_INTERRUPT is carried out when the line interrupts next, before the notice `irq` is sent, which holds
 * the result. It has no POLL8, AWAIT8, INTERRUPT, ON_INTERRUPT or ACKNOWLEDGE. It is carried out at most once, and not
 * at all when the line is acknowledged or I/O ports are given up meanwhile, or another vector of the task is under way
 * then.
 *
 * ANSWER: a driver whose device mostly says the same at an interrupt leaves the answer to it with the kernel: who waits
 * is answered in the same step, in the name of the driver, which is not woken. Its data are the results. When this has
 * been done no notice is sent, and the line stays masked; the driver finds out by what KEEP has kept. When nobody waits
 * for the answer any more the operation ends the vector, and the notice is sent. (Read D. Wallach, D. Engler and
 * M. Kaashoek, "ASHs: application-specific handlers for high-performance messaging", SIGCOMM 1996.)
 *
 * KEEP: when the vector has ended, the kernel puts [tag, index, results] into the recovery store under the key, in the
 * same step. So what a read took out of a device outlives a reader that dies before it sees it. tag: a whole number
 * below 2^53, by which the next incarnation tells what it has seen.
 *
 * In PACKED every operation is its number (u8) and its port (u16), then
 *
 *     READ                      nothing
 *     WRITE                     value, as wide as the access
 *     READ_BLOCK                count of accesses (u32)
 *     WRITE_BLOCK               count of bytes (u32) and of accesses with zero behind them (u16)
 *     POLL8, AWAIT8             mask, value (u8), microseconds (u32)
 *     CHECK8                    mask, value (u8)
 *
 * little endian, and no others. The bytes of WRITE_BLOCK are the next ones of `data`, all of which has to be used; of
 * an access that has not enough of them the rest is zero. A driver makes such stretches once and strings them together:
 * that costs it, and the kernel, much less than as many numbers of msgpack.
 *
 * The result is [index of the operation that ended the vector or -1, results]. A POLL8, AWAIT8 or INTERRUPT that runs
 * out of time and a CHECK8 that fails end the vector: what was done stays done, the register read last is the last
 * result, and the rest is left out. The index counts what is in PACKED, and not PACKED itself.
 */
import { i32, record, values } from './schema.ts';

/** What a vector gave: the operation that ended it early, or -1, and the values read. */
export const vectorResult = record({ ended: i32, results: values(1024) });

export const vectorOperation = {
  READ8: 1,
  READ16: 2,
  READ32: 3,
  WRITE8: 4,
  WRITE16: 5,
  WRITE32: 6,
  READ_BLOCK8: 7,
  READ_BLOCK16: 8,
  READ_BLOCK32: 9,
  WRITE_BLOCK8: 10,
  WRITE_BLOCK16: 11,
  WRITE_BLOCK32: 12,
  POLL8: 13,
  CHECK8: 14,
  ACKNOWLEDGE: 15,
  KEEP: 16,
  INTERRUPT: 17,
  ON_INTERRUPT: 18,
  PACKED: 19,
  AWAIT8: 20,
  ANSWER: 21,
} as const;

const { READ8, READ16, READ32, WRITE8, WRITE16, WRITE32, READ_BLOCK8, READ_BLOCK16, READ_BLOCK32 } = vectorOperation;
const { WRITE_BLOCK8, WRITE_BLOCK16, WRITE_BLOCK32, POLL8, CHECK8, AWAIT8 } = vectorOperation;

/** Bytes of the operands in PACKED, behind operation and port: of those that are allowed there. */
export const packedOperandBytes: Readonly<Record<number, number>> = {
  ...{ [READ8]: 0, [READ16]: 0, [READ32]: 0, [WRITE8]: 1, [WRITE16]: 2, [WRITE32]: 4 },
  ...{ [READ_BLOCK8]: 4, [READ_BLOCK16]: 4, [READ_BLOCK32]: 4 },
  ...{ [WRITE_BLOCK8]: 6, [WRITE_BLOCK16]: 6, [WRITE_BLOCK32]: 6, [POLL8]: 6, [AWAIT8]: 6, [CHECK8]: 2 },
};

/** Bytes in front of the operands in PACKED. */
export const PACKED_HEAD_BYTES = 3;

/** Builds a stretch of PACKED; every method adds an operation. */
export class PackedOperations {
  private readonly bytes: number[] = [];

  private add(operation: number, port: number): this {
    this.bytes.push(operation);
    return this.little(port, 2);
  }

  private little(value: number, width: number): this {
    for (let at = 0; at < width; at++) this.bytes.push(Math.floor(value / 256 ** at) & 0xff);
    return this;
  }

  read8(port: number): this {
    return this.add(READ8, port);
  }

  write8(port: number, value: number): this {
    return this.add(WRITE8, port).little(value, 1);
  }

  /** Adds a byte string of `count` accesses, each `width` bytes wide, to the results. */
  readBlock(port: number, width: 1 | 2, count: number): this {
    return this.add(READ_BLOCK8 + width - 1, port).little(count, 4);
  }

  /** Writes the next `count` bytes of the data, in accesses of `width` bytes, and `zeros` accesses behind them. */
  writeBlock(port: number, width: 1 | 2, count: number, zeros: number): this {
    return this.add(WRITE_BLOCK8 + width - 1, port)
      .little(count, 4)
      .little(zeros, 2);
  }

  await8(port: number, mask: number, value: number, microseconds: number): this {
    return this.add(AWAIT8, port).little(mask, 1).little(value, 1).little(microseconds, 4);
  }

  check8(port: number, mask: number, value: number): this {
    return this.add(CHECK8, port).little(mask, 1).little(value, 1);
  }

  /** What has been added. */
  build(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}
