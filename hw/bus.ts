/**
 * The port bus: which device answers which of the 65,536 I/O ports, and how wide accesses reach it.
 *
 * Read: Intel 64 and IA-32 Architectures SDM, volume 1, chapter 19 (input/output): one I/O address space of bytes; a
 * 16- or 32-bit access covers two or four consecutive byte addresses, low address = low byte.
 */

import type { Device, PortRange, Width } from './device.ts';

/** Number of I/O port addresses. */
export const PORT_COUNT = 0x10000;

const DEVICE_LIMIT = 255;
const LAST_PORT = PORT_COUNT - 1;

/**
 * A device that may have ports of 16 or 32 bits. An access wider than a byte reaches the device whole only at a port in
 * `widePorts`; everywhere else the bus breaks it into byte accesses at consecutive addresses, low byte first.
 */
export interface BusDevice extends Device {
  readonly widePorts?: readonly PortRange[];
}

/** All ones in `width` bytes: what a port reads that nobody answers. */
function allOnes(width: Width): number {
  return width === 4 ? 0xffff_ffff : (1 << (width * 8)) - 1;
}

/** Answers the ports nobody has. */
const UNMAPPED: Device = {
  name: 'unmapped',
  ports: [],
  read: (_port, width) => allOnes(width),
  write: () => {},
  reset: () => {},
};

/** The machine's I/O ports. Every access first brings the device's clock up to date. */
export class PortBus {
  /** Per port the index in #devices of the device that answers it; 0 is nobody. */
  readonly #slots = new Uint8Array(PORT_COUNT);
  /** Per port 1 when the device takes 16- and 32-bit accesses whole. */
  readonly #wide = new Uint8Array(PORT_COUNT);
  readonly #devices: Device[] = [UNMAPPED];
  readonly #clock: () => number;

  /** @param clock the machine's time in nanoseconds since power-on, never backwards */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /**
   * Connects a device to its ports. Throws a RangeError for a port range outside of the address space, an Error when a
   * port is taken or the bus is full; the bus is then unchanged.
   */
  attach(device: BusDevice): void {
    if (this.#devices.length > DEVICE_LIMIT) throw new Error(`no room on the bus for ${device.name}`);
    const claimed = new Set<number>();
    for (const port of portsOf(device, device.ports)) {
      const owner = this.#slots[port] ?? 0;
      if (owner !== 0 || claimed.has(port)) {
        const other = owner === 0 ? device.name : this.#device(port).name;
        throw new Error(`${device.name} wants I/O port 0x${port.toString(16)}, which belongs to ${other}`);
      }
      claimed.add(port);
    }
    for (const port of claimed) this.#slots[port] = this.#devices.length;
    for (const port of portsOf(device, device.widePorts ?? [])) {
      if (claimed.has(port)) this.#wide[port] = 1;
    }
    this.#devices.push(device);
  }

  /** `in`: the unsigned value at a port, all ones where no device answers. */
  read(port: number, width: Width): number {
    if (width === 1 || this.#wide[port] === 1) {
      const device = this.#device(port);
      device.advance?.(this.#clock());
      return device.read(port, width);
    }
    // The bytes are read in address order, since reading may change the device, and shifted in from above.
    let value = 0;
    for (let offset = 0; offset < width; offset++) {
      value = (value >>> 8) | (this.read(port + offset, 1) << ((width - 1) * 8));
    }
    return value >>> 0;
  }

  /** `out`: writes the low `width` bytes of `value` to a port. */
  write(port: number, width: Width, value: number): void {
    if (width === 1 || this.#wide[port] === 1) {
      const device = this.#device(port);
      device.advance?.(this.#clock());
      device.write(port, width, width === 4 ? value >>> 0 : value & allOnes(width));
      return;
    }
    for (let index = 0; index < width; index++) this.write(port + index, 1, value >>> (index * 8));
  }

  /**
   * `rep ins`: fills `target` with reads of one port. Throws a RangeError when its size is not a multiple of `width`.
   */
  readBlock(port: number, width: Width, target: Buffer): void {
    checkBlock(target, width);
    const device = this.#device(port);
    if (device.readBlock !== undefined && (width === 1 || this.#wide[port] === 1)) {
      device.advance?.(this.#clock());
      device.readBlock(port, width, target);
      return;
    }
    for (let offset = 0; offset < target.length; offset += width) {
      target.writeUIntLE(this.read(port, width), offset, width);
    }
  }

  /** `rep outs`: writes all of `source` to one port. Throws a RangeError when its size is not a multiple of `width`. */
  writeBlock(port: number, width: Width, source: Buffer): void {
    checkBlock(source, width);
    const device = this.#device(port);
    if (device.writeBlock !== undefined && (width === 1 || this.#wide[port] === 1)) {
      device.advance?.(this.#clock());
      device.writeBlock(port, width, source);
      return;
    }
    for (let offset = 0; offset < source.length; offset += width) {
      this.write(port, width, source.readUIntLE(offset, width));
    }
  }

  /** A port beyond the address space (the upper bytes of a wide access at its end) has no device either. */
  #device(port: number): Device {
    return this.#devices[this.#slots[port] ?? 0] ?? UNMAPPED;
  }
}

function* portsOf(device: Device, ranges: readonly PortRange[]): Generator<number> {
  for (const { first, last } of ranges) {
    if (!Number.isInteger(first) || !Number.isInteger(last) || first < 0 || last < first || last > LAST_PORT) {
      throw new RangeError(`${device.name}: I/O ports ${first} to ${last} do not exist`);
    }
    for (let port = first; port <= last; port++) yield port;
  }
}

function checkBlock(block: Buffer, width: Width): void {
  if (block.length % width !== 0) {
    throw new RangeError(`a block of ${block.length} bytes is not made of accesses of ${width} bytes`);
  }
}
