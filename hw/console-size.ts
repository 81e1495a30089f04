/**
 * The size of the terminal's window, as a device of four read-only byte ports. It has no data sheet: no PC has it.
 *
 * | port  | reading it                                                        |
 * | ----- | ----------------------------------------------------------------- |
 * | 0x3e0 | columns, low byte; takes a new reading, and lowers the interrupt  |
 * | 0x3e1 | columns, high byte                                                |
 * | 0x3e2 | rows, low byte                                                    |
 * | 0x3e3 | rows, high byte                                                   |
 *
 * Reading 0x3e0 keeps both numbers for the three other ports, so that they belong together. 0 columns mean that there
 * is no window: the console is not a terminal. The interrupt, line 5, is raised by a change of the size.
 */

import type { Device, InterruptLine, Width } from './device.ts';

const FIRST_PORT = 0x3e0;
const LARGEST = 0xffff;

export class ConsoleSize implements Device {
  readonly name = 'console-size';
  readonly ports = [{ first: FIRST_PORT, last: FIRST_PORT + 3 }];
  readonly #interrupt: InterruptLine;
  #columns = 0;
  #rows = 0;
  readonly #reading = Buffer.alloc(4);

  /** @param interrupt line 5 */
  constructor(interrupt: InterruptLine) {
    this.#interrupt = interrupt;
  }

  /** The window has this size now; sizes beyond 65535 read as 65535. */
  set(columns: number, rows: number): void {
    const newColumns = Math.min(columns, LARGEST);
    const newRows = Math.min(rows, LARGEST);
    if (newColumns === this.#columns && newRows === this.#rows) return;
    this.#columns = newColumns;
    this.#rows = newRows;
    this.#interrupt.set(true);
  }

  read(port: number, width: Width): number {
    if (width !== 1) return width === 2 ? 0xffff : 0xffff_ffff;
    if (port === FIRST_PORT) {
      this.#reading.writeUInt16LE(this.#columns, 0);
      this.#reading.writeUInt16LE(this.#rows, 2);
      this.#interrupt.set(false);
    }
    return this.#reading[port - FIRST_PORT] ?? 0;
  }

  write(): void {}

  /** The window stays as large as it is; nobody has been told. */
  reset(): void {
    this.#reading.fill(0);
    this.#interrupt.set(false);
  }
}
