/**
 * Requests that the vector for the interrupt answers in the name of the driver: whatever comes between this and the
 * driver's next look, no frame is handed out twice or lost, and none is put into an answer that nobody waits for.
 */
import { describe, expect, it } from 'vitest';
import { Random } from '../../support/random.ts';
import { type Call, frame, type Machine, opened, received } from './machine.ts';

const numbers = (call: Call): number[] => call.frames.map((bytes) => bytes.readUInt32BE(14));

/** Does something the first time it is called. */
function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}

/** What a further request is answered, if need be with a frame that comes for it. */
function next(machine: Machine, badge: number): number[] {
  const call = machine.call('receive', undefined, badge);
  machine.settle();
  if (!call.answered) machine.arrive(frame(100, 3000));
  machine.settle();
  return numbers(call);
}

describe('a request that is answered without the driver', () => {
  it('keeps its frame for itself when another takes its place at the same time', () => {
    const { machine, badge } = opened();
    const first = machine.call('receive', undefined, badge);
    machine.settle();
    const second = machine.call('receive', undefined, badge);
    machine.afterLoad = once(() => machine.onTheWay.push(frame(100, 1)));
    machine.settle();
    expect(numbers(first)).toEqual([1]);
    expect(second.answered).toBe(false);
    machine.arrive(frame(100, 2));
    machine.settle();
    expect(numbers(second)).toEqual([2]);
    expect(machine.refused.every(({ crash }) => !crash)).toBe(true);
  });

  it.each([
    [4, 0],
    [5, 0],
    [4, 5],
    [4, 6],
    [5, 6],
    [4, 7],
  ])('is not answered while an overflow is dealt with (frames after %i and %i vectors)', (before, behind) => {
    const { machine, badge } = opened();
    machine.patient = false;
    machine.arrive(...Array.from({ length: 51 }, (_, index) => frame(100, index)));
    machine.afterVector = once(() => machine.onTheWay.push(frame(100, 900)));
    expect(received(machine, badge).length).toBe(51);
    machine.kill();
    const call = machine.call('receive', undefined, badge);
    let vectors = 0;
    machine.afterVector = () => {
      vectors++;
      if (vectors === before) machine.onTheWay.push(frame(100, 500));
      if (vectors === behind) machine.onTheWay.push(frame(100, 501));
    };
    machine.settle();
    machine.afterVector = null;
    const taken = call.answered ? numbers(call) : [];
    taken.push(...next(machine, badge));
    if (behind > 0) expect(taken.slice(0, 2)).toEqual([500, 501]);
    else expect(taken[0]).toBe(500);
    expect([machine.refused, machine.deaths]).toEqual([[], 1]);
  });

  it('is not given what came behind it by a notice of an earlier interrupt', () => {
    const { machine, badge } = opened();
    machine.call('receive', undefined, badge);
    machine.settle();
    const second = machine.call('receive', undefined, badge);
    machine.afterLoad = once(() => machine.onTheWay.push(frame(400, 1000)));
    // The first frame is damaged, so the second request waits on.
    let drains = 0;
    machine.onBlock = (target) => {
      if (target.length > 256 && drains++ === 0) target[0] = 0x03;
    };
    let vectors = 0;
    machine.afterVector = () => {
      if (++vectors === 3) machine.onTheWay.push(frame(100, 2000), frame(100, 2001));
    };
    machine.settle();
    machine.afterVector = null;
    machine.onBlock = null;
    const taken = second.answered ? numbers(second) : [];
    expect([...taken, ...next(machine, badge)].slice(0, 2)).toEqual([2000, 2001]);
  });

  it('is forgotten: another one with the same number is answered, too', () => {
    const { machine, badge } = opened();
    const first = machine.call('receive', undefined, badge, 7);
    machine.settle();
    machine.arrive(frame(100, 1));
    machine.settle();
    expect(first.answered).toBe(true);
    machine.driver.noSenders(badge);
    const other = machine.open(7 + 8192);
    const second = Object.assign(machine.call('receive', undefined, other, 7 + 8192), { sequence: first.sequence });
    machine.settle();
    machine.ask('statistics');
    machine.arrive(frame(400, 2));
    machine.settle();
    expect(numbers(second)).toEqual([2]);
  });
});

/** A random life of a card whose owner asks again while a request waits, and whose frames come at any time. */
function live(random: Random): { taken: number[]; last: number; refused: number } {
  const { machine, badge } = opened();
  const calls: Call[] = [];
  let count = 0;
  const come = (most: number): void => {
    for (let left = 1 + random.below(most); left > 0; left--)
      machine.onTheWay.push(frame(60 + random.below(random.below(2) === 0 ? 180 : 1455), ++count));
  };
  for (let step = 0; step < 40; step++) {
    machine.prompt = random.below(3) === 0;
    machine.afterVector = () => {
      if (random.below(9) === 0) come(2);
    };
    machine.afterLoad = () => {
      if (random.below(7) === 0) come(2);
    };
    const what = random.below(10);
    if (what < 4) calls.push(machine.call('receive', undefined, badge));
    else if (what < 7) come(random.below(10) === 0 ? 80 : 3);
    else if (what === 7) machine.call('statistics', undefined);
    else if (what === 8) machine.call('transmit', [frame(60 + random.below(400), 0)], badge);
    if (random.below(3) > 0) machine.settle();
  }
  machine.afterVector = null;
  machine.afterLoad = null;
  machine.settle();
  for (let turn = 0; turn < 200 && calls.every(({ answered }) => answered); turn++) {
    calls.push(machine.call('receive', undefined, badge));
    machine.settle();
  }
  machine.arrive(frame(80, ++count));
  machine.settle();
  const refused = machine.refused.filter(({ value }) => (value as { places: Uint8Array }).places.length > 0);
  return { taken: calls.flatMap((call) => (call.answered ? numbers(call) : [])), last: count, refused: refused.length };
}

describe('requests that take each other’s place', () => {
  it('are answered with every frame, once and in order', () => {
    for (let round = 0; round < 300; round++) {
      const random = new Random();
      const { taken, last, refused } = live(random);
      expect(taken, `seed ${random.seed}`).toEqual(Array.from({ length: last }, (_, index) => index + 1));
      expect(refused, `seed ${random.seed}`).toBe(0);
    }
  });
});
