/**
 * The journal of VRFS: wrap-around, torn headers and records, data that did not arrive, noted requests over deaths,
 * orphans, refusals of the disk.
 */
import { describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { vrfs } from '../../../filesystems/vrfs/index.ts';
import { kind } from '../../../filesystems/vrfs/metadata.ts';
import type { MemoryDevice } from '../../support/memory-device.ts';
import { Death, MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';
import { blockOf, blocksWith, contentOf, copyOf, expectSound, insideOf, mount, newDevice } from './support.ts';

const random = new Random();

/** Does something to the file system that a test can repeat. */
function work(fileSystem: FileSystem, step: number): void {
  const name = `file${step % 10}`;
  try {
    fileSystem.write(fileSystem.lookup(1, name), random.below(20_000), random.bytes(1 + random.below(9000)));
  } catch {
    fileSystem.create(1, name, 0o644);
  }
}

describe(`journal (seed ${random.seed})`, () => {
  it('is the same after a death at any commit, many times around', () => {
    const device = newDevice(512);
    let fileSystem = mount(device);
    for (let step = 0; step < 200; step++) {
      work(fileSystem, step);
      fileSystem.commit();
      if (step % 10 !== 0) continue;
      const again = mount(copyOf(device));
      expect(contentOf(again)).toBe(contentOf(fileSystem));
      if (step % 50 === 0) fileSystem = mount(device);
    }
    fileSystem.close();
    expectSound(device);
  });

  it('takes the other header when one is torn, and refuses without both', () => {
    const device = newDevice(512);
    const fileSystem = mount(device);
    for (let step = 0; step < 50; step++) work(fileSystem, step);
    fileSystem.sync();
    const headers = blocksWith(device, kind.JOURNAL_HEADER);
    expect(headers.length).toBe(2);
    // The newer one holds what is in force; the older one is from before the first record, and everything follows from
    // it as well.
    for (const block of headers) {
      const torn = copyOf(device);
      blockOf(torn, block).fill(0, 512);
      expect(contentOf(mount(torn))).toBe(contentOf(fileSystem));
    }
    for (const block of headers) blockOf(device, block).fill(0);
    expect(() => mount(device)).toThrow('EUCLEAN');
    expect(vrfs.check(device, true).problems).toEqual([]);
    mount(device);
  });

  it('ends the series before a record that is torn, or whose data is missing; what was synced has to be there', () => {
    const device = newDevice(512);
    const fileSystem = mount(device);
    const file = fileSystem.create(1, 'file', 0o644);
    fileSystem.sync();
    const synced = contentOf(fileSystem);
    fileSystem.write(file, 0, random.bytes(8192));
    const before = Buffer.from(device.bytes);
    fileSystem.commit();
    const { geometry } = insideOf(device);
    const changed = Array.from({ length: geometry.blocks }, (_, block) => block).filter(
      (block) => !blockOf(device, block).equals(before.subarray(block * 4096, (block + 1) * 4096)),
    );
    const lost = (block: number): MemoryDevice => {
      const copy = copyOf(device);
      before.copy(blockOf(copy, block), 0, block * 4096, (block + 1) * 4096);
      return copy;
    };
    // Two data blocks and one record.
    expect(changed.length).toBe(3);
    for (const block of changed) {
      const copy = lost(block);
      const again = mount(copy);
      expect(contentOf(again)).toBe(synced);
      // What was not accepted does not come back, even when the data arrives.
      again.makeDirectory(1, 'later', 0o755);
      again.commit();
      for (const arrived of changed) {
        if (arrived >= geometry.dataStart) blockOf(device, arrived).copy(blockOf(copy, arrived));
      }
      expect(contentOf(mount(copyOf(copy)))).toBe(contentOf(again));
      expectSound(copy);
    }
    fileSystem.sync();
    fileSystem.makeDirectory(1, 'carries what is known to be on the disk', 0o755);
    fileSystem.commit();
    const record = changed.find((block) => block < geometry.dataStart) ?? 0;
    blockOf(device, record)[100] = 255;
    // The record after the damaged one cannot be reached any more, so nothing tells that something is missing but the
    // header, which does not know yet.
    expect(vrfs.check(copyOf(device), false).problems).toEqual([]);
  });

  it('remembers requests over repeated deaths and checkpoints, and those of this boot only', () => {
    const device = newDevice(512);
    const keeper = new MemoryKeeper();
    let fileSystem = mount(device, keeper);
    for (let sequence = 0; sequence < 130; sequence++) {
      work(fileSystem, sequence);
      fileSystem.note({ sender: 7, sequence }, [sequence, -1.5]);
      expect(fileSystem.completed({ sender: 7, sequence })).toBeUndefined();
      fileSystem.commit();
      if (random.below(4) === 0) fileSystem = mount(device, keeper);
      for (let back = 0; back < Math.min(64, sequence + 1); back += 9)
        expect(fileSystem.completed({ sender: 7, sequence: sequence - back })).toEqual([sequence - back, -1.5]);
      expect(fileSystem.completed({ sender: 7, sequence: sequence - 64 })).toBeUndefined();
    }
    expect(mount(copyOf(device), new MemoryKeeper()).completed({ sender: 7, sequence: 129 })).toBeUndefined();
  });

  it('dies at every write of a checkpoint and loses nothing', () => {
    const start = newDevice(512);
    const first = mount(start);
    for (let step = 0; step < 40; step++) work(first, step);
    first.commit();
    const expected = contentOf(first);
    let lives = 0;
    for (let done = false; !done; lives += 1 + random.below(40)) {
      const device = copyOf(start);
      const fileSystem = mount(device);
      device.lives = lives;
      try {
        fileSystem.close();
        done = true;
      } catch (error) {
        if (!(error instanceof Death)) throw error;
      }
      device.lives = Number.POSITIVE_INFINITY;
      expectSound(device);
      expect(contentOf(mount(device))).toBe(expected);
    }
    expect(lives).toBeGreaterThan(40);
  });

  it('keeps files without a name as long as they are retained, over a death too', () => {
    const device = newDevice(1024);
    const fileSystem = mount(device);
    const { freeBlocks } = fileSystem.information();
    const [kept, dropped] = ['kept', 'dropped'].map((name) => fileSystem.create(1, name, 0o644));
    if (kept === undefined || dropped === undefined) throw new Error('no files');
    for (const node of [kept, dropped]) {
      fileSystem.write(node, 0, Buffer.alloc(100_000, 5));
      fileSystem.retain(node);
    }
    fileSystem.unlink(1, 'kept');
    fileSystem.unlink(1, 'dropped');
    fileSystem.commit();
    expect(fileSystem.attributes(kept).links).toBe(0);
    expect(() => fileSystem.link(kept, 1, 'again')).toThrow('ENOENT');
    expectSound(copyOf(device));
    const again = vrfs.mount(device, {
      ...{ readOnly: false, keeper: null, now: () => 0, log: () => {} },
      random: (count) => random.bytes(count),
    });
    again.restoreRetained([kept]);
    again.commit();
    expect(() => again.attributes(dropped)).toThrow('ENOENT');
    expect(again.read(kept, 99_999, 10)).toEqual(Buffer.from([5]));
    again.release(kept);
    again.commit();
    expect(() => again.attributes(kept)).toThrow('ENOENT');
    expect(again.information().freeBlocks).toBe(freeBlocks);
    again.close();
    expectSound(device);
  });

  it('takes back what the disk refuses, and is read-only from then on', () => {
    for (const refusedWrite of [1, 2, 3]) {
      const device = newDevice(512);
      const fileSystem = mount(device);
      const file = fileSystem.create(1, 'file', 0o644);
      fileSystem.write(file, 0, random.bytes(10_000));
      fileSystem.sync();
      const before = contentOf(fileSystem);
      fileSystem.write(file, 0, random.bytes(10_000));
      fileSystem.create(1, 'other', 0o644);
      fileSystem.note({ sender: 1, sequence: 1 }, []);
      let writes = 0;
      device.refuses = (request) => request !== 'read' && ++writes === refusedWrite;
      const refuse = refusedWrite <= 2 ? (): void => fileSystem.commit() : (): void => fileSystem.sync();
      expect(refuse).toThrow('EIO');
      device.refuses = () => false;
      const after = contentOf(fileSystem);
      if (refusedWrite <= 2) expect(after).toBe(before);
      expect(fileSystem.information().readOnly).toBe(true);
      expect(fileSystem.information().readOnlyReason).not.toBe('');
      expect(() => fileSystem.create(1, 'more', 0o644)).toThrow('EROFS');
      fileSystem.close();
      expect(contentOf(mount(device))).toBe(after);
      expectSound(device);
    }
  });

  it('applies the journal in memory when mounted read-only, and writes nothing', () => {
    const device = newDevice(512);
    const fileSystem = mount(device);
    for (let step = 0; step < 30; step++) work(fileSystem, step);
    fileSystem.commit();
    const copy = copyOf(device);
    copy.readOnly = true;
    const reader = mount(copy, null, true);
    expect(contentOf(reader)).toBe(contentOf(fileSystem));
    expect(() => reader.create(1, 'x', 0o644)).toThrow('EROFS');
    reader.sync();
    reader.close();
    expect(copy.bytes.equals(device.bytes)).toBe(true);
  });
});
