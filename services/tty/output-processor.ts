/**
 * Output side of the line discipline: newline and tab processing, and the column the cursor is in. Read POSIX, 11.2.3
 * (Output Modes).
 *
 * The column counts from the last start of a line. Escape sequences (ECMA-48, 5.4) take no cells, so a coloured prompt
 * counts right; one that moves the cursor is not followed, and neither is the wrap at the right edge of the screen.
 */
import { characterWidth, Utf8Decoder } from '../../protocol/character.ts';
import { bytes, type Infer, oneOf, record, u53 } from '../../protocol/schema.ts';
import type { TerminalAttributes } from './attributes.ts';
import type { ByteBuffer } from './byte-buffer.ts';

const BACKSPACE = 0x08;
const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const ESCAPE = 0x1b;
const SPACE = 0x20;
const DELETE = 0x7f;
const TAB_COLUMNS = 8;

const escapeStates = ['none', 'escape', 'sequence'] as const;

/** State of the output, for the recovery store. */
export const outputState = record({ column: u53, escape: oneOf(...escapeStates), pending: bytes(3) });

/** Turns what a client writes into what the terminal gets. */
export class OutputProcessor {
  private columns = 0;
  private escape: (typeof escapeStates)[number] = 'none';
  private decoder = new Utf8Decoder();
  private readonly decoded: number[] = [];

  /** Column of the cursor, from 0. */
  get column(): number {
    return this.columns;
  }

  /** Appends one byte, processed, to `output`. */
  push(byte: number, attributes: Readonly<TerminalAttributes>, output: ByteBuffer): void {
    if (attributes.processOutput) {
      if (byte === NEWLINE && attributes.mapNewlineToReturnNewline) this.emit(RETURN, output);
      if (byte === RETURN && attributes.mapOutputReturnToNewline) {
        this.emit(NEWLINE, output);
        return;
      }
      if (byte === TAB && attributes.expandTabs) {
        do this.emit(SPACE, output);
        while (this.columns % TAB_COLUMNS !== 0);
        return;
      }
    }
    this.emit(byte, output);
  }

  snapshot(): Infer<typeof outputState> {
    return { column: this.columns, escape: this.escape, pending: Uint8Array.from(this.decoder.pending) };
  }

  restore(state: Infer<typeof outputState>): void {
    this.columns = state.column;
    this.escape = state.escape;
    this.decoder = new Utf8Decoder();
    for (const byte of state.pending) this.decoder.push(byte, this.decoded);
    this.decoded.length = 0;
  }

  private emit(byte: number, output: ByteBuffer): void {
    output.push(byte);
    if (byte >= SPACE && byte < DELETE && this.escape === 'none' && this.decoder.pending.length === 0) {
      this.columns += 1;
      return;
    }
    this.decoder.push(byte, this.decoded);
    for (const codePoint of this.decoded) this.advance(codePoint);
    this.decoded.length = 0;
  }

  private advance(codePoint: number): void {
    if (codePoint === ESCAPE) {
      this.escape = 'escape';
    } else if (codePoint < SPACE) {
      this.advanceControl(codePoint);
    } else if (this.escape === 'escape') {
      // `[` opens a control sequence; an intermediate byte waits for the final one; anything else ends the sequence.
      if (codePoint === 0x5b) this.escape = 'sequence';
      else if (codePoint > 0x2f) this.escape = 'none';
    } else if (this.escape === 'sequence') {
      if (codePoint >= 0x40) this.escape = 'none';
    } else {
      this.columns += characterWidth(codePoint);
    }
  }

  private advanceControl(code: number): void {
    if (code === BACKSPACE) this.columns = Math.max(0, this.columns - 1);
    else if (code === TAB) this.columns += TAB_COLUMNS - (this.columns % TAB_COLUMNS);
    else if (code === RETURN || code === NEWLINE) this.columns = 0;
  }
}
