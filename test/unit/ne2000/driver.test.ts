/** The driver against the real card: what it says, who may use it, and what goes through. */
import { describe, expect, it } from 'vitest';
import type { Handle } from '../../../protocol/schema.ts';
import { multicastHash } from '../../../services/ne2000/filter.ts';
import { BASE, CR, ISR, TSR } from '../../../services/ne2000/registers.ts';
import { frame, Machine, opened, received, STATION } from './machine.ts';

const BROADCAST = Buffer.alloc(6, 0xff);
const GROUP = Buffer.from('01005e0000fb', 'hex');
const OTHER = Buffer.from('525400ffffff', 'hex');

describe('finding the card', () => {
  it('resets it, reads its address and says what it is', () => {
    const machine = new Machine().boot();
    expect(machine.logLines).toEqual(['ne0: NE2000 (RTL8029) at 0x300, interrupt 9, 16-bit, 52:54:00:12:34:56']);
    expect(machine.ask('information')).toEqual({
      ...{ name: 'ne0', model: 'NE2000 (RTL8029)', address: STATION },
      ...{ mtu: 1500, ioPort: 0x300, irq: 9, link: true },
    });
  });

  it.each([
    ['nothing answers', () => 0xff, /no card/],
    ['the reset does not end', (port: number) => (port === ISR ? 0 : undefined), /does not come out of reset/],
    ['the command register does not hold', (port: number) => (port === CR ? 0 : undefined), /not a DP8390/],
    ['the counter is not cleared', (port: number) => (port === BASE + 0xd ? 0x5a : undefined), /not a DP8390/],
  ])('says ENODEV when %s', (_name, onRead, reason) => {
    const machine = new Machine();
    machine.onRead = onRead;
    machine.boot();
    expect(machine.logLines[0]).toMatch(reason);
    for (const name of ['open', 'information', 'statistics', 'reset', 'receive'] as const)
      expect(() => machine.ask(name)).toThrow('ENODEV');
  });

  it.each([
    ['mark', (prom: Buffer) => prom.fill(0x41, 28), /no mark of an NE2000/],
    ['group address', (prom: Buffer) => prom.fill(0x01, 0, 2), /no station address/],
    ['empty address', (prom: Buffer) => prom.fill(0x00, 0, 12), /no station address/],
  ])('refuses a PROM with a wrong %s', (_name, change, reason) => {
    const machine = new Machine();
    machine.onBlock = (target) => change(target);
    machine.boot();
    expect(machine.logLines[0]).toMatch(reason);
    expect(() => machine.open()).toThrow('ENODEV');
  });

  it('moves bytes where the card is in an 8-bit slot', () => {
    const machine = new Machine();
    machine.onBlock = (prom) => {
      if (prom.length === 32) prom.set([...STATION, ...new Uint8Array(8), 0x42, 0x42], 0);
    };
    machine.boot();
    const badge = machine.open();
    expect(machine.logLines[0]).toContain('8-bit');
    machine.ask('transmit', [frame(61, 1), frame(1513, 2)], badge);
    expect(machine.sent).toEqual([frame(61, 1), frame(1513, 2)]);
    machine.arrive(frame(333, 3), frame(1514, 4));
    expect(received(machine, badge)).toEqual([frame(333, 3), frame(1514, 4)]);
  });
});

describe('the right to the card', () => {
  it('has one owner, who loses it with the right', () => {
    const { machine, badge } = opened();
    expect(() => machine.open(8)).toThrow('EBUSY');
    for (const name of ['receive', 'transmit', 'set_filter'] as const)
      expect(() => machine.ask(name, [], badge + 1)).toThrow('EBADF');
    const waiting = machine.call('receive', undefined, badge);
    machine.settle();
    machine.driver.noSenders(badge + 1);
    expect(waiting.answered).toBe(false);
    machine.driver.noSenders(badge);
    expect(waiting.error).toBe('EBADF');
    expect(() => machine.ask('transmit', [frame(60, 1)], badge)).toThrow('EBADF');
    expect(machine.open(8)).not.toBe(badge);
  });

  it('takes nothing while nobody has it, and holds nothing up', () => {
    const machine = new Machine().boot();
    machine.arrive(frame(60, 1));
    expect(machine.onTheWay).toEqual([]);
    const badge = machine.open();
    const waiting = machine.call('receive', undefined, badge);
    machine.settle();
    expect(waiting.answered).toBe(false);
    machine.arrive(frame(60, 2));
    machine.settle();
    expect(waiting.frames).toEqual([frame(60, 2)]);
  });

  it('is asked for after a restart: perhaps it died, too, before it got its right', () => {
    const fresh = new Machine().boot();
    fresh.driver.settled(1 as Handle);
    expect(fresh.released).toEqual([]);
    const { machine, badge } = opened();
    machine.kill();
    machine.driver.settled(1 as Handle);
    expect(machine.released).toEqual([badge]);
    // The kernel says so then, if there is no other such right.
    machine.driver.noSenders(badge);
    expect(() => machine.open(8)).not.toThrow();
  });

  it('is the same after a restart, with the filter; so is a request to open that comes again', () => {
    const { machine, badge } = opened();
    machine.ask('set_filter', { promiscuous: false, allMulticast: false, multicast: [GROUP] }, badge);
    machine.kill();
    expect(() => machine.open(8)).toThrow('EBUSY');
    machine.arrive(frame(60, 1, GROUP), frame(60, 2, OTHER));
    expect(received(machine, badge).length).toBe(1);
    const again = new Machine().boot();
    const call = again.call('open', undefined);
    again.settle();
    const repeated = again.call('open', undefined);
    Object.assign(repeated, { sequence: call.sequence, deliveries: 1 });
    again.settle();
    expect(repeated.value).toEqual(call.value);
  });
});

describe('receiving', () => {
  it('has a frame that fits into a page with the interrupt, and once, whenever the driver dies', () => {
    for (let dieAfter = 0; dieAfter < 8; dieAfter++) {
      const { machine, badge } = opened();
      const taken: number[] = [];
      for (let number = 0; number < 6; number++) {
        const call = machine.call('receive', undefined, badge);
        machine.settle();
        expect(call.answered).toBe(false);
        machine.entries = 0;
        if (number === 2) machine.dieAfter = dieAfter;
        machine.arrive(frame(number === 4 ? 600 : 60, number));
        machine.settle();
        if (number < 2) expect(machine.entries).toBe(0);
        expect(call.answered, `after ${dieAfter}`).toBe(true);
        taken.push(...call.frames.map((bytes) => bytes.readUInt32BE(14)));
      }
      machine.dieAfter = null;
      expect(taken, `dies after ${dieAfter}`).toEqual([0, 1, 2, 3, 4, 5]);
      machine.kill();
      const last = machine.call('receive', undefined, badge);
      machine.arrive(frame(60, 6));
      machine.settle();
      expect(last.frames.map((bytes) => bytes.readUInt32BE(14))).toEqual([6]);
    }
  });

  it('has frames once when it dies before it hears of the interrupt', () => {
    for (const lengths of [[60], [600], [60, 60], [60, 1514, 60]]) {
      const { machine, badge } = opened();
      const first = machine.call('receive', undefined, badge);
      machine.settle();
      machine.arrive(...lengths.map((length, number) => frame(length, number)));
      machine.kill();
      const numbers = first.frames.map((bytes) => bytes.readUInt32BE(14));
      expect(first.answered).toBe(true);
      while (numbers.length < lengths.length)
        numbers.push(...received(machine, badge).map((bytes) => bytes.readUInt32BE(14)));
      expect(numbers).toEqual([...lengths.keys()]);
      const last = machine.call('receive', undefined, badge);
      machine.settle();
      expect(last.answered, 'nothing is left').toBe(false);
    }
  });

  it('believes nothing that was seen in a ring before the card was started anew', () => {
    for (const length of [60, 300])
      for (const how of ['reset', 'owner', 'waiting']) {
        const { machine, badge } = opened();
        const first = machine.call('receive', undefined, badge);
        machine.settle();
        machine.arrive(frame(60, 1));
        machine.settle();
        expect(first.frames.length).toBe(1);
        let owner = badge;
        if (how === 'owner') {
          machine.driver.noSenders(badge);
          owner = machine.open(8);
        } else machine.ask('reset');
        const waiting = how === 'waiting' ? machine.call('receive', undefined, owner) : null;
        machine.settle();
        machine.arrive(frame(length, 2));
        machine.kill();
        machine.arrive(frame(60, 3));
        const numbers = (waiting === null ? received(machine, owner) : waiting.frames).map((bytes) =>
          bytes.readUInt32BE(14),
        );
        while (numbers.length < 2) numbers.push(...received(machine, owner).map((bytes) => bytes.readUInt32BE(14)));
        expect(numbers, `${length} bytes, ${how}`).toEqual([2, 3]);
        expect(machine.logLines.filter((line) => line.includes('header'))).toEqual([]);
      }
  });

  it('takes the status of an interrupt for nothing else', () => {
    const { machine, badge } = opened();
    const call = machine.call('receive', undefined, badge);
    machine.settle();
    let lies = 1;
    machine.onRead = (port) => (port === ISR && lies-- > 0 ? 0x53 : undefined);
    machine.arrive(frame(60, 1), frame(60, 2));
    machine.kill();
    const numbers = call.frames.map((bytes) => bytes.readUInt32BE(14));
    while (numbers.length < 2) numbers.push(...received(machine, badge).map((bytes) => bytes.readUInt32BE(14)));
    expect(numbers).toEqual([1, 2]);
  });

  it('answers at once, or when frames come: in two entries with the interrupt', () => {
    const { machine, badge } = opened();
    machine.arrive(frame(60, 1), frame(1514, 2), frame(100, 3));
    expect(received(machine, badge).length).toBe(3);
    const waiting = machine.call('receive', undefined, badge);
    machine.settle();
    expect(machine.interruptsMasked).toBe(false);
    machine.entries = 0;
    machine.arrive(frame(700, 4));
    machine.settle();
    expect(waiting.frames).toEqual([frame(700, 4)]);
    expect(machine.entries).toBe(1);
  });

  it('leaves frames in the ring and the cable held up while nobody asks, without going round in circles', () => {
    const { machine, badge } = opened();
    machine.arrive(...Array.from({ length: 100 }, (_, index) => frame(1514, index)));
    machine.settle();
    expect(machine.onTheWay.length).toBe(92);
    expect(machine.notices).toBeLessThanOrEqual(1);
    expect(machine.interruptsMasked).toBe(true);
    const numbers: number[] = [];
    while (numbers.length < 100) {
      const frames = received(machine, badge);
      for (const bytes of frames) numbers.push(bytes.readUInt32BE(14));
    }
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(machine.ask('statistics')).toMatchObject({
      framesReceived: 100,
      bytesReceived: 151400,
      missed: 0,
      resets: 0,
    });
  });

  it('takes what comes in as it empties the ring in the same vector, as long as it is as much again', () => {
    const { machine, badge } = opened();
    machine.prompt = true;
    machine.arrive(...Array.from({ length: 200 }, (_, index) => frame(1514, index)));
    machine.entries = 0;
    expect(received(machine, badge).map((bytes) => bytes.readUInt32BE(14))).toEqual([...Array(64).keys()]);
    expect(machine.entries).toBe(2);
    // The sizes change: then it looks again.
    machine.onTheWay.length = 0;
    machine.arrive(...Array.from({ length: 9 }, (_, index) => frame(60, 1000 + index)));
    expect(received(machine, badge).map((bytes) => bytes.readUInt32BE(14))).toEqual([
      ...Array.from({ length: 8 }, (_, index) => 64 + index),
      ...Array.from({ length: 9 }, (_, index) => 1000 + index),
    ]);
    expect(machine.entries).toBe(5);
    expect(machine.ask('statistics')).toMatchObject({ framesReceived: 81, missed: 0, resets: 0 });
  });

  it('hands out what an earlier incarnation has taken in several stretches and not answered', () => {
    for (let dieAfter = 0; dieAfter < 3; dieAfter++) {
      const { machine, badge } = opened();
      machine.prompt = true;
      machine.arrive(...Array.from({ length: 40 }, (_, index) => frame(1514, index)));
      machine.arrive(frame(700, 40), frame(60, 41));
      machine.dieAfter = dieAfter;
      const numbers = received(machine, badge).map((bytes) => bytes.readUInt32BE(14));
      machine.dieAfter = null;
      for (let turn = 0; turn < 3 && numbers.length < 42; turn++)
        numbers.push(...received(machine, badge).map((bytes) => bytes.readUInt32BE(14)));
      expect(numbers, `dies after ${dieAfter}`).toEqual([...Array(42).keys()]);
      expect(machine.deaths).toBe(1);
    }
  });

  it('lets a new request take the place of one that waits', () => {
    const { machine, badge } = opened();
    const [first, second] = [machine.call('receive', undefined, badge), machine.call('receive', undefined, badge)];
    machine.settle();
    expect(first.frames).toEqual([]);
    machine.arrive(frame(60, 1));
    machine.settle();
    expect(second.frames).toEqual([frame(60, 1)]);
  });

  it('hands out a whole ring of the shortest frames', () => {
    const { machine, badge } = opened();
    machine.patient = false;
    machine.arrive(...Array.from({ length: 51 }, (_, index) => frame(60, index)));
    expect(received(machine, badge).length).toBe(51);
  });
});

describe('the filter', () => {
  const pass = (filter: object, ...destinations: Buffer[]): boolean[] => {
    const { machine, badge } = opened();
    machine.ask('set_filter', { promiscuous: false, allMulticast: false, multicast: [], ...filter }, badge);
    return destinations.map((destination) => {
      machine.arrive(frame(60, 1, destination));
      const call = machine.call('receive', undefined, badge);
      machine.settle();
      return call.answered;
    });
  };

  it('takes what was asked for', () => {
    const all = [STATION, BROADCAST, GROUP, OTHER] as const;
    expect(pass({}, ...all)).toEqual([true, true, false, false]);
    expect(pass({ multicast: [GROUP] }, ...all)).toEqual([true, true, true, false]);
    expect(pass({ allMulticast: true }, ...all)).toEqual([true, true, true, false]);
    expect(pass({ promiscuous: true }, ...all)).toEqual([true, true, true, true]);
  });

  it('hashes as the data sheet says: the upper six bits of the check sequence', () => {
    // 01:00:5e:00:00:01, all hosts: Linux's ether_crc(…) >> 26 gives 31.
    expect(multicastHash(Buffer.from('01005e000001', 'hex'))).toBe(31);
    const { machine, badge } = opened();
    for (const wrong of [OTHER, Buffer.alloc(5, 1)])
      expect(() =>
        machine.ask('set_filter', { promiscuous: false, allMulticast: false, multicast: [wrong] }, badge),
      ).toThrow('EINVAL');
  });
});

describe('sending', () => {
  it('sends frames of all lengths in one vector, the short ones padded with zeros', () => {
    const { machine, badge } = opened();
    const lengths = [14, 15, 59, 60, 61, 127, 1513, 1514];
    const frames = lengths.map((length, index) => {
      const bytes = Buffer.alloc(length, index + 1);
      bytes.set(OTHER, 0);
      return bytes;
    });
    machine.entries = 0;
    machine.ask('transmit', frames, badge);
    expect(machine.entries).toBe(1);
    expect(machine.sent).toEqual(
      frames.map((bytes) => Buffer.concat([bytes, Buffer.alloc(Math.max(0, 60 - bytes.length))])),
    );
    expect(() => machine.ask('transmit', [Buffer.alloc(13)], badge)).toThrow('EINVAL');
    const most = Array.from({ length: 64 }, (_, index) => frame(1514, index));
    machine.ask('transmit', most, badge);
    expect(machine.sent.slice(8)).toEqual(most);
    expect(machine.ask('statistics')).toMatchObject({ framesSent: 72, transmitErrors: 0 });
  });

  it('knows from the carrier whether somebody is at the other end', () => {
    const { machine, badge } = opened();
    const link = (): unknown => (machine.ask('information') as { link: boolean }).link;
    machine.linked = false;
    machine.ask('transmit', [frame(60, 1)], badge);
    expect(link()).toBe(false);
    machine.linked = true;
    machine.ask('transmit', [frame(60, 1)], badge);
    expect(link()).toBe(true);
  });

  it('counts a frame that does not go out, and goes on with the next', () => {
    for (const wrong of [[0], [2], [4], [0, 1], [3, 4], [0, 1, 2, 3, 4]]) {
      const { machine, badge } = opened();
      let sent = -1;
      machine.onWrite = (port, value) => {
        if (port === CR && (value & 4) !== 0) sent++;
        return false;
      };
      machine.onRead = (port) => (port === TSR && wrong.includes(sent) ? 0x08 : undefined);
      machine.ask(
        'transmit',
        Array.from({ length: 5 }, (_, index) => frame(60 + index, index)),
        badge,
      );
      expect(machine.sent.length).toBe(5);
      expect(machine.ask('statistics')).toMatchObject({
        ...{ framesSent: 5 - wrong.length, transmitErrors: wrong.length, resets: 0 },
        bytesSent: [60, 61, 62, 63, 64]
          .filter((_, index) => !wrong.includes(index))
          .reduce((sum, length) => sum + length, 0),
      });
    }
  });

  it('resets a card that does not send, goes on with the rest, and gives up in the end', () => {
    const { machine, badge } = opened();
    const batch = Array.from({ length: 5 }, (_, index) => frame(60, index));
    let stuck = 3;
    machine.onWrite = (port, value) => port === CR && (value & 4) !== 0 && stuck-- === 0;
    machine.onRead = (port) => (port === CR && stuck < 0 && machine.now < 600 ? 0x26 : undefined);
    machine.ask('transmit', batch, badge);
    expect(machine.sent).toEqual(batch);
    expect(machine.ask('statistics')).toMatchObject({ framesSent: 5, transmitErrors: 1, resets: 1 });
    machine.onRead = (port) => (port === CR ? 0x26 : undefined);
    const before = machine.now;
    expect(() => machine.ask('transmit', batch, badge)).toThrow('EIO');
    expect(machine.now - before).toBeLessThan(2000);
    machine.onRead = null;
    machine.ask('transmit', batch, badge);
    expect(machine.ask('statistics')).toMatchObject({
      framesSent: 10 + (machine.sent.length - 11 > 0 ? 0 : 0),
      resets: 3,
    });
  });
});
