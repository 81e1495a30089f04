/** The table for people. */
import type { Line, RowResult } from './row.ts';

function number(value: number): string {
  if (Math.abs(value) >= 10000) return `${Math.round(value / 100) / 10} k`;
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

function cells(line: Line): string[] {
  return [
    `  ${line.name}`,
    number(line.median),
    `${number(line.least)} … ${number(line.greatest)}`,
    line.ratio === undefined ? '' : `${line.ratio.toFixed(2)} ×`,
    line.must?.text ?? '',
    line.must === undefined ? '' : line.must.met ? 'met' : 'NOT MET',
  ];
}

const headings = ['', 'median', 'range', 'ratio', 'must', 'met'];
const widths = [40, 9, 20, 9, 44, 8];

function row(columns: readonly string[]): string {
  return columns
    .map((text, index) => {
      const width = widths[index] ?? 0;
      return index === 1 || index === 3 ? text.padStart(width) : text.padEnd(index === 0 ? width : width + 2);
    })
    .join('  ')
    .trimEnd();
}

/** The line over the columns. */
export function heading(): string {
  return row(headings);
}

/** One result as lines of text. */
export function text(result: RowResult): string {
  return [
    `${result.title} (${result.unit})`,
    ...result.lines.map((line) => row(cells(line))),
    ...result.notes.map((note) => `    ${note}`),
  ].join('\n');
}
