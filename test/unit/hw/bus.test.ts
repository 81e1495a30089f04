import { describe, expect, it } from 'vitest';
import { type BusDevice, PortBus } from '../../../hw/bus.ts';
import type { Width } from '../../../hw/device.ts';

/** A device that keeps a byte per port and writes down what reaches it. */
class Recorder implements BusDevice {
  readonly name: string;
  readonly ports;
  readonly widePorts;
  readonly log: string[] = [];
  readonly bytes = new Map<number, number>();

  constructor(name: string, first: number, last: number, wide?: number) {
    this.name = name;
    this.ports = [{ first, last }];
    this.widePorts = wide === undefined ? [] : [{ first: wide, last: wide }];
  }

  read(port: number, width: Width): number {
    this.log.push(`r${width} ${port.toString(16)}`);
    return this.bytes.get(port) ?? 0;
  }

  write(port: number, width: Width, value: number): void {
    this.log.push(`w${width} ${port.toString(16)} ${value.toString(16)}`);
    this.bytes.set(port, value);
  }

  reset(): void {}
}

describe('the port bus', () => {
  it('reads all ones where nobody answers, and loses writes there', () => {
    const bus = new PortBus(() => 0);
    expect([bus.read(0x1234, 1), bus.read(0x1234, 2), bus.read(0x1234, 4)]).toEqual([0xff, 0xffff, 0xffff_ffff]);
    bus.write(0x1234, 4, 1);
    const block = Buffer.alloc(4);
    bus.readBlock(0x1234, 2, block);
    expect(block).toEqual(Buffer.alloc(4, 0xff));
  });

  it('breaks a wide access into bytes in address order, low byte first', () => {
    const bus = new PortBus(() => 0);
    const device = new Recorder('a', 0x100, 0x102);
    bus.attach(device);
    bus.write(0x100, 4, 0x8765_4321);
    expect(bus.read(0x100, 4)).toBe(0xff65_4321);
    expect(device.log).toEqual(['w1 100 21', 'w1 101 43', 'w1 102 65', 'r1 100', 'r1 101', 'r1 102']);
    expect(bus.read(0x102, 2)).toBe(0xff65);
  });

  it('reaches from one device into the next, and not beyond the last port', () => {
    const bus = new PortBus(() => 0);
    const low = new Recorder('low', 0xfffe, 0xfffe);
    const high = new Recorder('high', 0xffff, 0xffff);
    bus.attach(low);
    bus.attach(high);
    bus.write(0xfffe, 2, 0xbbaa);
    expect([low.bytes.get(0xfffe), high.bytes.get(0xffff)]).toEqual([0xaa, 0xbb]);
    expect(bus.read(0xfffe, 4)).toBe(0xffff_bbaa);
  });

  it('leaves a wide access whole at a wide port only', () => {
    const bus = new PortBus(() => 0);
    const device = new Recorder('disk', 0x1f0, 0x1f7, 0x1f0);
    bus.attach(device);
    bus.write(0x1f0, 2, 0x12345);
    bus.write(0x1f0, 4, -1);
    bus.write(0x1f1, 2, 0x0102);
    expect(device.log).toEqual(['w2 1f0 2345', 'w4 1f0 ffffffff', 'w1 1f1 2', 'w1 1f2 1']);
  });

  it('moves a device to the present before each access', () => {
    let now = 5;
    const times: number[] = [];
    const device = Object.assign(new Recorder('timer', 0x40, 0x40), { advance: (time: number) => times.push(time) });
    const bus = new PortBus(() => now);
    bus.attach(device);
    bus.read(0x40, 1);
    now = 9;
    bus.write(0x40, 1, 0);
    expect(times).toEqual([5, 9]);
  });

  it('does blocks access by access when the device has no faster way', () => {
    const bus = new PortBus(() => 0);
    const device = new Recorder('a', 0x100, 0x107, 0x100);
    bus.attach(device);
    bus.writeBlock(0x100, 2, Buffer.from([1, 2, 3, 4]));
    expect(device.log).toEqual(['w2 100 201', 'w2 100 403']);
    const block = Buffer.alloc(4);
    bus.readBlock(0x100, 2, block);
    expect(block).toEqual(Buffer.from([3, 4, 3, 4]));
    expect(() => bus.readBlock(0x100, 4, Buffer.alloc(6))).toThrow(RangeError);
  });

  it('hands blocks to a device that takes them, at its wide ports', () => {
    const bus = new PortBus(() => 0);
    const device = Object.assign(new Recorder('disk', 0x1f0, 0x1f7, 0x1f0), {
      readBlock: (_port: number, _width: Width, target: Buffer) => target.fill(0x5a),
      writeBlock: () => {},
    });
    bus.attach(device);
    const block = Buffer.alloc(4);
    bus.readBlock(0x1f0, 2, block);
    expect(block).toEqual(Buffer.alloc(4, 0x5a));
    bus.readBlock(0x1f2, 2, block);
    expect(device.log).toEqual(['r1 1f2', 'r1 1f3', 'r1 1f2', 'r1 1f3']);
  });

  it('refuses ports that are taken or do not exist, and stays as it was', () => {
    const bus = new PortBus(() => 0);
    bus.attach(new Recorder('first', 0x100, 0x10f));
    expect(() => bus.attach(new Recorder('second', 0x0f8, 0x100))).toThrow('0x100, which belongs to first');
    expect(bus.read(0x0f8, 1)).toBe(0xff);
    const twice = { ...new Recorder('twice', 0x200, 0x200), read: () => 0, write: () => {}, reset: () => {} };
    expect(() => bus.attach({ ...twice, ports: [...twice.ports, ...twice.ports] })).toThrow('belongs to twice');
    expect(() => bus.attach(new Recorder('beyond', 0xfff0, 0x1_0000))).toThrow(RangeError);
    expect(() => bus.attach(new Recorder('backwards', 5, 4))).toThrow(RangeError);
  });

  it('has room for 255 devices', () => {
    const bus = new PortBus(() => 0);
    for (let port = 0; port < 255; port++) bus.attach(new Recorder(`d${port}`, port, port));
    expect(() => bus.attach(new Recorder('one more', 0x1000, 0x1000))).toThrow('no room');
    bus.write(254, 1, 7);
    expect(bus.read(254, 1)).toBe(7);
  });
});
