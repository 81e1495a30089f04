/**
 * When a service that has ended is started again: the restart policy of the manifest, what counts as a failed start,
 * how long to wait, and when to give up. Pure functions; times in milliseconds.
 */
import { signalName, signals } from '../../protocol/signal.ts';

/** The restart policy of a manifest. */
export type RestartPolicy = 'always' | 'on-failure' | 'never';

/** How an incarnation ended: exit status, and the signal that ended it or 0. */
export interface End {
  readonly status: number;
  readonly signal: number;
}

/**
 * An incarnation that ends by itself sooner than this has done no work worth counting. A driver that fails on its
 * device or its configuration does so within milliseconds; the rest of the second covers a slow host, on which loading
 * the program alone takes some hundred milliseconds.
 */
export const SHORT_LIFE_MS = 1000;

/**
 * The same bound for one ended from outside (`kill`), or nobody knows how. The service is not to blame then, and has
 * done work when it was ready: only a life too short for any start counts.
 */
export const SHORT_LIFE_KILLED_MS = 10;

/**
 * Delay before the next start after 1, 2, 3 … failed starts in a row. The first three cost nothing: most failures are
 * gone at the next try, and callers are waiting. The rest adds up to 3.15 s, so that a service that cannot start is
 * given up within a few seconds.
 */
export const RESTART_DELAYS_MS: readonly number[] = [0, 0, 0, 50, 100, 200, 400, 800, 1600];

/** Failed starts in a row at which a service is given up. */
export const MAX_FAILED_STARTS: number = RESTART_DELAYS_MS.length + 1;

/** Stands for the end of a task that nobody saw. */
export const UNKNOWN_END: End = { status: -1, signal: 0 };

const outside = new Set<number>([signals.HUP, signals.INT, signals.QUIT, signals.KILL, signals.TERM]);

/**
 * Whether a life counts as a failed start: it was short, or the service never got as far as answering on its port
 * (`ready`), however long it took. Services without a port are ready from the start.
 */
export function isFailedStart(lifeMs: number, ready: boolean, end: End): boolean {
  const blameless = outside.has(end.signal) || end === UNKNOWN_END;
  const bound = blameless ? SHORT_LIFE_KILLED_MS : SHORT_LIFE_MS;
  return !ready || lifeMs < bound;
}

/**
 * Delay before the next start after this many failed starts in a row (0: the last life was good); undefined: give up.
 */
export function restartDelay(failedStarts: number): number | undefined {
  return failedStarts === 0 ? 0 : RESTART_DELAYS_MS[failedStarts - 1];
}

/** Whether the policy wants a service started again that ended like this. */
export function wantsRestart(policy: RestartPolicy, end: End): boolean {
  return policy === 'always' || (policy === 'on-failure' && isFailure(end));
}

/** Whether an end is a failure: a signal, or a status other than 0. */
export function isFailure(end: End): boolean {
  return end.signal !== 0 || end.status !== 0;
}

/** `SIGKILL`, `exit status 3`. */
export function endText(end: End): string {
  if (end.signal !== 0) return signalName(end.signal);
  return end.status < 0 ? 'unknown end' : `exit status ${end.status}`;
}

/** `12 ms`, `7.1 s`. */
export function timeText(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
