/** Requests about an interface that come before the card has been found. */
import { describe, expect, it } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import { ARRIVAL_MS } from '../../../services/netstack/service/arrival.ts';
import type { Driver } from './host.ts';
import { addressOf, World } from './world.ts';

const change = (name: string) => ({
  ...{ interface: name, up: true, address: { address: addressOf(1), prefix: 24 }, dhcp: false },
});

/** A machine whose driver is found later, with a request of each kind under way. */
function early(driver: Driver, name = 'ne0') {
  const world = new World();
  const host = world.addFreshHost(driver);
  const requests = {
    configure: host.send('networkHandlers', 'configure', 0, change(name), 1),
    capture: host.send('networkHandlers', 'capture', 0, { interface: name, length: 100 }, 1),
  };
  world.settle();
  const outcomes = () => Object.values(requests).map(({ outcome }) => outcome && (outcome.ok || outcome.error.code));
  return { world, outcomes };
}

describe('a request about an interface before there is a card', () => {
  it('waits for the card', () => {
    const { world, outcomes } = early({ after: 1000, error: null });
    world.pass(999);
    expect(outcomes()).toEqual([null, null]);
    world.pass(2);
    expect(outcomes()).toEqual([true, true]);
  });

  it('learns that this is another card', () => {
    const { world, outcomes } = early({ after: 1000, error: null }, 'ne7');
    world.pass(1001);
    expect(outcomes()).toEqual(['ENODEV', 'ENODEV']);
  });

  it('fails at once when there is no driver', () => {
    const { world, outcomes } = early({ after: 500, error: new SystemError('EIO', 'given up') });
    world.pass(499);
    expect(outcomes()).toEqual([null, null]);
    world.pass(2);
    expect(outcomes()).toEqual(['ENODEV', 'ENODEV']);
  });

  it('fails when its time is up', () => {
    const { world, outcomes } = early({ after: 60_000, error: null });
    world.pass(ARRIVAL_MS - 1);
    expect(outcomes()).toEqual([null, null]);
    world.pass(2);
    expect(outcomes()).toEqual(['ENODEV', 'ENODEV']);
  });
});
