/** Figures of many rounds in a few numbers. */

/** Middle, least and greatest of some figures. */
export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
}

/** The middle figure, or the mean of the two middle ones. NaN for none. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** Middle and range. */
export function summary(figures: readonly number[]): Summary {
  return { median: median(figures), least: Math.min(...figures), greatest: Math.max(...figures) };
}
