/** The driver with a card that overflows, lies, or has to be started anew. */
import { describe, expect, it } from 'vitest';
import { BASE, CR, CURR, ISR } from '../../../services/ne2000/registers.ts';
import { frame, Machine, opened, received } from './machine.ts';

const OTHER = Buffer.from('525400ffffff', 'hex');

describe('a card in trouble', () => {
  it('comes out of an overflow as the data sheet demands', () => {
    const { machine, badge } = opened();
    const writes: [number, number][] = [];
    machine.patient = false;
    machine.arrive(...Array.from({ length: 20 }, (_, index) => frame(1514, index)));
    machine.onWrite = (port, value) => {
      writes.push([port - BASE, value]);
      return false;
    };
    const frames = received(machine, badge);
    expect(frames.length).toBe(8);
    expect(machine.pauses).toEqual([2]);
    const steps = writes.filter(([port, value]) => [0x0a, 0x0b, 0x0d].includes(port) || (port === 7 && value === 0x10));
    expect(writes).toContainEqual([0, 0x21]);
    // Byte count cleared, loopback, the byte count of the read, OVW acknowledged, loopback off.
    expect(steps).toEqual([
      [0x0a, 0],
      [0x0b, 0],
      [0x0d, 2],
      [0x0a, 0],
      [0x0b, 48],
      [7, 0x10],
      [0x0d, 0],
    ]);
    expect(machine.ask('statistics')).toMatchObject({ overflows: 1, missed: 12, framesReceived: 8, resets: 0 });
    machine.onWrite = null;
    machine.arrive(frame(60, 99));
    expect(received(machine, badge).length).toBe(1);
  });

  it.each([
    ['neither sent nor failed', 0x00, 1],
    ['sent', 0x02, 0],
    ['failed', 0x08, 0],
  ])('after an overflow repeats a transmission that was cut off: one that has %s', (_name, status, repeated) => {
    const { machine, badge } = opened();
    machine.ask('transmit', [frame(60, 1)], badge);
    machine.patient = false;
    machine.arrive(...Array.from({ length: 20 }, (_, index) => frame(1514, index)));
    // ISR twice while the ring is looked at, and when the card has been stopped.
    let reads = 0;
    machine.onRead = (port) => {
      if (port === CR && machine.pauses.length === 0) return 0x26;
      if (port === ISR && reads++ === 2) return 0x10 | status;
      return undefined;
    };
    expect(received(machine, badge).length).toBe(8);
    expect(machine.sent.length).toBe(1 + repeated);
  });

  it.each([
    ['next page outside of the ring', 1, 0x20],
    ['next page beyond what was received', 1, 0x7a],
    ['next page that is its own', 1, 0x4d],
    ['length of nothing', 3, 0x00],
    ['length beyond the longest', 3, 0x07],
  ])('resets the ring over a header with a %s, and hands out what came before it', (_name, at, value) => {
    const { machine, badge } = opened();
    machine.arrive(frame(1514, 1), frame(300, 2), frame(300, 3));
    machine.onBlock = (target) => {
      target[6 * 256 + at] = value;
    };
    const frames = received(machine, badge);
    expect(frames).toEqual([frame(1514, 1)]);
    expect(machine.logLines.at(-1)).toMatch(/^the card is reset: the header on page 83: /);
    machine.onBlock = null;
    machine.arrive(frame(60, 4));
    expect(received(machine, badge).length).toBe(1);
    expect(machine.ask('statistics')).toMatchObject({ resets: 1, receiveErrors: 1 });
  });

  it('does not hang when every header is wrong', () => {
    const { machine, badge } = opened();
    machine.onBlock = (target) => {
      target[1] = 0;
      machine.arrive(frame(60, 9));
    };
    machine.arrive(frame(60, 9));
    const call = machine.call('receive', undefined, badge);
    machine.settle();
    expect(call.answered).toBe(false);
    machine.onBlock = null;
    machine.settle();
    machine.arrive(frame(60, 10));
    machine.settle();
    expect(call.answered).toBe(true);
  });

  it('resets a card whose current page is nonsense', () => {
    const { machine, badge } = opened();
    let lies = 2;
    machine.onRead = (port) => (port === CURR && machine.card.read(CR, 1) === 0x62 && lies-- > 0 ? 0xee : undefined);
    machine.call('receive', undefined, badge);
    machine.settle();
    expect(machine.logLines.at(-1)).toBe('the card is reset: the current page is 238');
  });

  it('counts frames that the card marks as damaged, and does not hand them out', () => {
    const { machine, badge } = opened();
    machine.arrive(frame(300, 1), frame(300, 2));
    machine.onBlock = (target) => {
      target[0] = 0x03;
    };
    expect(received(machine, badge).length).toBe(1);
    expect(machine.ask('statistics')).toMatchObject({ receiveErrors: 1, resets: 0, framesReceived: 1 });
  });

  it('goes on behind rings full of damaged frames', () => {
    const { machine, badge } = opened();
    machine.prompt = true;
    machine.arrive(...Array.from({ length: 64 + 20 }, (_, index) => frame(1514, index)));
    let damaged = 64;
    machine.onBlock = (target) => {
      for (let at = 0; at < target.length && damaged > 0; at += 6 * 256, damaged--) target[at] = 0x03;
    };
    const numbers = received(machine, badge).map((bytes) => bytes.readUInt32BE(14));
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => 64 + index));
    expect(machine.ask('statistics')).toMatchObject({ receiveErrors: 64, resets: 0, framesReceived: 20 });
  });

  it('reads the counters of the card when they are half full', () => {
    const { machine, badge } = opened();
    machine.patient = false;
    machine.arrive(...Array.from({ length: 140 }, (_, index) => frame(1514, index)));
    machine.ask('receive', undefined, badge);
    expect(machine.ask('statistics')).toMatchObject({ missed: 132 });
  });

  it('is started anew on request, and keeps what its owner has set', () => {
    const { machine, badge } = opened();
    machine.ask('set_filter', { promiscuous: true, allMulticast: false, multicast: [] }, badge);
    machine.arrive(frame(60, 1));
    machine.ask('reset');
    machine.arrive(frame(60, 2, OTHER));
    expect(received(machine, badge)).toEqual([frame(60, 2, OTHER)]);
    const idle = new Machine().boot();
    idle.ask('reset');
    idle.arrive(frame(60, 1));
    expect(idle.ask('statistics')).toMatchObject({ resets: 1, framesReceived: 0 });
  });
});
