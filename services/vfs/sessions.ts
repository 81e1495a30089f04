/**
 * Sessions: rights to `vfs` that have a working directory each. They are kept in the recovery store, and end when
 * nobody has the right any more.
 */
import { SystemError } from '../../protocol/errno.ts';
import { type Infer, record, u16, u32 } from '../../protocol/schema.ts';
import { path } from '../../protocol/vfs.ts';
import { badgeKind, badgeOf, kindOf, restOf } from './badges.ts';
import { isInside } from './mount-table.ts';

/** Sessions at the same time. */
export const MAX_SESSIONS = 1024;

const GENERATIONS = 2 ** 14;

/** What is kept of a session; `owner` is the task that made it or moved it last. */
const kept = record({ slot: u16, generation: u16, owner: u32, directory: path });
type Session = Infer<typeof kept>;

/** How sessions are kept. */
export interface SessionEffects {
  /** Throws SystemError ENOSPC. */
  save(slot: number, state: unknown): void;
  forget(slot: number): void;
}

const badgeFor = ({ slot, generation }: Session): number =>
  badgeOf(badgeKind.SESSION, generation * MAX_SESSIONS + slot);

/** See the head of this file. */
export class Sessions {
  private readonly effects: SessionEffects;
  private readonly sessions = new Map<number, Session>();
  private readonly free: number[] = [];
  private generation = 0;
  private slots = 0;

  constructor(effects: SessionEffects) {
    this.effects = effects;
  }

  get size(): number {
    return this.sessions.size;
  }

  /** Badges of all sessions. */
  get badges(): number[] {
    return [...this.sessions.values()].map(badgeFor);
  }

  /** Takes up the sessions of an earlier incarnation. Throws SystemError EINVAL. */
  restore(states: Iterable<unknown>): void {
    for (const state of states) {
      const session = kept.fromWire(state, []);
      this.sessions.set(session.slot, session);
      this.slots = Math.max(this.slots, session.slot + 1);
      this.generation = Math.max(this.generation, session.generation);
    }
    for (let slot = 0; slot < this.slots; slot++) if (!this.sessions.has(slot)) this.free.push(slot);
  }

  /**
   * Makes a session. `mint` makes the right, before anything is kept: a right that is lost then is told as gone. Throws
   * EAGAIN, ENOSPC.
   */
  create<R>(directory: string, owner: number, mint: (badge: number) => R): R {
    const slot = this.free.pop() ?? this.slots;
    if (slot >= MAX_SESSIONS) throw new SystemError('EAGAIN', `there are ${MAX_SESSIONS} sessions already`);
    this.slots = Math.max(this.slots, slot + 1);
    this.generation = (this.generation + 1) % GENERATIONS;
    const session: Session = { slot, generation: this.generation, owner, directory };
    try {
      const right = mint(badgeFor(session));
      this.save(session);
      this.sessions.set(slot, session);
      return right;
    } catch (error) {
      this.free.push(slot);
      throw error;
    }
  }

  /**
   * The directory that relative paths of a request begin at; `/` for a right without a session. Throws EBADF: it is
   * none to the name space.
   */
  directoryOf(badge: number): string {
    return badge === badgeKind.PLAIN ? '/' : this.find(badge).directory;
  }

  /** Throws EBADF: the right has no session. */
  setDirectory(badge: number, directory: string, owner: number): void {
    const session = this.find(badge);
    const { directory: oldDirectory, owner: oldOwner } = session;
    Object.assign(session, { directory, owner });
    try {
      this.save(session);
    } catch (error) {
      Object.assign(session, { directory: oldDirectory, owner: oldOwner });
      throw error;
    }
  }

  /** Nobody has the right with this badge any more. */
  noSenders(badge: number): void {
    const session = this.lookup(badge);
    if (session === undefined) return;
    this.sessions.delete(session.slot);
    this.free.push(session.slot);
    this.effects.forget(session.slot);
  }

  /** The tasks whose working directory is a directory or below it. */
  ownersInside(directory: string): number[] {
    const inside = [...this.sessions.values()].filter((session) => isInside(session.directory, directory));
    return [...new Set(inside.map(({ owner }) => owner))];
  }

  private lookup(badge: number): Session | undefined {
    if (kindOf(badge) !== badgeKind.SESSION) return undefined;
    const session = this.sessions.get(restOf(badge) % MAX_SESSIONS);
    return session !== undefined && badgeFor(session) === badge ? session : undefined;
  }

  private find(badge: number): Session {
    const session = this.lookup(badge);
    if (session === undefined) throw new SystemError('EBADF', 'this right has no working directory');
    return session;
  }

  private save(session: Session): void {
    this.effects.save(session.slot, kept.toWire(session, []));
  }
}
