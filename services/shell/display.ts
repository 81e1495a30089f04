/**
 * Draws one line of text, wrapped over as many rows as it needs, with as little output as a change allows. Read ECMA-48
 * (8.3: CUU, CUD, CUF, CUB, EL, ED) and the xterm behaviour of automatic wrap: after the last column the cursor stays
 * there until the next character.
 *
 * All movement is relative to where the line began, so it does not matter where on the screen that is. A line with more
 * rows than the screen cannot be drawn right.
 */
import { clustersOf, visible, visibleWidth } from './width.ts';

/** Something shown at one place: what is sent, and the cells it takes. */
export interface Cell {
  readonly shown: string;
  readonly width: number;
}

/** Row and column, from 0, counted from where the line began. */
interface Position {
  readonly row: number;
  readonly column: number;
}

const MIN_COLUMNS = 2;
const MAX_COLUMNS = 4096;
const ERASE_TO_END_OF_ROW = '\x1b[K';
const ERASE_BELOW = '\x1b[J';

/** Cells of plain text. */
export function cellsOf(clusters: readonly string[]): Cell[] {
  return clusters.map((cluster) => {
    const shown = visible(cluster);
    return { shown, width: visibleWidth(shown) };
  });
}

/**
 * Cells of a prompt, in which control sequences (colours) take no room: each goes with the cell behind it, at the end
 * with the one before.
 */
export function promptCells(prompt: string): Cell[] {
  const cells: Cell[] = [];
  let waiting = '';
  for (const piece of prompt.split(/(\x1b\[[0-?]*[ -/]*[@-~])/)) {
    if (piece.startsWith('\x1b[')) {
      waiting += piece;
      continue;
    }
    for (const cell of cellsOf(clustersOf(piece))) {
      cells.push({ shown: waiting + cell.shown, width: cell.width });
      waiting = '';
    }
  }
  const last = cells.at(-1);
  if (waiting !== '' && last !== undefined)
    cells[cells.length - 1] = { shown: last.shown + waiting, width: last.width };
  return cells;
}

/** What the terminal shows of the line, and how to get it to show something else. */
export class Display {
  private columns: number;
  private cells: readonly Cell[] = [];
  private cursor = 0;
  private at: Position = { row: 0, column: 0 };

  constructor(columns: number) {
    this.columns = validColumns(columns);
  }

  /** Draws the cells with the cursor before the cell number `cursor`. Returns what to send to the terminal. */
  draw(cells: readonly Cell[], cursor: number): string {
    const same = this.commonStart(cells);
    let output = '';
    if (same < cells.length || same < this.cells.length) {
      const oldEnd = this.end(this.cells.length);
      output += this.moveTo(this.normal(this.end(same)));
      this.cells = cells;
      output += this.write(same);
      output += this.eraseAfter(oldEnd);
    }
    this.cells = cells;
    this.cursor = cursor;
    return output + this.moveTo(this.position(cursor));
  }

  /** Leaves the line as it is, with `text` behind it, for a new row. The next `draw` starts there. */
  leave(text: string): string {
    const output = `${this.moveTo(this.normal(this.end(this.cells.length)))}${text}\r\n`;
    this.forget();
    return output;
  }

  /** Wipes the line off the screen. The next `draw` starts where it began. */
  wipe(): string {
    if (this.cells.length === 0) return '';
    // The column is not trusted: after a change of width not every terminal wraps alike.
    const output = `\r${this.moveTo({ row: 0, column: this.at.column })}${ERASE_BELOW}`;
    this.forget();
    return output;
  }

  /** The terminal shows nothing of the line any more, and the cursor is at the start of a row. */
  forget(): void {
    this.cells = [];
    this.cursor = 0;
    this.at = { row: 0, column: 0 };
  }

  /** The terminal has another width now, and has wrapped the rows anew, as most do. Wipes the line. */
  resize(columns: number): string {
    this.columns = validColumns(columns);
    this.at = this.position(this.cursor);
    return this.wipe();
  }

  private commonStart(cells: readonly Cell[]): number {
    const most = Math.min(cells.length, this.cells.length);
    let same = 0;
    while (same < most && cells[same]?.shown === this.cells[same]?.shown) same += 1;
    return same;
  }

  /** Where the first `count` cells end; the column may be one past the last. */
  private end(count: number): Position {
    let row = 0;
    let column = 0;
    for (let index = 0; index < count; index += 1) {
      const width = this.cells[index]?.width ?? 0;
      if (column + width > this.columns) {
        row += 1;
        column = 0;
      }
      column += width;
    }
    return { row, column };
  }

  /** Past the last column means the start of the next row. */
  private normal({ row, column }: Position): Position {
    return column >= this.columns ? { row: row + 1, column: 0 } : { row, column };
  }

  /** Where the cell number `index` stands, or would. */
  private position(index: number): Position {
    const { row, column } = this.end(index);
    const width = this.cells[index]?.width ?? 1;
    return column + width > this.columns ? { row: row + 1, column: 0 } : { row, column };
  }

  /** Sends the cells from number `from` on, the cursor being there. */
  private write(from: number): string {
    let output = '';
    let { row, column } = this.at;
    for (let index = from; index < this.cells.length; index += 1) {
      const { shown, width } = this.cells[index] ?? { shown: '', width: 0 };
      if (column + width > this.columns) {
        // The cell that a wide character leaves free at the end of a row may hold something old.
        output += ' '.repeat(this.columns - column);
        row += 1;
        column = 0;
      }
      output += shown;
      column += width;
    }
    if (column >= this.columns) {
      // Makes the wrap happen now: a space lands on the next row, and return goes to its start.
      output += ' \r';
      row += 1;
      column = 0;
    }
    this.at = { row, column };
    return output;
  }

  private eraseAfter(oldEnd: Position): string {
    if (oldEnd.row > this.at.row) return ERASE_BELOW;
    return oldEnd.row === this.at.row && oldEnd.column > this.at.column ? ERASE_TO_END_OF_ROW : '';
  }

  private moveTo(target: Position): string {
    const down = target.row - this.at.row;
    const right = target.column - this.at.column;
    this.at = target;
    let output = '';
    if (down > 0) output += `\x1b[${down}B`;
    if (down < 0) output += `\x1b[${-down}A`;
    if (right > 0) output += right === 1 ? '\x1b[C' : `\x1b[${right}C`;
    else if (right < 0 && target.column === 0) output += '\r';
    else if (right < 0) output += right >= -3 ? '\b'.repeat(-right) : `\x1b[${-right}D`;
    return output;
  }
}

function validColumns(columns: number): number {
  return Number.isFinite(columns) ? Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, Math.floor(columns))) : 80;
}
