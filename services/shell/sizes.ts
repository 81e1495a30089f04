/** Sizes as commands take and show them. */
import { UsageError } from './errors.ts';

const units: Readonly<Record<string, number>> = {
  '': 1,
  c: 1,
  b: 512,
  k: 1024,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/** `512`, `4K`, `1M`: bytes. Units are powers of 1024, `b` is 512. Throws UsageError naming `what`. */
export function parseSize(text: string, what: string): number {
  const [, digits, unit = ''] = /^(\d+)([cbkKMGT]?)$/.exec(text) ?? [];
  const size = digits === undefined ? Number.NaN : Number(digits) * (units[unit] ?? Number.NaN);
  if (!Number.isSafeInteger(size))
    throw new UsageError(`${what}: expected a size such as 512, 4K or 1M, got '${text}'`);
  return size;
}

/**
 * As `ls -h` and `df -h` show sizes: `0`, `512`, `1.5K`, `64M`; rounded up, so that what there is is never shown as
 * less.
 */
export function shortSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  const letters = ['', 'K', 'M', 'G', 'T', 'P'];
  while (value >= 1024 && unit < letters.length - 1) {
    value /= 1024;
    unit += 1;
  }
  if (unit === 0) return String(value);
  const tenths = Math.ceil(value * 10) / 10;
  if (tenths < 10) return `${tenths.toFixed(1)}${letters[unit] ?? ''}`;
  const whole = Math.ceil(value);
  return whole >= 1024 && unit < letters.length - 1
    ? `1.0${letters[unit + 1] ?? ''}`
    : `${whole}${letters[unit] ?? ''}`;
}
