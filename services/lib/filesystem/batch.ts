/**
 * Group commit, and once only. Requests that change something are carried out one after the other, and answered when
 * ONE commit has made all of them permanent; requests that only read are answered at once, unless what they would see
 * is not permanent yet. Requests to sync that wait together share one flush.
 *
 * A request that changes something is noted with its number in the same commit. When it comes again, because the
 * process died between commit and answer, it is not carried out again but answered from the note. One that comes again
 * is never put together with others: if it is what kills this process, the kernel has to see which one it was.
 */
import type { FileSystem, RequestResult } from '../../../filesystems/file-system.ts';
import { errno, errorName, SystemError } from '../../../protocol/errno.ts';
import { LATER } from '../../../protocol/interface.ts';
import type { Deferred, Gathering, RequestContext } from '../index.ts';

/** Requests that one commit is for at most. */
export const MAX_BATCH = 16;

/** What a request does. */
export interface Work<A> {
  /**
   * Carries out the change that is asked for and answers what was done, in one number or none; null: there was nothing
   * to change. Left out for what never changes anything.
   */
  readonly change?: () => RequestResult | null;
  /** Makes the answer, when the change is permanent: from those numbers, for this can be another incarnation. */
  readonly answer: (result: RequestResult | null) => A;
  /** What was written has to be on the medium before the answer. */
  readonly sync?: boolean;
  /** Opens a file. Until it is entered as open, its node must not lose its last name. */
  readonly opens?: boolean;
  /** Takes a name away. */
  readonly removes?: boolean;
}

/** What a batch knows of a request: its number, whether it comes again, and how to answer it later. */
export type Caller = Pick<RequestContext, 'sender' | 'sequence' | 'retry' | 'later'>;

/** A file system that requests are carried out on. */
type Core = Pick<FileSystem, 'note' | 'completed' | 'commit' | 'sync'>;

/**
 * Answers a request whose work threw something that is no error: a path that leads out, for example. What it does not
 * know it throws.
 */
export type Elsewhere<A> = (thrown: unknown) => A | typeof LATER;

/** First number of the note of a request that was refused; the errno follows. No result has two numbers. */
const REFUSED = 0;

function answerKnown<A>(known: RequestResult, work: Work<A>): A {
  const [, refusal] = known;
  if (refusal !== undefined) throw new SystemError(errorName(refusal));
  return work.answer(known);
}

interface Item {
  readonly core: Core | null;
  /** Nothing of it may be answered as done unless it is permanent. */
  readonly changed: boolean;
  readonly sync: boolean;
  fail(error: SystemError): void;
  answer(): void;
}

const rethrow = (thrown: unknown): never => {
  throw thrown;
};

/** See the head of this file. */
export class Batch implements Gathering {
  private items: Item[] = [];
  /** File systems with changes that are not permanent. */
  private changed = new Set<Core>();
  private opening = false;
  private alone = false;

  get pending(): boolean {
    return this.items.length > 0 || this.changed.size > 0;
  }

  get full(): boolean {
    return this.alone || this.items.length >= MAX_BATCH;
  }

  /** Something was changed that nobody waits for: it is made permanent with the rest. */
  touch(core: Core): void {
    this.changed.add(core);
  }

  /** Carries out a request; answers it at once or with the batch. Throws SystemError. */
  perform<A>(core: Core, caller: Caller, work: Work<A>, elsewhere: Elsewhere<A> = rethrow): A | typeof LATER {
    if (caller.retry || (this.opening && work.removes === true)) this.finish();
    try {
      const known = caller.retry && work.change !== undefined ? core.completed(caller) : undefined;
      if (known !== undefined) return answerKnown(known, work);
      const result = work.change?.() ?? null;
      if (result !== null) this.note(core, caller, result);
      const sync = work.sync === true;
      if (!sync && !this.changed.has(core)) return work.answer(result);
      if (work.opens === true) this.opening = true;
      return this.put(core, caller, { changed: result !== null, sync }, () => work.answer(result), elsewhere);
    } catch (thrown) {
      // A refusal, too, can be due to what is not permanent yet.
      if (!(thrown instanceof SystemError && this.changed.has(core))) return elsewhere(thrown);
      if (work.change !== undefined) this.note(core, caller, [REFUSED, errno[thrown.code]]);
      return this.put(core, caller, { changed: true, sync: false }, () => rethrow(thrown), rethrow);
    }
  }

  private note(core: Core, { sender, sequence, retry }: Caller, result: RequestResult): void {
    core.note({ sender, sequence }, result);
    this.changed.add(core);
    this.alone ||= retry;
  }

  /** Answers a request when no other message waits. */
  whenQuiet<A>(caller: Caller, answer: () => A): typeof LATER {
    return this.put(null, caller, { changed: false, sync: false }, answer, rethrow);
  }

  private put<A>(
    core: Core | null,
    caller: Caller,
    kind: Pick<Item, 'changed' | 'sync'>,
    answer: () => A,
    elsewhere: Elsewhere<A>,
  ): typeof LATER {
    return caller.later<A>((deferred) => {
      const fail = (error: SystemError): void => deferred.fail(error);
      this.items.push({ core, ...kind, fail, answer: () => answerLater(deferred, answer, elsewhere) });
    });
  }

  /** Makes everything permanent, with one commit and at most one flush for each file system, and answers. */
  finish(): void {
    const { items, changed } = this;
    this.items = [];
    this.changed = new Set();
    this.opening = false;
    this.alone = false;
    const unchanged = new Map<Core, SystemError>();
    for (const core of changed) attempt(core, unchanged, () => core.commit());
    const unsynced = new Map<Core, SystemError>();
    const toSync = new Set(items.flatMap(({ core, sync }) => (sync && core !== null ? [core] : [])));
    for (const core of toSync) attempt(core, unsynced, () => core.sync());
    for (const item of items) {
      const { core } = item;
      const failed = core === null ? undefined : errorOf(item, core, unchanged, unsynced);
      if (failed === undefined) item.answer();
      else item.fail(failed);
    }
  }
}

function errorOf(
  { changed, sync }: Item,
  core: Core,
  unchanged: ReadonlyMap<Core, SystemError>,
  unsynced: ReadonlyMap<Core, SystemError>,
): SystemError | undefined {
  return (changed || sync ? unchanged.get(core) : undefined) ?? (sync ? unsynced.get(core) : undefined);
}

function attempt(core: Core, errors: Map<Core, SystemError>, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    errors.set(core, error);
  }
}

function answerLater<A>(deferred: Deferred<A>, answer: () => A, elsewhere: Elsewhere<A>): void {
  try {
    let value: A | typeof LATER;
    try {
      value = answer();
    } catch (thrown) {
      value = elsewhere(thrown);
    }
    if (value !== LATER) deferred.reply(value as A);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    deferred.fail(error);
  }
}
