import { describe, expect, it } from 'vitest';
import type { SerialLine } from '../../../hw/serial-line.ts';
import { Uart } from '../../../hw/uart.ts';
import { TestLine } from './line.ts';

const [DATA, ENABLE, IDENTIFY, LINE_CONTROL, MODEM_CONTROL, LINE_STATUS, MODEM_STATUS, SCRATCH] = [
  0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff,
];
const FIFO_CONTROL = IDENTIFY;
/** A character of ten bits at 115200 baud, in ns. */
const CHARACTER = Math.floor(1e10 / 115_200);

/** A UART and the other end of its line, which takes bytes while it has room. */
class Bench implements SerialLine {
  readonly interrupt = new TestLine();
  readonly sent: number[] = [];
  room = Infinity;
  readyCalls = 0;
  readonly uart: Uart;
  now = 0;

  constructor(instantTransmit = true) {
    this.uart = new Uart({ interrupt: this.interrupt, line: this, instantTransmit });
    this.out(LINE_CONTROL, 0x83);
    this.out(DATA, 1);
    this.out(ENABLE, 0);
    this.out(LINE_CONTROL, 0x03);
  }

  connect(): void {}

  transmit(byte: number): boolean {
    if (this.room === 0) return false;
    this.room--;
    this.sent.push(byte);
    return true;
  }

  receiveReady(): void {
    this.readyCalls++;
  }

  pass(ns: number): void {
    this.now += ns;
    this.uart.advance(this.now);
  }

  out(port: number, value: number): void {
    this.uart.write(port, 1, value);
  }

  in(port: number): number {
    return this.uart.read(port, 1);
  }

  receive(...bytes: number[]): number {
    return this.uart.receive(Uint8Array.from(bytes));
  }
}

describe('the serial port', () => {
  it('has the registers of a 16550A', () => {
    const bench = new Bench();
    bench.out(SCRATCH, 0x5a);
    bench.out(ENABLE, 0xff);
    bench.out(MODEM_CONTROL, 0xff);
    bench.out(LINE_CONTROL, 0x7f);
    expect([SCRATCH, ENABLE, MODEM_CONTROL, LINE_CONTROL].map((port) => bench.in(port))).toEqual([
      0x5a, 0x0f, 0x1f, 0x7f,
    ]);
    bench.out(LINE_CONTROL, 0x83);
    bench.out(DATA, 0x34);
    bench.out(ENABLE, 0x12);
    expect([bench.in(DATA), bench.in(ENABLE)]).toEqual([0x34, 0x12]);
    bench.uart.reset();
    expect([ENABLE, IDENTIFY, LINE_CONTROL, MODEM_CONTROL, LINE_STATUS].map((port) => bench.in(port))).toEqual([
      0, 1, 0, 8, 0x60,
    ]);
  });

  it('sends at once when told to, and interrupts for more', () => {
    const bench = new Bench();
    bench.out(ENABLE, 0x02);
    expect([bench.interrupt.level, bench.in(IDENTIFY), bench.interrupt.level]).toEqual([true, 0x02, false]);
    bench.out(DATA, 0x41);
    expect([bench.sent, bench.in(LINE_STATUS), bench.in(IDENTIFY)]).toEqual([[0x41], 0x60, 0x02]);
    expect(bench.in(IDENTIFY)).toBe(0x01);
  });

  it('keeps what the line refuses, up to a FIFO and a byte, and goes on when the line is ready', () => {
    const bench = new Bench();
    bench.room = 2;
    bench.out(FIFO_CONTROL, 0x01);
    for (let byte = 0; byte < 19; byte++) bench.out(DATA, byte);
    expect([bench.sent, bench.in(LINE_STATUS)]).toEqual([[0, 1], 0x00]);
    bench.out(DATA, 19); // one too many: the oldest one in the FIFO goes
    bench.room = 3;
    bench.uart.transmitReady();
    expect(bench.sent).toEqual([0, 1, 2, 4, 5]);
    bench.room = Infinity;
    bench.uart.transmitReady();
    expect(bench.sent.slice(-2)).toEqual([18, 19]);
    expect(bench.in(LINE_STATUS)).toBe(0x60);
    bench.uart.transmitReady();
    expect(bench.sent.length).toBe(19);
  });

  it('takes its time to send when told to', () => {
    const bench = new Bench(false);
    bench.out(ENABLE, 0x02);
    bench.in(IDENTIFY);
    bench.out(DATA, 1);
    expect([bench.sent, bench.in(LINE_STATUS), bench.interrupt.level]).toEqual([[], 0x20, true]);
    bench.out(DATA, 2);
    expect([bench.in(LINE_STATUS), bench.uart.nextEvent()]).toEqual([0x00, CHARACTER]);
    bench.pass(CHARACTER);
    expect([bench.sent, bench.in(LINE_STATUS), bench.uart.nextEvent()]).toEqual([[1], 0x20, 2 * CHARACTER]);
    bench.room = 0;
    bench.pass(CHARACTER);
    expect([bench.sent, bench.in(LINE_STATUS), bench.uart.nextEvent()]).toEqual([[1], 0x20, Infinity]);
    bench.room = 1;
    bench.uart.transmitReady();
    expect([bench.sent, bench.in(LINE_STATUS)]).toEqual([[1, 2], 0x60]);
  });

  it('sends a whole FIFO within a long stretch of time, byte after byte', () => {
    const bench = new Bench(false);
    bench.out(FIFO_CONTROL, 0x01);
    for (let byte = 0; byte < 4; byte++) bench.out(DATA, byte);
    bench.pass(3 * CHARACTER);
    expect([bench.sent, bench.in(LINE_STATUS)]).toEqual([[0, 1, 2], 0x20]);
    bench.pass(CHARACTER);
    expect([bench.sent, bench.in(LINE_STATUS)]).toEqual([[0, 1, 2, 3], 0x60]);
  });

  it('counts parity, stop bits and word length into the time of a character', () => {
    const bench = new Bench(false);
    bench.out(LINE_CONTROL, 0x80 | 0x0c);
    bench.out(DATA, 12);
    bench.out(LINE_CONTROL, 0x0c); // 5 data bits, parity, 2 stop bits
    bench.out(DATA, 0);
    expect(bench.uart.nextEvent()).toBe(Math.floor(9e9 / 9600));
  });

  it('takes a byte at a time without FIFO, and says when it has room', () => {
    const bench = new Bench();
    bench.out(ENABLE, 0x01);
    expect(bench.receive(1, 2)).toBe(1);
    expect([bench.in(LINE_STATUS), bench.in(IDENTIFY), bench.interrupt.level]).toEqual([0x61, 0x04, true]);
    expect([bench.in(DATA), bench.readyCalls, bench.interrupt.level]).toEqual([1, 1, false]);
    expect(bench.receive(2)).toBe(1);
    bench.in(DATA);
    expect(bench.readyCalls).toBe(1); // it was not refused anything
  });

  it('takes sixteen bytes into the FIFO and interrupts at the trigger level', () => {
    const bench = new Bench();
    bench.out(FIFO_CONTROL, 0x81); // 8 bytes
    bench.out(ENABLE, 0x01);
    expect(bench.receive(1, 2, 3, 4, 5, 6, 7)).toBe(7);
    expect([bench.interrupt.level, bench.in(IDENTIFY)]).toEqual([false, 0xc1]);
    expect(bench.receive(...new Array<number>(12).fill(9))).toBe(9);
    expect([bench.interrupt.level, bench.in(IDENTIFY)]).toEqual([true, 0xc4]);
    for (let byte = 0; byte < 8; byte++) bench.in(DATA);
    expect([bench.interrupt.level, bench.readyCalls]).toEqual([true, 1]);
    bench.in(DATA);
    expect(bench.interrupt.level).toBe(false);
  });

  it('tells of bytes below the trigger level after the time of four characters', () => {
    const bench = new Bench();
    bench.out(FIFO_CONTROL, 0xc1);
    bench.out(ENABLE, 0x01);
    bench.receive(1, 2);
    expect(bench.uart.nextEvent()).toBe(4 * CHARACTER);
    bench.pass(4 * CHARACTER - 1);
    expect(bench.interrupt.level).toBe(false);
    bench.pass(1);
    expect([bench.interrupt.level, bench.in(IDENTIFY)]).toEqual([true, 0xcc]);
    bench.in(DATA);
    expect([bench.interrupt.level, bench.uart.nextEvent()]).toEqual([false, 8 * CHARACTER]);
    bench.in(DATA);
    bench.pass(1e9);
    expect([bench.interrupt.level, bench.in(DATA)]).toEqual([false, 0]);
  });

  it('reports overruns and breaks as line status, before all else', () => {
    const bench = new Bench();
    bench.out(ENABLE, 0x07);
    bench.out(MODEM_CONTROL, 0x10);
    bench.out(DATA, 0x31);
    bench.out(DATA, 0x32);
    expect([bench.in(IDENTIFY), bench.in(LINE_STATUS), bench.in(IDENTIFY)]).toEqual([0x06, 0x63, 0x04]);
    expect([bench.in(DATA), bench.in(IDENTIFY), bench.in(IDENTIFY)]).toEqual([0x32, 0x02, 0x01]);
    bench.out(MODEM_CONTROL, 0x00);
    bench.uart.receiveBreak();
    expect([bench.in(IDENTIFY), bench.in(LINE_STATUS), bench.in(LINE_STATUS)]).toEqual([0x06, 0x71, 0x61]);
  });

  it('shows a break in the FIFO when its byte comes to the top', () => {
    const bench = new Bench();
    bench.out(FIFO_CONTROL, 0x01);
    bench.receive(0x41);
    bench.uart.receiveBreak();
    bench.receive(0x42);
    expect(bench.in(LINE_STATUS)).toBe(0xe1);
    expect([bench.in(DATA), bench.in(LINE_STATUS), bench.in(LINE_STATUS)]).toEqual([0x41, 0xf1, 0x61]);
    expect([bench.in(DATA), bench.in(DATA), bench.in(LINE_STATUS)]).toEqual([0, 0x42, 0x60]);
  });

  it('empties the FIFOs when told to, and when they are switched', () => {
    const bench = new Bench();
    bench.out(FIFO_CONTROL, 0x01);
    bench.receive(1, 2, 3);
    bench.out(FIFO_CONTROL, 0x03);
    expect(bench.in(LINE_STATUS)).toBe(0x60);
    bench.room = 0;
    bench.out(DATA, 1);
    bench.out(DATA, 2);
    expect(bench.in(LINE_STATUS)).toBe(0x00);
    bench.out(FIFO_CONTROL, 0x05);
    expect(bench.in(LINE_STATUS)).toBe(0x20); // one is on its way
    bench.receive(1);
    bench.out(FIFO_CONTROL, 0x00);
    expect([bench.in(LINE_STATUS) & 0x01, bench.in(IDENTIFY)]).toEqual([0, 0x01]);
  });

  it('tells of the carrier', () => {
    const bench = new Bench();
    bench.out(ENABLE, 0x08);
    expect([bench.in(MODEM_STATUS), bench.interrupt.level]).toEqual([0xb0, false]);
    bench.uart.setCarrier(false);
    expect([bench.interrupt.level, bench.in(IDENTIFY), bench.in(MODEM_STATUS)]).toEqual([true, 0x00, 0x0b]);
    expect([bench.interrupt.level, bench.in(MODEM_STATUS)]).toEqual([false, 0x00]);
    bench.uart.setCarrier(true);
    expect(bench.in(MODEM_STATUS)).toBe(0xbb);
    bench.uart.setCarrier(false, true);
    expect([bench.in(MODEM_STATUS), bench.in(MODEM_STATUS)]).toEqual([0x38, 0x30]);
  });

  it('wires its modem outputs to its inputs in loopback, where changes outside wait', () => {
    const bench = new Bench();
    bench.out(ENABLE, 0x08);
    for (const [control, status] of [
      [0x1f, 0xf0],
      [0x10, 0x00],
      [0x11, 0x20],
      [0x12, 0x10],
      [0x14, 0x40],
      [0x18, 0x80],
    ] as const) {
      bench.out(MODEM_CONTROL, control);
      expect([bench.in(MODEM_STATUS), bench.in(IDENTIFY), bench.interrupt.level]).toEqual([status, 0x01, false]);
    }
    bench.uart.setCarrier(false);
    expect(bench.in(MODEM_STATUS)).toBe(0x80);
    bench.out(MODEM_CONTROL, 0x00);
    expect([bench.in(IDENTIFY), bench.in(MODEM_STATUS), bench.in(MODEM_STATUS)]).toEqual([0x00, 0x0b, 0x00]);
  });

  it('hears only itself in loopback, and catches up afterwards', () => {
    const bench = new Bench();
    bench.out(MODEM_CONTROL, 0x10);
    expect(bench.receive(7)).toBe(0);
    bench.uart.receiveBreak();
    bench.out(DATA, 0x41);
    expect([bench.sent, bench.in(DATA), bench.in(LINE_STATUS)]).toEqual([[], 0x41, 0x60]);
    expect(bench.readyCalls).toBe(0);
    bench.out(MODEM_CONTROL, 0x00);
    expect(bench.readyCalls).toBe(1);
  });

  it('ignores accesses that are wider than a byte', () => {
    const bench = new Bench();
    bench.uart.write(SCRATCH, 2, 0x1234);
    expect([bench.uart.read(SCRATCH, 2), bench.uart.read(SCRATCH, 4), bench.in(SCRATCH)]).toEqual([
      0xffff, 0xffff_ffff, 0,
    ]);
  });
});
