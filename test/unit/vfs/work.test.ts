/** Work in steps: those that end at once, later, with an error, or cannot begin, wherever in the work that happens. */
import { describe, expect, it } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import type { Outcome } from '../../../services/lib/index.ts';
import { Gate, MAX_WAITING } from '../../../services/vfs/mount.ts';
import { type Step, start, type Work, wait } from '../../../services/vfs/work.ts';

const error = new SystemError('EAGAIN', 'not now');

/** Steps that end later, when `letThemEnd` is called. */
const later: (() => void)[] = [];
const letThemEnd = (): void => {
  for (let end = later.shift(); end !== undefined; end = later.shift()) end();
};

const steps: Record<string, Step<string>> = {
  'ends at once': (done) => done({ ok: true, value: 'a' }),
  'ends later': (done) => later.push(() => done({ ok: true, value: 'a' })),
  'fails at once': (done) => done({ ok: false, error }),
  'fails later': (done) => later.push(() => done({ ok: false, error })),
  'cannot begin': () => {
    throw error;
  },
};

/** What each step comes to, in work that goes on after errors. */
function* tried(...names: string[]): Work<string[]> {
  const ends: string[] = [];
  for (const name of names) {
    try {
      ends.push(yield* wait(steps[name] as Step<string>));
    } catch (thrown) {
      ends.push((thrown as Error).message);
    }
  }
  return ends;
}

describe('work', () => {
  const names = Object.keys(steps);
  const pairs = names.flatMap((first) => names.map((second) => [first, second] as const));
  const endOf = (name: string): string => (name.startsWith('ends') ? 'a' : error.message);

  it.each(pairs)('is told how each step ended: one that %s, then one that %s', (first, second) => {
    const outcomes: Outcome<string[]>[] = [];
    start(tried(first, second), (outcome) => outcomes.push(outcome));
    letThemEnd();
    expect(outcomes).toEqual([{ ok: true, value: [endOf(first), endOf(second)] }]);
  });

  it('ends with the error that it does not catch', () => {
    const outcomes: Outcome<string>[] = [];
    for (const name of ['fails later', 'cannot begin']) {
      start(wait(steps[name] as Step<string>), (outcome) => outcomes.push(outcome));
      letThemEnd();
    }
    expect(outcomes).toEqual([
      { ok: false, error },
      { ok: false, error },
    ]);
  });

  it('goes on through thousands of steps that end at once', () => {
    let outcome: Outcome<string[]> | undefined;
    start(tried(...Array.from({ length: 20_000 }, () => 'ends at once')), (end) => {
      outcome = end;
    });
    expect(outcome).toMatchObject({ ok: true });
  });

  it('is refused at a gate where too many wait, also when it has waited for something else before', () => {
    const gate = new Gate(true);
    function* through(): Work<void> {
      yield* wait(steps['ends later'] as Step<string>);
      yield* wait<void>((done) => gate.wait(() => done({ ok: true, value: undefined })));
    }
    const outcomes: Outcome<void>[] = [];
    for (let i = 0; i < MAX_WAITING + 2; i++) start(through(), (outcome) => outcomes.push(outcome));
    letThemEnd();
    expect(outcomes.map((outcome) => !outcome.ok && outcome.error.code)).toEqual(['EAGAIN', 'EAGAIN']);
    gate.open();
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(MAX_WAITING);
  });
});
