import { describe, expect, it } from 'vitest';
import { createMachine, type MachineOptions } from '../../../hw/machine.ts';
import { type Cable, type NetworkPort, NO_CABLE } from '../../../hw/network/cable.ts';
import type { SerialLine, SerialPort } from '../../../hw/serial-line.ts';

const START = Date.UTC(2006, 5, 17, 12, 34, 56) / 1000;

/** A line that keeps the port it was connected to. */
class TestSerialLine implements SerialLine {
  port: SerialPort | null = null;
  readonly sent: number[] = [];

  connect(port: SerialPort): void {
    this.port = port;
  }

  transmit(byte: number): boolean {
    this.sent.push(byte);
    return true;
  }

  receiveReady(): void {}
}

class Bench {
  now = 0;
  readonly line = new TestSerialLine();
  readonly machine;

  constructor(options: Partial<MachineOptions> = {}) {
    this.machine = createMachine({
      clock: () => this.now,
      startSeconds: START,
      serialLine: this.line,
      ...options,
    });
    // As a kernel does it: vectors 0x20 to 0x2f, everything masked but the slave.
    for (const [base, vector, cascade] of [
      [0x20, 0x20, 4],
      [0xa0, 0x28, 2],
    ] as const) {
      this.out(base, 0x11);
      for (const value of [vector, cascade, 1, base === 0x20 ? 0xfb : 0xff]) this.out(base + 1, value);
    }
  }

  out(port: number, value: number): void {
    this.machine.bus.write(port, 1, value);
  }

  in(port: number): number {
    return this.machine.bus.read(port, 1);
  }
}

describe('the machine', () => {
  it('has its devices at their ports', () => {
    const bench = new Bench();
    expect([bench.in(0x21), bench.in(0xa1)]).toEqual([0xfb, 0xff]);
    expect(bench.in(0x3fd)).toBe(0x60);
    expect(bench.in(0x64)).toBe(0x18);
    bench.out(0x70, 0x00);
    expect(bench.in(0x71)).toBe(0x56);
    expect([bench.in(0x1f7), bench.in(0x376)]).toEqual([0, 0]);
    expect([bench.in(0x300), bench.in(0x31e)]).toEqual([0x21, 0xff]);
    expect([bench.in(0x3e0), bench.in(0x80)]).toEqual([0, 0xff]);
    expect(new Bench({ consoleSize: false }).in(0x3e0)).toBe(0xff);
  });

  it('never has to be woken while nobody waits for an interrupt', () => {
    const bench = new Bench();
    expect(bench.machine.nextEvent()).toBe(Infinity);
    bench.out(0x21, 0xfa);
    const tick = bench.machine.nextEvent();
    expect(tick).toBeGreaterThan(0);
    bench.out(0x21, 0xfb);
    expect(bench.machine.nextEvent()).toBe(Infinity);
    bench.out(0x70, 0x0b);
    bench.out(0x71, 0x12);
    expect(bench.machine.nextEvent()).toBe(Infinity);
    bench.out(0xa1, 0xfe);
    expect(bench.machine.nextEvent()).toBe(1e9);
  });

  it('interrupts the CPU when a device has something to say', () => {
    const bench = new Bench();
    const output: boolean[] = [];
    bench.machine.pic.onOutput((level) => output.push(level));
    bench.out(0x21, 0xeb);
    bench.out(0x3f9, 0x02);
    expect(output).toEqual([true]);
    expect(bench.machine.pic.acknowledge()).toBe(0x24);
    expect(output).toEqual([true, false]);
  });

  it('shows in the request register what clocks have done that nobody touched', () => {
    const bench = new Bench();
    bench.out(0x43, 0x30);
    bench.out(0x40, 0x00);
    bench.out(0x40, 0x10);
    bench.now = 1e9;
    expect(bench.in(0x20) & 0x01).toBe(0x01);
  });

  it('tells of what comes from outside, at the time it comes', () => {
    const bench = new Bench();
    let changes = 0;
    bench.machine.onChange(() => changes++);
    bench.out(0x3fa, 0xc1);
    bench.out(0x3f9, 0x01);
    bench.out(0x21, 0xeb);
    bench.now = 5e9;
    expect(bench.line.port?.receive(Buffer.from('a'))).toBe(1);
    expect(changes).toBe(1);
    expect(bench.machine.nextEvent()).toBeGreaterThan(5e9);
    bench.machine.consoleSize.set(80, 24);
    bench.machine.key(0x1e, true);
    bench.machine.moveMouse(1, 1, 0, 0);
    bench.line.port?.setCarrier(false);
    expect(changes).toBe(4);
    expect(bench.in(0x60)).toBe(0x1c);
  });

  it('sends what is written to the serial port', () => {
    const bench = new Bench();
    for (const byte of Buffer.from('hi')) bench.out(0x3f8, byte);
    expect(Buffer.from(bench.line.sent).toString()).toBe('hi');
  });

  it('has a cable at its network card', () => {
    let port: NetworkPort | null = null;
    const sent: Buffer[] = [];
    const cable: Cable = {
      ...NO_CABLE,
      connect: (card) => {
        port = card;
      },
      send: (frame) => sent.push(Buffer.from(frame)),
    };
    const bench = new Bench({ cable, stationAddress: [2, 0, 0, 0, 0, 7] });
    const card = (): NetworkPort => port ?? expect.fail('the cable was not connected');
    let changes = 0;
    bench.machine.onChange(() => changes++);
    expect(card().ready()).toBe(true);
    card().receive(Buffer.alloc(60));
    expect(changes).toBe(1);
    // The first byte of the PROM, then a frame from the empty packet memory.
    for (const [offset, value] of [
      [0x0e, 0x48],
      [0x0a, 1],
      [0x00, 0x0a],
    ] as const)
      bench.out(0x300 + offset, value);
    expect(bench.in(0x310)).toBe(2);
    bench.out(0x304, 0x40);
    bench.out(0x305, 60);
    bench.out(0x300, 0x26);
    expect(sent).toEqual([Buffer.alloc(60)]);
  });

  it('takes further devices, on lines and ports that are free', () => {
    const device = { name: 'extra', read: () => 0x42, write: () => {}, reset: () => {}, nextEvent: () => 77 };
    const bench = new Bench({
      devices: (wiring) => {
        expect(() => wiring.line(4)).toThrow('taken');
        wiring.line(10).set(true);
        return [{ ...device, ports: [{ first: 0x320, last: 0x33f }] }];
      },
    });
    expect([bench.in(0x320), bench.machine.nextEvent()]).toEqual([0x42, 77]);
    expect(() => new Bench({ devices: () => [{ ...device, ports: [{ first: 0x60, last: 0x60 }] }] })).toThrow('i8042');
    expect(() => new Bench({ disks: [null, null, null, null, null] })).toThrow(RangeError);
  });

  it('resets when the guest asks, unless somebody else decides', () => {
    const bench = new Bench();
    bench.out(0x3ff, 0x5a);
    bench.out(0x64, 0xfe);
    expect([bench.in(0x3ff), bench.in(0x21)]).toEqual([0, 0]);
    let requests = 0;
    const asked = new Bench({ resetRequested: () => requests++ });
    asked.out(0x3ff, 0x5a);
    asked.out(0x64, 0xfe);
    expect([requests, asked.in(0x3ff)]).toEqual([1, 0x5a]);
  });
});
