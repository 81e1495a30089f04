/** An interrupt line that remembers its level and its rising edges. */

import type { InterruptLine } from '../../../hw/device.ts';

export class TestLine implements InterruptLine {
  level = false;
  raises = 0;

  set(level: boolean): void {
    if (level && !this.level) this.raises++;
    this.level = level;
  }

  /** The rising edges since the last call. */
  take(): number {
    const raises = this.raises;
    this.raises = 0;
    return raises;
  }
}
