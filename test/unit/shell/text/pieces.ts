/** Cuts texts into pieces, as files and pipes deliver them. */
import type { Random } from '../../../support/random.ts';

/** Pieces of random sizes, some of them empty. */
export function pieces(text: string | Uint8Array, random: Random, most = 20): Uint8Array[] {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const cut: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + random.below(most);
    cut.push(bytes.subarray(at, end));
    at = Math.min(end, bytes.length);
  }
  return cut;
}

/** The text of pieces put together. */
export const joined = (parts: Iterable<Uint8Array>): string => Buffer.concat([...parts]).toString();
