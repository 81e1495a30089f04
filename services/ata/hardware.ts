/**
 * All the driver sees of the machine: vectors of port accesses, interrupts and pauses. Tests put a simulated channel
 * here.
 *
 * Read: protocol/vector.ts (vectors), protocol/kernel.ts (the interrupt notice).
 */
import { ioVector, ipcCreatePort, ipcTryRecv, registerIrqHandler, sleep } from '../lib/index.ts';
import { CHANNELS } from './registers.ts';

/** An element of a vector on the wire: operation, port or operand. */
export type Operand = number | Uint8Array;

/** What a vector gave: the operation that ended it (-1: it ran to its end) and the values read. */
export interface VectorResult {
  readonly ended: number;
  readonly results: readonly unknown[];
}

/** The machine, seen from the driver. */
export interface Hardware {
  /** Runs a vector of port accesses. */
  vector(operations: readonly Operand[]): VectorResult;
  /**
   * Takes off a notice that the line of a channel (0 or 1) has interrupted when no vector waited for it. The line is
   * masked until a vector acknowledges it. False: there is none.
   */
  takeInterrupt(channel: number): boolean;
  /** Does nothing for a time. */
  pause(milliseconds: number): void;
}

/**
 * The machine behind the service library. Each line gets a port of its own, so that looking for a notice takes no
 * request off the queue.
 */
export function machine(): Hardware {
  const interruptPorts = CHANNELS.map(({ irq }) => {
    const port = ipcCreatePort();
    registerIrqHandler(irq, port);
    return [port] as const;
  });
  return {
    vector: ioVector,
    takeInterrupt: (channel) => {
      const ports = interruptPorts[channel];
      // No ports would mean every port, requests included.
      if (ports === undefined) throw new Error(`there is no channel ${channel}`);
      return ipcTryRecv(ports) !== undefined;
    },
    pause: sleep,
  };
}
