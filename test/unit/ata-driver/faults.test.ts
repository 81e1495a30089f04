/**
 * What goes wrong with drives, and what the disk driver makes of it: bad sectors, hangs, lost and stray interrupts,
 * read-only disks, drives that vanish. Every wait has to end.
 */
import { describe, expect, it } from 'vitest';
import type { DiskBackend } from '../../../hw/disk/backend.ts';
import { type FaultRule, FaultyDisk } from '../../../hw/disk/faulty.ts';
import { MemoryDisk } from '../../../hw/disk/memory.ts';
import { vectorOperation } from '../../../protocol/vector.ts';
import type { BlockDevice, DeviceTable } from '../../../services/ata/devices.ts';
import type { Operand } from '../../../services/ata/hardware.ts';
import { SystemError } from '../../../services/lib/index.ts';
import { Machine, pattern, randomFrom } from './machine.ts';

const SECTORS = 1000;
const STATUS = 0x1f7;
const ALTERNATE_STATUS = 0x3f6;

interface Fixture {
  readonly machine: Machine;
  readonly memory: MemoryDisk;
  readonly table: DeviceTable;
  readonly device: BlockDevice;
}

/** A driver on one disk, which fails by the rules from the end of the probe on. */
function driverOn(rules: FaultRule[] = [], options: { readOnly?: boolean } = {}): Fixture {
  const memory = new MemoryDisk(pattern(SECTORS, 5), options);
  const faulty = new FaultyDisk(memory);
  const machine = new Machine([faulty]);
  const table = machine.start();
  for (const rule of rules) faulty.add(rule);
  return { machine, memory, table, device: table.named('hda') };
}

/** The error that a call ends with. */
function failureOf(call: () => unknown): SystemError {
  try {
    call();
  } catch (error) {
    if (error instanceof SystemError) return error;
    throw error;
  }
  throw new Error('the call was expected to fail');
}

describe('bad sectors', () => {
  it('are EIO with the number of the sector, after three retries', () => {
    const { memory, table, device } = driverOn([{ operation: 'read', first: 150, last: 150, kind: 'error' }]);
    const error = failureOf(() => table.read(device, 100, 128));
    expect(error.code).toBe('EIO');
    expect(error.message).toContain('UNC at sector 150');
    expect(table.statistics).toMatchObject({ errors: 1, commandRetries: 3, reads: 0 });
    expect(Buffer.compare(table.read(device, 0, 150), memory.bytes.subarray(0, 150 * 512))).toBe(0);
    expect(Buffer.compare(table.read(device, 151, 200), memory.bytes.subarray(151 * 512, 351 * 512))).toBe(0);
  });

  it('that can be read at the second attempt are read', () => {
    const { memory, table, device } = driverOn([{ operation: 'read', first: 7, last: 7, times: 2, kind: 'error' }]);
    expect(Buffer.compare(table.read(device, 0, 20), memory.bytes.subarray(0, 20 * 512))).toBe(0);
    expect(table.statistics).toMatchObject({ errors: 0, commandRetries: 1 });
  });

  it('that cannot be written are EIO, not EROFS', () => {
    const { memory, table, device } = driverOn([{ operation: 'write', first: 40, last: 40, kind: 'error' }]);
    expect(failureOf(() => table.write(device, 32, pattern(64, 8))).code).toBe('EIO');
    expect(table.describe(device).readOnly).toBe(false);
    table.write(device, 64, pattern(16, 8));
    expect(Buffer.compare(memory.bytes.subarray(64 * 512, 80 * 512), pattern(16, 8))).toBe(0);
  });

  it('that can be written at the second attempt are written', () => {
    const { memory, table, device } = driverOn([{ operation: 'write', first: 9, last: 9, times: 1, kind: 'error' }]);
    table.write(device, 1, pattern(32, 8));
    expect(Buffer.compare(memory.bytes.subarray(512, 33 * 512), pattern(32, 8))).toBe(0);
  });
});

describe('a flush that fails', () => {
  it('is EIO and not repeated', () => {
    const { table, device } = driverOn([{ operation: 'flush', times: 1, kind: 'error' }]);
    expect(failureOf(() => table.flush(device)).code).toBe('EIO');
    expect(table.statistics).toMatchObject({ flushes: 0, commandRetries: 0, errors: 1 });
    table.flush(device);
    expect(table.statistics.flushes).toBe(1);
  });
});

describe('a disk that takes no writes', () => {
  it('is EROFS, and stays so without asking again', () => {
    const { machine, memory, table, device } = driverOn([], { readOnly: true });
    const before = Buffer.from(memory.bytes);
    expect(failureOf(() => table.write(device, 0, pattern(20, 3))).code).toBe('EROFS');
    expect(table.describe(device).readOnly).toBe(true);
    const { entries } = machine;
    expect(failureOf(() => table.write(device, 5, pattern(1, 3))).code).toBe('EROFS');
    expect(machine.entries).toBe(entries);
    table.flush(device);
    expect(Buffer.compare(table.read(device, 0, 30), before.subarray(0, 30 * 512))).toBe(0);
    expect(table.statistics.errors).toBe(0);
  });

  it('that cannot be read either is EIO', () => {
    const { table, device } = driverOn([{ operation: 'read', first: 3, last: 3, kind: 'error' }], { readOnly: true });
    expect(failureOf(() => table.write(device, 3, pattern(1, 3))).code).toBe('EIO');
    expect(table.describe(device).readOnly).toBe(false);
  });
});

describe('a drive that hangs', () => {
  it('is reset, and the command issued again', () => {
    const { machine, memory, table, device } = driverOn();
    machine.stalledUntil = machine.now + 6000;
    expect(Buffer.compare(table.read(device, 10, 40), memory.bytes.subarray(10 * 512, 50 * 512))).toBe(0);
    expect(table.statistics).toMatchObject({ errors: 0, commandRetries: 1, resets: 2 });
  });

  it('in the middle of a write is reset, and the write repeated', () => {
    const { machine, memory, table, device } = driverOn();
    machine.stalledUntil = machine.now + 6000;
    table.write(device, 10, pattern(100, 4));
    expect(Buffer.compare(memory.bytes.subarray(10 * 512, 110 * 512), pattern(100, 4))).toBe(0);
    expect(table.statistics).toMatchObject({ errors: 0, commandRetries: 1 });
  });

  it('for ever is EIO in bounded time, for each request', () => {
    const { machine, table, device } = driverOn();
    machine.stalledUntil = Number.POSITIVE_INFINITY;
    for (const call of [
      () => table.read(device, 0, 1),
      () => table.write(device, 1, pattern(1, 1)),
      () => table.flush(device),
    ]) {
      const before = machine.now;
      expect(failureOf(call).code).toBe('EIO');
      expect(machine.now - before).toBeLessThan(40_000);
    }
  });

  it('comes back when it recovers', () => {
    const { machine, memory, table, device } = driverOn();
    machine.stalledUntil = Number.POSITIVE_INFINITY;
    expect(failureOf(() => table.read(device, 0, 8)).code).toBe('EIO');
    machine.stalledUntil = 0;
    expect(Buffer.compare(table.read(device, 0, 200), memory.bytes.subarray(0, 200 * 512))).toBe(0);
    expect(table.describe(device).sectorsPerInterrupt).toBe(16);
  });

  it('while its neighbour on the channel goes on after the reset with its own settings', () => {
    const memories = [new MemoryDisk(pattern(100, 1)), new MemoryDisk(pattern(100, 2))];
    const machine = new Machine(memories);
    const table = machine.start();
    machine.stalledUntil = machine.now + 6000;
    table.read(table.named('hda'), 0, 50);
    machine.writes.length = 0;
    expect(Buffer.compare(table.read(table.named('hdb'), 0, 50), pattern(100, 2).subarray(0, 50 * 512))).toBe(0);
    expect(machine.writes.filter(({ port }) => port === STATUS).map(({ value }) => value)).toEqual([0xc6, 0xc4]);
  });
});

describe('a drive that has lost its block size', () => {
  it('is given it again', () => {
    const { machine, memory, table, device } = driverOn();
    const { WRITE8, POLL8, ACKNOWLEDGE } = vectorOperation;
    const setMultipleOff = [WRITE8, 0x1f6, 0xe0, WRITE8, 0x1f2, 0, WRITE8, STATUS, 0xc6];
    const switchOff = [...setMultipleOff, POLL8, STATUS, 0x80, 0, 1000, ACKNOWLEDGE, 14];
    machine.vector([WRITE8, ALTERNATE_STATUS, 2, ...switchOff]);
    expect(Buffer.compare(table.read(device, 0, 64), memory.bytes.subarray(0, 64 * 512))).toBe(0);
    expect(table.statistics).toMatchObject({ errors: 0, commandRetries: 1, resets: 1 });
    machine.vector([WRITE8, ALTERNATE_STATUS, 2, ...switchOff]);
    table.write(device, 0, pattern(64, 3));
    expect(Buffer.compare(memory.bytes.subarray(0, 64 * 512), pattern(64, 3))).toBe(0);
    expect(table.describe(device)).toMatchObject({ sectorsPerInterrupt: 16, readOnly: false });
  });
});

describe('interrupts', () => {
  it('that get lost cost time and nothing else', () => {
    const { machine, memory, table, device } = driverOn();
    machine.lost[0] = 1;
    expect(Buffer.compare(table.read(device, 0, 64), memory.bytes.subarray(0, 64 * 512))).toBe(0);
    expect(table.statistics).toMatchObject({ errors: 0, commandRetries: 0 });
    expect(machine.logLines.some((line) => line.includes('interrupt was lost'))).toBe(true);
    const { now } = machine;
    table.read(device, 0, 64);
    expect(machine.now).toBe(now);
  });

  it('that belong to nothing do no harm', () => {
    const { machine, memory, table, device } = driverOn();
    for (let round = 0; round < 20; round++) {
      machine.lines[0].spurious();
      const data = pattern(33, round);
      table.write(device, 100, data);
      machine.lines[0].spurious();
      expect(Buffer.compare(table.read(device, 90, 60), memory.bytes.subarray(90 * 512, 150 * 512))).toBe(0);
    }
    expect(table.statistics).toMatchObject({ errors: 0, commandRetries: 0, resets: 1 });
    expect(machine.now).toBeLessThan(10);
  });

  it('come once for each request again after stray ones', () => {
    const { machine, table, device } = driverOn();
    machine.lines[0].spurious();
    for (let round = 0; round < 3; round++) table.read(device, 0, 1);
    const { entries } = machine;
    table.read(device, 0, 1);
    expect(machine.entries - entries).toBe(1);
  });
});

describe('a new incarnation', () => {
  /** When a driver dies: before its next vector, where that waits, or when all of it was done. */
  const moments = ['before', 'waiting', 'after'] as const;

  /** A machine on which a driver died. */
  function killedAt(moment: (typeof moments)[number], disk: DiskBackend, call: (table: DeviceTable) => void): Machine {
    const machine = new Machine([disk]);
    const table = machine.start();
    const vector = machine.vector.bind(machine);
    machine.killed = moment === 'waiting';
    machine.vector = (operations) => {
      if (moment !== 'before') vector(operations);
      throw new Error('killed');
    };
    expect(() => call(table)).toThrow('killed');
    machine.killed = false;
    machine.vector = vector;
    return machine;
  }

  it('finds the drive in a known state wherever the one before died', () => {
    for (const moment of moments) {
      for (const writes of [true, false]) {
        const memory = new MemoryDisk(pattern(SECTORS, 6));
        const machine = killedAt(moment, memory, (table) => {
          const device = table.named('hda');
          if (writes) table.write(device, 50, pattern(100, 9));
          else table.read(device, 50, 100);
        });
        const table = machine.start();
        const device = table.named('hda');
        table.write(device, 50, pattern(100, 9));
        const whole = table.read(device, 0, 200);
        expect(Buffer.compare(whole, memory.bytes.subarray(0, 200 * 512))).toBe(0);
        expect(Buffer.compare(whole.subarray(50 * 512, 150 * 512), pattern(100, 9))).toBe(0);
        expect(table.statistics).toMatchObject({ errors: 0, commandRetries: 0 });
        expect(machine.now).toBeLessThan(10);
      }
    }
  });

  it('finds a drive that waits for the data of a write', () => {
    const memory = new MemoryDisk(pattern(SECTORS, 6));
    const before = Buffer.from(memory.bytes);
    const machine = new Machine([memory]);
    machine.start();
    machine.vector(partialWrite());
    const table = machine.start();
    expect(Buffer.compare(table.read(table.named('hda'), 0, 256), before.subarray(0, 256 * 512))).toBe(0);
  });
});

/** WRITE MULTIPLE of 32 sectors from sector 0 on, with half a block of data: what a driver leaves that dies. */
function partialWrite(): Operand[] {
  const { WRITE8, WRITE_BLOCK16 } = vectorOperation;
  const registers = [
    [0x1f6, 0xe0],
    [0x1f2, 32],
    [0x1f3, 0],
    [0x1f4, 0],
    [0x1f5, 0],
    [STATUS, 0xc5],
  ];
  return [...registers.flatMap((write) => [WRITE8, ...write]), WRITE_BLOCK16, 0x1f0, new Uint8Array(4096)];
}

describe('what is no drive', () => {
  it('floats high, or reads as a pulled-down bus, and is left alone at once', () => {
    for (const value of [0xff, 0x7f, 0x00]) {
      const machine = new Machine([new MemoryDisk(64), null, new MemoryDisk(64)]);
      machine.onRead = (port) => ((port >= 0x170 && port <= 0x177) || port === 0x376 ? value : undefined);
      const table = machine.start();
      expect(table.all.map(({ name }) => name)).toEqual(['hda']);
      expect(machine.now).toBeLessThan(5);
    }
  });

  it('shows busy for ever and is given up in bounded time', () => {
    const machine = new Machine([new MemoryDisk(64), null, new MemoryDisk(64)]);
    machine.onRead = (port) => (port === ALTERNATE_STATUS || port === STATUS ? 0x80 : undefined);
    const table = machine.start();
    expect(table.all.map(({ name }) => name)).toEqual(['hdc']);
    expect(machine.now).toBeLessThan(10_000);
  });

  it('aborts IDENTIFY DEVICE and is left out', () => {
    const machine = new Machine([new MemoryDisk(64)]);
    let identified = false;
    machine.onRead = (port) => {
      identified ||= machine.writes.some((write) => write.port === STATUS && write.value === 0xec);
      if (!identified) return undefined;
      if (port === 0x1f1) return 0x04;
      return port === STATUS || port === ALTERNATE_STATUS ? 0x41 : undefined;
    };
    expect(machine.start().all).toEqual([]);
    expect(machine.logLines.some((line) => line.includes('ABRT'))).toBe(true);
  });

  it('vanishes later: requests are EIO in bounded time', () => {
    const { machine, table, device } = driverOn();
    machine.onRead = (port) => (port >= 0x1f1 ? 0xff : undefined);
    const { now } = machine;
    expect(failureOf(() => table.read(device, 0, 1)).code).toBe('EIO');
    expect(machine.now - now).toBeLessThan(30_000);
  });
});

describe('registers that say anything', () => {
  const seed = Number(process.env.VROS_TEST_SEED ?? 4711);

  it(`never keep the driver for ever or make it fail otherwise than with EIO or EROFS (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 60; round++) {
      const { machine, memory, table, device } = driverOn();
      const every = 1 + random(40);
      machine.onRead = () => (random(every) === 0 ? random(256) : undefined);
      for (let step = 0; step < 5; step++) {
        const { now } = machine;
        const count = 1 + random(256);
        try {
          if (random(2) === 0) table.write(device, random(SECTORS - count), pattern(count, step));
          else table.read(device, random(SECTORS - count), count);
        } catch (error) {
          expect(error).toBeInstanceOf(SystemError);
          expect(['EIO', 'EROFS']).toContain(error instanceof SystemError ? error.code : '');
        }
        expect({ seed, round, bounded: machine.now - now < 120_000 }).toEqual({ seed, round, bounded: true });
      }
      machine.onRead = null;
      const next = machine.start();
      const data = next.read(next.named('hda'), 0, 256);
      expect(Buffer.compare(data, memory.bytes.subarray(0, 256 * 512))).toBe(0);
    }
  });
});
