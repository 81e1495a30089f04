/** The line that shows how far a transfer is, as wget draws it. */
import { shortSize } from '../sizes.ts';
import { textWidth, visibleText } from '../width.ts';

const NAME_CELLS = 20;
const LEAST_BAR_CELLS = 10;
/** Behind the bar: the bytes so far, the rate, the time that is left. */
const FIGURES_CELLS = 8 + 12 + 14;

/** Bytes a second as `3.21MB/s`. */
export function rateText(bytesPerSecond: number): string {
  const units = ['B/s', 'KB/s', 'MB/s', 'GB/s'];
  let value = bytesPerSecond;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 99.95 || unit === 0 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2)}${units[unit] ?? ''}`;
}

/** Seconds as `7s`, `2m 5s`, `3h 20m`. */
export function shortDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}m ${whole % 60}s` : `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
}

function nameCells(name: string): string {
  const text = visibleText(name);
  const fitting = textWidth(text) <= NAME_CELLS ? text : `${text.slice(0, NAME_CELLS - 3)}...`;
  return fitting + ' '.repeat(Math.max(0, NAME_CELLS - textWidth(fitting)));
}

/** What is known of a transfer. `start`: bytes that were there before; `total`: null where it is not known. */
export interface Transfer {
  readonly name: string;
  readonly start: number;
  readonly received: number;
  readonly total: number | null;
  readonly milliseconds: number;
}

/** The line, in at most `columns` cells. */
export function transferLine({ name, start, received, total, milliseconds }: Transfer, columns: number): string {
  const seconds = milliseconds / 1000;
  const rate = seconds > 0 ? received / seconds : 0;
  const so = start + received;
  const percent = total === null ? '    ' : `${total === 0 ? 100 : Math.floor((100 * so) / total)}%`.padStart(4);
  const cells = Math.max(LEAST_BAR_CELLS, columns - 1 - NAME_CELLS - percent.length - 2 - FIGURES_CELLS);
  let bar: string;
  if (total === null) {
    // It wanders to and fro.
    const room = cells - 3;
    const step = Math.floor(milliseconds / 200) % (2 * room);
    const at = step < room ? step : 2 * room - step;
    bar = `${' '.repeat(at)}<=>${' '.repeat(room - at)}`;
  } else {
    const done = total === 0 ? cells : Math.min(cells, Math.floor((cells * so) / total));
    bar = `${'='.repeat(Math.max(0, done - 1))}${done > 0 ? '>' : ''}${' '.repeat(cells - done)}`;
  }
  const finished = total !== null && so >= total;
  const time = finished
    ? `    in ${seconds < 10 ? `${seconds.toFixed(1)}s` : shortDuration(seconds)}`
    : total !== null && rate > 0
      ? `    eta ${shortDuration((total - so) / rate)}`
      : '';
  return `${nameCells(name)}${percent}[${bar}]${shortSize(so).padStart(8)}  ${rateText(rate).padStart(9)}${time}`;
}
