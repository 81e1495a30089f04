/**
 * Data transfers through the ports of an ATA channel: blocks, interrupts, errors in the middle, the buffer's limits.
 */
import { describe, expect, it } from 'vitest';
import { FaultyDisk } from '../../../hw/disk/faulty.ts';
import { MemoryDisk } from '../../../hw/disk/memory.ts';
import {
  ABRT,
  AtaHost,
  BSY,
  CONTROL,
  COUNT,
  DATA,
  DRQ,
  ERR,
  ERROR,
  IDNF,
  Later,
  pattern,
  READY,
  STATUS,
  sameBytes,
  UNC,
} from './ata-host.ts';

const SECTORS = 4096;

function patterned(later?: Later): MemoryDisk {
  return new MemoryDisk(pattern(0, SECTORS), later === undefined ? {} : { defer: later.defer });
}

describe('READ SECTORS', () => {
  it('is busy until the data are there, then gives one interrupt for each sector', () => {
    const later = new Later();
    const host = new AtaHost(patterned(later));
    host.lba28(0x20, 10, 2);
    expect(host.in(CONTROL)).toBe(READY | BSY);
    expect(host.level).toBe(false);
    expect(host.changes).toBe(0);
    later.all();
    expect(host.changes).toBe(1);
    expect(host.in(CONTROL)).toBe(READY | DRQ);
    expect(host.raises).toBe(1);
    expect(host.in(STATUS)).toBe(READY | DRQ);
    expect(host.level).toBe(false);
    sameBytes(host.read(1), pattern(10, 1));
    expect(host.raises).toBe(2);
    expect(host.in(STATUS)).toBe(READY | DRQ);
    sameBytes(host.read(1), pattern(11, 1));
    expect(host.in(CONTROL)).toBe(READY);
    expect(host.raises).toBe(2);
    expect(host.level).toBe(false);
  });

  it('gives 256 sectors for a count of 0, fetched in one request', () => {
    const later = new Later();
    const host = new AtaHost(patterned(later));
    host.lba28(0x20, 1, 0);
    expect(later.waiting.length).toBe(1);
    later.all();
    sameBytes(host.read(256), pattern(1, 256));
    expect(host.in(CONTROL)).toBe(READY);
    expect(later.waiting.length).toBe(0);
  });

  it('reads the same with 8-, 16- and 32-bit accesses, alone or as a string', () => {
    const host = new AtaHost(patterned());
    const expected = pattern(77, 1);
    host.lba28(0x20, 77, 1);
    for (let at = 0; at < 512; at += 2) expect(host.channel.read(DATA, 2)).toBe(expected.readUInt16LE(at));
    host.lba28(0x20, 77, 1);
    for (let at = 0; at < 512; at += 4) expect(host.channel.read(DATA, 4)).toBe(expected.readUInt32LE(at));
    host.lba28(0x20, 77, 1);
    const wide = Buffer.alloc(512);
    host.channel.readBlock(DATA, 4, wide);
    expect(wide).toEqual(expected);
    // An 8-bit access takes a word.
    host.lba28(0x20, 77, 1);
    const narrow = Buffer.alloc(256);
    host.channel.readBlock(DATA, 1, narrow);
    expect([...narrow]).toEqual([...expected].filter((_, index) => index % 2 === 0));
    expect(host.in(STATUS)).toBe(READY);
  });

  it('gives zeros beyond the end of the data, and a wide access does not cut a block short', () => {
    const host = new AtaHost(patterned());
    host.lba28(0x20, 5, 1);
    const data = host.read(2);
    expect(data.subarray(0, 512)).toEqual(pattern(5, 1));
    expect(data.subarray(512)).toEqual(Buffer.alloc(512));
    expect(host.channel.read(DATA, 2)).toBe(0);
    host.lba28(0x20, 5, 1);
    host.channel.readBlock(DATA, 2, Buffer.alloc(510));
    expect(host.channel.read(DATA, 4)).toBe(0);
    expect(host.in(STATUS)).toBe(READY | DRQ);
    expect(host.channel.read(DATA, 2)).toBe(pattern(5, 1).readUInt16LE(510));
    expect(host.in(STATUS)).toBe(READY);
  });

  it('gives the sectors in front of the end of the disk, then IDNF and the first address that is not there', () => {
    const host = new AtaHost(patterned());
    host.lba28(0x20, SECTORS - 2, 4);
    sameBytes(host.read(2), pattern(SECTORS - 2, 2));
    expect(host.in(STATUS)).toBe(READY | ERR);
    expect(host.in(ERROR)).toBe(IDNF);
    expect(host.shownLba28()).toBe(SECTORS);
    expect(host.in(COUNT)).toBe(2);
  });

  it('refuses addresses the geometry does not have', () => {
    const host = new AtaHost(patterned());
    for (const sector of [0, 64]) {
      host.chs(0x20, 1, 0, sector, 1);
      expect(host.in(STATUS)).toBe(READY | ERR);
      expect(host.in(ERROR)).toBe(IDNF);
    }
    host.chs(0x20, 1, 2, 63, 1);
    sameBytes(host.read(1), pattern(16 * 63 + 2 * 63 + 62, 1));
  });

  it('fetches long 48-bit transfers piece by piece', () => {
    const later = new Later();
    const host = new AtaHost(patterned(later));
    host.lba48(0x24, 0, 1000);
    let read = 0;
    for (const piece of [256, 256, 256, 232]) {
      expect(host.in(CONTROL)).toBe(READY | BSY);
      later.all();
      sameBytes(host.read(piece), pattern(read, piece));
      read += piece;
    }
    expect(host.in(STATUS)).toBe(READY);
    expect(later.waiting.length).toBe(0);
  });

  it('reads 65536 sectors for a 48-bit count of 0', () => {
    const host = new AtaHost(new MemoryDisk(65536 + 8));
    host.lba48(0x24, 8, 0);
    host.read(65535);
    expect(host.in(STATUS)).toBe(READY | DRQ);
    host.read(1);
    expect(host.in(STATUS)).toBe(READY);
  });

  it('ignores register writes and commands while data wait', () => {
    const host = new AtaHost(patterned());
    host.lba28(0x20, 20, 1);
    host.channel.readBlock(DATA, 2, Buffer.alloc(100));
    host.out(COUNT, 0x77);
    host.out(STATUS, 0x90);
    expect(host.in(CONTROL)).toBe(READY | DRQ);
    expect(host.in(COUNT)).toBe(0);
    const rest = Buffer.alloc(412);
    host.channel.readBlock(DATA, 2, rest);
    expect(rest).toEqual(pattern(20, 1).subarray(100));
    // Data go one way.
    host.lba28(0x20, 20, 1);
    host.write(Buffer.alloc(512, 0xee));
    sameBytes(host.read(1), pattern(20, 1));
  });
});

describe('READ MULTIPLE', () => {
  it('gives an interrupt for each block, and a short last block', () => {
    const host = new AtaHost(patterned());
    host.lba28(0xc6, 0, 8);
    host.in(STATUS);
    host.raises = 0;
    host.lba28(0xc4, 40, 20);
    for (const [block, lba] of [
      [8, 40],
      [8, 48],
      [4, 56],
    ] as const) {
      expect(host.in(STATUS)).toBe(READY | DRQ);
      sameBytes(host.read(block), pattern(lba, block));
    }
    expect(host.raises).toBe(3);
    expect(host.in(STATUS)).toBe(READY);
  });

  it('is on at power-on with blocks of 16, takes powers of two up to 16, and 0 switches it off', () => {
    const host = new AtaHost(patterned());
    for (const [count, good] of [
      [1, true],
      [2, true],
      [4, true],
      [16, true],
      [3, false],
      [32, false],
      [255, false],
    ] as const) {
      host.lba28(0xc6, 0, count);
      expect(host.in(STATUS)).toBe(good ? READY : READY | ERR);
      expect(host.in(ERROR)).toBe(good ? 0 : ABRT);
    }
    expect(host.identify().readUInt16LE(59 * 2)).toBe(0x110);
    host.lba28(0xc6, 0, 0);
    expect(host.identify().readUInt16LE(59 * 2)).toBe(0);
    for (const command of [0xc4, 0xc5, 0x29, 0x39]) {
      host.lba28(command, 0, 1);
      expect(host.in(STATUS)).toBe(READY | ERR);
      expect(host.in(ERROR)).toBe(ABRT);
    }
  });

  it('gives whole blocks only in front of a bad one', () => {
    const host = new AtaHost(patterned());
    host.lba28(0xc6, 0, 8);
    host.lba28(0xc4, SECTORS - 12, 16);
    sameBytes(host.read(8), pattern(SECTORS - 12, 8));
    expect(host.in(STATUS)).toBe(READY | ERR);
    expect(host.in(ERROR)).toBe(IDNF);
    expect(host.shownLba28()).toBe(SECTORS);
  });
});

describe('errors of the host', () => {
  it('a bad sector gives the sectors in front of it, then UNC and its address', () => {
    for (const [command, good] of [
      [0x20, 37],
      [0xc4, 32],
      [0x24, 37],
      [0x29, 32],
    ] as const) {
      const faulty = new FaultyDisk(patterned());
      faulty.add({ operation: 'read', first: 137, last: 137, kind: 'error' });
      const host = new AtaHost(faulty);
      const ext = command === 0x24 || command === 0x29;
      if (ext) host.lba48(command, 100, 64);
      else host.lba28(command, 100, 64);
      sameBytes(host.read(good), pattern(100, good));
      expect(host.level).toBe(true);
      expect(host.in(STATUS)).toBe(READY | ERR);
      expect(host.in(ERROR)).toBe(UNC);
      expect(ext ? host.shownLba48() : host.shownLba28()).toBe(137);
      expect(host.in(COUNT)).toBe(27);
      expect(host.channel.read(DATA, 2)).toBe(0);
      // The next command is as good as ever.
      host.lba28(0x20, 138, 1);
      sameBytes(host.read(1), pattern(138, 1));
      expect(host.in(ERROR)).toBe(0);
    }
  });

  it('an error that does not come again is not seen', () => {
    const faulty = new FaultyDisk(patterned());
    faulty.add({ operation: 'read', times: 1, kind: 'error' });
    const host = new AtaHost(faulty);
    host.lba28(0x20, 3, 5);
    sameBytes(host.read(5), pattern(3, 5));
  });

  it('READ VERIFY finds a bad sector, and addresses off the disk', () => {
    const faulty = new FaultyDisk(patterned());
    faulty.add({ operation: 'read', first: 1700, last: 1700, kind: 'error' });
    const host = new AtaHost(faulty);
    host.raises = 0;
    host.lba28(0x40, 1600, 100);
    expect(host.raises).toBe(1);
    expect(host.in(STATUS)).toBe(READY);
    expect(host.shownLba28()).toBe(1600);
    host.lba48(0x42, 1000, 1024);
    expect(host.in(STATUS)).toBe(READY | ERR);
    expect(host.in(ERROR)).toBe(UNC);
    expect(host.shownLba48()).toBe(1700);
    host.lba28(0x41, SECTORS - 1, 2);
    expect(host.in(ERROR)).toBe(IDNF);
    expect(host.shownLba28()).toBe(SECTORS);
  });

  it('a failed write is reported within its command, with its address, and ends the data', () => {
    for (const deferred of [false, true]) {
      const later = new Later();
      const faulty = new FaultyDisk(patterned(deferred ? later : undefined));
      faulty.add({ operation: 'write', first: 12, last: 12, kind: 'error' });
      const host = new AtaHost(faulty);
      host.lba28(0x30, 10, 8);
      host.write(pattern(10, 8, 1));
      later.all();
      expect(host.in(STATUS)).toBe(READY | ERR);
      expect(host.in(ERROR)).toBe(ABRT);
      expect(host.shownLba28()).toBe(12);
      expect(host.in(COUNT)).toBe(6);
      host.lba28(0x20, 10, 2);
      later.all();
      sameBytes(host.read(2), pattern(10, 2, 1));
    }
  });

  it('a failed flush is an error', () => {
    const faulty = new FaultyDisk(patterned());
    faulty.add({ operation: 'flush', times: 1, kind: 'error' });
    const host = new AtaHost(faulty);
    host.out(STATUS, 0xe7);
    expect(host.in(STATUS)).toBe(READY | ERR);
    expect(host.in(ERROR)).toBe(ABRT);
    host.out(STATUS, 0xea);
    expect(host.in(STATUS)).toBe(READY);
  });
});

describe('WRITE SECTORS', () => {
  it('wants the next block at once, and ends with the last write', () => {
    const later = new Later();
    const disk = patterned(later);
    const host = new AtaHost(disk);
    host.lba28(0x30, 50, 3);
    expect(host.in(CONTROL)).toBe(READY | DRQ);
    expect(host.raises).toBe(0);
    const data = pattern(50, 3, 9);
    host.write(data.subarray(0, 512));
    expect(host.in(STATUS)).toBe(READY | DRQ);
    expect(host.raises).toBe(1);
    host.write(data.subarray(512, 1024));
    host.in(STATUS);
    host.write(data.subarray(1024));
    expect(host.in(STATUS)).toBe(READY | BSY);
    expect(later.waiting.length).toBe(3);
    later.one();
    later.one();
    expect(host.in(STATUS)).toBe(READY | BSY);
    expect(host.raises).toBe(2);
    later.one();
    expect(host.raises).toBe(3);
    expect(host.in(STATUS)).toBe(READY);
    sameBytes(disk.bytes.subarray(50 * 512, 53 * 512), data);
    sameBytes(disk.bytes.subarray(53 * 512, 54 * 512), pattern(53, 1));
  });

  it('never has more than its buffer of 256 sectors under way', () => {
    const later = new Later();
    const disk = patterned(later);
    const host = new AtaHost(disk);
    const data = pattern(7, 600, 3);
    host.lba48(0x39, 7, 600);
    let sent = 0;
    while (sent < 600) {
      host.write(data.subarray(sent * 512));
      expect(later.waiting.length).toBe(sent + 256 <= 600 ? 16 : 6);
      expect(host.in(CONTROL)).toBe(READY | BSY);
      sent += 256;
      later.all();
    }
    expect(host.in(STATUS)).toBe(READY);
    sameBytes(disk.bytes.subarray(7 * 512, 607 * 512), data);
  });

  it('takes 32-bit words, and both halves of a mixed block', () => {
    const disk = patterned();
    const host = new AtaHost(disk);
    const data = pattern(3, 1, 8);
    host.lba28(0x30, 3, 1);
    host.channel.writeBlock(DATA, 4, data.subarray(0, 256));
    for (let at = 256; at < 384; at += 4) host.channel.write(DATA, 4, data.readUInt32LE(at));
    for (let at = 384; at < 512; at += 2) host.channel.write(DATA, 2, data.readUInt16LE(at));
    expect(host.in(STATUS)).toBe(READY);
    sameBytes(disk.bytes.subarray(3 * 512, 4 * 512), data);
  });

  it('writes the sectors in front of the end of the disk, then says IDNF', () => {
    const disk = patterned();
    const host = new AtaHost(disk);
    const data = pattern(SECTORS - 1, 2, 4);
    host.lba28(0x30, SECTORS - 1, 2);
    host.write(data);
    expect(host.in(STATUS)).toBe(READY | ERR);
    expect(host.in(ERROR)).toBe(IDNF);
    expect(host.shownLba28()).toBe(SECTORS);
    sameBytes(disk.bytes.subarray((SECTORS - 1) * 512), data.subarray(0, 512));
  });

  it('is aborted by a read-only disk before any data', () => {
    const host = new AtaHost(new MemoryDisk(pattern(0, 8), { readOnly: true }));
    for (const command of [0x30, 0x31, 0x34, 0x39, 0x3c, 0xc5]) {
      host.lba28(command, 0, 1);
      expect(host.in(CONTROL)).toBe(READY | ERR);
      expect(host.in(ERROR)).toBe(ABRT);
      host.write(Buffer.alloc(512));
    }
    host.lba28(0x20, 0, 1);
    sameBytes(host.read(1), pattern(0, 1));
    host.out(STATUS, 0xe7);
    expect(host.in(STATUS)).toBe(READY);
  });

  it('flushes each command when the write cache is off', () => {
    const later = new Later();
    const host = new AtaHost(patterned(later));
    host.out(0x1f1, 0x82);
    host.out(STATUS, 0xef);
    expect(host.in(STATUS)).toBe(READY | BSY);
    later.all();
    expect(host.in(STATUS)).toBe(READY);
    host.lba28(0x30, 0, 1);
    host.write(Buffer.alloc(512));
    later.one();
    expect(host.in(STATUS)).toBe(READY | BSY);
    later.one();
    expect(host.in(STATUS)).toBe(READY);
  });
});
