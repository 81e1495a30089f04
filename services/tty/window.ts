/**
 * The size of the terminal's window: four read-only byte ports, columns then rows, low byte first. Reading the first
 * one keeps all four together and lowers the interrupt of a change. 0 columns: the console is not a terminal.
 */
import { vectorOperation } from '../../protocol/vector.ts';
import type { RunVector } from './uart.ts';

/** Interrupt line of the device. */
export const WINDOW_IRQ = 5;

/** I/O ports of the device. */
export const WINDOW_PORTS = [0x3e0, 0x3e3] as const;

/** Size in character cells. */
export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
  readonly terminal: boolean;
}

/** Reads the size. */
export function readWindowSize(run: RunVector): WindowSize {
  const vector: number[] = [];
  for (let port = WINDOW_PORTS[0]; port <= WINDOW_PORTS[1]; port++) vector.push(vectorOperation.READ8, port);
  const [columnsLow = 0, columnsHigh = 0, rowsLow = 0, rowsHigh = 0] = run(vector).results.map(Number);
  const columns = columnsLow | (columnsHigh << 8);
  const rows = rowsLow | (rowsHigh << 8);
  return columns === 0 ? { columns: 80, rows: 24, terminal: false } : { columns, rows, terminal: true };
}
