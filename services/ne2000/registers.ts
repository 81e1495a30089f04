/**
 * The card's ports, the controller's registers and their bits, by the names of the data sheet, and what the driver puts
 * where in the card's memory.
 *
 * Read: National Semiconductor DP8390D/NS32490D data sheet (July 1995), chapter 10 (internal registers) and chapter 7
 * (packet reception).
 */

/** First I/O port of the card. */
export const BASE = 0x300;

/** The ranges of I/O ports the driver needs, each [first, last]. */
export const IO_PORTS = [[BASE, BASE + 0x1f]] as const;

/** Interrupt line of the card. */
export const IRQ = 9;

/** The command register, which is on every page. */
export const CR = BASE;

/** The board's own two ports: one end of the remote DMA, and the reset. */
export const DATA = BASE + 0x10;
export const RESET = BASE + 0x1f;

/**
 * Bits of the command register (10.3): stop, start, transmit; remote read, remote write, no remote DMA; the page of
 * registers.
 */
export const command = {
  STP: 0x01,
  STA: 0x02,
  TXP: 0x04,
  READ: 0x08,
  WRITE: 0x10,
  ABORT: 0x20,
  PAGE_1: 0x40,
  PAGE_2: 0x80,
} as const;

/** The command register of a card that runs, on page 0 and 1, and of one that is stopped. */
export const RUNNING = command.STA | command.ABORT;
export const RUNNING_PAGE_1 = RUNNING | command.PAGE_1;
export const STOPPED = command.STP | command.ABORT;

/** Page 0 (10.2). */
export const PSTART = BASE + 0x01;
export const PSTOP = BASE + 0x02;
export const BNRY = BASE + 0x03;
export const TSR = BASE + 0x04;
export const TPSR = BASE + 0x04;
export const TBCR0 = BASE + 0x05;
export const TBCR1 = BASE + 0x06;
export const ISR = BASE + 0x07;
export const RSAR0 = BASE + 0x08;
export const RSAR1 = BASE + 0x09;
export const RBCR0 = BASE + 0x0a;
export const RBCR1 = BASE + 0x0b;
export const ID0 = BASE + 0x0a;
export const ID1 = BASE + 0x0b;
export const RCR = BASE + 0x0c;
/** Receive status of the last frame, on page 0, where reading is concerned. */
export const RSR = BASE + 0x0c;
export const TCR = BASE + 0x0d;
export const CNTR0 = BASE + 0x0d;
export const DCR = BASE + 0x0e;
export const CNTR1 = BASE + 0x0e;
export const IMR = BASE + 0x0f;
export const CNTR2 = BASE + 0x0f;

/** Page 1. */
export const PAR0 = BASE + 0x01;
export const CURR = BASE + 0x07;
export const MAR0 = BASE + 0x08;
export const MAR5 = BASE + 0x0d;

/**
 * Interrupt status and mask: received, transmitted, their errors, ring overflow, a counter is half full, remote DMA
 * complete, stopped.
 */
export const interrupt = {
  PRX: 0x01,
  PTX: 0x02,
  RXE: 0x04,
  TXE: 0x08,
  OVW: 0x10,
  CNT: 0x20,
  RDC: 0x40,
  RST: 0x80,
} as const;

/** What interrupts. Transmissions are waited for, not interrupted by. */
export const INTERRUPTS = interrupt.PRX | interrupt.OVW | interrupt.CNT;

/** Data configuration: transfers of words; normal operation (no loopback); FIFO threshold of four words. */
export const dataConfiguration = { WORDS: 0x01, NORMAL: 0x08, THRESHOLD: 0x40 } as const;

/** Transmit configuration: internal loopback of the controller. */
export const LOOPBACK = 0x02;

/** Transmit status: sent; aborted after collisions; carrier lost; FIFO underrun. */
export const transmitStatus = { PTX: 0x01, ABT: 0x08, CRS: 0x10, FU: 0x20 } as const;

/**
 * Receive configuration: broadcasts, multicasts of the filter, all physical addresses; monitor, which stores nothing.
 */
export const receiveConfiguration = { AB: 0x04, AM: 0x08, PRO: 0x10, MON: 0x20 } as const;

/**
 * Receive status, also in front of each frame in the ring: received intact; errors of check sequence, alignment, FIFO;
 * missed.
 */
export const receiveStatus = { PRX: 0x01, CRC: 0x02, FAE: 0x04, FO: 0x08, MPA: 0x10 } as const;

/** Bytes of a page of the card's memory. */
export const PAGE_BYTES = 256;

/**
 * The memory: two slots for frames to send, each of six pages, which hold the longest, and the ring from RING_START to
 * before RING_STOP.
 */
export const TRANSMIT_PAGES = [0x40, 0x46] as const;
export const RING_START = 0x4c;
export const RING_STOP = 0x80;
export const RING_PAGES = RING_STOP - RING_START;

/** The page after one, round the ring. */
export const pageAfter = (page: number): number => (page + 1 < RING_STOP ? page + 1 : RING_START);

/** The page before one. */
export const pageBefore = (page: number): number => (page > RING_START ? page - 1 : RING_STOP - 1);

/** Pages from one to another. */
export const pagesBetween = (first: number, last: number): number => (last - first + RING_PAGES) % RING_PAGES;

/** Whether a page is one of the ring. */
export const inRing = (page: number): boolean => page >= RING_START && page < RING_STOP;
