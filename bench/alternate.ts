/**
 * Measuring side by side on a machine that others use too: contenders take turns (A B C A B C …), so that what disturbs
 * one disturbs all, and a figure is the median over the rounds.
 */
import { median } from './statistics.ts';

/**
 * Something that is measured: its name in the table and one measurement, a list of figures of which the median counts.
 */
export interface Contender {
  readonly name: string;
  /** Figures by kind, as many as the contender has. */
  sample(): Promise<Readonly<Record<string, readonly number[]>>>;
}

/** Figures of one kind: one number a round. */
export type Rounds = readonly number[];

/** Runs every contender once a round and answers, by contender and kind of figure, the rounds. */
export async function alternate(
  rounds: number,
  contenders: readonly Contender[],
): Promise<ReadonlyMap<string, Readonly<Record<string, Rounds>>>> {
  const all = new Map<string, Record<string, number[]>>(contenders.map(({ name }) => [name, {}]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, sample } of contenders) {
      const collected = all.get(name) ?? {};
      for (const [kind, figures] of Object.entries(await sample())) {
        collected[kind] = [...(collected[kind] ?? []), median(figures)];
      }
    }
  }
  return all;
}
