/**
 * What the driver tells of its work: counters (protocol/block.ts, `statistics`) and lines in the log.
 */
import type { Reply } from '../../protocol/interface.ts';
import type { block } from '../lib/index.ts';

/** Writes a line to the log. */
export type Log = (text: string, level: 'info' | 'warning' | 'error') => void;

/** The counters of this incarnation. */
export type Statistics = Reply<typeof block.methods.statistics>;

/** Counters that start at zero. */
export function newStatistics(): Statistics {
  return {
    reads: 0,
    writes: 0,
    flushes: 0,
    sectorsRead: 0,
    sectorsWritten: 0,
    interrupts: 0,
    commandRetries: 0,
    resets: 0,
    errors: 0,
  };
}
