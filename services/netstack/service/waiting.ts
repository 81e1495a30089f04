/**
 * Requests that wait: for a connection, for data, for room, for the network. Each waits at a place (a socket, say),
 * which is looked at again when something has changed there, and ends with its timeout. How many wait is bounded, at
 * each place and in all.
 */
import { FOREVER } from '../../../protocol/bounds.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { LATER } from '../../../protocol/interface.ts';
import type { Deferred, RequestContext } from '../../lib/index.ts';

/** Requests that may wait at one place, and in all. */
export const MAX_WAITING_AT_PLACE = 64;
export const MAX_WAITING = 2048;

/** What an attempt answers when it is too early. */
export const WAIT: unique symbol = Symbol('wait');

/** Tries to answer a request: an answer, or WAIT. Throws SystemError to refuse it. */
export type Attempt<A> = () => A | typeof WAIT;

/** How a request waits. */
export interface Terms {
  /** Milliseconds; FOREVER: without end; 0: not at all. */
  readonly timeout: number;
  /** Called when its time is up; answers the error. Without it: ETIMEDOUT. */
  readonly expired?: () => SystemError;
  /** Whether who asked is still there. What takes something away for good is not answered to the dead. */
  readonly isAlive?: () => boolean;
}

interface Waiting {
  readonly place: Place;
  readonly deadline: number;
  /** True when it has been answered. */
  attempt(): boolean;
  expire(): void;
  fail(error: SystemError): void;
}

/** Where requests wait. */
export class Place {
  readonly waiting = new Set<Waiting>();
}

/** All that wait. */
export class WaitingRequests {
  private readonly all = new Set<Waiting>();
  /** No deadline is earlier. It may be too early itself: that of a request which has been answered. */
  private earliest = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.all.size;
  }

  /**
   * Answers a request as soon as an attempt succeeds; the first one is made now. Throws SystemError: what the attempt
   * throws; EAGAIN: it must not wait, or too many do.
   */
  answer<A>(
    context: Pick<RequestContext, 'later'>,
    place: Place,
    terms: Terms,
    now: number,
    attempt: Attempt<A>,
  ): A | typeof LATER {
    const answer = attempt();
    if (answer !== WAIT) return answer;
    if (terms.timeout === 0) throw new SystemError('EAGAIN', 'it would have to wait');
    if (place.waiting.size >= MAX_WAITING_AT_PLACE || this.all.size >= MAX_WAITING)
      throw new SystemError('EAGAIN', 'too many requests wait');
    return context.later<A>((deferred) => this.add(place, terms, now, attempt, deferred));
  }

  private add<A>(place: Place, terms: Terms, now: number, attempt: Attempt<A>, deferred: Deferred<A>): void {
    const deadline = terms.timeout === FOREVER ? Number.POSITIVE_INFINITY : now + terms.timeout;
    const expired = terms.expired ?? (() => new SystemError('ETIMEDOUT', 'its time is up'));
    const waiting: Waiting = {
      place,
      deadline,
      attempt: () => settle(deferred, terms.isAlive?.() === false ? nobodyAsks : attempt),
      expire: () => deferred.fail(expired()),
      fail: (error) => deferred.fail(error),
    };
    place.waiting.add(waiting);
    this.all.add(waiting);
    this.earliest = Math.min(this.earliest, deadline);
  }

  /** Something has changed at a place. */
  changed(place: Place): void {
    for (const waiting of [...place.waiting]) if (waiting.attempt()) this.remove(waiting);
  }

  /** A place is gone: who waits there gets an error. */
  end(place: Place, error: SystemError): void {
    for (const waiting of [...place.waiting]) {
      this.remove(waiting);
      waiting.fail(error);
    }
  }

  private remove(waiting: Waiting): void {
    waiting.place.waiting.delete(waiting);
    this.all.delete(waiting);
    if (this.all.size === 0) this.earliest = Number.POSITIVE_INFINITY;
  }

  /** Ends those whose time is up. */
  advance(now: number): void {
    if (now < this.earliest) return;
    this.earliest = Number.POSITIVE_INFINITY;
    for (const waiting of [...this.all]) {
      if (waiting.deadline <= now) {
        this.remove(waiting);
        waiting.expire();
      } else this.earliest = Math.min(this.earliest, waiting.deadline);
    }
  }

  /** When `advance` has something to do, at the earliest; Infinity: never. */
  deadline(): number {
    return this.earliest;
  }
}

function nobodyAsks(): never {
  throw new SystemError('ECONNABORTED', 'who asked is gone');
}

function settle<A>(deferred: Deferred<A>, attempt: Attempt<A>): boolean {
  try {
    const answer = attempt();
    if (answer === WAIT) return false;
    deferred.reply(answer);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    deferred.fail(error);
  }
  return true;
}
