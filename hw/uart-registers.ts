/**
 * The bits of the 16550A's registers.
 *
 * Read: National Semiconductor PC16550D data sheet, chapter 8.
 */

/** Interrupt enable register. */
export const ENABLE_RECEIVED = 0x01;
export const ENABLE_TRANSMITTER = 0x02;
export const ENABLE_LINE_STATUS = 0x04;
export const ENABLE_MODEM_STATUS = 0x08;
/** Interrupt identification register, by falling priority. */
export const IDENTIFY_LINE_STATUS = 0x06;
export const IDENTIFY_TIMEOUT = 0x0c;
export const IDENTIFY_RECEIVED = 0x04;
export const IDENTIFY_TRANSMITTER = 0x02;
export const IDENTIFY_MODEM_STATUS = 0x00;
export const IDENTIFY_NOTHING = 0x01;
export const IDENTIFY_FIFOS = 0xc0;
/** FIFO control register. */
export const FIFO_ENABLE = 0x01;
export const FIFO_RESET_RECEIVER = 0x02;
export const FIFO_RESET_TRANSMITTER = 0x04;
export const FIFO_KEPT_BITS = 0xc9;
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
/** Line control register. */
export const STOP_BITS = 0x04;
export const PARITY = 0x08;
export const DIVISOR_LATCH = 0x80;
/** Modem control register. */
export const DTR = 0x01;
export const RTS = 0x02;
export const OUT1 = 0x04;
export const OUT2 = 0x08;
export const LOOPBACK = 0x10;
/** Line status register. */
export const DATA_READY = 0x01;
export const OVERRUN = 0x02;
export const BREAK = 0x10;
export const TRANSMITTER_HOLDING_EMPTY = 0x20;
export const TRANSMITTER_EMPTY = 0x40;
export const FIFO_ERROR = 0x80;
/** Overrun, and the errors that belong to a byte: parity, framing, break. */
export const LINE_ERRORS = 0x1e;
export const BYTE_ERRORS = 0x1c;
/** Modem status register: the inputs; their changes are in the low half. */
export const CTS = 0x10;
export const DSR = 0x20;
export const RI = 0x40;
export const DCD = 0x80;
