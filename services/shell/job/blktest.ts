/**
 * blktest: reads a disk in many ways that all have to give the same bytes; with -w also writes, reads back and
 * restores.
 */
import { MAX_REQUEST_SECTORS, SECTOR_BYTES } from '../../../protocol/block.ts';
import { random, uptime } from '../../lib/index.ts';
import { Checks, equalBytes, expect } from '../checks.ts';
import type { Run } from '../command.ts';
import { expectWords } from '../command.ts';
import { type OpenDevice, openNamedOrFirst } from '../disks.ts';
import { about, UsageError } from '../errors.ts';
import { formatBytes, formatMilliseconds } from '../table.ts';

/** Sizes of reads: around powers of two, where off-by-one errors live. */
const SIZES = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256];

/** Most sectors of the throughput measurement (64 MiB). */
const MAX_MEASURED_SECTORS = 131_072;

/** A random whole number from 0 to `below` - 1. */
function randomBelow(below: number): number {
  const [high = 0, low = 0] = new Uint32Array(random(8).slice().buffer);
  return (high * 2 ** 21 + (low >>> 11)) % below;
}

/** Places to look at for a request of `count` sectors: the start, the end, and one in between. */
function placesFor(sectors: number, count: number): number[] {
  const last = sectors - count;
  return [...new Set([0, last, randomBelow(last + 1)])];
}

function single(disk: OpenDevice['disk'], sector: number, count: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < count; at++) parts.push(disk.read({ sector: sector + at, count: 1 }));
  return Buffer.concat(parts);
}

function checkReads({ disk, description }: OpenDevice): string {
  let requests = 0;
  let sectors = 0;
  for (const count of SIZES.filter((size) => size <= description.sectors)) {
    for (const sector of placesFor(description.sectors, count)) {
      const whole = disk.read({ sector, count });
      expect(whole.length === count * SECTOR_BYTES, `sector ${sector}, ${count} sectors: ${whole.length} bytes came`);
      expect(
        equalBytes(whole, single(disk, sector, count)),
        `sector ${sector}, ${count} sectors: not what single reads give`,
      );
      requests += 1;
      sectors += count;
    }
  }
  return `${requests} requests of 1 to ${MAX_REQUEST_SECTORS} sectors, ${sectors} sectors, equal to single-sector reads`;
}

function throughput({ disk, description }: OpenDevice, count: number): string {
  const total = Math.min(description.sectors, MAX_MEASURED_SECTORS);
  const before = uptime();
  for (let sector = 0; sector < total; sector += count) disk.read({ sector, count: Math.min(count, total - sector) });
  const milliseconds = uptime() - before;
  const rate = (total * SECTOR_BYTES) / 1e6 / (milliseconds / 1000);
  return `${formatBytes(total * SECTOR_BYTES)} in ${formatMilliseconds(milliseconds)}, ${rate.toFixed(0)} MB/s`;
}

/** Data that differs in every sector and names it. */
function pattern(sector: number, count: number, seed: number): Uint8Array {
  const data = Buffer.alloc(count * SECTOR_BYTES);
  for (let at = 0; at < data.length; at += 4) {
    const place = sector + Math.floor(at / SECTOR_BYTES);
    data.writeUInt32LE((Math.imul(place + 1, 0x9e3779b1) ^ Math.imul(at + seed, 0x85ebca6b)) >>> 0, at);
  }
  return data;
}

/** Writes one area several times, reads it back in other sizes, and puts back what was there. */
function checkWrites({ disk, description }: OpenDevice, count: number): string {
  let written = 0;
  for (const sector of placesFor(description.sectors, count)) {
    const original = disk.read({ sector, count }).slice();
    try {
      for (const seed of [1, 2]) {
        const data = pattern(sector, count, seed);
        disk.write({ sector, data });
        written += count;
        expect(equalBytes(disk.read({ sector, count }), data), `sector ${sector}, ${count} sectors: read back wrong`);
        expect(
          equalBytes(single(disk, sector, count), data),
          `sector ${sector}, ${count} sectors: single reads give other bytes`,
        );
      }
    } finally {
      disk.write({ sector, data: original });
      disk.flush();
    }
    expect(equalBytes(disk.read({ sector, count }), original), `sector ${sector}: not restored`);
  }
  return `${written} sectors written, read back and restored`;
}

/** Writes back what is there: a disk says that it is read-only when it is written to. Throws CommandError. */
function expectWritable({ disk, description }: OpenDevice): void {
  const sector = description.sectors - 1;
  about(description.name, () => disk.write({ sector, data: disk.read({ sector, count: 1 }) }));
}

export const blktest: Run = (context) => {
  const write = context.words[0] === '-w';
  const [name] = expectWords(write ? context.words.slice(1) : context.words, 0, 1);
  if (write && name === undefined) throw new UsageError('-w needs a device');
  if (name?.startsWith('-') === true) throw new UsageError(`${name}: no such option`);
  const device = openNamedOrFirst(context.services, name);
  const { description } = device;
  if (write) expectWritable(device);
  context.lines(
    `${description.name}: ${description.sectors} sectors, ${formatBytes(description.sectors * SECTOR_BYTES)}`,
  );
  const checks = new Checks(context);
  checks.run('reads', () => checkReads(device));
  for (const count of [16, 128, 256]) {
    checks.run(`sequential, ${formatBytes(count * SECTOR_BYTES)} a request`, () => throughput(device, count));
  }
  if (write) {
    for (const count of [1, 17, 128, 256].filter((size) => size <= description.sectors)) {
      checks.run(`writes of ${count}`, () => checkWrites(device, count));
    }
  }
  device.close();
  return checks.finish();
};
