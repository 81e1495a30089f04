/** Durations as options take them. */
import { UsageError } from '../errors.ts';

/** Seconds, with decimals if wanted. Answers milliseconds. Throws UsageError naming `what`. */
export function seconds(text: string, what: string, least: number, most: number): number {
  const value = /^\d+(\.\d*)?$|^\.\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new UsageError(`${what}: expected seconds from ${least} to ${most}, got '${text}'`);
  return value * 1000;
}
