/**
 * What programs see that watch the network (`capture` in protocol/network.ts): packets as they go by, up to a length,
 * in a bounded buffer each. Who watches what survives a restart; packets that were not asked for yet do not.
 */
import { SystemError } from '../../../protocol/errno.ts';
import type { LATER, Reply } from '../../../protocol/interface.ts';
import { type capture, MAX_CAPTURED_BYTES, MAX_CAPTURED_PACKETS } from '../../../protocol/network.ts';
import { nameText, nullable, record, u16, u32, u53 } from '../../../protocol/schema.ts';
import type { RequestContext } from '../../lib/index.ts';
import type { Requester, TableKeeper } from './socket-table.ts';
import { Place, WAIT, type WaitingRequests } from './waiting.ts';

/** Captures at the same time. */
export const MAX_CAPTURES = 4;

/** Packets that wait in one of them to be asked for. */
export const MAX_BUFFERED_PACKETS = 1024;

/** Top byte of the badges of captures. */
export const CAPTURE_BADGE_KIND = 2;

const GENERATIONS = 2 ** 16;
const KEY_PREFIX = 'capture.';

const keptCapture = record({ generation: u16, interface: nullable(nameText), length: u16, pid: u32, sequence: u53 });

type Received = Reply<typeof capture.methods.receive>;

class Capture {
  readonly badge: number;
  readonly interface: string | null;
  readonly length: number;
  readonly by: Requester;
  readonly place = new Place();
  packets: Received['packets'] = [];
  dropped = 0;

  constructor(badge: number, interfaceName: string | null, length: number, by: Requester) {
    this.badge = badge;
    this.interface = interfaceName;
    this.length = length;
    this.by = by;
  }
}

/** See the head of this file. */
export class Captures {
  private readonly keeper: TableKeeper;
  private readonly waiting: WaitingRequests;
  private readonly slots: (Capture | null)[] = new Array<Capture | null>(MAX_CAPTURES).fill(null);
  private generation = 0;

  /** Takes up what an earlier incarnation kept. */
  constructor(keeper: TableKeeper, waiting: WaitingRequests) {
    this.keeper = keeper;
    this.waiting = waiting;
    for (let slot = 0; slot < MAX_CAPTURES; slot++) {
      const wire = keeper.get(KEY_PREFIX + slot);
      if (wire === undefined) continue;
      const kept = keptCapture.fromWire(wire, []);
      this.generation = Math.max(this.generation, kept.generation);
      const by = { sender: kept.pid, sequence: kept.sequence };
      this.slots[slot] = new Capture(badgeOf(slot, kept.generation), kept.interface, kept.length, by);
    }
  }

  /** Whether anybody watches. */
  get isWatching(): boolean {
    return this.slots.some((slot) => slot !== null);
  }

  get badges(): number[] {
    return this.slots.flatMap((slot) => (slot === null ? [] : [slot.badge]));
  }

  /**
   * Begins to watch an interface (null: all); answers the badge. A request that comes again gets what it got. Throws
   * SystemError EMFILE.
   */
  add(interfaceName: string | null, length: number, by: Requester): number {
    const known = this.slots.find((slot) => slot?.by.sender === by.sender && slot.by.sequence === by.sequence);
    if (known) return known.badge;
    const slot = this.slots.indexOf(null);
    if (slot < 0) throw new SystemError('EMFILE', `${MAX_CAPTURES} captures are going on`);
    this.generation = (this.generation + 1) % GENERATIONS;
    const { generation } = this;
    const kept = { generation, interface: interfaceName, length, pid: by.sender, sequence: by.sequence };
    this.keeper.put(KEY_PREFIX + slot, keptCapture.toWire(kept, []));
    const made = new Capture(badgeOf(slot, generation), interfaceName, length, by);
    this.slots[slot] = made;
    return made.badge;
  }

  /** Nobody watches through this badge any more. */
  remove(badge: number): void {
    const slot = this.slots.findIndex((candidate) => candidate?.badge === badge);
    const found = this.slots[slot];
    if (!found) return;
    this.slots[slot] = null;
    this.keeper.delete(KEY_PREFIX + slot);
    this.waiting.end(found.place, new SystemError('EBADF', 'the capture has ended'));
  }

  /** A packet goes by. `time`: milliseconds since 1970. */
  packet(interfaceName: string, data: Uint8Array, sent: boolean, time: number): void {
    for (const slot of this.slots) {
      if (slot === null || (slot.interface !== null && slot.interface !== interfaceName)) continue;
      if (slot.packets.length >= MAX_BUFFERED_PACKETS) slot.dropped++;
      else {
        const part = Uint8Array.from(data.subarray(0, Math.min(slot.length, MAX_CAPTURED_BYTES)));
        slot.packets.push({ time, sent, length: Math.min(data.length, 0xffff), data: part });
      }
    }
  }

  /** Answers who waits, with all that has gone by in this turn. */
  serve(): void {
    for (const slot of this.slots) if (slot !== null && slot.packets.length > 0) this.waiting.changed(slot.place);
  }

  /** The method `receive`. Throws SystemError: EBADF, EAGAIN. */
  receive(context: RequestContext, timeout: number, now: number): Received | typeof LATER {
    const found = this.slots.find((slot) => slot?.badge === context.badge);
    if (!found) throw new SystemError('EBADF', 'not a capture');
    return this.waiting.answer<Received>(context, found.place, { timeout }, now, () => {
      if (found.packets.length === 0) return WAIT;
      const answer = { dropped: found.dropped, packets: found.packets.slice(0, MAX_CAPTURED_PACKETS) };
      found.packets = found.packets.slice(MAX_CAPTURED_PACKETS);
      found.dropped = 0;
      return answer;
    });
  }
}

function badgeOf(slot: number, generation: number): number {
  return CAPTURE_BADGE_KIND * 2 ** 24 + generation * MAX_CAPTURES + slot;
}
