/**
 * What the supervisor asks of the kernel. The supervisor itself is a state machine without system calls, so that tests
 * drive it with a clock and a kernel of their own; kernel-effects.ts is the real thing.
 */
import type { TaskState } from '../../protocol/records.ts';
import type { SignalName } from '../../protocol/signal.ts';
import type { End } from './policy.ts';

/** What the supervisor needs to know of a task. */
export interface TaskView {
  readonly pid: number;
  readonly name: string;
  readonly state: TaskState;
  readonly incarnation: number;
}

/** A task that waits for what others do for it. */
export interface Occupation {
  readonly waitsFor: 'task' | 'device';
  readonly turns: number;
}

/** The world as the supervisor sees it. A method throws SystemError only where it says so. */
export interface Effects {
  /** Milliseconds since power-on. */
  now(): number;
  /** Starts a service and answers its pid; its exit notice comes to init. Throws SystemError as `spawn` does. */
  spawn(name: string): number;
  /** Signals a task; one that is gone is left alone. */
  kill(pid: number, signal: SignalName): void;
  /** Takes an ended task off the table and answers how it ended; undefined when there is nothing to take off. */
  reap(pid: number): End | undefined;
  /** All tasks. */
  tasks(): readonly TaskView[];
  /** Whether a port of this service exists. */
  hasPort(name: string): boolean;
  /** Messages delivered at the named ports of a task so far; undefined when it has taken none of its ports yet. */
  received(pid: number): number | undefined;
  /**
   * What a task waits for, if that is another task's answer or a device, and how often it has been given a CPU so far.
   */
  occupation(pid: number): Occupation | undefined;
  /** Pids of the tasks that wait for messages while none waits for them. */
  resting(): ReadonlySet<number>;
  /**
   * Sends a request of the interface `service` without waiting; answers the number of the call, undefined when there is
   * no port. Every call ends after `timeoutMs` at the latest.
   */
  ask(name: string, request: 'ping' | 'stop', timeoutMs: number): number | undefined;
  /** Errno of a call that has ended, 0 when it was answered; undefined while it is under way. */
  outcome(call: number): number | undefined;
  /** Tells the kernel that a service will not come back by itself, so that its callers get EIO. */
  lost(name: string): void;
  /**
   * Has the kernel forget an instance that is stopped, if that has left nothing behind; answers whether it is gone.
   */
  forget(name: string): boolean;
  /**
   * Has the next incarnation run under the debugger, and answers the address of one that does, else ''. Throws
   * SystemError.
   */
  debug(name: string): string;
  /** Sets the one alarm to so many milliseconds from now; undefined cancels it. */
  wakeAfter(milliseconds: number | undefined): void;
  /** Keeps the state for the next incarnation of init; answers whether that could be done. */
  save(state: unknown): boolean;
  log(text: string, level: 'info' | 'warning' | 'error'): void;
  /** Ends the machine. `reason`: why it cannot go on, or empty. */
  halt(status: number, reboot: boolean, reason: string): void;
  /** Ends init itself; the kernel starts its next incarnation. */
  leave(): void;
}
