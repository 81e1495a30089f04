/**
 * The interface `block` as its clients see it: rights and badges, bounds of disks and partitions, errors, the table
 * that changes under way, and what a drive says about itself.
 */
import { describe, expect, it } from 'vitest';
import { identifyData } from '../../../hw/ata/identify.ts';
import { MemoryDisk } from '../../../hw/disk/memory.ts';
import { block } from '../../../protocol/block.ts';
import type { ErrorName } from '../../../protocol/errno.ts';
import type { Handle } from '../../../protocol/schema.ts';
import type { DeviceTable } from '../../../services/ata/devices.ts';
import { handlers } from '../../../services/ata/handlers.ts';
import { parseIdentity } from '../../../services/ata/identity.ts';
import { LATER, type RequestContext, SystemError } from '../../../services/lib/index.ts';
import { Machine, pattern, setEntry } from './machine.ts';

const PORT = 77 as Handle;

function context(badge: number): RequestContext {
  const later = (): typeof LATER => LATER;
  const forward = (): never => expect.unreachable('the driver hands a request on');
  return { sender: 9, badge, sequence: 1, retry: false, deliveries: 1, port: PORT, reply: PORT, later, forward };
}

/** Handlers whose rights are their badges. */
function serverOn(table: DeviceTable) {
  return handlers(table, (port, badge) => {
    expect(port).toBe(PORT);
    return badge as Handle;
  });
}

function partitioned(): { disk: MemoryDisk; machine: Machine; table: DeviceTable } {
  const bytes = pattern(1000, 1).fill(0, 0, 512);
  setEntry(bytes, 0, 0x83, 100, 200);
  setEntry(bytes, 2, 0x0c, 300, 700);
  const disk = new MemoryDisk(bytes);
  const machine = new Machine([disk]);
  return { disk, machine, table: machine.start() };
}

function codeOf(call: () => unknown): ErrorName | 'none' {
  try {
    call();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return 'none';
}

describe('rights', () => {
  it('are badged by place and partition, the same in each incarnation', () => {
    const { machine, table } = partitioned();
    for (const server of [serverOn(table), serverOn(machine.start())]) {
      const badges = ['hda', 'hda1', 'hda3'].map((name) => {
        const answer = server.open(name, context(0));
        if (answer === LATER) throw new Error('an answer was expected');
        expect(answer.description.name).toBe(name);
        return answer.device;
      });
      expect(badges).toEqual([0x100, 0x101, 0x103]);
    }
  });

  it('are needed to read, write, flush and ask', () => {
    const server = serverOn(partitioned().table);
    for (const badge of [0, 1, 0xff, 0x500, 0xffffffff]) {
      const from = context(badge);
      expect(codeOf(() => server.read({ sector: 0, count: 1 }, from))).toBe('EBADF');
      expect(codeOf(() => server.write({ sector: 0, data: new Uint8Array(512) }, from))).toBe('EBADF');
      expect(codeOf(() => server.flush(undefined, from))).toBe('EBADF');
      expect(codeOf(() => server.information(undefined, from))).toBe('EBADF');
    }
  });

  it('to what is not there are ENODEV', () => {
    const server = serverOn(partitioned().table);
    for (const name of ['hda2', 'hdb', 'hda0', '', 'HDA', 'hda1 ']) {
      expect(codeOf(() => server.open(name, context(0)))).toBe('ENODEV');
    }
    for (const badge of [0x102, 0x1ff, 0x200]) {
      expect(codeOf(() => server.read({ sector: 0, count: 1 }, context(badge)))).toBe('ENODEV');
    }
  });
});

describe('requests', () => {
  it('to a partition are relative to it and end with it', () => {
    const { disk, table } = partitioned();
    const server = serverOn(table);
    const first = context(0x101);
    expect(server.read({ sector: 0, count: 2 }, first)).toEqual(disk.bytes.subarray(100 * 512, 102 * 512));
    server.write({ sector: 199, data: pattern(1, 50) }, first);
    expect(disk.bytes.subarray(299 * 512, 300 * 512).equals(pattern(1, 50))).toBe(true);
    const before = Buffer.from(disk.bytes);
    expect(codeOf(() => server.read({ sector: 199, count: 2 }, first))).toBe('ERANGE');
    expect(codeOf(() => server.read({ sector: 200, count: 1 }, first))).toBe('ERANGE');
    expect(codeOf(() => server.read({ sector: 0, count: 201 }, first))).toBe('ERANGE');
    expect(codeOf(() => server.write({ sector: 200, data: pattern(1, 51) }, first))).toBe('ERANGE');
    expect(codeOf(() => server.write({ sector: 150, data: pattern(51, 51) }, first))).toBe('ERANGE');
    expect(codeOf(() => server.read({ sector: Number.MAX_SAFE_INTEGER, count: 256 }, first))).toBe('ERANGE');
    expect(disk.bytes.equals(before)).toBe(true);
  });

  it('are for 1 to 256 whole sectors', () => {
    const { table } = partitioned();
    const server = serverOn(table);
    const whole = context(0x100);
    for (const count of [0, 257, 65535]) expect(codeOf(() => server.read({ sector: 0, count }, whole))).toBe('EINVAL');
    for (const bytes of [0, 1, 511, 513, 257 * 512]) {
      const data = new Uint8Array(bytes);
      expect(codeOf(() => server.write({ sector: 0, data }, whole))).toBe('EINVAL');
    }
    expect(codeOf(() => server.write({ sector: 0, data: new Uint8Array(256 * 512) }, whole))).toBe('none');
  });

  it('are counted when they went well', () => {
    const { table } = partitioned();
    const server = serverOn(table);
    server.read({ sector: 1, count: 5 }, context(0x100));
    server.write({ sector: 1, data: pattern(3, 1) }, context(0x101));
    server.flush(undefined, context(0x103));
    codeOf(() => server.read({ sector: 1000, count: 5 }, context(0x100)));
    expect(server.statistics(undefined, context(0))).toMatchObject({
      reads: 1,
      sectorsRead: 5,
      writes: 1,
      sectorsWritten: 3,
      flushes: 1,
      errors: 0,
    });
  });
});

describe('the list', () => {
  it('passes the checks of its clients', () => {
    const { table } = partitioned();
    const answer = serverOn(table).list(undefined, context(0));
    if (answer === LATER) throw new Error('an answer was expected');
    const checked = block.methods.list.reply.fromWire(block.methods.list.reply.toWire(answer, []), []);
    expect(checked).toEqual(answer);
    expect(answer.map(({ name, kind, firstSector, sectors }) => [name, kind, firstSector, sectors])).toEqual([
      ['hda', 'disk', 0, 1000],
      ['hda1', '83', 100, 200],
      ['hda3', '0c', 300, 700],
    ]);
    expect(answer[0]).toMatchObject({ model: 'VROS HARDDISK', serial: 'ata0-0', firmware: '1.0', readOnly: false });
  });

  it('follows the partition table when that is written', () => {
    const { table } = partitioned();
    const server = serverOn(table);
    const record = Buffer.alloc(512);
    setEntry(record, 0, 0x83, 10, 90);
    setEntry(record, 1, 0x05, 500, 500);
    server.write({ sector: 0, data: record }, context(0x100));
    expect(table.all.map(({ name }) => name)).toEqual(['hda', 'hda1', 'hda2']);
    expect(codeOf(() => server.read({ sector: 0, count: 1 }, context(0x103)))).toBe('ENODEV');
    expect(codeOf(() => server.read({ sector: 89, count: 2 }, context(0x101)))).toBe('ERANGE');
    // The record of logical partitions is part of the table, through whatever device it is written.
    const logical = Buffer.alloc(512);
    setEntry(logical, 0, 0x83, 1, 100);
    server.write({ sector: 0, data: logical }, context(0x102));
    expect(table.all.map(({ name }) => name)).toEqual(['hda', 'hda1', 'hda2', 'hda5']);
    server.write({ sector: 0, data: new Uint8Array(1024) }, context(0x100));
    expect(table.all.map(({ name }) => name)).toEqual(['hda']);
  });
});

describe('IDENTIFY DEVICE', () => {
  const geometry = { cylinders: 16, heads: 16, sectors: 63 };

  function data(model = 'A DISK', capacity = 5000): Buffer {
    const identity = { model, serial: 'S1', firmware: 'F' };
    const modes = { multipleLimit: 16, multiple: 16, writeCache: true, lookAhead: true };
    return identifyData({ identity, capacity, geometry, currentGeometry: geometry, ...modes });
  }

  /** The data with words replaced and the checksum made right again. */
  function changed(words: Record<number, number>): Buffer {
    const bytes = data();
    for (const [index, word] of Object.entries(words)) bytes.writeUInt16LE(word, 2 * Number(index));
    bytes[511] = 0;
    bytes[511] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
    return bytes;
  }

  it('is read', () => {
    expect(parseIdentity(data())).toEqual({
      model: 'A DISK',
      serial: 'S1',
      firmware: 'F',
      sectors: 5000,
      lba48: true,
      multiple: 16,
      flushCache: true,
      flushCacheExt: true,
    });
    expect(parseIdentity(data('A DISK', 2 ** 40))).toMatchObject({ sectors: 2 ** 40 });
  });

  it('of an older drive has the capacity of words 60 and 61 and 28-bit commands', () => {
    expect(parseIdentity(changed({ 83: 0x4000 }))).toMatchObject({
      sectors: 5000,
      lba48: false,
      flushCache: false,
      flushCacheExt: false,
    });
    expect(parseIdentity(changed({ 83: 0xffff }))).toMatchObject({ lba48: false });
    expect(parseIdentity(changed({ 100: 0 }))).toMatchObject({ sectors: 5000, lba48: true });
  });

  it('names a block size that is a power of two', () => {
    for (const [word, multiple] of [
      [0, 1],
      [1, 1],
      [12, 8],
      [16, 16],
      [255, 128],
    ]) {
      expect(parseIdentity(changed({ 47: word ?? 0 }))).toMatchObject({ multiple });
    }
  });

  it('with impossible values is refused or bounded', () => {
    expect(parseIdentity(changed({ 0: 0x8580 }))).toContain('no ATA device');
    expect(parseIdentity(changed({ 49: 0 }))).toContain('cylinders');
    expect(parseIdentity(changed({ 60: 0, 61: 0, 100: 0 }))).toContain('no sectors');
    expect(parseIdentity(changed({ 103: 1 }))).toMatchObject({ sectors: 2 ** 48 });
    expect(parseIdentity(new Uint8Array(100))).toContain('100 bytes');
    const damaged = data();
    damaged[20] = 1;
    expect(parseIdentity(damaged)).toContain('checksum');
  });

  it('has texts that fit the interface whatever bytes they are', () => {
    const identity = parseIdentity(data('\xff\x00\x1b[2J\xe9'.repeat(10)));
    expect(typeof identity === 'string' ? identity : identity.model).toMatch(/^[ -~]{1,40}$/);
  });
});
