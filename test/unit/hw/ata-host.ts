/**
 * A host at the ports of an ATA channel: what a driver does, without any policy of one.
 */
import { expect } from 'vitest';
import { AtaChannel, type AtaChannelOptions } from '../../../hw/ata/channel.ts';
import type { DiskBackend } from '../../../hw/disk/backend.ts';

export const DATA = 0x1f0;
export const ERROR = 0x1f1;
export const FEATURE = 0x1f1;
export const COUNT = 0x1f2;
export const LBA_LOW = 0x1f3;
export const LBA_MID = 0x1f4;
export const LBA_HIGH = 0x1f5;
export const DEVICE = 0x1f6;
export const STATUS = 0x1f7;
export const CONTROL = 0x3f6;

export const READY = 0x50;
export const ERR = 0x01;
export const DRQ = 0x08;
export const BSY = 0x80;

export const ABRT = 0x04;
export const IDNF = 0x10;
export const UNC = 0x40;

/** Completions of a back end that wait until the test lets them go. */
export class Later {
  readonly waiting: (() => void)[] = [];
  readonly defer = (completion: () => void): void => {
    this.waiting.push(completion);
  };

  /** Lets the first completion go; false when there is none. */
  one(): boolean {
    const completion = this.waiting.shift();
    completion?.();
    return completion !== undefined;
  }

  all(): void {
    while (this.one());
  }
}

/** A channel with its interrupt line and what its `changed` counted. */
export class AtaHost {
  readonly channel: AtaChannel;
  /** Level of the interrupt line, and its rising edges. */
  level = false;
  raises = 0;
  changes = 0;

  constructor(
    first: DiskBackend | null,
    second: DiskBackend | null = null,
    options: Partial<Pick<AtaChannelOptions, 'model' | 'firmware' | 'serials'>> = {},
  ) {
    this.channel = new AtaChannel({
      name: 'ata0',
      commandBase: DATA,
      controlPort: CONTROL,
      line: {
        set: (level) => {
          if (level && !this.level) this.raises += 1;
          this.level = level;
        },
      },
      drives: [first, second],
      changed: () => {
        this.changes += 1;
      },
      ...options,
    });
  }

  in(port: number): number {
    return this.channel.read(port, 1);
  }

  out(port: number, ...values: number[]): void {
    for (const value of values) this.channel.write(port, 1, value);
  }

  /** Sets the address and count registers for a 28-bit command to device 0 and gives it. */
  lba28(command: number, lba: number, count: number): void {
    this.out(DEVICE, 0xe0 | Math.floor(lba / 2 ** 24));
    this.out(COUNT, count & 0xff);
    this.address24(lba);
    this.out(STATUS, command);
  }

  lba48(command: number, lba: number, count: number): void {
    this.out(DEVICE, 0xe0);
    this.out(COUNT, (count >> 8) & 0xff);
    this.address24(Math.floor(lba / 2 ** 24));
    this.out(COUNT, count & 0xff);
    this.address24(lba);
    this.out(STATUS, command);
  }

  chs(command: number, cylinder: number, head: number, sector: number, count: number): void {
    this.out(DEVICE, 0xa0 | head);
    this.out(COUNT, count & 0xff);
    this.out(LBA_LOW, sector);
    this.out(LBA_MID, cylinder & 0xff);
    this.out(LBA_HIGH, cylinder >> 8);
    this.out(STATUS, command);
  }

  private address24(value: number): void {
    this.out(LBA_LOW, value & 0xff);
    this.out(LBA_MID, Math.floor(value / 2 ** 8) & 0xff);
    this.out(LBA_HIGH, Math.floor(value / 2 ** 16) & 0xff);
  }

  /** The sector the address registers show, as LBA28. */
  shownLba28(): number {
    const upper = this.in(DEVICE) & 0x0f;
    return upper * 2 ** 24 + (this.in(LBA_HIGH) << 16) + (this.in(LBA_MID) << 8) + this.in(LBA_LOW);
  }

  /** The sector the address registers show, as LBA48. */
  shownLba48(): number {
    const low = (this.in(LBA_HIGH) << 16) + (this.in(LBA_MID) << 8) + this.in(LBA_LOW);
    this.out(CONTROL, 0x80);
    const high = (this.in(LBA_HIGH) << 16) + (this.in(LBA_MID) << 8) + this.in(LBA_LOW);
    this.out(CONTROL, 0x00);
    return high * 2 ** 24 + low;
  }

  /** `rep insw` of some sectors. */
  read(sectors: number): Buffer {
    const data = Buffer.alloc(sectors * 512);
    this.channel.readBlock(DATA, 2, data);
    return data;
  }

  /** `rep outsw`. */
  write(data: Buffer): void {
    this.channel.writeBlock(DATA, 2, data);
  }

  identify(device = 0): Buffer {
    this.out(DEVICE, 0xa0 | (device << 4));
    this.out(STATUS, 0xec);
    return this.read(1);
  }
}

/** Bytes that differ from sector to sector: the sector's number, then a pattern grown from it and `salt`. */
export function pattern(lba: number, sectors: number, salt = 0): Buffer {
  const data = Buffer.alloc(sectors * 512);
  for (let index = 0; index < sectors; index++) {
    data.writeUInt32LE((lba + index) % 2 ** 32, index * 512);
    for (let at = 4; at < 512; at++) data[index * 512 + at] = ((lba + index) * 7 + at * 13 + salt * 31) & 0xff;
  }
  return data;
}

/** Says where two buffers first differ; quicker than comparing them as arrays. */
export function sameBytes(actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return;
  let at = 0;
  while (at < actual.length && actual[at] === expected[at]) at += 1;
  expect.fail(`${actual.length} bytes differ from ${expected.length} expected ones at ${at}`);
}

/** A small seeded generator (xorshift32): numbers from 0 up to but not including `limit`. */
export function randomNumbers(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
}
