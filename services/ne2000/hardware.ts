/**
 * All the driver sees of the machine: vectors of port accesses and pauses. Tests put a simulated card here.
 *
 * Read: protocol/vector.ts.
 */

/** An element of a vector on the wire: operation, port or operand, which may be a vector. */
export type Operand = number | string | Uint8Array | readonly Operand[];

/** What a vector gave: the operation that ended it (-1: it ran to its end) and the values read. */
export interface VectorResult {
  readonly ended: number;
  readonly results: readonly unknown[];
}

/** The machine, seen from the driver. */
export interface Hardware {
  /** Runs a vector of port accesses. */
  vector(operations: readonly Operand[]): VectorResult;
  /** Does nothing for a time. */
  pause(milliseconds: number): void;
}

/** Writes a line to the log. */
export type Log = (text: string, level: 'info' | 'warning' | 'error') => void;
