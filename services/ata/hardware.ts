/**
 * All the driver sees of the machine: vectors of port accesses, interrupts and pauses. Tests put a simulated channel here.
 *
 * Read: protocol/vector.ts (vectors), protocol/kernel.ts (the interrupt notice).
 */
import { ioVector, ipcCreatePort, ipcRecv, ipcTryRecv, registerIrqHandler, SystemError, sleep } from '../lib/index.ts';
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
   * Waits until the line of a channel (0 or 1) has interrupted. The line is masked from then on until a vector acknowledges it. False: it did not in
   * `timeoutMilliseconds`.
   */
  waitInterrupt(channel: number, timeoutMilliseconds: number): boolean;
  /** Does nothing for a time. */
  pause(milliseconds: number): void;
}

/** The machine behind the service library. Each line gets a port of its own, so that waiting for it takes no request off the queue. */
export function machine(): Hardware {
  const interruptPorts = CHANNELS.map(({ irq }) => {
    const port = ipcCreatePort();
    registerIrqHandler(irq, port);
    return [port] as const;
  });
  return {
    vector: ioVector,
    waitInterrupt: (channel, timeoutMilliseconds) => {
      const ports = interruptPorts[channel];
      // No ports would mean every port, requests included.
      if (ports === undefined) throw new Error(`there is no channel ${channel}`);
      if (timeoutMilliseconds === 0) return ipcTryRecv(ports) !== undefined;
      try {
        ipcRecv(ports, timeoutMilliseconds);
        return true;
      } catch (error) {
        if (error instanceof SystemError && error.code === 'ETIMEDOUT') return false;
        throw error;
      }
    },
    pause: sleep,
  };
}
