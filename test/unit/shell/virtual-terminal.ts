/**
 * A small terminal for tests: it understands what the line editor sends, as xterm does (automatic wrap included), and
 * anything else is an error. Rows are kept for ever; the screen is the last `height` of them.
 */
import { characterWidth } from '../../../protocol/character.ts';

interface Row {
  cells: string[];
  /** Whether the next row continues this one. */
  wrapped: boolean;
}

export class VirtualTerminal {
  columns: number;
  readonly height: number;
  row = 0;
  column = 0;
  bells = 0;
  bracketedPaste = false;
  private pendingWrap = false;
  private rows: Row[] = [{ cells: [], wrapped: false }];

  constructor(columns: number, height = 1000) {
    this.columns = columns;
    this.height = height;
  }

  /** Text of the rows from `first` on, without blanks at the end of a row and without empty rows at the end. */
  text(first = 0): string[] {
    const texts = this.rows.slice(first).map(({ cells }) => cells.join('').trimEnd());
    while (texts.length > 0 && texts.at(-1) === '') texts.pop();
    return texts;
  }

  /** Place of the cursor; a wrap that is due has not happened yet. */
  get cursor(): { row: number; column: number; pendingWrap: boolean } {
    return { row: this.row, column: this.column, pendingWrap: this.pendingWrap };
  }

  write(output: string): void {
    let rest = output;
    while (rest !== '') {
      const sequence = /^\x1b\[([?0-9;]*)([A-Za-z])/.exec(rest);
      if (sequence !== null) {
        this.control(sequence[1] ?? '', sequence[2] ?? '');
        rest = rest.slice(sequence[0].length);
        continue;
      }
      const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
      this.character(character);
      rest = rest.slice(character.length);
    }
  }

  /** Changes the width and wraps all rows anew, as most terminals do. For text of one cell a character. */
  resize(columns: number): void {
    const old = this.rows;
    this.rows = [];
    let line: string[] = [];
    let cursor = { row: 0, column: 0 };
    for (const [index, row] of old.entries()) {
      if (index === this.row) {
        const offset = line.length + this.column;
        cursor = { row: this.rows.length + Math.floor(offset / columns), column: offset % columns };
      }
      line.push(...row.cells);
      if (row.wrapped) continue;
      do {
        this.rows.push({ cells: line.splice(0, columns), wrapped: line.length > 0 });
      } while (line.length > 0);
      line = [];
    }
    this.columns = columns;
    this.row = cursor.row;
    this.column = cursor.column;
    this.at(this.row);
  }

  private at(index: number): Row {
    let row = this.rows[index];
    while (row === undefined) {
      this.rows.push({ cells: [], wrapped: false });
      row = this.rows[index];
    }
    return row;
  }

  private get top(): number {
    return Math.max(0, this.rows.length - this.height);
  }

  private character(character: string): void {
    switch (character) {
      case '\r':
        this.column = 0;
        this.pendingWrap = false;
        return;
      case '\n':
        this.down();
        return;
      case '\b':
        this.column = Math.max(0, this.column - 1);
        this.pendingWrap = false;
        return;
      case '\x07':
        this.bells += 1;
        return;
      default:
        if (character < ' ' || character === '\x7f') throw new Error(`terminal got ${JSON.stringify(character)}`);
        this.print(character, characterWidth(character.codePointAt(0) ?? 0));
    }
  }

  private down(): void {
    this.row += 1;
    this.pendingWrap = false;
    this.at(this.row);
  }

  private print(character: string, width: number): void {
    if (width === 0) {
      const { cells } = this.at(this.row);
      let before = this.pendingWrap ? this.column : this.column - 1;
      while (before > 0 && cells[before] === '') before -= 1;
      cells[before] += character;
      return;
    }
    if (this.pendingWrap || this.column + width > this.columns) {
      this.at(this.row).wrapped = true;
      this.down();
      this.column = 0;
    }
    const { cells } = this.at(this.row);
    while (cells.length < this.column) cells.push(' ');
    // A wide character that loses a half is gone.
    if (cells[this.column] === '') cells[this.column - 1] = ' ';
    if (cells[this.column + width] === '') cells[this.column + width] = ' ';
    cells[this.column] = character;
    if (width === 2) cells[this.column + 1] = '';
    this.column += width;
    if (this.column === this.columns) {
      this.column -= 1;
      this.pendingWrap = true;
    }
  }

  private control(parameters: string, final: string): void {
    const count = Math.max(1, Number(parameters) || 1);
    this.pendingWrap = false;
    switch (final) {
      case 'A':
        this.row = Math.max(this.top, this.row - count);
        return;
      case 'B':
        this.row = Math.min(this.rows.length - 1, this.row + count);
        return;
      case 'C':
        this.column = Math.min(this.columns - 1, this.column + count);
        return;
      case 'D':
        this.column = Math.max(0, this.column - count);
        return;
      case 'K':
        this.eraseRow(parameters);
        return;
      case 'J':
        if (parameters === '2') for (const row of this.rows.slice(this.top)) row.cells.length = 0;
        else {
          this.eraseRow(parameters);
          for (const row of this.rows.slice(this.row + 1)) Object.assign(row, { cells: [], wrapped: false });
        }
        return;
      case 'H':
        this.row = this.top;
        this.column = 0;
        return;
      case 'm':
        return;
      case 'h':
      case 'l':
        if (parameters !== '?2004') break;
        this.bracketedPaste = final === 'h';
        return;
    }
    throw new Error(`terminal got CSI ${parameters}${final}`);
  }

  private eraseRow(parameters: string): void {
    if (parameters !== '') throw new Error(`terminal got erase ${parameters}`);
    const row = this.at(this.row);
    row.cells.length = Math.min(row.cells.length, this.column);
    row.wrapped = false;
  }
}
