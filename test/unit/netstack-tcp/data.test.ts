/** Data, segment by segment: acknowledgements, windows, losses, timers. The rule is named with each. */
import { describe, expect, it } from 'vitest';
import { ANSWERED_ACKNOWLEDGEMENT_MS, DELAYED_ACKNOWLEDGEMENT_MS } from '../../../services/netstack/tcp/limits.ts';
import { Script } from './script.ts';

const MODERN = { windowShift: 0, selectivePermitted: true, segmentSize: 1460 } as const;

describe('receiving', () => {
  it('acknowledges what a reader has taken when two segments have come, and one after a delay', () => {
    const script = Script.established();
    script.peer({ at: 0, data: 1460 });
    script.read(0);
    expect(script.brief()).toEqual([]);
    script.peer({ at: 1460, data: 1460 });
    script.read(1460);
    expect(script.brief()).toEqual(['A 0+0 ack 2920']);
    script.peer({ at: 2920, data: 10 });
    script.read(2920);
    expect(script.brief()).toEqual([]);
    script.wait(DELAYED_ACKNOWLEDGEMENT_MS);
    expect(script.brief()).toEqual(['A 0+0 ack 2930']);
  });

  it('keeps what nobody takes before it acknowledges it', () => {
    const script = Script.established();
    script.peer({ at: 0, data: 'precious' });
    expect(script.brief()).toEqual([]);
    const kept = (): string[] => [...script.keeper.values.keys()].filter((key) => key.includes('.r.'));
    expect(kept()).toEqual([]);
    script.wait(DELAYED_ACKNOWLEDGEMENT_MS);
    expect(script.brief()).toEqual(['A 0+0 ack 8']);
    expect(kept()).toHaveLength(1);
    script.reboot();
    expect(script.read(0)).toEqual(Buffer.from('precious'));
    expect(script.read(8)).toBe('wait');
    expect(kept()).toEqual([]);
  });

  it('puts small pieces together under few keys', () => {
    const script = Script.established();
    for (let at = 0; at < 3000; at++) script.peer({ at, data: 'x' }).wait(DELAYED_ACKNOWLEDGEMENT_MS);
    const kept = [...script.keeper.values.keys()].filter((key) => key.includes('.r.'));
    expect(kept).toHaveLength(1);
    expect(script.read(0)).toEqual(Buffer.alloc(3000, 'x'));
  });

  it('answers at once what comes out of order, with the ranges that it has, newest first (RFC 2018)', () => {
    const script = Script.established(MODERN);
    script.peer({ at: 100, data: 100 });
    script.peer({ at: 300, data: 100 });
    script.peer({ at: 500, data: 100 });
    const blocks = script.seen().map((seen) => [seen.ack, seen.blocks]);
    expect(blocks).toEqual([
      [0, [[100, 200]]],
      [
        0,
        [
          [300, 400],
          [100, 200],
        ],
      ],
      [
        0,
        [
          [500, 600],
          [300, 400],
          [100, 200],
        ],
      ],
    ]);
    script.peer({ at: 0, data: 350 });
    const [again, newest] = [
      [100, 200],
      [500, 600],
    ];
    expect(script.seen()).toMatchObject([{ ack: 400, blocks: [again, newest] }]);
    expect(script.read(0)).toHaveLength(400);
  });

  it('puts an acknowledgement off for longer where its own answer is likely to carry it along', () => {
    const script = Script.established();
    const wait = DELAYED_ACKNOWLEDGEMENT_MS;
    script.peer({ at: 0, data: 'one' }).wait(wait);
    expect(script.brief()).toEqual(['A 0+0 ack 3']);
    script.write('answer');
    script.wait(0).seen();
    script.peer({ at: 3, data: 'two', ack: 6 }).wait(ANSWERED_ACKNOWLEDGEMENT_MS - 1);
    expect(script.brief()).toEqual([]);
    script.wait(1);
    expect(script.brief()).toEqual(['A 6+0 ack 6']);
    script.peer({ at: 6, data: 'three', ack: 6 }).wait(wait);
    expect(script.brief()).toEqual(['A 6+0 ack 11']);
  });

  it('reports what has come again, once, in front of the range that it lies in (RFC 2883)', () => {
    const script = Script.established(MODERN);
    script.peer({ at: 0, data: 100 });
    expect(script.read(0)).toHaveLength(100);
    script.wait(500);
    script.peer({ at: 300, data: 200 }).seen();
    // All of it, already acknowledged; a part of a segment with news; behind a gap; what lies across a gap, of which
    // the first stretch is named.
    script.peer({ at: 20, data: 50 });
    script.peer({ at: 350, data: 100 });
    script.peer({ at: 90, data: 20 });
    script.peer({ at: 100, data: 250 });
    script.peer({ at: 600, data: 10 });
    expect(script.seen().map((seen) => [seen.ack, ...seen.blocks.map((block) => block.join('-'))])).toEqual([
      [100, '20-70', '300-500'],
      [100, '350-450', '300-500'],
      [110, '90-100', '300-500'],
      [500, '100-110'],
      [500, '600-610'],
    ]);
  });

  it('reports nothing that has come again to a peer that has not agreed to it', () => {
    const script = Script.established();
    script.peer({ at: 0, data: 100 }).peer({ at: 0, data: 100 });
    expect(script.seen().flatMap(({ blocks }) => blocks)).toEqual([]);
  });

  it('takes overlapping segments once, and the first copy of each byte that is in order', () => {
    const script = Script.established();
    script.peer({ at: 0, data: 'abcdef' }).peer({ at: 3, data: 'XYZghi' });
    script.peer({ at: 12, data: 'mno' }).peer({ at: 8, data: 'ijklmnop' }).peer({ at: 0, data: 'abc' });
    expect(script.read(0)).toEqual(Buffer.from('abcdefghijklmnop'));
  });

  it('never takes more than the window has', () => {
    const script = Script.established();
    let at = 0;
    for (let count = 0; count < 100; count++) {
      script.peer({ at, data: 1460 });
      at += 1460;
    }
    const last = script.seen().at(-1);
    expect(last).toMatchObject({ ack: 65_535, window: 0 });
    expect(script.our.receiveQueue).toBe(65_535);
    // A probe of the closed window is answered and not taken.
    script.peer({ at: 65_535, data: 'p' });
    expect(script.brief()).toEqual(['A 0+0 ack 65535']);
    // Silly windows: a little room is not worth saying (RFC 9293, 3.8.6.2.2); more is said at once.
    script.read(0, 1000);
    script.read(1000, 1);
    expect(script.brief()).toEqual([]);
    script.read(1000, 40_000);
    expect(script.seen()).toMatchObject([{ ack: 65_535, window: 41_001 }]);
  });

  it('reads at positions: again, and never what was given up', () => {
    const script = Script.established();
    script.peer({ at: 0, data: 'abcdef' });
    expect(script.read(0, 3)).toEqual(Buffer.from('abc'));
    expect(script.read(0, 4)).toEqual(Buffer.from('abcd'));
    expect(script.read(2, 9)).toEqual(Buffer.from('cdef'));
    expect(() => script.read(1)).toThrow('EINVAL');
    expect(() => script.read(7)).toThrow('EINVAL');
    expect([script.our.readable(6), script.our.readable(5)]).toEqual([false, true]);
  });

  it('throws away what comes when nobody reads any more', () => {
    const script = Script.established();
    script.our.closeReceive();
    script.peer({ at: 0, data: 5000 }).wait(DELAYED_ACKNOWLEDGEMENT_MS);
    expect(script.brief().at(-1)).toBe('A 0+0 ack 5000');
    expect(script.read(0)).toBe('end');
    expect(script.our.receiveQueue).toBe(0);
  });

  it('drops old segments by their timestamps, and those without (RFC 7323, 5.3)', () => {
    const script = Script.established({ ...MODERN, timestamp: 1000 });
    script.peer({ at: 0, data: 'new', timestamp: 2000, timestampEcho: script.lastTimestamp });
    script.read(0);
    script.wait(DELAYED_ACKNOWLEDGEMENT_MS);
    expect(script.seen()).toMatchObject([{ ack: 3, timestampEcho: 2000 }]);
    script.peer({ at: 3, data: 'old', timestamp: 1500, timestampEcho: script.lastTimestamp });
    script.peer({ at: 3, data: 'bare' });
    expect(script.brief()).toEqual(['A 0+0 ack 3']);
    expect(script.our.receiveQueue).toBe(0);
  });

  it('does not do what a wrong check sum, an unknown option or a malformed one says', () => {
    const script = Script.established();
    const before = script.layer.counters['tcp.malformed'];
    script.layer.input(0x0a000002, 0x0a000001, Buffer.alloc(20, 7), script.now);
    script.layer.input(0x0a000002, 0x0a000001, Buffer.alloc(3), script.now);
    expect(script.layer.counters['tcp.malformed']).toBe((before ?? 0) + 2);
  });
});

describe('sending', () => {
  it('keeps what it has to say while the way out has no room, and is not due meanwhile', () => {
    const script = Script.established(MODERN);
    script.hasRoom = false;
    script.write('patience');
    expect(script.brief()).toEqual([]);
    expect(script.layer.deadline()).toBeGreaterThan(script.now);
    script.hasRoom = true;
    expect(script.turn().brief()).toEqual(['PA 0+8 ack 0']);
  });

  it('fills segments, and holds small ones back while something is under way (Nagle), unless told not to', () => {
    const script = Script.established();
    script.write('a');
    script.write('b');
    script.write('c');
    expect(script.brief()).toEqual(['PA 0+1 ack 0']);
    script.peer({ ack: 1 });
    expect(script.brief()).toEqual(['PA 1+2 ack 0']);
    script.our.noDelay = true;
    script.turn();
    script.write('d');
    expect(script.brief()).toEqual(['PA 3+1 ack 0']);
    script.write(3000);
    expect(script.brief()).toEqual(['A 4+1460 ack 0', 'A 1464+1460 ack 0', 'PA 2924+80 ack 0']);
  });

  it('begins with ten segments, and doubles (RFC 6928, RFC 5681)', () => {
    const script = Script.established(MODERN);
    script.write(60_000);
    expect(script.seen()).toHaveLength(10);
    script.peer({ ack: 14_600 });
    expect(script.seen()).toHaveLength(18);
  });

  it('answers a repeated write with what it has, and refuses a gap', () => {
    const script = Script.established();
    expect(script.our.write(0, Buffer.from('abc'))).toBe(3);
    expect(script.our.write(0, Buffer.from('abc'))).toBe(3);
    expect(script.our.write(1, Buffer.from('bcde'))).toBe(4);
    expect(() => script.our.write(9, Buffer.from('x'))).toThrow('EINVAL');
    script.our.closeSend();
    expect(script.our.write(3, Buffer.from('de'))).toBe(2);
    expect(() => script.our.write(5, Buffer.from('x'))).toThrow('EPIPE');
    expect(script.turn().seen()[0]?.data).toEqual(Buffer.from('abcde'));
  });

  it('takes as much as the buffer has room for, and keeps small writes under few keys', () => {
    const script = Script.established();
    script.peer({ window: 0 });
    for (let count = 0; count < 500; count++) script.write('0123456789');
    expect([...script.keeper.values.keys()].filter((key) => key.includes('.s.'))).toHaveLength(1);
    expect(script.our.write(5000, Buffer.alloc(100_000))).toBe(65_536 - 5000);
    expect(script.our.write(65_536, Buffer.alloc(10))).toBe(0);
    expect(script.our.writable(65_536)).toBe(false);
    script.our.sendBuffer = 200_000;
    expect(script.our.writable(65_536)).toBe(true);
  });

  it('sends again after three duplicates: fast retransmit and NewReno (RFC 5681, RFC 6582)', () => {
    const script = Script.established();
    script.write(20_000);
    script.seen();
    script.peer({ ack: 0 });
    script.peer({ ack: 0 });
    // Limited transmit: two new segments (RFC 3042).
    expect(script.brief()).toEqual(['A 14600+1460 ack 0', 'A 16060+1460 ack 0']);
    script.peer({ ack: 0 });
    expect(script.brief()).toEqual(['A 0+1460 ack 0']);
    script.peer({ ack: 2920 });
    expect(script.brief()[0]).toBe('A 2920+1460 ack 0');
    script.peer({ ack: 17_520 });
    expect(script.brief()).toEqual(['A 17520+1460 ack 0']);
  });

  it('sends the holes again that SACK shows, and nothing else (RFC 6675)', () => {
    const script = Script.established(MODERN);
    script.write(14_600);
    script.seen();
    script.wait(5);
    script.peer({ ack: 0, blocks: [{ start: 1460, end: 5840 }] });
    expect(script.brief()).toEqual(['A 0+1460 ack 0']);
    script.peer({
      ack: 0,
      blocks: [
        { start: 7300, end: 14_600 },
        { start: 1460, end: 5840 },
      ],
    });
    expect(script.brief()).toEqual(['A 5840+1460 ack 0']);
    script.peer({ ack: 14_600 });
    expect(script.our.sendQueue).toBe(0);
    expect(script.layer.counters).toMatchObject({ 'tcp.recoveries': 1, 'tcp.retransmitted': 2, 'tcp.timeouts': 0 });
  });

  it('does not believe ranges of what was never sent, or turned round', () => {
    const script = Script.established(MODERN);
    script.write(14_600);
    script.seen();
    script.peer({
      ack: 0,
      blocks: [
        { start: 20_000, end: 90_000 },
        { start: 5000, end: 10 },
        { start: -50_000, end: -1 },
      ],
    });
    expect(script.brief()).toEqual([]);
    script.peer({ ack: 14_600 });
    expect(script.our.sendQueue).toBe(0);
  });

  it('sends again after a time-out, each twice as late, and begins with one segment (RFC 6298, RFC 5681)', () => {
    const script = Script.established();
    script.write(5840);
    script.seen();
    const begin = script.now;
    const times: number[] = [];
    while (script.our.state !== 'closed') {
      script.wait(50);
      for (const seen of script.seen()) {
        if (seen.flags.includes('R')) continue;
        times.push(script.now - begin);
        expect([seen.at, seen.length]).toEqual([0, 1460]);
      }
    }
    const gaps = times.map((time, index) => time - (times[index - 1] ?? 0));
    expect(gaps.slice(0, 5)).toEqual([200, 400, 800, 1600, 3200]);
    expect(Math.max(...gaps)).toBe(60_000);
    expect(script.our.error).toBe('ETIMEDOUT');
    expect(script.now - begin).toBeGreaterThanOrEqual(300_000);
  });

  it('gives up after the time that the owner has set', () => {
    const script = Script.established();
    script.our.userTimeout = 5000;
    script.write('x');
    script.wait(4900);
    expect(script.our.state).toBe('established');
    script.wait(200);
    expect(script.our.error).toBe('ETIMEDOUT');
  });

  it('goes on slowly after a time-out, and undoes it when it was too early (RFC 3522)', () => {
    const options = { ...MODERN, timestamp: 1 };
    const script = Script.established(options);
    script.write(14_600);
    const stamp = script.seen()[0]?.timestamp ?? 0;
    script.wait(250);
    expect(script.seen().at(-1)?.at).toBe(0);
    script.peer({ ack: 1448, timestamp: 2, timestampEcho: stamp });
    // The first copy has arrived after all: nothing else is sent again.
    expect(script.seen().filter(({ at }) => at < 14_480)).toEqual([]);
  });

  it('probes a closed window for ever, and goes on when it opens', () => {
    const script = Script.established();
    script.peer({ window: 0 });
    script.write(100);
    expect(script.brief()).toEqual([]);
    let probes = 0;
    for (let minute = 0; minute < 10; minute++) {
      script.wait(60_000);
      for (const seen of script.seen()) {
        probes++;
        expect([seen.at, seen.length]).toEqual([0, 1]);
      }
      script.peer({ ack: 0, window: 0 });
    }
    expect(probes).toBeGreaterThan(15);
    expect(script.our.state).toBe('established');
    script.peer({ ack: 0, window: 1000 });
    expect(script.brief()).toEqual(['PA 0+100 ack 0']);
    script.peer({ ack: 100, window: 0 });
    script.write('z');
    script.wait(70_000);
    // The probe was taken: the byte is acknowledged though the window is closed.
    script.peer({ ack: 101, window: 0 });
    expect(script.our.sendQueue).toBe(0);
  });

  it('ends when nobody answers the probes', () => {
    const script = Script.established();
    script.peer({ window: 0 });
    script.write(100);
    script.wait(400_000);
    expect(script.our.error).toBe('ETIMEDOUT');
  });

  it('avoids silly windows (RFC 9293, 3.8.6.2.1)', () => {
    const script = Script.established();
    script.write(1460);
    script.peer({ ack: 1460, window: 10 });
    script.seen();
    script.write(5000);
    expect(script.brief()).toEqual([]);
    script.wait(1500);
    expect(script.brief()[0]).toBe('A 1460+10 ack 0');
  });

  it('asks an idle peer whether it is there (keep-alive, RFC 9293, 3.8.4)', () => {
    const script = Script.established();
    script.our.keepAlive = 10;
    script.write('');
    script.wait(10_100);
    expect(script.brief()).toEqual(['A -1+0 ack 0']);
    script.peer({ ack: 0 });
    script.wait(9800);
    expect(script.brief()).toEqual([]);
    script.wait(200_000);
    expect(script.seen().filter(({ length, flags }) => length === 0 && flags === 'A')).toHaveLength(9);
    expect([script.our.state, script.our.error]).toEqual(['closed', 'ETIMEDOUT']);
  });

  it('answers the keep-alive of the peer', () => {
    const script = Script.established();
    script.peer({ at: -1, ack: 0 });
    expect(script.brief()).toEqual(['A 0+0 ack 0']);
  });

  it('sends smaller segments when the path says so (RFC 1191), if the message can be ours (RFC 5927)', () => {
    const script = Script.established(MODERN);
    script.write(4380);
    script.seen();
    script.mtu = 576;
    const { local, remote } = script.our;
    script.layer.unreachable('fragmentation', local, remote, (script.initial + 100_000) >>> 0);
    expect(script.turn().seen()).toEqual([]);
    script.layer.unreachable('fragmentation', local, remote, (script.initial + 1) >>> 0);
    const lengths = script
      .turn()
      .seen()
      .map(({ at, length }) => [at, length]);
    expect(lengths.slice(0, 3)).toEqual([
      [0, 536],
      [536, 536],
      [1072, 388],
    ]);
    expect(script.layer.counters['tcp.recoveries']).toBe(0);
  });

  it('lets segments be fragmented after some time-outs: perhaps large packets vanish', () => {
    const script = Script.established(MODERN);
    script.write(1460);
    script.wait(10_000);
    const seen = script.seen();
    expect(seen[0]?.output.dontFragment).toBe(true);
    expect(seen.at(-1)?.output.dontFragment).toBe(false);
  });
});

describe('forgeries (RFC 5961)', () => {
  it('a reset counts at exactly the next byte; elsewhere in the window it is answered', () => {
    const script = Script.established();
    script.peer({ flags: 'R', at: 100 });
    expect(script.brief()).toEqual(['A 0+0 ack 0']);
    script.peer({ flags: 'R', at: 100_000 });
    expect(script.brief()).toEqual([]);
    script.peer({ flags: 'R', at: 0 });
    expect([script.our.state, script.our.error]).toEqual(['closed', 'ECONNRESET']);
    expect(() => script.our.read(0, 1, script.now)).toThrow('ECONNRESET');
    expect(() => script.our.write(0, Buffer.from('x'))).toThrow('ECONNRESET');
  });

  it('a SYN in a connection, and acknowledgements of what was never sent or long ago, are answered', () => {
    const script = Script.established();
    script.peer({ flags: 'S', at: 50 });
    script.peer({ ack: 5 });
    script.peer({ ack: -200_000, data: 'x' });
    expect(script.brief()).toEqual(['A 0+0 ack 0', 'A 0+0 ack 0', 'A 0+0 ack 0']);
    expect([script.our.state, script.our.receiveQueue]).toEqual(['established', 0]);
  });

  it('but not without end', () => {
    const script = Script.established();
    for (let count = 0; count < 1000; count++) script.peer({ flags: 'S', at: 50 });
    expect(script.seen()).toHaveLength(10);
    script.wait(1000);
    script.peer({ flags: 'S', at: 50 });
    expect(script.seen()).toHaveLength(1);
  });
});
