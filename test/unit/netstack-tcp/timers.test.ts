/** Timers, and acknowledgements that come when one is due. */
import { describe, expect, it } from 'vitest';
import { Script } from './script.ts';

const MODERN = { windowShift: 0, selectivePermitted: true, segmentSize: 1460 } as const;

describe('a timer', () => {
  it('does nothing about what is acknowledged in the turn in which it is due', () => {
    for (const closes of [false, true]) {
      const script = Script.established();
      script.peer({ ack: 0, window: 0 });
      if (closes) script.our.closeSend();
      else script.write('x');
      script.turn();
      script.wait(script.layer.deadline() - script.now).seen();
      script.now = script.layer.deadline();
      script.peer({ ack: 1, window: 1000 });
      script.wait(400_000);
      expect(script.brief()).toEqual([]);
      expect(script.our.error).toBeNull();
    }
    const script = Script.established(MODERN);
    script.write(2920);
    script.now += 50;
    script.peer({ ack: 2920 });
    script.write(2920);
    script.now = script.layer.deadline() + 1;
    script.seen();
    script.peer({ ack: script.our.endOffset });
    script.wait(30_000);
    expect(script.brief()).toEqual([]);
    expect(script.layer.counters['tcp.timeouts']).toBe(0);
  });

  it('for what is sent again goes by the last time, when the answers to the first were lost', () => {
    const script = Script.established({ ...MODERN, timestamp: 1000 });
    script.peer({ at: 0, ack: 0, data: 'abc', timestamp: 2000, timestampEcho: script.lastTimestamp });
    script.wait(50).seen();
    script.peer({ at: 0, ack: 0, data: 'abc', timestamp: 9000, timestampEcho: script.lastTimestamp });
    expect(script.seen().map(({ timestampEcho }) => timestampEcho)).toEqual([9000]);
    // Older than a window: it may be anybody's.
    script.peer({ at: -100_000, ack: 0, data: 'abc', timestamp: 99_000, timestampEcho: script.lastTimestamp });
    expect(script.seen().map(({ timestampEcho }) => timestampEcho)).toEqual([9000]);
  });
});
