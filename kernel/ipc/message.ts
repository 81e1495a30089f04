/**
 * A message in the kernel: queued, delivered and owed an answer, or done.
 *
 * The frame is the kernel's own copy of what the sender wrote; its header and envelope are patched for each delivery and its data is never
 * decoded. It is kept until the answer, so that the next incarnation of a server can get it again.
 */

import type { Task } from '../task/task.ts';
import type { Timer } from '../time/timers.ts';
import type { Capability } from './capability.ts';
import type { Port } from './port.ts';

/**
 * `queued` in a port; `delivered` to a task that owes the answer (or, for a post, has not asked for the next message yet); `done`: answered, dropped,
 * or its caller gave up.
 */
export type MessageState = 'queued' | 'delivered' | 'done';

/** A request (it has a caller) or a post (it has none). */
export interface Message {
  port: Port;
  state: MessageState;
  /** The caller that waits for the answer; null for a post, or when the caller is gone. */
  caller: Task | null;
  /** The caller's call id. */
  callId: number;
  /** True when the caller does not wait in this call: it fetches the answer later. */
  readonly asynchronous: boolean;
  /** True for a post: nobody ever waited for an answer. */
  readonly post: boolean;
  /** The task that wrote it; its bytes count there until it is done. */
  readonly origin: Task;
  readonly sender: number;
  readonly senderName: string;
  readonly badge: number;
  readonly sequence: number;
  readonly interfaceNumber: number;
  readonly methodNumber: number;
  /** The whole frame, header included. */
  readonly frame: Buffer;
  /** Rights that travel with it; the message is a holder of each until it is done. */
  rights: readonly Capability[];
  deliveries: number;
  /** The task it was delivered to. */
  receiver: Task | null;
  /** The receiver's handle of the reply right, 0 for a post. */
  replyHandle: number;
  /** The caller's time limit. */
  timer: Timer | null;
}
