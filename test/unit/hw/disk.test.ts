/**
 * Disks in memory and disks with injected faults.
 */
import { describe, expect, it } from 'vitest';
import type { DiskBackend, DiskError } from '../../../hw/disk/backend.ts';
import { FaultyDisk } from '../../../hw/disk/faulty.ts';
import { MemoryDisk } from '../../../hw/disk/memory.ts';
import { Later, pattern, sameBytes } from './ata-host.ts';

type Outcome = DiskError | null | 'pending';

function write(disk: DiskBackend, lba: number, data: Buffer): () => Outcome {
  let outcome: Outcome = 'pending';
  disk.write(lba, data, (error) => {
    outcome = error;
  });
  return () => outcome;
}

function read(disk: DiskBackend, lba: number, sectors: number): { data: Buffer; outcome: () => Outcome } {
  const data = Buffer.alloc(sectors * 512);
  let outcome: Outcome = 'pending';
  disk.read(lba, data, (error) => {
    outcome = error;
  });
  return { data, outcome: () => outcome };
}

function codeOf(outcome: Outcome): string {
  return outcome === null ? 'done' : outcome === 'pending' ? 'pending' : outcome.code;
}

describe('MemoryDisk', () => {
  it('keeps what is written and refuses what is outside', async () => {
    const disk = new MemoryDisk(8);
    expect(write(disk, 6, pattern(6, 2))()).toBe(null);
    sameBytes(read(disk, 6, 2).data, pattern(6, 2));
    sameBytes(read(disk, 0, 6).data, Buffer.alloc(6 * 512));
    expect(codeOf(read(disk, 7, 2).outcome())).toBe('range');
    expect(codeOf(read(disk, -1, 1).outcome())).toBe('range');
    expect(codeOf(read(disk, 0.5, 1).outcome())).toBe('range');
    expect(codeOf(write(disk, 0, Buffer.alloc(100))())).toBe('range');
    expect(codeOf(write(disk, 0, Buffer.alloc(0))())).toBe('range');
    await disk.close();
    expect(codeOf(read(disk, 0, 1).outcome())).toBe('closed');
  });

  it('refuses writes when it is read-only', () => {
    const disk = new MemoryDisk(pattern(0, 2), { readOnly: true });
    expect(codeOf(write(disk, 0, Buffer.alloc(512))())).toBe('read-only');
    sameBytes(disk.bytes, pattern(0, 2));
  });

  it('ends requests when it is told to', () => {
    const later = new Later();
    const disk = new MemoryDisk(2, { defer: later.defer });
    const first = write(disk, 0, pattern(0, 1));
    const second = read(disk, 0, 1);
    expect([first(), second.outcome()]).toEqual(['pending', 'pending']);
    later.one();
    expect([first(), second.outcome()]).toEqual([null, 'pending']);
    later.one();
    sameBytes(second.data, pattern(0, 1));
  });
});

describe('FaultyDisk', () => {
  it('fails the requests that touch the sectors of a rule, as often as it says', () => {
    const inner = new MemoryDisk(pattern(0, 16));
    const disk = new FaultyDisk(inner);
    disk.add({ operation: 'read', first: 4, last: 5, times: 2, kind: 'error' });
    expect(codeOf(read(disk, 0, 4).outcome())).toBe('done');
    expect(codeOf(read(disk, 6, 4).outcome())).toBe('done');
    const failed = read(disk, 0, 8).outcome();
    expect(failed).toMatchObject({ code: 'io', lba: 4 });
    expect(read(disk, 5, 1).outcome()).toMatchObject({ code: 'io', lba: 5 });
    expect(codeOf(read(disk, 4, 2).outcome())).toBe('done');
    disk.add({ operation: 'read', first: 6, last: 6, skip: 2, times: 1, kind: 'error' });
    const codes = [6, 7, 6, 6, 6].map((sector) => codeOf(read(disk, sector, 1).outcome()));
    expect(codes).toEqual(['done', 'done', 'done', 'io', 'done']);
    disk.add({ operation: 'write', kind: 'error' });
    expect(codeOf(write(disk, 3, Buffer.alloc(512))())).toBe('io');
    sameBytes(inner.bytes, pattern(0, 16));
    disk.clear();
    expect(codeOf(write(disk, 3, Buffer.alloc(512))())).toBe('done');
  });

  it('tears, loses and misdirects writes, and says nothing', () => {
    const inner = new MemoryDisk(16);
    const disk = new FaultyDisk(inner);
    disk.add({ operation: 'write', first: 0, last: 3, times: 1, kind: 'torn', sectors: 3 });
    disk.add({ operation: 'write', first: 4, last: 4, times: 1, kind: 'lost' });
    disk.add({ operation: 'write', first: 5, last: 5, times: 1, kind: 'misdirected', offset: 3 });
    disk.add({ operation: 'write', first: 15, last: 15, times: 1, kind: 'misdirected', offset: 1 });
    for (const [lba, sectors] of [
      [0, 4],
      [4, 1],
      [5, 1],
      [15, 1],
    ] as const) {
      expect(write(disk, lba, pattern(lba, sectors, 1))()).toBe(null);
    }
    const expected = Buffer.alloc(16 * 512);
    pattern(0, 3, 1).copy(expected, 0);
    pattern(5, 1, 1).copy(expected, 8 * 512);
    sameBytes(inner.bytes, expected);
  });

  it('is late by the time a rule says, without changing the order of effects', () => {
    const timers: { nanoseconds: number; callback: () => void }[] = [];
    const disk = new FaultyDisk(new MemoryDisk(4), (nanoseconds, callback) => timers.push({ nanoseconds, callback }));
    disk.add({ operation: 'write', times: 1, kind: 'slow', nanoseconds: 5_000_000 });
    disk.add({ operation: 'flush', times: 1, kind: 'slow', nanoseconds: 7 });
    const slow = write(disk, 1, pattern(1, 1));
    sameBytes(read(disk, 1, 1).data, pattern(1, 1));
    expect(slow()).toBe('pending');
    let flushed = false;
    disk.flush(() => {
      flushed = true;
    });
    expect(timers.map((timer) => timer.nanoseconds)).toEqual([5_000_000, 7]);
    for (const timer of timers) timer.callback();
    expect([slow(), flushed]).toEqual([null, true]);
  });
});
