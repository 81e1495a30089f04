/**
 * Interface `kernel` (1): the notices the kernel posts to ports. A notice has sender 0 and wants no answer. It counts
 * as handled when its receiver asks for the next message; one whose receiver dies before that is delivered again to the
 * next incarnation. `uptime`: when it was posted, in milliseconds since power-on, so that its receiver need not ask.
 */
import { defineInterface, method } from './interface.ts';
import { i32, nameText, nothing, nullable, real, record, u8, u32 } from './schema.ts';
import { vectorResult } from './vector.ts';

export const kernelNotices = defineInterface('kernel', 1, {
  /**
   * An interrupt line went up. It stays masked until `irq_acknowledge`. Several before the first is received are one
   * message. `vector`: what the vector of ON_INTERRUPT (protocol/vector.ts) gave, null when there was none.
   */
  irq: method(1, record({ irq: u8, vector: nullable(vectorResult) }), nothing),
  /** An alarm set with `alarm` is due. */
  alarm: method(2, record({ alarm: u32, uptime: real }), nothing),
  /** The last copy of the send right with this badge is gone. */
  no_senders: method(3, record({ badge: u32 }), nothing),
  /** A child task has ended: `status` is its exit status, or 128 + signal; `signal` is 0 for a normal exit. */
  exit: method(4, record({ pid: u32, name: nameText, incarnation: u32, status: i32, signal: u8 }), nothing),
  /** The result of an asynchronous `ipc_call` that named this port is in the task's pipe. */
  answered: method(6, record({ call: u32, uptime: real }), nothing),
  /** A signal was sent to this task and it has a signal port. */
  signal: method(5, record({ signal: u8 }), nothing),
});
