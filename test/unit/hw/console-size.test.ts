import { describe, expect, it } from 'vitest';
import { ConsoleSize } from '../../../hw/console-size.ts';
import { TestLine } from './line.ts';

const PORTS = [0x3e0, 0x3e1, 0x3e2, 0x3e3];

describe('the console size device', () => {
  it('shows no window at first, and the size it was told', () => {
    const line = new TestLine();
    const device = new ConsoleSize(line);
    expect(PORTS.map((port) => device.read(port, 1))).toEqual([0, 0, 0, 0]);
    device.set(0x1234, 50);
    expect(line.level).toBe(true);
    expect(PORTS.map((port) => device.read(port, 1))).toEqual([0x34, 0x12, 50, 0]);
    expect(line.level).toBe(false);
    device.set(0x1234, 50);
    expect(line.level).toBe(false);
    device.set(100_000, 1);
    expect(PORTS.map((port) => device.read(port, 1))).toEqual([0xff, 0xff, 1, 0]);
  });

  it('keeps the numbers of one reading together', () => {
    const device = new ConsoleSize(new TestLine());
    device.set(80, 24);
    device.read(0x3e0, 1);
    device.set(132, 43);
    expect(PORTS.slice(1).map((port) => device.read(port, 1))).toEqual([0, 24, 0]);
    expect(PORTS.map((port) => device.read(port, 1))).toEqual([132, 0, 43, 0]);
  });

  it('is not written, and answers only bytes', () => {
    const device = new ConsoleSize(new TestLine());
    device.set(80, 24);
    device.write();
    expect([device.read(0x3e0, 2), device.read(0x3e0, 1)]).toEqual([0xffff, 80]);
  });

  it('is quiet after a reset', () => {
    const line = new TestLine();
    const device = new ConsoleSize(line);
    device.set(80, 24);
    device.reset();
    expect([line.level, device.read(0x3e0, 1)]).toEqual([false, 80]);
  });
});
