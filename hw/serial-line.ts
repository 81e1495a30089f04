/**
 * Between a serial port and what is plugged into it.
 *
 * Bytes go both ways with back-pressure and without loss: who refuses a byte later says when to go on.
 */

/** What the UART is to whatever is plugged in. */
export interface SerialPort {
  /** Delivers bytes; returns how many the UART took. It calls `receiveReady` of the line when it has room again. */
  receive(bytes: Uint8Array): number;
  /** The line, having refused a byte, can take more. */
  transmitReady(): void;
  /**
   * Whether bytes may come from the other end: the input DCD; and whether it takes what is sent: DSR and CTS. Of a pipe
   * one can end without the other; if only the first is said, the second is the same.
   */
  setCarrier(present: boolean, listens?: boolean): void;
  /** The line is held low for longer than a character. */
  receiveBreak(): void;
}

/**
 * What is plugged into a UART. Its methods are called in the middle of a port access: they never call the port back
 * themselves, but after the turn of the event loop.
 */
export interface SerialLine {
  /** Called once, by whoever builds the machine, before any other method. */
  connect(port: SerialPort): void;
  /** Takes a byte; false when it cannot until it calls `transmitReady`: the UART keeps the byte and offers it again. */
  transmit(byte: number): boolean;
  /** The UART, having taken fewer bytes than it was offered, has room. */
  receiveReady(): void;
}

/** Nothing plugged in: transmitted bytes are lost, and the modem inputs are as in QEMU, all on. */
export const UNPLUGGED: SerialLine = {
  connect: () => {},
  transmit: () => true,
  receiveReady: () => {},
};
