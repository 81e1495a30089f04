import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rtc } from '../../../hw/rtc.ts';
import { fromSeconds, toSeconds } from '../../../hw/rtc-calendar.ts';
import { TestLine } from './line.ts';

const SECOND = 1e9;
const START = Date.UTC(2006, 5, 17, 12, 34, 56) / 1000;
const [SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR] = [0, 2, 4, 6, 7, 8, 9];
const [A, B, C, D, CENTURY] = [0x0a, 0x0b, 0x0c, 0x0d, 0x32];

class Bench {
  readonly line = new TestLine();
  readonly rtc: Rtc;
  now = 0;

  constructor(startSeconds = START) {
    this.rtc = new Rtc({ interrupt: this.line, startSeconds });
  }

  pass(ns: number): void {
    this.now += ns;
    this.rtc.advance(this.now);
  }

  set(index: number, value: number): void {
    this.rtc.write(0x70, 1, index);
    this.rtc.write(0x71, 1, value);
  }

  get(index: number): number {
    this.rtc.write(0x70, 1, index);
    return this.rtc.read(0x71, 1);
  }

  /** Hours, minutes and seconds as the registers have them, in hexadecimal digits. */
  get time(): string {
    return [HOURS, MINUTES, SECONDS].map((index) => this.get(index).toString(16).padStart(2, '0')).join(':');
  }

  get date(): string {
    const bytes = [CENTURY, YEAR, MONTH, DAY, WEEKDAY].map((index) => this.get(index).toString(16).padStart(2, '0'));
    return `${bytes[0]}${bytes[1]}-${bytes[2]}-${bytes[3]}/${bytes[4]}`;
  }
}

describe('the calendar', () => {
  it('agrees with the host, for a thousand years', () => {
    fc.assert(
      fc.property(fc.integer({ min: -15e9, max: 15e9 }), (seconds) => {
        const date = new Date(seconds * 1000);
        expect(fromSeconds(seconds)).toEqual({
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
          hour: date.getUTCHours(),
          minute: date.getUTCMinutes(),
          second: date.getUTCSeconds(),
          weekday: date.getUTCDay(),
        });
        expect(toSeconds(fromSeconds(seconds))).toBe(seconds);
      }),
    );
  });

  it('carries fields that are out of range', () => {
    const time = { year: 2001, month: 14, day: 31, hour: 25, minute: 61, second: 61 };
    expect(toSeconds(time)).toBe(Date.UTC(2001, 13, 31, 25, 61, 61) / 1000);
  });
});

describe('the real-time clock', () => {
  it('shows the wall clock in BCD', () => {
    const bench = new Bench();
    expect([bench.time, bench.date]).toEqual(['12:34:56', '2006-06-17/07']);
    bench.pass(4 * SECOND);
    expect(bench.time).toBe('12:35:00');
  });

  it('shows it in binary and with twelve hours', () => {
    const bench = new Bench();
    bench.set(B, 0x04);
    expect([bench.get(HOURS), bench.get(MINUTES)]).toEqual([0x8c, 34]);
    bench.pass(12 * 3600 * SECOND);
    expect(bench.get(HOURS)).toBe(12);
    bench.pass(3600 * SECOND);
    expect(bench.get(HOURS)).toBe(1);
    bench.set(B, 0x00);
    bench.pass(12 * 3600 * SECOND);
    expect(bench.get(HOURS)).toBe(0x81);
  });

  it('takes a time in twelve hours', () => {
    const bench = new Bench();
    for (const [written, read] of [
      [0x12, 0x00],
      [0x11, 0x11],
      [0x92, 0x12],
      [0x91, 0x23],
    ] as const) {
      bench.set(B, 0x80);
      bench.set(HOURS, written);
      bench.set(B, 0x00);
      bench.set(B, 0x02);
      expect(bench.get(HOURS)).toBe(read);
    }
  });

  it('takes a value that in an alarm means any for one before the first', () => {
    const bench = new Bench();
    bench.set(SECONDS, 0xff);
    expect(bench.time).toBe('12:33:59');
    bench.set(MINUTES, 0xc0);
    expect(bench.time).toBe('11:59:59');
  });

  it('stands still for the guest while SET is on, and keeps its place within the second', () => {
    const bench = new Bench();
    bench.pass(0.4 * SECOND);
    bench.set(B, 0x82);
    bench.pass(10 * SECOND);
    expect(bench.time).toBe('12:34:56');
    bench.set(SECONDS, 0x10);
    bench.set(B, 0x02);
    bench.pass(0.59 * SECOND);
    expect(bench.time).toBe('12:34:10');
    bench.pass(0.01 * SECOND);
    expect(bench.time).toBe('12:34:11');
  });

  it('keeps the century with the rest of the date, under both of its addresses', () => {
    const bench = new Bench(Date.UTC(1999, 11, 31, 23, 59, 59) / 1000);
    bench.pass(SECOND);
    expect(bench.date).toBe('2000-01-01/07');
    bench.set(0x37, 0x19);
    expect(bench.date).toBe('1900-01-01/02');
  });

  it('begins half a second before an update when its divider is released', () => {
    const bench = new Bench();
    bench.set(A, 0x66);
    bench.pass(7 * SECOND);
    expect(bench.time).toBe('12:34:56');
    bench.set(A, 0x26);
    bench.pass(0.5 * SECOND - 1);
    expect(bench.time).toBe('12:34:56');
    bench.pass(1);
    expect(bench.time).toBe('12:34:57');
  });

  it('announces an update, except while nothing is updated', () => {
    const bench = new Bench();
    expect(bench.get(A)).toBe(0x26);
    bench.pass(SECOND - 244_140);
    expect(bench.get(A)).toBe(0xa6);
    bench.set(B, 0x82);
    expect(bench.get(A)).toBe(0x26);
    bench.set(A, 0xff);
    expect(bench.get(A)).toBe(0x7f);
  });

  it('interrupts after an update', () => {
    const bench = new Bench();
    bench.set(B, 0x12);
    expect(bench.rtc.nextEvent()).toBe(SECOND);
    bench.pass(SECOND - 1);
    expect(bench.line.level).toBe(false);
    bench.pass(1);
    expect([bench.line.level, bench.rtc.nextEvent()]).toEqual([true, Infinity]);
    expect(bench.get(C)).toBe(0x90);
    expect([bench.line.level, bench.get(C)]).toEqual([false, 0]);
    expect(bench.rtc.nextEvent()).toBe(2 * SECOND);
  });

  it('interrupts at once when a flag is up and becomes allowed', () => {
    const bench = new Bench();
    bench.pass(SECOND);
    expect(bench.line.level).toBe(false);
    bench.set(B, 0x12);
    expect(bench.line.level).toBe(true);
    bench.set(B, 0x02);
    expect([bench.line.level, bench.get(C)]).toEqual([false, 0x10]);
  });

  it('switches the update interrupt off with SET', () => {
    const bench = new Bench();
    bench.set(B, 0x92);
    expect(bench.get(B)).toBe(0x82);
  });

  it('alarms at a time, and again only after the flag was read', () => {
    const bench = new Bench();
    for (const [index, value] of [
      [1, 0x01],
      [3, 0x35],
      [5, 0x12],
    ] as const)
      bench.set(index, value);
    bench.set(B, 0x22);
    expect(bench.rtc.nextEvent()).toBe(5 * SECOND);
    bench.pass(5 * SECOND - 1);
    expect(bench.line.level).toBe(false);
    bench.pass(1);
    expect(bench.get(C)).toBe(0xb0);
    expect(bench.rtc.nextEvent()).toBe((5 + 86_400) * SECOND);
    bench.pass(86_400 * SECOND);
    expect(bench.line.level).toBe(true);
  });

  it('alarms every time the bytes that matter match', () => {
    const bench = new Bench();
    bench.set(1, 0xc0);
    bench.set(3, 0x36);
    bench.set(5, 0xff);
    bench.set(B, 0x22);
    expect(bench.rtc.nextEvent()).toBe(64 * SECOND); // 12:36:00
    bench.pass(64 * SECOND);
    bench.get(C);
    expect(bench.rtc.nextEvent()).toBe(65 * SECOND);
    bench.pass(59 * SECOND);
    bench.get(C);
    expect(bench.rtc.nextEvent()).toBe((64 + 3600) * SECOND);
    bench.set(5, 0x24); // never
    expect(bench.rtc.nextEvent()).toBe(Infinity);
  });

  it('finds an alarm in the afternoon with twelve hours', () => {
    const bench = new Bench();
    bench.set(B, 0x00);
    bench.set(1, 0x00);
    bench.set(3, 0x00);
    bench.set(5, 0x81);
    bench.set(B, 0x20);
    expect(bench.rtc.nextEvent()).toBe((25 * 60 + 4) * SECOND);
  });

  it('interrupts periodically at each of its rates', () => {
    for (let rate = 1; rate <= 15; rate++) {
      const hertz = rate <= 2 ? 2 ** (9 - rate) : 2 ** (16 - rate);
      const bench = new Bench();
      bench.set(A, 0x20 | rate);
      bench.set(B, 0x42);
      let interrupts = 0;
      while (bench.rtc.nextEvent() <= SECOND) {
        bench.pass(bench.rtc.nextEvent() - bench.now);
        expect(bench.get(C) & 0xc0).toBe(0xc0);
        interrupts++;
      }
      expect(Math.abs(interrupts - hertz)).toBeLessThanOrEqual(1);
    }
  });

  it('interrupts at once when a shorter rate finds its time gone', () => {
    const bench = new Bench();
    bench.set(A, 0x2f);
    bench.set(B, 0x42);
    bench.pass(0.4 * SECOND);
    expect(bench.line.level).toBe(false);
    bench.set(A, 0x26);
    expect([bench.line.level, bench.get(C)]).toEqual([true, 0xc0]);
  });

  it('has no alarm for the time in which its divider was held', () => {
    const bench = new Bench();
    bench.set(0x03, 0x35);
    bench.set(0x05, 0xff);
    bench.set(A, 0x66);
    bench.pass(80 * SECOND);
    bench.set(B, 0xa2);
    bench.set(A, 0x26);
    bench.pass(0);
    bench.set(B, 0x22);
    expect([bench.line.level, bench.get(C), bench.time]).toEqual([false, 0, '12:34:56']);
  });

  it('has no periodic interrupt at rate 0, and makes one of all that came too late', () => {
    const bench = new Bench();
    bench.set(B, 0x42);
    bench.set(A, 0x20);
    expect(bench.rtc.nextEvent()).toBe(Infinity);
    bench.set(A, 0x26);
    bench.pass(3600 * SECOND);
    expect(bench.line.take()).toBe(1);
    bench.get(C);
    expect(bench.rtc.nextEvent() - bench.now).toBeLessThanOrEqual(SECOND / 1024 + 1);
  });

  it('keeps 114 bytes and more of memory through a reset, but no interrupt', () => {
    const bench = new Bench();
    bench.set(0x40, 0x12);
    bench.set(0xff, 0x34); // bit 7 of the index belongs to the NMI
    bench.set(D, 0x00);
    bench.set(B, 0x7a);
    bench.pass(2 * SECOND);
    expect(bench.line.level).toBe(true);
    bench.rtc.reset();
    expect([bench.line.level, bench.get(B), bench.get(C), bench.get(D)]).toEqual([false, 0x02, 0, 0x80]);
    expect([bench.get(0x40), bench.get(0x7f), bench.time]).toEqual([0x12, 0x34, '12:34:58']);
    expect(bench.rtc.read(0x70, 1)).toBe(0xff);
  });
});
