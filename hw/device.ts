/**
 * What a device is to the machine: a pure state machine behind a few I/O ports.
 *
 * A device never reads a clock, a file or a socket by itself. Its constructor gets what it needs: interrupt lines,
 * a back end (a disk image, a terminal, a cable), and `changed`, which it calls when its registers changed outside of a
 * port access (a read from the disk image came back, a frame arrived). Time is moved from outside with `advance`.
 */

/** Width of a port access in bytes: `in`/`out` of 8, 16 or 32 bits. */
export type Width = 1 | 2 | 4;

/** An inclusive range of I/O port addresses, 0 to 0xffff. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** One interrupt line from a device to the interrupt controller. */
export interface InterruptLine {
  /** Drives the line: true is high (asserted). Setting the level it already has does nothing. */
  set(level: boolean): void;
}

/** A device on the port bus. */
export interface Device {
  /** Short name for logs, for example `ata0`. */
  readonly name: string;
  /** The ports this device answers. No two devices on one bus may overlap. */
  readonly ports: readonly PortRange[];
  /** Reads a port. The value is unsigned and fits `width`; a width the port does not know reads all ones. */
  read(port: number, width: Width): number;
  /** Writes a port. `value` is unsigned and fits `width`; a width the port does not know is ignored. */
  write(port: number, width: Width, value: number): void;
  /**
   * `rep ins`: fills the whole of `target` (a multiple of `width` bytes) as repeated reads of `port` would, little
   * endian.
   */
  readBlock?(port: number, width: Width, target: Buffer): void;
  /**
   * `rep outs`: writes the whole of `source` (a multiple of `width` bytes) as repeated writes to `port` would, little
   * endian. The bytes are valid only during the call.
   */
  writeBlock?(port: number, width: Width, source: Buffer): void;
  /** Moves the device's clock to `now`: nanoseconds since power-on, never backwards. */
  advance?(now: number): void;
  /**
   * The time in nanoseconds at which `advance` next has something to do that is visible from outside; Infinity if
   * never.
   */
  nextEvent?(): number;
  /** Power-on state. */
  reset(): void;
}
