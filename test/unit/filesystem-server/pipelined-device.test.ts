/** Requests that overlap, against a driver that answers in order and only when an ordinary call is made. */
import { describe, expect, it } from 'vitest';
import { errno, SystemError } from '../../../protocol/errno.ts';
import { type DriverCalls, PipelinedDevice } from '../../../services/lib/filesystem/pipelined-device.ts';
import type { Ended } from '../../../services/lib/index.ts';

const SECTORS = 4096;
const pattern = (first: number, count: number): Buffer =>
  Buffer.from(Array.from({ length: count * 512 }, (_, index) => (first + (index >> 9)) & 0xff));

/** A driver with a disk in memory; a request that touches a bad sector is refused. */
class Driver implements DriverCalls {
  readonly disk = pattern(0, SECTORS);
  readonly order: string[] = [];
  /** Requests under way at once, at most. */
  most = 0;
  readonly bad = new Set<number>();
  shortBy = 0;
  private readonly waiting: (() => void)[] = [];

  private carryOut(name: string, sector: number, count: number): void {
    this.order.push(`${name} ${sector} ${count}`);
    for (const bad of this.bad)
      if (bad >= sector && bad < sector + count) throw new SystemError('EIO', `sector ${bad}`);
  }

  /** An ordinary call: all before it is answered first. */
  private now<T>(work: () => T): T {
    this.most = Math.max(this.most, this.waiting.length + 1);
    for (const earlier of this.waiting.splice(0)) earlier();
    return work();
  }

  private later<T>(work: () => T): Ended<T> {
    let outcome: ReturnType<Ended<T>>;
    this.waiting.push(() => {
      try {
        outcome = { ok: true, value: work() };
      } catch (error) {
        outcome = { ok: false, error: error as SystemError };
      }
    });
    return () => outcome;
  }

  private fetch({ sector, count }: { sector: number; count: number }): Uint8Array {
    this.carryOut('read', sector, count);
    return Buffer.from(this.disk.subarray(sector * 512, (sector + count) * 512 - this.shortBy));
  }

  private put({ sector, data }: { sector: number; data: Uint8Array }): void {
    this.carryOut('write', sector, data.length / 512);
    this.disk.set(data, sector * 512);
  }

  read = (request: { sector: number; count: number }) => this.now(() => this.fetch(request));
  write = (request: { sector: number; data: Uint8Array }) => this.now(() => this.put(request));
  flush = () => this.now(() => void this.order.push('flush'));
  beginRead = (request: { sector: number; count: number }) => this.later(() => this.fetch(request));
  beginWrite = (request: { sector: number; data: Uint8Array }) => this.later(() => this.put(request));
  close(): void {
    this.order.push('close');
  }
}

function make(): { driver: Driver; device: PipelinedDevice } {
  const driver = new Driver();
  return { driver, device: new PipelinedDevice({ sectors: SECTORS, readOnly: false }, driver) };
}

function errnoOf(work: () => unknown): number {
  try {
    work();
  } catch (error) {
    if (error instanceof SystemError) return errno[error.code];
    throw error;
  }
  return 0;
}

describe('a device whose requests overlap', () => {
  it('reads any number of sectors, in parts of 256, with at most five under way', () => {
    const { driver, device } = make();
    for (const count of [1, 255, 256, 257, 512, 1280, 1281, 3000]) {
      const data = Buffer.from(device.read(7, count));
      expect(data.equals(pattern(7, count)), `${count} sectors`).toBe(true);
    }
    expect(driver.most).toBe(5);
    driver.order.length = 0;
    device.read(10, 600);
    expect(driver.order).toEqual(['read 10 256', 'read 266 256', 'read 522 88']);
  });

  it('writes any number of sectors', () => {
    for (const count of [1, 256, 257, 512, 1280, 1281, 3000]) {
      const { driver, device } = make();
      const wanted = pattern(0, SECTORS);
      const data = pattern(99, count);
      wanted.set(data, 11 * 512);
      device.write(11, data);
      expect(driver.disk.equals(wanted), `${count} sectors`).toBe(true);
      expect(driver.most).toBeLessThanOrEqual(5);
    }
  });

  it('has done what was begun when the next ordinary request returns, and before a flush', () => {
    const { driver, device } = make();
    device.beginWrite(100, pattern(1, 300));
    device.beginWrite(1000, pattern(2, 8));
    device.write(2000, pattern(3, 8));
    expect(driver.order).toEqual(['write 100 256', 'write 356 44', 'write 1000 8', 'write 2000 8']);
    device.beginWrite(100, pattern(4, 8));
    device.flush();
    expect(driver.order.slice(4)).toEqual(['write 100 8', 'flush']);
    for (let round = 0; round < 20; round++) device.beginWrite(round * 8, pattern(round, 8));
    device.read(0, 1);
    expect(driver.most).toBe(5);
    for (let round = 0; round < 20; round++)
      expect(Buffer.from(device.read(round * 8, 8)).equals(pattern(round, 8))).toBe(true);
  });

  it('throws an error of what was begun once, with the request that ends it', () => {
    for (const end of ['write', 'read', 'flush'] as const) {
      const { driver, device } = make();
      driver.bad.add(105);
      device.beginWrite(100, pattern(1, 8));
      device.beginWrite(200, pattern(1, 8));
      const work = {
        write: () => device.write(300, pattern(2, 8)),
        read: () => device.read(1, 1),
        flush: () => device.flush(),
      };
      expect(errnoOf(work[end]), end).toBe(errno.EIO);
      expect(Buffer.from(driver.disk.subarray(200 * 512, 208 * 512)).equals(pattern(1, 8))).toBe(true);
      expect(errnoOf(work[end]), `${end}, again`).toBe(0);
    }
  });

  it('throws the error of any part, and goes on afterwards', () => {
    const { driver, device } = make();
    for (const bad of [0, 300, 511, 599]) {
      driver.bad.clear();
      driver.bad.add(bad);
      expect(
        errnoOf(() => device.read(0, 600)),
        `read, bad ${bad}`,
      ).toBe(errno.EIO);
      expect(
        errnoOf(() => device.write(0, pattern(0, 600))),
        `write, bad ${bad}`,
      ).toBe(errno.EIO);
      expect(Buffer.from(device.read(1000, 700)).equals(pattern(1000, 700))).toBe(true);
    }
  });

  it('refuses answers that are too short, or none', () => {
    const { driver, device } = make();
    driver.shortBy = 512;
    expect([errnoOf(() => device.read(0, 8)), errnoOf(() => device.read(0, 300))]).toEqual([errno.EIO, errno.EIO]);
    driver.shortBy = 0;
    driver.beginWrite = () => () => undefined;
    device.beginWrite(0, pattern(0, 8));
    expect(errnoOf(() => device.flush())).toBe(errno.EIO);
    device.close();
    expect(driver.order.at(-1)).toBe('close');
  });
});
