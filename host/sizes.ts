/** Sizes as people write and read them. */
import { UsageError } from './errors.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes of `64M`, `1G`, `4096`. Throws UsageError. */
export function parseSize(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)([KMGT]?)(?:iB|B)?$/i.exec(text) ?? [];
  const bytes = Number(digits) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  if (digits === '' || !Number.isSafeInteger(bytes) || bytes === 0)
    throw new UsageError(`expected a size such as 64M or 1G, got '${text}'`);
  return bytes;
}

/** `1.5 MiB`. */
export function formatSize(bytes: number): string {
  const names = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let index = 0;
  let value = bytes;
  while (value >= 1024 && index < names.length - 1) {
    value /= 1024;
    index++;
  }
  return `${index === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, '')} ${names[index] ?? ''}`;
}
