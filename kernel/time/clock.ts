/** The host's clock for the live machine. */
import type { TimeSource } from './timers.ts';

/** A time source that starts at 0 now. */
export function hostClock(): TimeSource {
  const start = performance.now();
  return {
    now: () => performance.now() - start,
    after: (milliseconds, callback) => {
      const timer = setTimeout(callback, Math.ceil(milliseconds));
      return () => clearTimeout(timer);
    },
  };
}
