/**
 * The line discipline of a terminal: what becomes of a byte from the keyboard before a client reads it, and of a byte
 * from a client before the terminal gets it. Read POSIX (IEEE Std 1003.1), chapter 11 (General Terminal Interface).
 *
 * A state machine without input or output of its own: the driver passes bytes in and sends on what comes out. Not done:
 * VTIME (a read between bytes needs a clock), parity and break marking, delays.
 */
import { SystemError } from '../../protocol/errno.ts';
import { bool, bytes, type Infer, list, record, u8, u53 } from '../../protocol/schema.ts';
import { defaultAttributes, type TerminalAttributes, terminalAttributes } from './attributes.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { CanonicalLine, type Cells, MAX_LINE_BYTES } from './canonical-line.ts';
import { InputQueue, MAX_INPUT_BYTES } from './input-queue.ts';
import { OutputProcessor, outputState } from './output-processor.ts';

/** A signal for the foreground, named without SIG. */
export type TerminalSignal = 'INT' | 'QUIT' | 'TSTP';

/**
 * What came of some input: bytes for the screen, already processed for output, and signals in the order of their keys.
 */
export interface InputResult {
  echo: Uint8Array;
  signals: TerminalSignal[];
}

/**
 * Echo of one call of `input` in bytes above which reprint does nothing: the one key that makes much output of little
 * input.
 */
const MAX_REPRINT_ECHO_BYTES = 65536;

const SNAPSHOT_VERSION = 1;

const state = record({
  version: u8,
  attributes: terminalAttributes,
  lines: list(bytes(MAX_INPUT_BYTES), MAX_INPUT_BYTES),
  raw: bytes(MAX_INPUT_BYTES),
  line: bytes(MAX_LINE_BYTES),
  cells: bytes(MAX_LINE_BYTES),
  output: outputState,
  literalNext: bool,
  stopped: bool,
  hungUp: bool,
  dropped: u53,
});

const BELL = 0x07;
const BACKSPACE = 0x08;
const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const CARET = 0x5e;
const DELETE = 0x7f;

const isControl = (byte: number): boolean => byte < SPACE || byte === DELETE;

/** One terminal's line discipline. */
export class LineDiscipline {
  private attributes: TerminalAttributes = structuredClone(defaultAttributes);
  private readonly line = new CanonicalLine();
  private readonly queue = new InputQueue();
  private readonly output = new OutputProcessor();
  private readonly echoed = new ByteBuffer();
  private signalled: TerminalSignal[] = [];
  private literalNext = false;
  private stopped = false;
  private hungUp = false;
  private dropped = 0;

  /** Whether ^S holds the output: the driver keeps echo and writes back until it is false again. */
  get outputStopped(): boolean {
    return this.stopped;
  }

  /** Whether `hangUp` was called. */
  get isHungUp(): boolean {
    return this.hungUp;
  }

  /** Bytes thrown away because nobody read the input. */
  get droppedBytes(): number {
    return this.dropped;
  }

  /** Column of the cursor as far as the output tells, from 0. */
  get column(): number {
    return this.output.column;
  }

  /** Bytes that `read` would find now (FIONREAD). */
  get availableBytes(): number {
    return this.queue.byteCount;
  }

  /** Whether `read` would answer now, be it with the end of the input. */
  get readable(): boolean {
    if (this.hungUp) return true;
    if (this.attributes.canonical) return this.queue.hasLine;
    return this.queue.byteCount >= this.attributes.minimumBytes;
  }

  /** Takes bytes from the keyboard. After `hangUp` they are ignored. */
  input(received: Uint8Array): InputResult {
    if (!this.hungUp) for (const byte of received) this.receive(byte);
    const signals = this.signalled;
    this.signalled = [];
    return { echo: this.echoed.take(), signals };
  }

  /**
   * Reads at most `maxBytes`: at most one line in canonical mode, otherwise bytes once there are as many as VMIN says,
   * with `toReturn` none behind the first return or newline. Null when nothing is there yet, no bytes at the end of the
   * input. Throws EINVAL for a size that is not a whole number from 0.
   */
  read(maxBytes: number, toReturn = false): Uint8Array | null {
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) throw new SystemError('EINVAL', 'size of a read');
    if (maxBytes === 0) return new Uint8Array(0);
    if (this.queue.hasLine) return this.queue.readLine(maxBytes);
    const { canonical, minimumBytes } = this.attributes;
    const enough = !canonical && this.queue.byteCount >= Math.min(minimumBytes, maxBytes);
    return enough || this.hungUp ? this.queue.readBytes(maxBytes, toReturn) : null;
  }

  /** Turns what a client writes into what the terminal gets. */
  process(written: Uint8Array): Uint8Array {
    const processed = new ByteBuffer();
    for (const byte of written) this.output.push(byte, this.attributes, processed);
    return processed.take();
  }

  /** The settings, as a copy. */
  getAttributes(): TerminalAttributes {
    return structuredClone(this.attributes);
  }

  /**
   * Changes the settings that `changes` names. Unread input stays: leaving canonical mode makes the unfinished line
   * readable, entering it takes the unread bytes as if they came now, but for their echo. Answers the signals among
   * them. Throws EINVAL, and changes nothing, when a value is not what it has to be.
   */
  setAttributes(changes: Readonly<Partial<TerminalAttributes>>): TerminalSignal[] {
    const wanted = { ...this.attributes, ...changes };
    const next = terminalAttributes.fromWire(terminalAttributes.toWire(wanted, []), []);
    const wasCanonical = this.attributes.canonical;
    this.attributes = next;
    if (wasCanonical === next.canonical) return [];
    this.literalNext = false;
    if (next.canonical) return this.takeAgain();
    if (this.line.length > 0) this.queue.pushLine(this.line.take());
    this.queue.linesToBytes();
    return [];
  }

  /** What came in raw mode and was not read is for the lines of canonical mode. */
  private takeAgain(): TerminalSignal[] {
    if (this.hungUp) {
      this.queue.bytesToLine();
      return [];
    }
    const { attributes } = this;
    this.attributes = { ...attributes, echo: false };
    const { signals } = this.input(this.queue.readBytes(MAX_INPUT_BYTES));
    this.attributes = attributes;
    return [...signals];
  }

  /** Drops unread input, the line being typed included (tcflush TCIFLUSH). */
  flushInput(): void {
    this.queue.clear();
    this.line.clear();
    this.literalNext = false;
  }

  /** The line is gone: what is there can still be read, then the input has ended for good. */
  hangUp(): void {
    if (this.line.length > 0) this.queue.pushLine(this.line.take());
    this.hungUp = true;
    this.stopped = false;
  }

  /** The complete state with unread input, as a value for the recovery store (at most about 80 KiB). */
  snapshot(): unknown {
    const line = this.line.snapshot();
    const value: Infer<typeof state> = {
      version: SNAPSHOT_VERSION,
      attributes: this.attributes,
      ...this.queue.snapshot(),
      line: line.bytes,
      cells: line.cells,
      output: this.output.snapshot(),
      literalNext: this.literalNext,
      stopped: this.stopped,
      hungUp: this.hungUp,
      dropped: this.dropped,
    };
    return state.toWire(value, []);
  }

  /** Takes over the state that `snapshot` gave. Throws EINVAL, and changes nothing, for anything else. */
  restore(snapshot: unknown): void {
    const value = state.fromWire(snapshot, []);
    const charged = value.lines.reduce((sum, line) => sum + Math.max(1, line.length), value.line.length);
    const wellFormed =
      value.version === SNAPSHOT_VERSION &&
      value.line.length === value.cells.length &&
      value.line.length < MAX_LINE_BYTES &&
      charged <= MAX_INPUT_BYTES &&
      (value.attributes.canonical ? value.raw.length === 0 : value.lines.length + value.line.length === 0);
    if (!wellFormed) throw new SystemError('EINVAL', 'not a state of this line discipline');
    this.flushInput();
    this.attributes = value.attributes;
    for (const line of value.lines) this.queue.pushLine(line.slice());
    for (const byte of value.raw) this.queue.pushByte(byte);
    for (const [index, byte] of value.line.entries()) this.line.append(byte, value.cells[index] ?? 0);
    this.output.restore(value.output);
    this.literalNext = value.literalNext;
    this.stopped = value.stopped;
    this.hungUp = value.hungUp;
    this.dropped = value.dropped;
  }

  /** One byte of input, in the order of POSIX 11.1.9: mapping, flow control, signals, editing, storing. */
  private receive(raw: number): void {
    const { attributes } = this;
    if (this.literalNext) {
      this.literalNext = false;
      this.store(raw, true);
      return;
    }
    let byte = raw;
    if (byte === RETURN) {
      if (attributes.ignoreReturn) return;
      if (attributes.mapReturnToNewline) byte = NEWLINE;
    } else if (byte === NEWLINE && attributes.mapNewlineToReturn) {
      byte = RETURN;
    }
    if (attributes.flowControl && this.controlFlow(byte)) return;
    if (attributes.signals && this.signal(byte)) return;
    if (!attributes.canonical) {
      if (this.queue.pushByte(byte)) this.show(byte, false);
      else this.dropped += 1;
      return;
    }
    if (!this.edit(byte)) this.store(byte, false);
  }

  private is(byte: number, ...characters: number[]): boolean {
    return byte !== 0 && characters.includes(byte);
  }

  private controlFlow(byte: number): boolean {
    const { start, stop } = this.attributes.characters;
    if (this.is(byte, stop)) {
      // With one character for both it toggles.
      this.stopped = start === stop ? !this.stopped : true;
      return true;
    }
    if (this.is(byte, start)) {
      this.stopped = false;
      return true;
    }
    if (this.attributes.restartOnAny) this.stopped = false;
    return false;
  }

  private signal(byte: number): boolean {
    const { interrupt, quit, suspend } = this.attributes.characters;
    if (this.is(byte, interrupt)) this.signalled.push('INT');
    else if (this.is(byte, quit)) this.signalled.push('QUIT');
    else if (this.is(byte, suspend)) this.signalled.push('TSTP');
    else return false;
    if (!this.attributes.keepInputOnSignal) this.flushInput();
    this.stopped = false;
    this.show(byte, false);
    return true;
  }

  /** Editing characters of canonical mode; false for any other byte. */
  private edit(byte: number): boolean {
    const { characters, extended, utf8 } = this.attributes;
    if (this.is(byte, characters.erase, characters.alternateErase)) {
      if (this.line.length > 0) this.wipe(this.line.eraseCharacter(utf8), byte);
    } else if (this.is(byte, characters.kill)) {
      this.kill(byte);
    } else if (extended && this.is(byte, characters.wordErase)) {
      if (this.line.length > 0) this.wipe(this.line.eraseWord(), byte);
    } else if (extended && this.is(byte, characters.reprint)) {
      this.reprint(byte);
    } else if (extended && this.is(byte, characters.literalNext)) {
      this.literalNext = true;
      if (this.attributes.echo && this.attributes.echoControl) this.put(CARET, BACKSPACE);
    } else if (this.is(byte, characters.endOfFile)) {
      this.finish();
    } else {
      return false;
    }
    return true;
  }

  /** Keeps a byte of the line; an end of the line hands it over. */
  private store(byte: number, literal: boolean): void {
    if (!this.attributes.canonical) {
      if (!this.queue.pushByte(byte)) this.dropped += 1;
      return;
    }
    const room = MAX_INPUT_BYTES - this.queue.charged - this.line.length;
    const ends = !literal && (byte === NEWLINE || this.is(byte, this.attributes.characters.endOfLine));
    if (room < (ends ? 1 : 2) || (this.line.full && !ends)) {
      this.refuse();
      return;
    }
    this.line.append(byte, this.show(byte, literal));
    if (ends) this.queue.pushLine(this.line.take());
  }

  /** End of file: the line as it is, without an end; an empty one tells the reader that the input has ended. */
  private finish(): void {
    if (this.line.length === 0 && this.queue.charged >= MAX_INPUT_BYTES) this.refuse();
    else this.queue.pushLine(this.line.take());
  }

  private refuse(): void {
    this.dropped += 1;
    this.put(BELL);
  }

  private kill(byte: number): void {
    const { echo, echoErase, echoKill, echoKillErase } = this.attributes;
    const cells = this.line.clear();
    if (echoErase && echoKill && echoKillErase) {
      this.wipe(cells, byte);
    } else if (echo) {
      this.show(byte, false);
      if (echoKill) this.put(NEWLINE);
    }
  }

  private reprint(byte: number): void {
    if (!this.attributes.echo || this.echoed.length > MAX_REPRINT_ECHO_BYTES) return;
    this.show(byte, false);
    this.put(NEWLINE);
    for (let index = 0; index < this.line.length; index += 1) {
      const shown = this.line.at(index);
      this.line.setCells(index, this.show(shown, shown === NEWLINE));
    }
  }

  /** Echo of an erase: the cells go blank, or without ECHOE the erase character is shown. */
  private wipe(cells: Cells, byte: number): void {
    if (!this.attributes.echo) return;
    if (!this.attributes.echoErase) this.show(byte, false);
    else for (let cell = 0; cell < cells; cell += 1) this.put(BACKSPACE, SPACE, BACKSPACE);
  }

  /** Echoes a byte as the settings say. Returns the cells it took. */
  private show(byte: number, literal: boolean): Cells {
    const { echo, echoControl, echoNewline } = this.attributes;
    const newline = byte === NEWLINE && !literal;
    if (!echo && !(newline && echoNewline)) return 0;
    if (newline) {
      this.put(NEWLINE);
      return 0;
    }
    const before = this.output.column;
    if (isControl(byte) && byte !== TAB && echoControl) this.put(CARET, byte ^ 0x40);
    else this.put(byte);
    return Math.max(0, this.output.column - before);
  }

  private put(...sent: number[]): void {
    for (const byte of sent) this.output.push(byte, this.attributes, this.echoed);
  }
}
