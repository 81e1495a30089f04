/** What a server that gathers requests takes before it finishes them. */
import { describe, expect, it } from 'vitest';
import { type Gathering, Inbox, MAX_GATHERED } from '../../../services/lib/inbox.ts';
import type { Message } from '../../../services/lib/index.ts';

/** Messages that are there at once, as many as are asked for. */
function busy(gathering: Gathering | undefined) {
  const seen: string[] = [];
  const message = {} as Message;
  const inbox = new Inbox(
    gathering,
    () => {
      seen.push('took');
      return message;
    },
    () => {
      seen.push('waited');
      return message;
    },
  );
  return { inbox, seen };
}

describe('an inbox', () => {
  it('waits for each message while nothing is gathered', () => {
    const { inbox, seen } = busy(undefined);
    for (let count = 0; count < 3; count++) inbox.next();
    expect(seen).toEqual(['waited', 'waited', 'waited']);
  });

  it('takes what is there, but no more than a bound, however busy its clients are', () => {
    let pending = true;
    const finished: number[] = [];
    const { inbox, seen } = busy({
      get pending() {
        return pending;
      },
      full: false,
      finish: () => {
        finished.push(seen.length);
        pending = false;
      },
    });
    for (let count = 0; count <= MAX_GATHERED; count++) inbox.next();
    expect(finished).toEqual([MAX_GATHERED]);
    expect(seen.at(-1)).toBe('waited');
    // What is gathered next has the whole bound again.
    pending = true;
    for (let count = 0; count <= MAX_GATHERED; count++) inbox.next();
    expect(finished).toEqual([MAX_GATHERED, 2 * MAX_GATHERED + 1]);
  });

  it('finishes at once what is full, and what is there when nothing more comes', () => {
    let left = 2;
    const gathering = (full: boolean): Gathering => ({
      get pending() {
        return left > 0;
      },
      full,
      finish: () => {
        left--;
      },
    });
    const { inbox, seen } = busy(gathering(true));
    inbox.next();
    expect([left, seen]).toEqual([0, ['waited']]);
    left = 1;
    const quiet = new Inbox(
      gathering(false),
      () => undefined,
      () => ({}) as Message,
    );
    expect([quiet.next(), left]).toEqual([{}, 0]);
    left = 3;
    inbox.finish();
    expect(left).toBe(0);
  });
});
