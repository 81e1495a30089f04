/**
 * What a loss of power leaves: a file system that a check can mend, in which everything that was synced and not touched
 * since is as it was.
 */
import { describe, expect, it } from 'vitest';
import { SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { crc32c } from '../../../filesystems/crc32c.ts';
import { fat } from '../../../filesystems/fat/index.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { Random } from '../../support/random.ts';
import { below, made, mounted, picture, problemsOf } from './volume.ts';
import { Workload } from './workload.ts';

const SHAPES = [
  { name: 'fat12', sectors: 720, fatBits: 12, blockBytes: 512, steps: 60 },
  { name: 'fat16', sectors: 9000, fatBits: 16, blockBytes: 1024, steps: 60 },
  { name: 'fat32', sectors: 68_000, fatBits: 32, blockBytes: 512, steps: 15 },
] as const;

/** A sector that was written since the last flush. */
interface Written {
  readonly sector: number;
  readonly data: Uint8Array;
}

/** Files that are made and synced, and then left alone. */
function makeLasting(fs: FileSystem, random: Random): string[] {
  const directory = fs.makeDirectory(fs.root, 'lasting', 0o755);
  const inner = fs.makeDirectory(directory, 'inner directory', 0o755);
  return Array.from({ length: 12 }, (_, index) => {
    const data = Buffer.alloc(random.below(4000), `lasting ${index}`);
    const node = fs.create(index % 2 === 0 ? directory : inner, `lasting file ${index}`, 0o644);
    fs.write(node, 0, data);
    return `${data.length} ${crc32c(data)}`;
  });
}

function lastingOf(fs: FileSystem): string[] {
  const directory = fs.lookup(fs.root, 'lasting');
  const inner = fs.lookup(directory, 'inner directory');
  return Array.from({ length: 12 }, (_, index) => {
    const node = fs.lookup(index % 2 === 0 ? directory : inner, `lasting file ${index}`);
    const { size } = fs.attributes(node);
    return `${size} ${crc32c(fs.read(node, 0, size))}`;
  });
}

describe('a loss of power', () => {
  it.each(SHAPES)('on $name leaves what a check can mend', (shape) => {
    const random = new Random();
    const device = made(shape.sectors, shape);
    const base = mounted(device);
    const lasting = makeLasting(base, random);
    base.sync();
    const fs = base;
    let flushed = Buffer.from(device.bytes);
    let written: Written[] = [];
    let states = 0;
    let mended = 0;
    device.observe = (sector, data) => {
      if (data === null) {
        flushed = Buffer.from(device.bytes);
        written = [];
        return;
      }
      for (let at = 0; at < data.length; at += SECTOR_BYTES)
        written.push({ sector: sector + at / SECTOR_BYTES, data: Buffer.from(data.subarray(at, at + SECTOR_BYTES)) });
    };
    /** The disk as it may be: some of what was written since the last flush is there. */
    const tryState = (isThere: (index: number) => boolean, message: string): void => {
      const image = Buffer.from(flushed);
      for (const [index, { sector, data }] of written.entries())
        if (isThere(index)) image.set(data, sector * SECTOR_BYTES);
      const after = new MemoryDevice(image);
      states++;
      const { problems, repaired } = fat.check(after, true);
      expect(problems, message).toEqual([]);
      if (repaired.length > 1) mended++;
      expect(problemsOf(after), message).toEqual([]);
      const again = mounted(after);
      expect(lastingOf(again), message).toEqual(lasting);
      // All of the rest can be read, too.
      picture(again);
    };
    const workload = new Workload(random, { maxFileBytes: 3000, maxNodes: 20 });
    const own = fs.makeDirectory(fs.root, 'own', 0o755);
    // A disk that has been tried in no state has proved nothing.
    for (let step = 0; step < shape.steps || (states === 0 && step < 10 * shape.steps); step++) {
      const message = `seed ${random.seed}, step ${step}`;
      workload.step(below(fs, own));
      if (random.below(2) === 0) fs.commit();
      if (random.below(10) === 0) fs.sync();
      if ((random.below(3) > 0 && step + 1 < shape.steps) || written.length === 0) continue;
      const end = random.below(written.length + 1);
      tryState((index) => index < end, `${message}: in order, ${end} of ${written.length}`);
      const kept = written.map(() => random.below(2) === 0);
      tryState((index) => kept[index] === true, `${message}: some`);
    }
    expect(states).toBeGreaterThan(0);
    // Seldom none of them needs it, where there are few.
    if (shape.steps > 20) expect(mended).toBeGreaterThan(0);
  });
});
