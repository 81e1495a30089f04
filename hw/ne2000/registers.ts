/**
 * The names of the NE2000's ports, of the DP8390's registers and their bits.
 *
 * Read: National Semiconductor DP8390D/NS32490D data sheet (July 1995), chapter 10 (internal registers).
 */

/** Offsets of the card's ports: sixteen registers of the controller, then the board's own two. */
export const PORT = { registers: 0x00, data: 0x10, reset: 0x1f, count: 0x20 } as const;

/** Offset of the command register, which is on every page. */
export const CR = 0x00;

/** Bits of the command register (10.3). RD0 to RD2 are one field. */
export const COMMAND = { STP: 0x01, STA: 0x02, TXP: 0x04, REMOTE: 0x38, PAGE_SHIFT: 6 } as const;

/** Values of the field RD0 to RD2. With RD2 the remote DMA is off, whatever the others say. */
export const REMOTE = { READ: 0x08, WRITE: 0x10, SEND_PACKET: 0x18, ABORT: 0x20 } as const;

/** Page 0 when read (10.2). */
export const READ_0 = {
  CLDA0: 0x01,
  CLDA1: 0x02,
  BNRY: 0x03,
  TSR: 0x04,
  NCR: 0x05,
  FIFO: 0x06,
  ISR: 0x07,
  CRDA0: 0x08,
  CRDA1: 0x09,
  ID0: 0x0a,
  ID1: 0x0b,
  RSR: 0x0c,
  CNTR0: 0x0d,
  CNTR1: 0x0e,
  CNTR2: 0x0f,
} as const;

/** Page 0 when written (10.2). */
export const WRITE_0 = {
  PSTART: 0x01,
  PSTOP: 0x02,
  BNRY: 0x03,
  TPSR: 0x04,
  TBCR0: 0x05,
  TBCR1: 0x06,
  ISR: 0x07,
  RSAR0: 0x08,
  RSAR1: 0x09,
  RBCR0: 0x0a,
  RBCR1: 0x0b,
  RCR: 0x0c,
  TCR: 0x0d,
  DCR: 0x0e,
  IMR: 0x0f,
} as const;

/** Page 1: physical address, current page, multicast address filter. */
export const PAGE_1 = { PAR0: 0x01, PAR5: 0x06, CURR: 0x07, MAR0: 0x08, MAR7: 0x0f } as const;

/** Page 2, for diagnosis: what page 0 has only for writing. */
export const READ_2 = { PSTART: 0x01, PSTOP: 0x02, TPSR: 0x04, RCR: 0x0c, TCR: 0x0d, DCR: 0x0e, IMR: 0x0f } as const;

/** Interrupt status and mask (10.3). RST is no interrupt. */
export const INTERRUPT = {
  PRX: 0x01,
  PTX: 0x02,
  RXE: 0x04,
  TXE: 0x08,
  OVW: 0x10,
  CNT: 0x20,
  RDC: 0x40,
  RST: 0x80,
  ALL: 0x7f,
} as const;

/** Bits of the data configuration register that matter here: word transfers, byte order, "load auto-initialize". */
export const DATA = { WTS: 0x01, BOS: 0x02, LAS: 0x04 } as const;

/** Bits of the transmit configuration register. The field LB chooses the loopback mode, 0 is none. */
export const TRANSMIT = { CRC: 0x01, LOOPBACK: 0x06, LOOPBACK_SHIFT: 1 } as const;

/** Bits of the transmit status register. */
export const TRANSMIT_STATUS = { PTX: 0x01, CRS: 0x10, CDH: 0x40 } as const;

/** Bits of the receive configuration register. */
export const RECEIVE = { AB: 0x04, AM: 0x08, PRO: 0x10, MON: 0x20 } as const;

/** Bits of the receive status register, and of the status byte before each packet in the ring. */
export const RECEIVE_STATUS = { PRX: 0x01, CRC: 0x02, MPA: 0x10, PHY: 0x20, DIS: 0x40 } as const;
