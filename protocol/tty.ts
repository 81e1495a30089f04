/**
 * Interface `tty` (5): a terminal with a line discipline after POSIX chapter 11 (General Terminal Interface).
 *
 * ^C, ^\ and ^Z come as the notice `signal` to the port given to `set_foreground`; without one they are dropped.
 */
import { MAX_TASKS } from './bounds.ts';
import { defineInterface, method } from './interface.ts';
import { bool, bytes, list, nothing, oneOf, record, right, u16, u32 } from './schema.ts';

/** Bytes of one read or write. */
export const MAX_TTY_BYTES = 65536;

/** Line discipline settings, named as in <termios.h> in words. */
export const ttyAttributes = record({
  canonical: bool,
  echo: bool,
  signals: bool,
  flowControl: bool,
  mapReturnToNewline: bool,
  mapNewlineToReturnNewline: bool,
});

export const tty = defineInterface('tty', 5, {
  /**
   * Waits for input: a line in canonical mode, some bytes in raw mode, with `toReturn` none behind the first return or
   * newline; nothing (0 bytes) is the end of the input.
   * EINTR: the window has got a new size since it was asked for. EAGAIN: too many readers wait. A read must not be
   * given a timeout: what it was to get would be lost.
   */
  read: method(1, record({ maxBytes: u32, toReturn: bool }), bytes(MAX_TTY_BYTES)),
  /**
   * Returns when the bytes are on their way out of the UART. EAGAIN: too many writers wait. EPIPE: nobody takes them at
   * the other end.
   */
  write: method(2, bytes(MAX_TTY_BYTES), nothing),
  /** The settings. */
  attributes: method(3, nothing, ttyAttributes),
  /** Changes the settings. */
  set_attributes: method(4, ttyAttributes, nothing),
  /**
   * Size in character cells, and the column of the cursor (from 0) as far as the output tells. `terminal` is false when
   * the line is a file or a pipe; the size is 80 × 24 then.
   */
  window_size: method(5, nothing, record({ columns: u16, rows: u16, column: u16, terminal: bool })),
  /** The port that gets signals from the keyboard and the notice of a new window size. */
  set_foreground: method(6, record({ port: right }), nothing),
  /** Drops input that nobody has read. */
  flush_input: method(7, nothing, nothing),
  /**
   * Tasks that get input from now on; reads of others wait until these are named here. At the start everybody gets
   * some. It takes the place of the foreground process group of POSIX, whose background processes are stopped when they
   * read.
   */
  set_readers: method(8, list(u32, MAX_TASKS), nothing),
});

/** Interface `tty_event` (6): what the foreground port gets from a tty. */
export const ttyEvent = defineInterface('tty_event', 6, {
  /** A key that means a signal. */
  signal: method(1, record({ signal: oneOf('INT', 'QUIT', 'TSTP') }), nothing),
  /** The window has a new size. */
  resize: method(2, record({ columns: u16, rows: u16 }), nothing),
});
