/**
 * Vectors of port accesses: a list of operations that the kernel runs in order in one system call, so that a disk command costs one kernel
 * entry and not twenty. On the wire a flat array: operation, port, operands; operation, port, operands …
 *
 *     READ8, READ16, READ32     port                                 adds the value to the results
 *     WRITE8, WRITE16, WRITE32  port, value
 *     READ_BLOCK8, 16, 32       port, count of accesses              adds a byte string to the results (`rep ins`)
 *     WRITE_BLOCK8, 16, 32      port, byte string                    (`rep outs`)
 *     POLL8                     port, mask, value, microseconds      reads until (register & mask) == value; adds the register
 *     CHECK8                    port, mask, value                    reads once; ends the vector with EIO unless (register & mask) == value
 *     ACKNOWLEDGE               irq                                  unmasks the line, as irq_acknowledge does
 *     INTERRUPT                 irq, microseconds                    waits until the line has interrupted, and is masked so; at once, if it is already. Of an interrupt
 *                                                                    that comes while the vector runs no notice is sent, unless it ends before this
 *     ON_INTERRUPT              irq, vector                          unmasks the line, and has this other vector carried out when it interrupts next, before the notice
 *                                                                    `irq` is sent: it holds the result. It has no POLL8, INTERRUPT, ON_INTERRUPT or ACKNOWLEDGE. It is
 *                                                                    carried out at most once, and not at all when the line is acknowledged or I/O ports are given up
 *                                                                    meanwhile, or another vector of the task is under way then
 *     KEEP                      key, tag                             only as the first operation: when the vector has ended, the kernel puts
 *                                                                    [tag, index, results] into the recovery store under the key, in the same step. So what
 *                                                                    a read took out of a device outlives a reader that dies before it sees it. tag: a whole number
 *                                                                    below 2^53, by which the next incarnation tells what it has seen
 *
 * The result is [index of the operation that ended the vector or -1, results]. A POLL8 or an INTERRUPT that runs out of time and a CHECK8 that fails end the vector: what was
 * done stays done, the register read last is the last result, and the rest is left out.
 */
import { anything, i32, list, record } from './schema.ts';

/** What a vector gave: the operation that ended it early, or -1, and the values read. */
export const vectorResult = record({ ended: i32, results: list(anything, 1024) });

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
} as const;
