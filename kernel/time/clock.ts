/** The host's clock for the live machine. */
import { MAX_TIMEOUT_MILLISECONDS } from '../../protocol/bounds.ts';
import type { TimeSource } from './timers.ts';

/** A time source that starts at 0 now. */
export function hostClock(): TimeSource {
  const start = performance.now();
  return {
    now: () => performance.now() - start,
    after: (milliseconds, callback) => {
      // The host's timers count 31 bits; one that comes too early is set again for what is left.
      const timer = setTimeout(callback, Math.min(MAX_TIMEOUT_MILLISECONDS, Math.ceil(milliseconds)));
      return () => clearTimeout(timer);
    },
  };
}
