/**
 * A device of the disk driver that is given the next request before it has answered the last one: the parts of a large
 * request, and writes that need not be finished yet. The driver answers in the order of the requests, over its deaths
 * as well, so whatever was begun before an ordinary call has ended when that has.
 */
import type { BlockDevice } from '../../../filesystems/block-device.ts';
import { MAX_REQUEST_SECTORS, SECTOR_BYTES } from '../../../protocol/block.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { Client, Request } from '../../../protocol/interface.ts';
import type { block, Ended } from '../index.ts';

type Methods = typeof block.methods;

/** How the driver is called. */
export interface DriverCalls extends Pick<Client<Methods>, 'read' | 'write' | 'flush'> {
  /** Begins a request. */
  beginRead(request: Request<Methods['read']>): Ended<Uint8Array>;
  beginWrite(request: Request<Methods['write']>): Ended<void>;
  /** Gives the right to the device up. */
  close(): void;
}

/** Requests that are under way beside an ordinary one: 512 KiB. */
const MAX_BEGUN = 4;

const MAX_REQUEST_BYTES = MAX_REQUEST_SECTORS * SECTOR_BYTES;

/** Throws what a call has thrown, or answers what it has answered. */
type Outcome<T> = () => T;

/** See the head of this file. */
export class PipelinedDevice implements BlockDevice {
  readonly sectors: number;
  readonly readOnly: boolean;
  private readonly driver: DriverCalls;
  private writing: Ended<void>[] = [];

  constructor({ sectors, readOnly }: Pick<BlockDevice, 'sectors' | 'readOnly'>, driver: DriverCalls) {
    this.sectors = sectors;
    this.readOnly = readOnly;
    this.driver = driver;
  }

  read(sector: number, count: number): Uint8Array {
    if (count <= MAX_REQUEST_SECTORS) return this.readPart(sector, count);
    const data = Buffer.allocUnsafeSlow(count * SECTOR_BYTES);
    const most = (MAX_BEGUN + 1) * MAX_REQUEST_SECTORS;
    for (let at = 0; at < count; at += most) this.readParts(sector, at, Math.min(at + most, count), data);
    return data;
  }

  /** Reads the sectors `from` to `end`, counted from `sector` on, to their place in `data`. */
  private readParts(sector: number, from: number, end: number, data: Buffer): void {
    const begun: { at: number; ended: Ended<Uint8Array> }[] = [];
    let at = from;
    for (; end - at > MAX_REQUEST_SECTORS; at += MAX_REQUEST_SECTORS)
      begun.push({ at, ended: this.driver.beginRead({ sector: sector + at, count: MAX_REQUEST_SECTORS }) });
    const last = attempt(() => this.readPart(sector + at, end - at));
    // Every answer is taken, whatever the others say.
    const parts = begun.map(({ at: place, ended }) => ({ place, part: attempt(() => taken(ended)) }));
    for (const { place, part } of parts) data.set(checked(part(), MAX_REQUEST_SECTORS), place * SECTOR_BYTES);
    data.set(last(), at * SECTOR_BYTES);
  }

  private readPart(sector: number, count: number): Uint8Array {
    return checked(
      this.settling(() => this.driver.read({ sector, count })),
      count,
    );
  }

  write(sector: number, data: Uint8Array): void {
    const last = Math.max(0, Math.ceil(data.length / MAX_REQUEST_BYTES) - 1) * MAX_REQUEST_BYTES;
    if (last > 0) this.beginWrite(sector, data.subarray(0, last));
    this.settling(() => this.driver.write({ sector: sector + last / SECTOR_BYTES, data: data.subarray(last) }));
  }

  beginWrite(sector: number, data: Uint8Array): void {
    for (let at = 0; at < data.length; at += MAX_REQUEST_BYTES) {
      const request = { sector: sector + at / SECTOR_BYTES, data: data.subarray(at, at + MAX_REQUEST_BYTES) };
      if (this.writing.length < MAX_BEGUN) this.writing.push(this.driver.beginWrite(request));
      else this.settling(() => this.driver.write(request));
    }
  }

  flush(): void {
    this.settling(() => this.driver.flush());
  }

  /** Gives the right to the device up. */
  close(): void {
    this.driver.close();
  }

  /** Makes an ordinary call, with which the writes end that were begun before it. Throws the first error of all. */
  private settling<T>(call: () => T): T {
    const outcome = attempt(call);
    const { writing } = this;
    this.writing = [];
    const writes = writing.map((ended) => attempt(() => taken(ended)));
    for (const write of writes) write();
    return outcome();
  }
}

function attempt<T>(call: () => T): Outcome<T> {
  try {
    const value = call();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** What a request that was begun has been answered. */
function taken<T>(ended: Ended<T>): T {
  const outcome = ended();
  if (outcome === undefined) throw new SystemError('EIO', 'the driver has left out a request');
  if (!outcome.ok) throw outcome.error;
  return outcome.value;
}

function checked(data: Uint8Array, sectors: number): Uint8Array {
  if (data.length === sectors * SECTOR_BYTES) return data;
  throw new SystemError('EIO', `the driver answered ${data.length} bytes for ${sectors} sectors`);
}
