/**
 * Registers, resets and the commands without data of an ATA channel with one, two or no disks.
 */
import { describe, expect, it } from 'vitest';
import { MemoryDisk } from '../../../hw/disk/memory.ts';
import {
  ABRT,
  AtaHost,
  BSY,
  CONTROL,
  COUNT,
  DATA,
  DEVICE,
  DRQ,
  ERR,
  ERROR,
  FEATURE,
  Later,
  LBA_HIGH,
  LBA_LOW,
  LBA_MID,
  pattern,
  READY,
  STATUS,
  sameBytes,
} from './ata-host.ts';

/** A disk of any capacity without contents: reads zeros. */
function hollow(sectors: number): MemoryDisk {
  return Object.assign(new MemoryDisk(1), { sectors });
}

function word(data: Buffer, index: number): number {
  return data.readUInt16LE(index * 2);
}

function text(data: Buffer, index: number, length: number): string {
  return Buffer.from(data.subarray(index * 2, index * 2 + length))
    .swap16()
    .toString('latin1');
}

describe('IDENTIFY DEVICE', () => {
  it('tells capacity and geometry', () => {
    const data = new AtaHost(hollow(32768)).identify();
    expect([word(data, 1), word(data, 3), word(data, 6)]).toEqual([32, 16, 63]);
    expect([word(data, 54), word(data, 55), word(data, 56), data.readUInt32LE(57 * 2)]).toEqual([32, 16, 63, 32256]);
    expect(data.readUInt32LE(60 * 2)).toBe(32768);
    expect(data.readBigUInt64LE(100 * 2)).toBe(32768n);
    expect(word(data, 0) & 0x8000).toBe(0);
    expect(word(data, 49) & 0x300).toBe(0x200);
    expect(word(data, 83) & 0xc400).toBe(0x4400);
    expect(word(data, 86) & 0x0400).toBe(0x0400);
  });

  it('tells the capacity beyond 28 bits in the 48-bit words', () => {
    for (const [sectors, lba28, cylinders] of [
      [1, 1, 2],
      [2 ** 28 - 1, 2 ** 28 - 1, 16383],
      [2 ** 28, 2 ** 28 - 1, 16383],
      [2 ** 28 + 5, 2 ** 28 - 1, 16383],
      [2 ** 33 + 7, 2 ** 28 - 1, 16383],
    ] as const) {
      const data = new AtaHost(hollow(sectors)).identify();
      expect(data.readUInt32LE(60 * 2)).toBe(lba28);
      expect(data.readBigUInt64LE(100 * 2)).toBe(BigInt(sectors));
      expect(word(data, 1)).toBe(cylinders);
    }
  });

  it('has strings, padded and cut, and a check sum', () => {
    const plain = new AtaHost(hollow(8)).identify();
    expect(text(plain, 27, 40)).toBe('VROS HARDDISK'.padEnd(40));
    expect(text(plain, 10, 20)).toBe('ata0-0'.padEnd(20));
    const options = { model: 'm'.repeat(60), firmware: '12345678901', serials: ['one', 'two'] as const };
    const second = new AtaHost(null, hollow(8), options).identify(1);
    expect(text(second, 27, 40)).toBe('m'.repeat(40));
    expect(text(second, 23, 8)).toBe('12345678');
    expect(text(second, 10, 20)).toBe('two'.padEnd(20));
    for (const data of [plain, second]) {
      expect(data[510]).toBe(0xa5);
      expect(data.reduce((sum, byte) => (sum + byte) & 0xff, 0)).toBe(0);
    }
  });

  it('tells what was set', () => {
    const host = new AtaHost(hollow(32768));
    host.out(DEVICE, 0xa7);
    host.out(COUNT, 32);
    host.out(STATUS, 0x91);
    host.out(FEATURE, 0x82);
    host.out(STATUS, 0xef);
    host.out(FEATURE, 0x55);
    host.out(STATUS, 0xef);
    const data = host.identify();
    expect([word(data, 1), word(data, 3), word(data, 6)]).toEqual([32, 16, 63]);
    expect([word(data, 54), word(data, 55), word(data, 56), data.readUInt32LE(57 * 2)]).toEqual([128, 8, 32, 32768]);
    expect(word(data, 85) & 0x60).toBe(0);
    host.channel.reset();
    const fresh = host.identify();
    expect([word(fresh, 54), word(fresh, 55), word(fresh, 56)]).toEqual([32, 16, 63]);
    expect(word(fresh, 85) & 0x60).toBe(0x60);
  });
});

describe('commands without data', () => {
  it('end with one interrupt and no error', () => {
    const host = new AtaHost(hollow(100));
    const codes = [0x10, 0x70, 0x27, 0xf8, 0xe7, 0xea, 0xf5, 0x40, 0x41, 0x42];
    codes.push(0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6);
    for (const code of codes) {
      host.raises = 0;
      host.lba48(code, 0, 1);
      expect(host.raises).toBe(1);
      expect(host.in(STATUS)).toBe(READY);
      expect(host.in(ERROR)).toBe(0);
    }
  });

  it('are aborted when they are unknown: one interrupt, ERR and ABRT', () => {
    const host = new AtaHost(hollow(100));
    const known = new Set([0x10, 0x20, 0x21, 0x24, 0x27, 0x29, 0x30, 0x31, 0x34, 0x39, 0x3c, 0x40, 0x41, 0x42, 0x70]);
    for (const code of [
      0x90, 0x91, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0xc4, 0xc5, 0xc6, 0xe0, 0xe1, 0xe2, 0xe3, 0xe5,
    ]) {
      known.add(code);
    }
    for (const code of [0xe6, 0xe7, 0xea, 0xec, 0xef, 0xf5, 0xf8]) known.add(code);
    for (let code = 0; code < 256; code++) {
      if (known.has(code)) continue;
      host.raises = 0;
      host.lba28(code, 0, 1);
      expect(host.raises).toBe(1);
      expect(host.in(STATUS)).toBe(READY | ERR);
      expect(host.in(ERROR)).toBe(ABRT);
    }
  });

  it('CHECK POWER MODE knows standby from idle, and a read wakes the disk', () => {
    const host = new AtaHost(new MemoryDisk(8));
    const mode = (): number => {
      host.out(STATUS, 0xe5);
      return host.in(COUNT);
    };
    expect(mode()).toBe(0xff);
    for (const [code, expected] of [
      [0xe0, 0],
      [0xe1, 0xff],
      [0x96, 0],
      [0x97, 0xff],
      [0xe6, 0],
    ] as const) {
      host.out(STATUS, code);
      expect(mode()).toBe(expected);
    }
    host.lba28(0x20, 0, 1);
    host.read(1);
    expect(mode()).toBe(0xff);
  });

  it('READ NATIVE MAX leaves the last sector in the registers', () => {
    const host = new AtaHost(hollow(2 ** 28 + 0x1234));
    host.out(DEVICE, 0xe0);
    host.out(STATUS, 0xf8);
    expect(host.shownLba28()).toBe(2 ** 28 - 1);
    host.out(STATUS, 0x27);
    expect(host.shownLba48()).toBe(2 ** 28 + 0x1233);
  });

  it('INITIALIZE DEVICE PARAMETERS refuses tracks without sectors', () => {
    const host = new AtaHost(hollow(100));
    host.out(COUNT, 0);
    host.out(STATUS, 0x91);
    expect(host.in(STATUS)).toBe(READY | ERR);
    expect(host.in(ERROR)).toBe(ABRT);
  });

  it('INITIALIZE DEVICE PARAMETERS outlasts a software reset unless it was told to revert', () => {
    const host = new AtaHost(hollow(32768));
    const heads = (): number => word(host.identify(), 55);
    const initialize = (): void => {
      host.out(DEVICE, 0xa3);
      host.out(COUNT, 10);
      host.out(STATUS, 0x91);
    };
    initialize();
    host.out(CONTROL, 0x04, 0x00);
    expect(heads()).toBe(4);
    host.out(FEATURE, 0xcc);
    host.out(STATUS, 0xef);
    host.out(CONTROL, 0x04, 0x00);
    expect(heads()).toBe(16);
  });
});

describe('resets', () => {
  it('power-on shows the signature without an interrupt', () => {
    const host = new AtaHost(hollow(8));
    expect(host.level).toBe(false);
    expect(host.in(STATUS)).toBe(READY);
    expect([COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE].map((port) => host.in(port))).toEqual([1, 1, 0, 0, 0xa0]);
  });

  it('SRST and EXECUTE DEVICE DIAGNOSTIC select device 0 and show signature and code', () => {
    const host = new AtaHost(hollow(8), hollow(16));
    for (const reset of [() => host.out(CONTROL, 0x04, 0x00), () => host.out(STATUS, 0x90)]) {
      host.out(DEVICE, 0xf5);
      host.out(COUNT, 9);
      host.out(LBA_MID, 0x14);
      host.raises = 0;
      reset();
      expect(host.raises).toBe(1);
      expect(host.in(STATUS)).toBe(READY);
      expect(host.in(ERROR)).toBe(1);
      expect([COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE].map((port) => host.in(port))).toEqual([1, 1, 0, 0, 0xa0]);
    }
  });

  it('SRST set again without having been cleared is another reset', () => {
    const host = new AtaHost(hollow(8));
    for (let turn = 0; turn < 2; turn++) {
      host.out(COUNT, 9);
      host.raises = 0;
      host.out(CONTROL, 0x04);
      expect([host.raises, host.in(STATUS), host.in(COUNT)]).toEqual([1, READY, 1]);
    }
  });

  it('SRST in a write: blocks taken reach the disk, the rest does not, no interrupt comes from the old command', () => {
    const later = new Later();
    const writes: number[] = [];
    const disk = new MemoryDisk(pattern(0, 64), { defer: later.defer });
    const host = new AtaHost(disk);
    const data = pattern(30, 4, 5);
    host.lba28(0x30, 30, 4);
    host.write(data.subarray(0, 1024 + 100));
    host.in(STATUS);
    host.raises = 0;
    host.out(CONTROL, 0x04, 0x00);
    expect(host.in(STATUS) & BSY).toBe(BSY);
    host.out(STATUS, 0xec);
    host.out(COUNT, 0x55);
    later.one();
    expect(host.in(STATUS) & BSY).toBe(BSY);
    expect(host.raises).toBe(0);
    later.one();
    writes.push(later.waiting.length);
    expect(writes).toEqual([0]);
    expect(host.raises).toBe(1);
    expect(host.in(STATUS)).toBe(READY);
    expect(host.in(COUNT)).toBe(1);
    sameBytes(disk.bytes.subarray(30 * 512, 32 * 512), data.subarray(0, 1024));
    sameBytes(disk.bytes.subarray(32 * 512, 34 * 512), pattern(32, 2));
    host.write(data);
    sameBytes(disk.bytes.subarray(32 * 512, 34 * 512), pattern(32, 2));
  });

  it('SRST in a read forgets it, and a late answer changes nothing', () => {
    const later = new Later();
    const host = new AtaHost(new MemoryDisk(pattern(0, 64), { defer: later.defer }));
    host.lba28(0x20, 1, 4);
    host.out(CONTROL, 0x04, 0x00);
    later.all();
    expect(host.in(STATUS)).toBe(READY);
    expect(host.channel.read(DATA, 2)).toBe(0);
    host.lba28(0x20, 9, 1);
    later.all();
    sameBytes(host.read(1), pattern(9, 1));
    // The same while data wait at the port, and for a reset of the whole machine.
    host.lba28(0x20, 1, 4);
    later.all();
    host.out(CONTROL, 0x04, 0x00);
    expect(host.in(STATUS)).toBe(READY);
    host.lba28(0x20, 1, 4);
    host.channel.reset();
    host.raises = 0;
    later.all();
    expect(host.in(STATUS)).toBe(READY);
    expect(host.raises).toBe(0);
  });

  it('leaves one request at most under way at the back end, however often it comes', () => {
    const later = new Later();
    const host = new AtaHost(new MemoryDisk(64, { defer: later.defer }));
    for (let turn = 0; turn < 100; turn++) {
      host.lba28(0x20, turn % 64, 1);
      host.out(CONTROL, 0x04, 0x00);
    }
    expect(later.waiting.length).toBe(1);
  });
});

describe('registers', () => {
  it('HOB shows what was there before, until the next write', () => {
    const host = new AtaHost(hollow(8));
    host.out(FEATURE, 0x01, 0x02);
    host.out(COUNT, 0x11, 0x55);
    host.out(LBA_LOW, 0x22, 0x66);
    host.out(CONTROL, 0x80);
    expect([host.in(ERROR), host.in(COUNT), host.in(LBA_LOW)]).toEqual([0x01, 0x11, 0x22]);
    host.out(LBA_HIGH, 0);
    expect([host.in(ERROR), host.in(COUNT), host.in(LBA_LOW)]).toEqual([0x00, 0x55, 0x66]);
  });

  it('nIEN keeps the line low, and what happened meanwhile raises nothing later', () => {
    const host = new AtaHost(hollow(8));
    host.out(CONTROL, 0x02);
    host.out(STATUS, 0xe7);
    expect(host.level).toBe(false);
    host.out(CONTROL, 0x00);
    expect(host.raises).toBe(0);
    host.out(STATUS, 0xe7);
    expect(host.level).toBe(true);
    expect(host.in(CONTROL)).toBe(READY);
    expect(host.level).toBe(true);
    host.in(STATUS);
    expect(host.level).toBe(false);
  });

  it('a command takes the interrupt of the one before back', () => {
    const later = new Later();
    const host = new AtaHost(new MemoryDisk(8, { defer: later.defer }));
    host.out(STATUS, 0xe1);
    expect(host.level).toBe(true);
    host.out(STATUS, 0xe7);
    expect(host.level).toBe(false);
    later.all();
    expect(host.level).toBe(true);
  });

  it('widths the ports do not know read ones and write nothing', () => {
    const host = new AtaHost(hollow(8));
    expect(host.channel.read(STATUS, 2)).toBe(0xffff);
    expect(host.channel.read(CONTROL, 4)).toBe(0xffff_ffff);
    host.channel.write(COUNT, 2, 0x4444);
    expect(host.in(COUNT)).toBe(1);
    const registers = Buffer.alloc(3);
    host.channel.writeBlock(COUNT, 1, Buffer.from([1, 2, 3]));
    host.channel.readBlock(COUNT, 1, registers);
    expect([...registers]).toEqual([3, 3, 3]);
  });
});

describe('two devices', () => {
  it('each has its own data, settings and status', () => {
    const first = new MemoryDisk(pattern(0, 16));
    const second = new MemoryDisk(pattern(1000, 16));
    const host = new AtaHost(first, second);
    host.lba28(0xc6, 0, 4);
    expect(word(host.identify(0), 59)).toBe(0x104);
    expect(word(host.identify(1), 59)).toBe(0x110);
    host.out(DEVICE, 0xf0);
    host.out(COUNT, 2);
    host.out(LBA_LOW, 3);
    host.out(STATUS, 0x20);
    sameBytes(host.read(1), pattern(1003, 1));
    // The other device is not selected while this one has data.
    host.out(DEVICE, 0xe0);
    sameBytes(host.read(1), pattern(1004, 1));
    host.out(DEVICE, 0xe0);
    host.out(STATUS, 0x05);
    expect(host.in(STATUS)).toBe(READY | ERR);
    host.out(DEVICE, 0xf0);
    expect(host.in(STATUS)).toBe(READY);
  });

  it('device 1 without a disk: status 0, no commands, registers that keep what is written', () => {
    const host = new AtaHost(hollow(8));
    host.out(DEVICE, 0xf0);
    host.out(COUNT, 7);
    expect([host.in(STATUS), host.in(CONTROL), host.in(ERROR), host.in(COUNT)]).toEqual([0, 0, 0, 7]);
    for (const command of [0xec, 0x20, 0x90, 0x05]) host.out(STATUS, command);
    expect(host.level).toBe(false);
    expect(host.channel.read(DATA, 2)).toBe(0);
    host.write(Buffer.alloc(512));
    host.out(DEVICE, 0xe0);
    expect(host.in(STATUS)).toBe(READY);
    host.out(CONTROL, 0x04, 0x00);
    host.out(DEVICE, 0xf0);
    expect([host.in(LBA_MID), host.in(LBA_HIGH)]).toEqual([0xff, 0xff]);
  });

  it('a channel without disks reads 0 and does nothing', () => {
    const host = new AtaHost(null);
    for (const device of [0xa0, 0xb0]) {
      host.out(DEVICE, device);
      host.out(COUNT, 5);
      host.out(STATUS, 0xec);
      for (const port of [ERROR, COUNT, LBA_LOW, DEVICE, STATUS, CONTROL]) expect(host.in(port)).toBe(0);
      sameBytes(host.read(1), Buffer.alloc(512));
    }
    host.out(CONTROL, 0x04, 0x00);
    expect(host.level).toBe(false);
    expect(host.in(CONTROL) & (DRQ | BSY)).toBe(0);
  });
});
