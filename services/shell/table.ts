/** Text in columns, and figures as people read them. */
import { textWidth, visibleText } from './width.ts';

/** A column of a table. */
export interface TableColumn {
  readonly title: string;
  readonly align: 'left' | 'right';
}

const TABLE_GAP = ' ';
const LIST_GAP = 2;

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'left' ? text + space : space + text;
}

/**
 * Rows under their titles, each column as wide as its widest text. Control characters are made visible, missing texts
 * are empty, and there are no spaces at the end of a line.
 */
export function formatTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string[] {
  const lines = [columns.map((column) => column.title), ...rows].map((row) =>
    columns.map((_, index) => visibleText(row[index] ?? '')),
  );
  const widths = columns.map((_, index) =>
    lines.reduce((most, line) => Math.max(most, textWidth(line[index] ?? '')), 0),
  );
  return lines.map((line) =>
    columns
      .map((column, index) => pad(line[index] ?? '', widths[index] ?? 0, column.align))
      .join(TABLE_GAP)
      .trimEnd(),
  );
}

/** Items in as many columns as fit into `width` cells, filled downwards, as `ls` does. */
export function formatColumns(items: readonly string[], width: number): string[] {
  const texts = items.map(visibleText);
  const widest = texts.reduce((most, text) => Math.max(most, textWidth(text)), 0) + LIST_GAP;
  const columns = Math.max(1, Math.floor((width + LIST_GAP) / widest));
  const rows = Math.ceil(texts.length / columns);
  return Array.from({ length: rows }, (_, row) =>
    texts
      .filter((_text, index) => index % rows === row)
      .map((text) => pad(text, widest, 'left'))
      .join('')
      .trimEnd(),
  );
}

/** A number of bytes in the largest binary unit that leaves at least one: `512 B`, `1.5 KiB`, `64 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  // 1023.95 would be shown as 1024.0.
  while (Math.abs(value) >= (unit === 0 ? 1024 : 1023.95) && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : shorten(value)} ${units[unit] ?? ''}`;
}

/** A time in milliseconds: `0.06 ms`, `12.5 ms`, `1.25 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`. */
export function formatMilliseconds(milliseconds: number): string {
  if (Math.abs(milliseconds) < 999.5) return `${significant(milliseconds)} ms`;
  if (Math.abs(milliseconds) < 59_950) return `${significant(milliseconds / 1000)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function shorten(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}

/** Three significant digits without an exponent or zeros at the end. */
function significant(value: number): string {
  const size = Math.abs(value);
  const decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  const text = value.toFixed(decimals);
  return decimals > 0 ? text.replace(/\.?0+$/, '') : text;
}
