/**
 * The line being typed in canonical mode: its bytes, and the cells each one took on the screen, so that erase wipes
 * exactly what echo showed. Read POSIX, 11.1.6 (Canonical Mode Input Processing).
 */
import { characterWidth, Utf8Decoder } from '../../protocol/character.ts';

/** Longest line in bytes, its end included (MAX_CANON). */
export const MAX_LINE_BYTES = 4096;

/** How many cells erase has to wipe from the screen. */
export type Cells = number;

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** A line of input that can still be changed. */
export class CanonicalLine {
  private readonly bytes = new Uint8Array(MAX_LINE_BYTES);
  private readonly cells = new Uint8Array(MAX_LINE_BYTES);
  private count = 0;

  /** Bytes typed so far. */
  get length(): number {
    return this.count;
  }

  /** Whether only the end of the line still fits. */
  get full(): boolean {
    return this.count >= MAX_LINE_BYTES - 1;
  }

  /** Byte at a place. */
  at(index: number): number {
    return this.bytes[index] ?? 0;
  }

  /** Appends a byte that took `cells` on the screen. The caller has checked `full`. */
  append(byte: number, cells: Cells): void {
    this.bytes[this.count] = byte;
    this.cells[this.count] = cells;
    this.count += 1;
  }

  /** Notes that the byte at `index` was shown again and how many cells it takes now. */
  setCells(index: number, cells: Cells): void {
    this.cells[index] = cells;
  }

  /** Takes the last character back, with the combining marks on it; in UTF-8 a character may be several bytes. */
  eraseCharacter(utf8: boolean): Cells {
    let wiped = 0;
    while (this.count > 0) {
      const start = utf8 ? this.lastCharacter() : this.count - 1;
      const combining = utf8 && this.isCombining(start);
      wiped += this.cutAt(start);
      if (!combining) break;
    }
    return wiped;
  }

  /** Takes back the blanks at the end and the word before them. */
  eraseWord(): Cells {
    let start = this.count;
    while (start > 0 && isBlank(this.bytes[start - 1])) start -= 1;
    while (start > 0 && !isBlank(this.bytes[start - 1])) start -= 1;
    return this.cutAt(start);
  }

  /** Takes everything back. */
  clear(): Cells {
    return this.cutAt(0);
  }

  /** The bytes of the line, which is then empty. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.count);
    this.count = 0;
    return taken;
  }

  /** Copies of the bytes and of their cells. */
  snapshot(): { bytes: Uint8Array; cells: Uint8Array } {
    return { bytes: this.bytes.slice(0, this.count), cells: this.cells.slice(0, this.count) };
  }

  private cutAt(start: number): Cells {
    let wiped = 0;
    for (let index = start; index < this.count; index += 1) wiped += this.cells[index] ?? 0;
    this.count = start;
    return wiped;
  }

  /** Where the last UTF-8 character starts; of an ill-formed one only the last byte counts. */
  private lastCharacter(): number {
    let start = this.count - 1;
    while (start > 0 && this.count - start < 4 && isContinuation(this.bytes[start])) start -= 1;
    return this.decode(start).length === 1 ? start : this.count - 1;
  }

  private isCombining(start: number): boolean {
    const [codePoint = 0] = this.decode(start);
    return codePoint >= 0x80 && characterWidth(codePoint) === 0;
  }

  private decode(start: number): number[] {
    const codePoints: number[] = [];
    const decoder = new Utf8Decoder();
    for (let index = start; index < this.count; index += 1) decoder.push(this.at(index), codePoints);
    decoder.finish(codePoints);
    return codePoints;
  }
}
