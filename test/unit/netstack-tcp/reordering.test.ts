/**
 * What the sender makes of segments that overtake each other, and of copies that nobody needed. The peer is made up,
 * segment by segment.
 */
import { describe, expect, it } from 'vitest';
import { Reordering } from '../../../services/netstack/tcp/reordering.ts';
import { type Range, Scoreboard } from '../../../services/netstack/tcp/scoreboard.ts';
import { Sender } from '../../../services/netstack/tcp/sender.ts';

const SEGMENT = 1000;
const ROUND_TRIP = 8;

/** A sender with ten segments under way, and what it sends from then on: the numbers of the segments. */
function begun(at = 100) {
  const sent: number[] = [];
  const sender = new Sender((start) => sent.push(start / SEGMENT), {
    ...{ retransmitted: 0, timeouts: 0, recoveries: 0, probes: 0 },
  });
  Object.assign(sender, { selective: true, unacknowledged: 0, next: 0, acceptable: 0, end: 1_000_000 });
  sender.begin(SEGMENT);
  sender.setWindow(1_000_000);
  sender.roundTrip.measured(ROUND_TRIP);
  sender.send(at);
  expect(sent).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const segments = (first: number, last: number): Range => ({ start: first * SEGMENT, end: (last + 1) * SEGMENT });
  /** An acknowledgement of the segments before `number`, with ranges, for what was sent at a time. */
  const acknowledge = (number: number, ranges: readonly Range[], sentAt: number, now: number): number[] => {
    sent.length = 0;
    const echoAge = Math.floor(now) - Math.floor(sentAt);
    sender.acknowledge({ position: number * SEGMENT, ranges, echoAge, bare: true }, now);
    sender.send(now);
    return sent.filter((segment) => segment < 10);
  };
  const wait = (now: number): number[] => {
    sent.length = 0;
    sender.runTimers(now);
    sender.send(now);
    return sent.filter((segment) => segment < 10);
  };
  return { sender, segments, acknowledge, wait };
}

describe('the time that reordering may take', () => {
  const roundTrip = { least: 40, smoothed: 50 };

  it('is a quarter of the least round trip at first, and grows up to a round trip', () => {
    const reordering = new Reordering();
    expect(reordering.window(roundTrip)).toBe(10);
    expect(reordering.window({ least: 0.2, smoothed: 0.3 })).toBe(1);
    const times = [1, 2, 3, 4].map(() => {
      reordering.wasNeedless();
      return reordering.window(roundTrip);
    });
    expect(times).toEqual([20, 40, 50, 50]);
  });

  it('is as at first after sixteen recoveries that were right', () => {
    const reordering = new Reordering();
    reordering.wasNeedless();
    for (let count = 0; count < 15; count++) reordering.wasRight();
    expect(reordering.window(roundTrip)).toBe(20);
    reordering.wasRight();
    expect(reordering.window(roundTrip)).toBe(10);
  });
});

describe('a segment that was overtaken', () => {
  it('is sent again after three others, as long as nothing is known of reordering', () => {
    const { acknowledge, segments } = begun();
    expect(acknowledge(0, [segments(1, 2)], 100, 108)).toEqual([]);
    expect(acknowledge(0, [segments(1, 3)], 100, 108.1)).toEqual([0]);
  });

  it('was no loss when the first copy is acknowledged: the window is as before', () => {
    const { sender, acknowledge, segments } = begun();
    const { window } = sender.congestion;
    expect(acknowledge(0, [segments(1, 3)], 100, 108.1)).toEqual([0]);
    expect(sender.congestion.window).toBeLessThan(window);
    acknowledge(4, [], 100, 109);
    expect(sender.congestion.window).toBeGreaterThanOrEqual(window);
  });

  it('is waited for from then on, for a time', () => {
    const { acknowledge, segments, wait } = begun();
    acknowledge(0, [segments(1, 3)], 100, 108.1);
    acknowledge(4, [], 100, 109);
    expect(acknowledge(4, [segments(5, 8)], 100, 109.5)).toEqual([]);
    // Twice the quarter of a round trip, behind what came when.
    expect(wait(112)).toEqual([]);
    expect(wait(114)).toEqual([4]);
  });

  it('is known to be late when it comes without having been sent again', () => {
    const { acknowledge, segments } = begun();
    acknowledge(0, [segments(1, 2)], 100, 108);
    acknowledge(3, [], 100, 108.5);
    expect(acknowledge(3, [segments(4, 8)], 100, 109)).toEqual([]);
  });

  it('says nothing about the order when one acknowledgement tells of all', () => {
    const { acknowledge, segments } = begun();
    acknowledge(2, [segments(3, 4)], 100, 108);
    expect(acknowledge(2, [segments(3, 6)], 100, 109)).toEqual([2]);
  });

  it('is not what the peer reports anew after a time-out', () => {
    const board = new Scoreboard();
    for (let number = 0; number < 5; number++) board.add(number * SEGMENT, (number + 1) * SEGMENT, 100);
    const ranges = [{ start: SEGMENT, end: 3 * SEGMENT }];
    board.begin();
    board.report(ranges, 108, ROUND_TRIP);
    board.allAreLost();
    board.begin();
    board.report(ranges, 1101, ROUND_TRIP);
    expect(board.reordered).toBe(false);
    board.begin();
    board.acknowledge(SEGMENT, 1108, ROUND_TRIP);
    expect(board.reordered).toBe(true);
  });

  it('was no loss when the peer reports that it has come twice (RFC 2883)', () => {
    const { sender, acknowledge, segments } = begun();
    const { window } = sender.congestion;
    expect(acknowledge(0, [segments(1, 3)], 100, 108.1)).toEqual([0]);
    // The second copy is faster, then the first comes.
    acknowledge(10, [], 108.1, 116.5);
    expect(sender.congestion.window).toBeLessThan(window);
    acknowledge(10, [segments(0, 0)], 108.1, 117);
    expect(sender.congestion.window).toBeGreaterThanOrEqual(window);
  });
});

describe('what came twice though nothing was sent twice', () => {
  it('changes nothing: the net has doubled it', () => {
    const { sender, acknowledge, segments } = begun();
    acknowledge(1, [], 100, 108);
    const { window } = sender.congestion;
    acknowledge(1, [segments(0, 0)], 100, 108.2);
    expect(sender.congestion.window).toBe(window);
    expect(acknowledge(1, [segments(2, 4)], 100, 109)).toEqual([1]);
  });
});

describe('what the net has doubled', () => {
  it('does not make a loss needless', () => {
    const { sender, acknowledge, segments } = begun();
    expect(acknowledge(0, [segments(1, 3)], 100, 108.1)).toEqual([0]);
    acknowledge(10, [], 108.1, 116.5);
    const { window } = sender.congestion;
    acknowledge(10, [segments(2, 2)], 108.1, 117);
    expect(sender.congestion.window).toBe(window);
  });
});

describe('a recovery whose first segment is acknowledged', () => {
  it.each([108.1, 108.5, 108.93])(
    'was right when the acknowledged copy is the second, in the same millisecond or later (%d)',
    (at) => {
      const { sender, acknowledge, segments } = begun();
      acknowledge(0, [segments(1, 3)], 100, at);
      const { window } = sender.congestion;
      acknowledge(10, [], at, at + 7.6);
      expect(sender.congestion.window).toBeLessThanOrEqual(window + SEGMENT);
    },
  );

  it('was right after a time-out, too', () => {
    for (const at of [1100.1, 1100.9]) {
      const { sender, acknowledge, wait } = begun();
      wait(at);
      expect(sender.congestion.window).toBe(SEGMENT);
      acknowledge(1, [], at, at + 8.2);
      expect(sender.congestion.window).toBeLessThanOrEqual(2 * SEGMENT);
    }
  });
});
