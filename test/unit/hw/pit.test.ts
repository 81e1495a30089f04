import { describe, expect, it } from 'vitest';
import { Pit } from '../../../hw/pit.ts';
import { nsToTicks, PIT_FREQUENCY, ticksToNs } from '../../../hw/pit-counter.ts';
import { TestLine } from './line.ts';

/** A timer, the line of its counter 0, and a clock that counts input clocks. */
class Bench {
  readonly line = new TestLine();
  readonly pit: Pit;
  now = 0;

  constructor(lateEdges: 'each' | 'merge' = 'each') {
    this.pit = new Pit({ interrupt: this.line, lateEdges });
  }

  /** Moves to the moment at which `ticks` more input clocks have ended. */
  tick(ticks: number): void {
    this.now += ticksToNs(ticks);
    this.pit.advance(this.now);
  }

  out(port: number, ...values: number[]): void {
    for (const value of values) this.pit.write(port, 1, value);
  }

  in(port: number): number {
    return this.pit.read(port, 1);
  }

  /** The count of counter 2 or 0, latched, low and high byte. */
  count(counter: number): number {
    this.out(0x43, counter << 6);
    return this.in(0x40 + counter) | (this.in(0x40 + counter) << 8);
  }

  get output2(): boolean {
    return (this.in(0x61) & 0x20) !== 0;
  }

  /** The outputs of counter 2 after each of a number of clocks. */
  wave(clocks: number): string {
    let wave = this.output2 ? '1' : '0';
    const start = this.now;
    for (let clock = 1; clock <= clocks; clock++) {
      this.now = start + ticksToNs(clock);
      this.pit.advance(this.now);
      wave += this.output2 ? '1' : '0';
    }
    return wave;
  }
}

describe('clocks and nanoseconds', () => {
  it('agree with exact arithmetic for years', () => {
    for (const ticks of [0, 1, 2, 3, 1193, 65_536, PIT_FREQUENCY - 1, PIT_FREQUENCY, 9_007_199, 3e9 + 7, 3e12 + 11]) {
      const exact = Number((BigInt(ticks) * 1_000_000_000n + BigInt(PIT_FREQUENCY) - 1n) / BigInt(PIT_FREQUENCY));
      expect(ticksToNs(ticks)).toBe(exact);
      expect(nsToTicks(exact)).toBe(ticks);
      if (ticks > 0) expect(nsToTicks(exact - 1)).toBe(ticks - 1);
    }
  });
});

describe('the interval timer', () => {
  it('mode 0 counts once and interrupts at the end', () => {
    const bench = new Bench();
    bench.out(0x43, 0x30);
    bench.out(0x40, 0x10, 0x00);
    expect(bench.line.level).toBe(false);
    bench.tick(15);
    expect([bench.count(0), bench.line.level]).toEqual([1, false]);
    bench.tick(1);
    expect([bench.count(0), bench.line.level]).toEqual([0, true]);
    bench.tick(1);
    expect(bench.count(0)).toBe(0xffff); // it goes on, silently
    expect(bench.pit.nextEvent()).toBe(Infinity);
    bench.out(0x40, 0x10); // the first byte of a new count takes the output down
    expect(bench.line.level).toBe(false);
  });

  it('mode 1 waits for the gate, and starts again at each of its rises', () => {
    const bench = new Bench();
    bench.out(0x43, 0xb2);
    bench.out(0x42, 4, 0);
    expect(bench.wave(6)).toBe('1111111');
    bench.out(0x61, 0x01);
    expect(bench.wave(2)).toBe('000');
    bench.out(0x61, 0x00);
    bench.out(0x61, 0x01);
    expect(bench.wave(5)).toBe('000011');
  });

  it('mode 2 is low for the last clock of each period', () => {
    const bench = new Bench();
    bench.out(0x43, 0xb4);
    bench.out(0x42, 4, 0);
    expect(bench.wave(8)).toBe('111011101');
    expect(bench.count(2)).toBe(4);
  });

  it('mode 3 is high for half of each period, the longer half of an odd one', () => {
    const bench = new Bench();
    bench.out(0x43, 0xb6);
    bench.out(0x42, 4, 0);
    expect(bench.wave(8)).toBe('110011001');
    bench.out(0x42, 5, 0);
    expect(bench.wave(10)).toBe('11100111001');
  });

  it('mode 3 counts down by two, twice in a period', () => {
    const bench = new Bench();
    bench.out(0x43, 0xb6);
    bench.out(0x42, 8, 0);
    const counts = [];
    for (let clock = 0; clock < 9; clock++) {
      counts.push(bench.count(2));
      bench.tick(1);
    }
    expect(counts).toEqual([8, 6, 4, 2, 8, 6, 4, 2, 8]);
  });

  it('modes 4 and 5 go low for one clock at the end', () => {
    const software = new Bench();
    software.out(0x43, 0xb8);
    software.out(0x42, 3, 0);
    expect(software.wave(6)).toBe('1110111');
    const hardware = new Bench();
    hardware.out(0x43, 0xba);
    hardware.out(0x42, 3, 0);
    expect(hardware.wave(5)).toBe('111111');
    hardware.out(0x61, 0x01);
    expect(hardware.wave(6)).toBe('1110111');
  });

  it('counts in BCD', () => {
    const bench = new Bench();
    bench.out(0x43, 0x31);
    bench.out(0x40, 0x00, 0x10); // 1000
    bench.tick(1);
    expect(bench.count(0)).toBe(0x0999);
    bench.tick(999);
    expect([bench.count(0), bench.line.level]).toEqual([0, true]);
    bench.tick(1);
    expect(bench.count(0)).toBe(0x9999);
    bench.out(0x40, 0x00, 0x00); // 10000
    bench.tick(9999);
    expect([bench.count(0), bench.line.level]).toEqual([1, false]);
  });

  it('latches count and status, the status first, and keeps a latched count', () => {
    const bench = new Bench();
    bench.out(0x43, 0x34);
    bench.out(0x40, 0x00, 0x10);
    bench.tick(0x10);
    bench.out(0x43, 0xc2); // both of counter 0
    bench.tick(0x100);
    bench.out(0x43, 0x00);
    expect([bench.in(0x40), bench.in(0x40), bench.in(0x40)]).toEqual([0xb4, 0xf0, 0x0f]);
    expect(bench.count(0)).toBe(0x0ef0);
  });

  it('says in the status that a count has not arrived', () => {
    const bench = new Bench();
    bench.out(0x43, 0x30, 0xe2);
    expect(bench.in(0x40)).toBe(0x70);
    bench.out(0x40, 1, 0);
    bench.out(0x43, 0xe2);
    expect(bench.in(0x40)).toBe(0x30);
  });

  it('reads and writes the low or the high byte alone, and unlatched counts byte by byte', () => {
    const bench = new Bench();
    bench.out(0x43, 0x94);
    bench.out(0x42, 0x80);
    bench.tick(0x20);
    expect(bench.in(0x42)).toBe(0x60);
    bench.out(0x43, 0xa4);
    bench.out(0x42, 0x12);
    expect(bench.in(0x42)).toBe(0x12);
    bench.out(0x43, 0xb4);
    bench.out(0x42, 0x34, 0x12);
    expect([bench.in(0x42), bench.in(0x42), bench.in(0x42)]).toEqual([0x34, 0x12, 0x34]);
    expect(bench.in(0x43)).toBe(0);
  });

  it('toggles the refresh bit with each read of port 0x61 and keeps gate and speaker bits', () => {
    const bench = new Bench();
    const first = bench.in(0x61) & 0x10;
    expect([bench.in(0x61) & 0x10, bench.in(0x61) & 0x10]).toEqual([first ^ 0x10, first]);
    bench.out(0x61, 0xff);
    expect(bench.in(0x61) & 0x03).toBe(0x03);
  });

  it('delivers every edge of a long step, and says when the next one rises', () => {
    const bench = new Bench();
    bench.out(0x43, 0x34);
    bench.out(0x40, 0xa9, 0x04); // 1193: about 1000 Hz
    bench.line.take();
    bench.now = 1e9;
    bench.pit.advance(bench.now);
    expect(bench.line.take()).toBe(1000);
    expect(bench.pit.nextEvent()).toBe(ticksToNs(1193 * 1001));
    bench.pit.advance(ticksToNs(1193 * 1001) - 1);
    expect(bench.line.take()).toBe(0);
    bench.pit.advance(ticksToNs(1193 * 1001));
    expect(bench.line.take()).toBe(1);
  });

  it('interrupts in mode 2 at the end of the first period, not at its start', () => {
    const bench = new Bench();
    bench.out(0x43, 0x30);
    bench.out(0x40, 0x10, 0x00);
    bench.line.take();
    bench.out(0x43, 0x34);
    bench.out(0x40, 0x08, 0x00);
    expect(bench.line.level).toBe(false);
    bench.tick(7);
    expect(bench.line.take()).toBe(0);
    bench.tick(2);
    expect(bench.line.take()).toBe(1);
  });

  it('leaves out edges nobody saw when told to merge them', () => {
    const bench = new Bench('merge');
    bench.out(0x43, 0x36);
    bench.out(0x40, 0x02, 0x00);
    bench.line.take();
    const aDay = 86_400e9;
    bench.now = aDay;
    bench.pit.advance(aDay);
    expect(bench.line.take()).toBeLessThan(4);
    expect(bench.pit.nextEvent()).toBeGreaterThan(aDay);
    expect(bench.pit.nextEvent() - aDay).toBeLessThan(ticksToNs(4));
  });

  it('runs from power-on at 18.2 Hz', () => {
    const bench = new Bench();
    bench.pit.advance(1e9);
    expect(bench.line.raises).toBe(19); // one more than rises: the line was low while the output was high
    bench.pit.reset();
    expect(bench.line.level).toBe(false);
  });
});
