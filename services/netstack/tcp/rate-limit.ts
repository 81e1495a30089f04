/** At most so many events a second. */

/** See the head of this file. */
export class RateLimit {
  private readonly most: () => number;
  private second = -1;
  private left = 0;

  /** `most` is asked at the beginning of each second. */
  constructor(most: () => number) {
    this.most = most;
  }

  /** Whether one more may happen. */
  allows(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.second) {
      this.second = second;
      this.left = this.most();
    }
    if (this.left <= 0) return false;
    this.left--;
    return true;
  }
}
