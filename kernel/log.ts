/**
 * The kernel log: pino writes each line to a ring in memory (`dmesg`) and, if asked, to a file of the host.
 */
import { pino } from 'pino';
import { MAX_LOG_BYTES } from '../protocol/bounds.ts';
import type { LogLine } from '../protocol/records.ts';
import { shown } from './text.ts';

/** Lines kept in the ring. */
const RING_LINES = 4096;

/** Level of a line, as pino names and numbers them. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Writes lines and keeps the last ones. */
export class KernelLog {
  private readonly ring: LogLine[] = [];
  private next = 0;
  private readonly logger: ReturnType<typeof pino>;
  private readonly now: () => number;
  private readonly listeners = new Set<(line: LogLine) => void>();

  private recorder: (line: string) => void = () => {};

  /** `now`: uptime in milliseconds. `debug`: keep lines of level debug. */
  constructor(now: () => number, debug: boolean) {
    this.now = now;
    this.logger = pino(
      { base: null, timestamp: false, level: debug ? 'debug' : 'info' },
      {
        write: (line: string) => {
          this.keep(line);
          this.recorder(line);
        },
      },
    );
  }

  /** Hands each line on as JSON too, from now on. */
  record(recorder: (line: string) => void): void {
    this.recorder = recorder;
  }

  /** One line from the kernel or, with `source`, from a service. */
  write(level: LogLevel, text: string, source = 'kernel'): void {
    this.logger[level]({ time: Math.round(this.now() * 1000) / 1000, source }, shown(text, MAX_LOG_BYTES));
  }

  debug(text: string): void {
    this.write('debug', text);
  }

  info(text: string): void {
    this.write('info', text);
  }

  warn(text: string): void {
    this.write('warn', text);
  }

  error(text: string): void {
    this.write('error', text);
  }

  /** Calls back for each line from now on. Returns a function that ends it. */
  listen(listener: (line: LogLine) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The last `most` lines, oldest first. */
  lines(most: number): LogLine[] {
    const all = [...this.ring.slice(this.next), ...this.ring.slice(0, this.next)];
    return all.slice(-Math.max(1, most));
  }

  private keep(line: string): void {
    const parsed = parse(line);
    if (this.ring.length < RING_LINES) this.ring.push(parsed);
    else {
      this.ring[this.next] = parsed;
      this.next = (this.next + 1) % RING_LINES;
    }
    for (const listener of this.listeners) listener(parsed);
  }
}

function parse(line: string): LogLine {
  const { time, level, source, msg } = JSON.parse(line) as { time: number; level: number; source: string; msg: string };
  return { time, level, source, text: msg };
}
