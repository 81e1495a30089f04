/**
 * The way to the card: what is under way, what waits, what is dropped; a driver that dies, is given up, refuses, or
 * comes back.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import { framesOf, MAX_FRAMES, type PlacedFrames } from '../../../protocol/net.ts';
import type { Handle } from '../../../protocol/schema.ts';
import type { Outcome } from '../../../services/lib/asynchronous.ts';
import {
  type Card,
  Link,
  MAX_BATCHES_UNDER_WAY,
  MAX_QUEUED_FRAMES,
  type OpenCard,
} from '../../../services/netstack/service/link.ts';
import { placed } from '../../support/frames.ts';

const description: Card = {
  name: 'ne0',
  model: 'NE2000',
  address: Buffer.alloc(6, 2),
  mtu: 1500,
  ioPort: 0x300,
  irq: 9,
  link: true,
};

type Done<A> = (outcome: Outcome<A>) => void;
const failed = (code: 'EIO' | 'EPERM' | 'EBUSY' | 'ETIMEDOUT'): { ok: false; error: SystemError } => ({
  ok: false,
  error: new SystemError(code),
});

let now: number;
let link: Link;
let searches: Done<Handle>[];
let opens: Done<{ card: OpenCard; description: Card }>[];
let receives: Done<PlacedFrames>[];
let batches: { frames: Uint8Array[]; done: Done<void> }[];
let filters: boolean[];
let events: string[];
let closed: number;

const card = (): OpenCard => ({
  receive: (done) => void receives.push(done),
  transmit: (batch, done) => void batches.push({ frames: framesOf(batch).map((frame) => Buffer.from(frame)), done }),
  setFilter: ({ promiscuous }, done) => {
    filters.push(promiscuous);
    done({ ok: true, value: undefined });
  },
  close: () => void closed++,
});

function open(): void {
  searches.shift()?.({ ok: true, value: 5 as Handle });
  opens.shift()?.({ ok: true, value: { card: card(), description } });
}

const putFrames = (count: number): boolean[] =>
  Array.from({ length: count }, (_, index) => link.put(Buffer.alloc(60, index), true));

beforeEach(() => {
  now = 1000;
  [searches, opens, receives, batches, filters, events] = [[], [], [], [], [], []];
  closed = 0;
  link = new Link({
    now: () => now,
    findDriver: (done) => void searches.push(done),
    open: (_port, done) => void opens.push(done),
    log: (text, level) => void events.push(`${level}: ${text}`),
    opened: ({ name }) => void events.push(`opened ${name}`),
    lost: () => void events.push('lost'),
    received: (frames) => void events.push(`received ${frames.length}`),
  });
  link.start();
});

describe('the way to the card', () => {
  it('keeps one request for frames under way, and asks anew when it has sent what it has to send', () => {
    expect([searches.length, link.isOpen]).toEqual([1, false]);
    open();
    expect(link.isOpen).toBe(true);
    expect(events.at(-1)).toBe('opened ne0');
    expect(receives).toHaveLength(1);
    receives.shift()?.({ ok: true, value: placed([Buffer.alloc(60), Buffer.alloc(60)]) });
    expect(events.at(-1)).toBe('received 2');
    expect(receives).toHaveLength(0);
    link.flush();
    expect(receives).toHaveLength(1);
    link.flush();
    expect(receives).toHaveLength(1);
    receives.shift()?.({ ok: true, value: placed([]) });
    link.flush();
    expect(events.filter((event) => event.startsWith('received'))).toHaveLength(1);
    expect(receives).toHaveLength(1);
  });

  it('sends batches, so many under way, and in order', () => {
    open();
    putFrames(3 * MAX_FRAMES + 1);
    expect(batches).toHaveLength(0);
    link.flush();
    expect(batches.map(({ frames }) => frames.length)).toEqual(Array(MAX_BATCHES_UNDER_WAY).fill(MAX_FRAMES));
    batches.shift()?.done({ ok: true, value: undefined });
    link.flush();
    batches.shift()?.done({ ok: true, value: undefined });
    link.flush();
    expect(batches.map(({ frames }) => frames.length)).toEqual([MAX_FRAMES, 1]);
    expect(batches[1]?.frames[0]?.[0]).toBe(3 * MAX_FRAMES);
  });

  it('has half of a batch for streams, and half for everything else, as far as there is enough of both', () => {
    const kinds = (): number[] => {
      link.flush();
      const counts = batches.map(({ frames }) => frames.filter(([kind]) => kind === 1).length);
      for (const { done } of batches.splice(0)) done({ ok: true, value: undefined });
      return counts;
    };
    const put = (ofStream: boolean, count: number): void => {
      for (let each = 0; each < count; each++) link.put(Buffer.alloc(60, ofStream ? 1 : 0), ofStream);
    };
    open();
    put(false, MAX_QUEUED_FRAMES + 1);
    expect([link.figures.dropped, link.hasRoom]).toEqual([1, true]);
    put(true, MAX_FRAMES);
    expect(kinds()).toEqual([MAX_FRAMES / 2, MAX_FRAMES / 2]);
    put(true, 1);
    expect(kinds()).toEqual([1, 0]);
    while (link.hasToFlush) kinds();
    put(true, MAX_FRAMES);
    put(false, 3);
    expect(kinds()).toEqual([MAX_FRAMES - 3, 3]);
  });

  it('tells streams to wait before it drops anything, and not at all without a card', () => {
    putFrames(MAX_QUEUED_FRAMES);
    expect(link.hasRoom).toBe(true);
    open();
    expect(link.hasRoom).toBe(false);
    while (link.hasToFlush) {
      link.flush();
      for (const { done } of batches.splice(0)) done({ ok: true, value: undefined });
    }
    expect([link.hasRoom, link.figures.dropped]).toEqual([true, 0]);
  });

  it('drops and counts what finds no room, and sends what waited when the card opens', () => {
    const put = putFrames(MAX_QUEUED_FRAMES + 3);
    expect(put.filter((taken) => !taken)).toHaveLength(3);
    expect(link.figures.dropped).toBe(3);
    link.flush();
    expect(batches).toHaveLength(0);
    open();
    link.flush();
    expect(batches[0]?.frames).toHaveLength(MAX_FRAMES);
  });

  it('begins anew when a call fails, later and later, and complains once', () => {
    open();
    putFrames(2 * MAX_FRAMES + 8);
    link.flush();
    receives.shift()?.(failed('EIO'));
    expect([link.isOpen, closed, events.at(-1)]).toEqual([false, 1, 'lost']);
    // What ends after that means nothing.
    for (const batch of batches) batch.done(failed('EIO'));
    expect(link.figures.failed).toBe(0);
    const delays: number[] = [];
    for (let round = 0; round < 12; round++) {
      delays.push(link.deadline() - now);
      link.advance(link.deadline() - 1);
      expect(searches).toHaveLength(0);
      now = link.deadline();
      link.advance(now);
      expect(searches).toHaveLength(1);
      searches.shift()?.(failed('EIO'));
    }
    expect(delays.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(delays.at(-1)).toBe(60_000);
    expect(events.filter((event) => event.startsWith('warning: there is no driver'))).toHaveLength(1);
    now = link.deadline();
    link.advance(now);
    open();
    expect(link.isOpen).toBe(true);
    link.flush();
    expect(batches.at(-1)?.frames).toHaveLength(8);
    receives.at(-1)?.({ ok: true, value: placed([]) });
    batches.at(-1)?.done(failed('ETIMEDOUT'));
    expect(link.figures.failed).toBe(8);
    expect(link.deadline() - now).toBe(100);
  });

  it('gives up where the manifest does not allow it', () => {
    searches.shift()?.(failed('EPERM'));
    expect(link.isHopeful).toBe(false);
    expect(link.deadline()).toBe(Number.POSITIVE_INFINITY);
    expect(events.at(-1)).toMatch(/^error: there is no driver of the network card: EPERM/);
  });

  it('tries again while somebody else has the card, and gives a card up that is opened too late', () => {
    searches.shift()?.({ ok: true, value: 5 as Handle });
    expect(link.isHopeful).toBe(true);
    opens.shift()?.(failed('EBUSY'));
    // An earlier incarnation of this service may have had it until now.
    expect(link.isHopeful).toBe(true);
    expect(events.at(-1)).toMatch(/^warning: the network card cannot be opened: EBUSY/);
    now = link.deadline();
    link.advance(now);
    searches.shift()?.({ ok: true, value: 5 as Handle });
    const [late] = opens.splice(0);
    link.start();
    late?.({ ok: true, value: { card: card(), description } });
    expect([closed, link.isOpen]).toEqual([1, false]);
    open();
    expect(link.isOpen).toBe(true);
  });

  it('asks for all frames when somebody watches, also of a card that is opened later', () => {
    open();
    link.setPromiscuous(true);
    link.setPromiscuous(true);
    expect(filters).toEqual([true]);
    receives.shift()?.(failed('EIO'));
    now = link.deadline();
    link.advance(now);
    open();
    expect(filters).toEqual([true, true]);
    link.setPromiscuous(false);
    expect(filters).toEqual([true, true, false]);
  });
});
