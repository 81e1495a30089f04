/** What a row of the bench is, and what comes out of it. */
import type { Rounds } from './alternate.ts';
import type { Compiler } from './peers.ts';
import { summary } from './statistics.ts';

/** What rows measure with. */
export interface Bench {
  /** Folder for files, removed at the end. */
  readonly folder: string;
  readonly compiler: Compiler;
  /** Rounds asked for, or the row's own number. */
  rounds(usual: number): number;
}

/** One row. */
export interface Row {
  /** Name for `--only`. */
  readonly name: string;
  run(bench: Bench): Promise<RowResult[]>;
}

/** A bound that has to be met. */
export interface Must {
  readonly text: string;
  readonly met: boolean;
}

/** One figure of a row: the median of its rounds with their range. */
export interface Line {
  readonly name: string;
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
  /** The first line's median by this one's. */
  readonly ratio?: number;
  readonly must?: Must;
}

/** Figures that belong together; the first line is VROS, the others are what it is compared with. */
export interface RowResult {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  readonly notes: readonly string[];
}

/** The line of a figure that is compared with nothing. */
export function plainLine(name: string, figures: Rounds): Line {
  return { name, ...summary(figures) };
}

/** The line of a peer: `bound` is the greatest ratio of `ours` to it. */
export function peerLine(name: string, figures: Rounds, ours: Line, bound?: number): Line {
  const line = plainLine(name, figures);
  const ratio = ours.median / line.median;
  if (bound === undefined) return { ...line, ratio };
  return { ...line, ratio, must: { text: `≤ ${bound} ×`, met: ratio <= bound } };
}
