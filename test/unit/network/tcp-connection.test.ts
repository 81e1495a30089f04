import { describe, expect, it } from 'vitest';
import { FLAG } from '../../../wire/tcp.ts';
import { Script } from './tcp-script.ts';

const { ACK, FIN, RST, SYN } = FLAG;
const bytes = (count: number): Buffer => Buffer.alloc(count, 0x62);

describe('opening a connection to the guest', () => {
  it('takes three segments', () => {
    const script = Script.open();
    expect(script.sent[0]).toMatchObject({ segmentSize: 1460, windowShift: 0, window: 65_535 });
    expect(script.take()).toEqual(['SYN 0']);
    script.guest({ at: 0, flags: SYN | ACK, segmentSize: 1000, windowShift: 2 });
    expect(script.take()).toEqual(['ACK 1 ack 1']);
    expect([script.connection.state, ...script.events]).toEqual(['established', 'established']);
    script.write(1500);
    expect(script.take()).toEqual(['ACK 1 +1000 ack 1', 'PSH,ACK 1001 +500 ack 1']);
  });

  it('is tried six times within a minute or two', () => {
    const script = Script.open();
    script.wait(62_000);
    expect(script.take()).toEqual(new Array(6).fill('SYN 0'));
    script.wait(2000);
    expect([script.take(), script.events, script.connection.state]).toEqual([[], ['timeout'], 'closed']);
  });

  it('fails when the guest refuses', () => {
    const script = Script.open();
    script.guest({ at: 0, flags: RST });
    script.guest({ at: 0, flags: RST | ACK, acks: 7 });
    expect(script.events).toEqual([]);
    script.guest({ at: 0, flags: RST | ACK });
    expect(script.events).toEqual(['reset']);
  });

  it('resets what belongs to an older connection, and goes on', () => {
    const script = Script.open();
    script.take();
    script.guest({ at: 0, flags: ACK, acks: 500 });
    expect(script.take()).toEqual(['RST 500']);
    script.wait(1000);
    expect(script.take()).toEqual(['SYN 0']);
    script.guest({ at: 0, flags: SYN | ACK });
    expect(script.events).toEqual(['established']);
  });

  it('works when both open at once', () => {
    const script = Script.open();
    script.take();
    script.guest({ at: 0, flags: SYN, acks: 0 });
    expect(script.take()).toEqual(['SYN,ACK 0 ack 1']);
    script.guest({ flags: ACK });
    expect(script.events).toEqual(['established']);
  });
});

describe('accepting a connection of the guest', () => {
  it('takes three segments, and a scale only if the guest has one', () => {
    const script = Script.accept();
    expect(script.sent[0]).toMatchObject({ segmentSize: 1460, windowShift: undefined });
    expect(script.take()).toEqual(['SYN,ACK 0 ack 1']);
    script.guest({ flags: ACK });
    expect(script.events).toEqual(['established']);
    expect(Script.accept({ windowShift: 3 }).sent[0]).toMatchObject({ windowShift: 0 });
  });

  it('takes data and FIN with the acknowledgement', () => {
    const script = Script.accept();
    script.take();
    script.guest({ flags: ACK | FIN, data: bytes(10) });
    expect(script.events).toEqual(['established', 'received 10', 'peer closed']);
    expect(script.take()).toEqual(['ACK 1 ack 12']);
  });

  it('resets an acknowledgement of something else', () => {
    const script = Script.accept();
    script.take();
    script.guest({ flags: ACK, acks: 9 });
    expect(script.take()).toEqual(['RST 9']);
    expect(script.connection.state).toBe('syn-received');
  });

  it('says again that it has heard the SYN', () => {
    const script = Script.accept();
    script.take();
    script.guest({ at: 0, flags: SYN });
    expect(script.take()).toEqual(['ACK 1 ack 1']);
    script.wait(1000);
    expect(script.take()).toEqual(['SYN,ACK 0 ack 1']);
  });

  it('assumes small segments when the guest says nothing, and not too small ones when it lies', () => {
    const plain = Script.established({ segmentSize: undefined });
    plain.write(1000);
    expect(plain.take()[0]).toBe('ACK 1 +536 ack 1');
    const tiny = Script.established({ segmentSize: 1 });
    tiny.write(1000);
    expect(tiny.take()[0]).toBe('ACK 1 +64 ack 1');
  });
});

describe('receiving', () => {
  it('acknowledges every other segment at once, one alone after 10 ms', () => {
    const script = Script.established();
    script.guest({ flags: ACK, data: bytes(100) });
    expect(script.take()).toEqual([]);
    script.guest({ at: 101, flags: ACK, data: bytes(100) });
    expect(script.take()).toEqual(['ACK 1 ack 201']);
    script.guest({ at: 201, flags: ACK, data: bytes(100) });
    script.wait(9);
    expect(script.take()).toEqual([]);
    script.wait(1);
    expect(script.take()).toEqual(['ACK 1 ack 301']);
  });

  it('acknowledges with data it sends', () => {
    const script = Script.established();
    script.guest({ flags: ACK, data: bytes(100) });
    script.write(5);
    script.wait(100);
    expect(script.take()).toEqual(['PSH,ACK 1 +5 ack 101']);
  });

  it('says at once where it is when something is missing or has come before', () => {
    const script = Script.established();
    script.guest({ at: 101, flags: ACK, data: bytes(100) });
    script.guest({ at: 201, flags: ACK | FIN });
    expect(script.take()).toEqual(['ACK 1 ack 1', 'ACK 1 ack 1']);
    script.guest({ flags: ACK, data: bytes(150) });
    script.guest({ flags: ACK, data: bytes(150) });
    script.guest({ at: 51, flags: ACK, data: bytes(200) });
    expect(script.events).toEqual(['established', 'received 150', 'received 100']);
    script.wait(10);
    expect(script.take()).toEqual(['ACK 1 ack 151', 'ACK 1 ack 251']);
  });

  it('takes no more than its window, which it never takes back', () => {
    const script = Script.accept();
    script.room = 1000;
    script.guest({ flags: ACK, data: bytes(10) });
    script.wait(10);
    expect(script.sent.at(-1)?.window).toBe(65_525);
    const small = Script.established();
    small.room = 100;
    for (let at = 1; at < 65_536; at += 1000) small.guest({ at, flags: ACK, data: bytes(1000) });
    const received = small.events.slice(1).reduce((sum, event) => sum + Number(event.split(' ')[1]), 0);
    expect(received).toBe(65_535);
    small.take();
    small.guest({ at: 65_536, flags: ACK | FIN, data: bytes(1000) });
    expect(small.events.at(-1)).toBe('received 100');
    expect(small.take()).toEqual(['ACK 1 ack 65636']);
    small.room = 60_000;
    small.connection.windowOpened();
    expect(small.sent[0]?.window).toBe(60_000);
  });
});

describe('sending', () => {
  it('begins with ten segments and stays within the window', () => {
    const script = Script.established();
    script.write(60_000);
    expect(script.take()).toHaveLength(10);
    script.guest({ flags: ACK, acks: 2921 });
    expect(script.take()).toHaveLength(4);
    const narrow = Script.accept();
    narrow.take();
    narrow.guest({ flags: ACK, window: 3000 });
    narrow.write(60_000);
    // The rest of the window is no whole segment.
    expect(narrow.take()).toEqual(['ACK 1 +1460 ack 1', 'ACK 1461 +1460 ack 1']);
  });

  it('scales the window of the guest, except in its SYN', () => {
    const script = Script.accept({ windowShift: 4, window: 1000 });
    script.take();
    script.guest({ flags: ACK, window: 1000 });
    script.write(100_000);
    expect(script.take()).toHaveLength(10);
  });

  it('sends again what is not acknowledged, ever more slowly, and gives up', () => {
    const script = Script.established();
    script.write(3000);
    script.take();
    script.wait(200);
    expect(script.take()).toEqual(['ACK 1 +1460 ack 1']);
    script.guest({ flags: ACK, acks: 1461 });
    expect(script.take()).toEqual(['ACK 1461 +1460 ack 1', 'PSH,ACK 2921 +80 ack 1']);
    script.wait(600_000);
    const resent = script.take();
    expect(resent).toEqual([...new Array(12).fill('ACK 1461 +1460 ack 1'), 'RST,ACK 2921 ack 1']);
    expect(script.events).toEqual(['established', 'timeout']);
  });

  it('sends the first segment again after three times the same acknowledgement', () => {
    const script = Script.established();
    script.write(14_600);
    expect(script.take()).toHaveLength(10);
    for (let count = 0; count < 3; count++) script.guest({ flags: ACK });
    expect(script.take()).toEqual(['ACK 1 +1460 ack 1']);
    // A part of what was under way: the next one is lost too.
    script.guest({ flags: ACK, acks: 4381 });
    expect(script.take()).toEqual(['ACK 4381 +1460 ack 1']);
    script.guest({ flags: ACK, acks: 14_601 });
    script.wait(60_000);
    expect(script.take()).toEqual([]);
  });

  it('asks about a closed window, for as long as the guest answers', () => {
    const script = Script.established();
    script.guest({ flags: ACK, window: 0 });
    script.write(2000);
    expect(script.take()).toEqual([]);
    for (let count = 0; count < 30; count++) {
      script.wait(60_000);
      expect(script.take()).toContain('ACK 1 +1 ack 1');
      script.guest({ flags: ACK, window: 0 });
    }
    script.guest({ flags: ACK, acks: 2, window: 5000 });
    expect(script.take()).toEqual(['ACK 2 +1460 ack 1', 'PSH,ACK 1462 +539 ack 1']);
    expect(script.connection.state).toBe('established');
  });

  it('gives up on a closed window that nobody answers for', () => {
    const script = Script.established();
    script.guest({ flags: ACK, window: 0 });
    script.write(10);
    script.wait(1_000_000);
    expect(script.events).toEqual(['established', 'timeout']);
  });

  it('does not go beyond what was sent', () => {
    const script = Script.established();
    script.write(10);
    script.take();
    script.guest({ flags: ACK, acks: 12 });
    expect([script.take(), script.connection.queued]).toEqual([['ACK 11 ack 1'], 10]);
    script.guest({ flags: ACK, acks: -5 });
    expect(script.connection.queued).toBe(10);
  });
});

describe('closing', () => {
  it('first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT', () => {
    const script = Script.established();
    script.write(5);
    script.close();
    script.close();
    expect(script.take()).toEqual(['PSH,ACK 1 +5 ack 1', 'FIN,ACK 6 ack 1']);
    script.guest({ flags: ACK, acks: 7 });
    expect(script.connection.state).toBe('fin-wait-2');
    // Half closed: the guest may still send.
    script.guest({ flags: ACK, acks: 7, data: bytes(50) });
    script.guest({ at: 51, flags: ACK | FIN, acks: 7 });
    expect(script.events).toEqual(['established', 'received 50', 'peer closed']);
    expect([script.connection.state, script.take()]).toEqual(['time-wait', ['ACK 7 ack 52']]);
    script.wait(20_000);
    script.guest({ at: 51, flags: ACK | FIN, acks: 7 });
    expect(script.take()).toEqual(['ACK 7 ack 52']);
    script.wait(29_000);
    expect(script.connection.state).toBe('time-wait');
    script.wait(1000);
    expect(script.events.at(-1)).toBe('closed');
  });

  it('second: CLOSE-WAIT, LAST-ACK', () => {
    const script = Script.established();
    script.guest({ flags: ACK | FIN });
    expect([script.connection.state, script.take()]).toEqual(['close-wait', ['ACK 1 ack 2']]);
    script.write(5);
    script.close();
    expect(script.take()).toEqual(['PSH,ACK 1 +5 ack 2', 'FIN,ACK 6 ack 2']);
    script.guest({ at: 2, flags: ACK, acks: 7 });
    expect(script.events).toEqual(['established', 'peer closed', 'closed']);
  });

  it('both at once: CLOSING', () => {
    const script = Script.established();
    script.close();
    script.take();
    script.guest({ flags: ACK | FIN, acks: 1 });
    expect([script.connection.state, script.take()]).toEqual(['closing', ['ACK 2 ack 2']]);
    script.guest({ at: 2, flags: ACK, acks: 2 });
    expect(script.connection.state).toBe('time-wait');
  });

  it('sends a lost FIN again', () => {
    const script = Script.established();
    script.close();
    expect(script.take()).toEqual(['FIN,ACK 1 ack 1']);
    script.wait(250);
    expect(script.take()).toEqual(['FIN,ACK 1 ack 1']);
  });

  it('waits with the FIN for a guest that has opened nothing yet', () => {
    const script = Script.accept();
    script.take();
    script.close();
    expect(script.take()).toEqual([]);
    script.guest({ flags: ACK });
    expect([script.take(), script.connection.state]).toEqual([['FIN,ACK 1 ack 1'], 'fin-wait-1']);
  });
});

describe('resets', () => {
  it('count only with the right sequence number', () => {
    const script = Script.established();
    script.guest({ at: 100, flags: RST });
    expect([script.take(), script.events]).toEqual([['ACK 1 ack 1'], ['established']]);
    script.guest({ at: 70_000, flags: RST });
    expect(script.take()).toEqual([]);
    script.guest({ flags: RST });
    expect(script.events).toEqual(['established', 'reset']);
    script.guest({ flags: ACK, data: bytes(5) });
    expect(script.events).toEqual(['established', 'reset']);
  });

  it('are not caused by a SYN', () => {
    const script = Script.established();
    script.guest({ at: 100, flags: SYN });
    expect([script.take(), script.connection.state]).toEqual([['ACK 1 ack 1'], 'established']);
  });

  it('are sent when we end it', () => {
    const script = Script.established();
    script.write(10);
    script.take();
    script.connection.abort();
    script.connection.abort();
    expect([script.take(), script.events, script.connection.nextTimeout]).toEqual([
      ['RST,ACK 11 ack 1'],
      ['established'],
      Infinity,
    ]);
    const opening = Script.open();
    opening.take();
    opening.connection.abort();
    expect(opening.take()).toEqual([]);
  });

  it('and other answers to nonsense are few', () => {
    const script = Script.established();
    for (let count = 0; count < 1000; count++) script.guest({ at: -100, flags: ACK, data: bytes(10) });
    expect(script.take()).toHaveLength(10);
    script.wait(1000);
    script.guest({ at: -100, flags: ACK, data: bytes(10) });
    expect(script.take()).toHaveLength(1);
  });
});

describe('a silent guest', () => {
  it('is asked, and given up when it does not answer', () => {
    const script = Script.established();
    script.wait(300_000);
    expect(script.take()).toEqual(['ACK 0 ack 1']);
    script.guest({ flags: ACK });
    script.wait(300_000 + 5 * 15_000);
    expect(script.take()).toEqual([...new Array(5).fill('ACK 0 ack 1'), 'RST,ACK 1 ack 1']);
    expect(script.events).toEqual(['established', 'timeout']);
  });

  it('that has forgotten the connection ends it', () => {
    const script = Script.established();
    script.wait(300_000);
    script.take();
    script.guest({ at: 1, flags: RST });
    expect(script.events).toEqual(['established', 'reset']);
  });
});
