import { describe, expect, it } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import { badgeKind, badgeOf, kindOf } from '../../../services/vfs/badges.ts';
import { MAX_SESSIONS, Sessions } from '../../../services/vfs/sessions.ts';

function make(store = new Map<number, unknown>()) {
  const effects = {
    full: false,
    save: (slot: number, state: unknown) => {
      if (effects.full) throw new SystemError('ENOSPC');
      store.set(slot, structuredClone(state));
    },
    forget: (slot: number) => store.delete(slot),
  };
  const sessions = new Sessions(effects);
  sessions.restore([...store.values()]);
  return { sessions, store, effects };
}

const same = (badge: number): number => badge;

describe('sessions', () => {
  it('have a working directory each, which outlives their server', () => {
    const { sessions, store } = make();
    const first = sessions.create('/', 7, same);
    const second = sessions.create('/a', 8, same);
    sessions.setDirectory(second, '/b/ä', 9);
    expect(kindOf(first)).toBe(badgeKind.SESSION);
    const next = make(store).sessions;
    expect([next.directoryOf(first), next.directoryOf(second), next.directoryOf(0)]).toEqual(['/', '/b/ä', '/']);
    expect([next.ownersInside('/b'), next.ownersInside('/'), next.ownersInside('/c')]).toEqual([[9], [7, 9], []]);
    const third = next.create('/', 7, same);
    expect(new Set([first, second, third]).size).toBe(3);
  });

  it('end with their right, and refuse what has none', () => {
    const { sessions, store } = make();
    const badge = sessions.create('/x', 7, same);
    sessions.noSenders(badge);
    sessions.noSenders(badge);
    expect([sessions.size, store.size]).toEqual([0, 0]);
    for (const given of [badge, badgeOf(badgeKind.PIPE, 0), 1]) {
      expect(() => sessions.directoryOf(given)).toThrow('EBADF');
      expect(() => sessions.setDirectory(given, '/', 1)).toThrow('EBADF');
    }
    const reused = sessions.create('/y', 7, same);
    expect(() => sessions.directoryOf(badge)).toThrow('EBADF');
    sessions.noSenders(badge);
    expect(sessions.directoryOf(reused)).toBe('/y');
  });

  it('are bounded in number, and as before when they cannot be kept', () => {
    const { sessions, effects } = make();
    const badge = sessions.create('/x', 7, same);
    for (let count = 1; count < MAX_SESSIONS; count++) sessions.create('/', 7, same);
    expect(() => sessions.create('/', 7, same)).toThrow('EAGAIN');
    effects.full = true;
    expect(() => sessions.setDirectory(badge, '/y', 8)).toThrow('ENOSPC');
    expect(sessions.directoryOf(badge)).toBe('/x');
  });

  it('leave nothing behind when they cannot be kept', () => {
    const { sessions, effects } = make();
    effects.full = true;
    expect(() => sessions.create('/', 7, same)).toThrow('ENOSPC');
    effects.full = false;
    expect([sessions.size, sessions.create('/z', 7, same) > 0, sessions.size]).toEqual([0, true, 1]);
  });
});
