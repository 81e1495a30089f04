import { describe, expect, it } from 'vitest';
import { type Cable, type NetworkPort, NO_CABLE } from '../../../hw/network/cable.ts';
import { dropping } from '../../../hw/qtest/dropping-cable.ts';

describe('a cable that drops', () => {
  it('asks the card for each frame, and keeps none', () => {
    let plugged: NetworkPort | null = null;
    const inner: Cable = {
      ...NO_CABLE,
      connect: (port) => {
        plugged = port;
      },
    };
    let room = true;
    const frames: number[] = [];
    const cable = dropping(inner);
    cable.connect({ ready: () => room, receive: (frame) => frames.push(frame[0] ?? 0) });
    const port = plugged as NetworkPort | null;
    for (const [index, ready] of [true, false, true].entries()) {
      room = ready;
      expect(port?.ready()).toBe(true);
      port?.receive(Buffer.from([index]));
    }
    cable.receiveReady();
    expect(frames).toEqual([0, 2]);
  });
});
