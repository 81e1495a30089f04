/** What a check finds, and mends if it is to. */
import type { Volume } from './volume.ts';

/** Findings that are told; of further ones only their number. */
const MAX_TOLD = 1000;

/** See the head of this file. */
export class Findings {
  readonly volume: Volume;
  readonly repair: boolean;
  private readonly left: string[] = [];
  private readonly mended: string[] = [];
  private leftCount = 0;
  private mendedCount = 0;

  constructor(volume: Volume, repair: boolean) {
    this.volume = volume;
    this.repair = repair;
  }

  /**
   * Tells of something wrong. `mend`: how to mend it, in an operation of its own. Answers whether it is mended. Throws
   * SystemError EIO, EROFS.
   */
  found(text: string, mend?: () => void): boolean {
    if (!this.repair || mend === undefined) {
      if (this.leftCount++ < MAX_TOLD) this.left.push(text);
      return false;
    }
    this.volume.change(0, mend);
    this.volume.pause();
    if (this.mendedCount++ < MAX_TOLD) this.mended.push(text);
    return true;
  }

  /** Whether anything was mended. */
  get changed(): boolean {
    return this.mendedCount > 0;
  }

  get problems(): string[] {
    return told(this.left, this.leftCount);
  }

  get repaired(): string[] {
    return told(this.mended, this.mendedCount);
  }
}

function told(lines: readonly string[], count: number): string[] {
  return count > lines.length ? [...lines, `and ${count - lines.length} more`] : [...lines];
}
