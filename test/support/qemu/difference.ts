/** Comparing the answers of two machines to one scenario, and cutting a scenario down to what they disagree about. */

/** Answers the lines of a scenario. */
export type Machine = (lines: readonly string[]) => Promise<string[]>;

/** The first line two machines answer differently. */
export interface Difference {
  readonly index: number;
  readonly expected: string;
  readonly answered: string;
}

/** The first difference between the answers, or null. */
export function firstDifference(expected: readonly string[], answered: readonly string[]): Difference | null {
  for (let index = 0; index < Math.max(expected.length, answered.length); index++) {
    const [theirs = '(none)', ours = '(none)'] = [expected[index], answered[index]];
    if (theirs !== ours) return { index, expected: theirs, answered: ours };
  }
  return null;
}

/** Two machines that get the same scenarios. */
export interface Pair {
  readonly reference: Machine;
  readonly own: Machine;
}

async function once({ reference, own }: Pair, lines: readonly string[]): Promise<Difference | null> {
  const [expected, answered] = await Promise.all([reference(lines), own(lines)]);
  return firstDifference(expected, answered);
}

/**
 * Runs a scenario on both machines. A difference counts only when it comes again: what comes of a late frame or a slow
 * disk does not.
 */
export async function compare(pair: Pair, lines: readonly string[]): Promise<Difference | null> {
  const first = await once(pair, lines);
  return first === null ? null : once(pair, lines);
}

/**
 * The shortest scenario found that the machines still answer differently: nothing after the difference, and without
 * lines, first in long runs and then one by one, that it does not need. The line that is answered differently stays.
 */
export async function minimise(pair: Pair, lines: readonly string[], found: Difference): Promise<string[]> {
  const last = lines[found.index];
  const differ = async (candidate: readonly string[]): Promise<number> => {
    const difference = await once(pair, candidate);
    return difference !== null && candidate[difference.index] === last ? difference.index + 1 : 0;
  };
  let kept = lines.slice(0, found.index + 1);
  for (let run = kept.length >> 1; run > 0; run >>= 1) {
    for (let at = 0; at < kept.length - 1; ) {
      const shorter = [...kept.slice(0, at), ...kept.slice(Math.min(at + run, kept.length - 1))];
      const end = await differ(shorter);
      if (end > 0) kept = shorter.slice(0, end);
      else at += run;
    }
  }
  return kept;
}
