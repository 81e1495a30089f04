/**
 * Work in several steps of which each may take long, written down in one piece: a generator that yields what it waits
 * for. This process must not block, and there is no event loop that would run promises; so steps end by calling back.
 */
import { SystemError } from '../../protocol/errno.ts';
import { LATER, type Outcome, type RequestContext } from '../lib/index.ts';

/** Something that ends later, or at once, by calling `done` once; or at once by throwing SystemError. */
export type Step<T> = (done: (outcome: Outcome<T>) => void) => void;

/** Work that answers an R. */
export type Work<R> = Generator<Step<unknown>, R, Outcome<unknown>>;

/** Waits for a step: `const value = yield* wait(step)`. Throws its SystemError. */
export function* wait<T>(step: Step<T>): Work<T> {
  const outcome = yield step as Step<unknown>;
  if (!outcome.ok) throw outcome.error;
  return outcome.value as T;
}

/** Runs work from step to step. */
export function start<R>(work: Work<R>, done: (outcome: Outcome<R>) => void): void {
  let next = advance(work);
  const goOn = (): void => {
    while (!('ok' in next)) {
      // A step that ends at once must not go deeper into the stack.
      let ended: Outcome<unknown> | undefined;
      let returned = false;
      begin(next.step, (outcome) => {
        ended = outcome;
        if (!returned) return;
        next = advance(work, outcome);
        goOn();
      });
      returned = true;
      if (ended === undefined) return;
      next = advance(work, ended);
    }
    done(next);
  };
  goOn();
}

/** Begins a step. One that cannot begin, and throws SystemError, has ended with that. */
function begin(step: Step<unknown>, done: (outcome: Outcome<unknown>) => void): void {
  try {
    step(done);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    done({ ok: false, error });
  }
}

function advance<R>(work: Work<R>, outcome?: Outcome<unknown>): Outcome<R> | { readonly step: Step<unknown> } {
  try {
    const result = outcome === undefined ? work.next({ ok: true, value: undefined }) : work.next(outcome);
    return result.done === true ? { ok: true, value: result.value } : { step: result.value };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return { ok: false, error };
  }
}

/** Answers a request with what work comes to. The work may have handed the request on: then it answers LATER. */
export function answerLater<R>(context: RequestContext, work: Work<R | typeof LATER>): typeof LATER {
  return context.later<R>((deferred) => {
    start(work, (outcome) => {
      if (!outcome.ok) deferred.fail(outcome.error);
      else if (outcome.value !== LATER) deferred.reply(outcome.value as R);
    });
  });
}
