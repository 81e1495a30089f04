/**
 * VRFS on a disk that is full or fails: an operation that fails has changed nothing. And on one that loses writes or
 * puts them elsewhere in silence: what is read back is right or a clear error wherever a checksum covers it, and a
 * check mends what is left.
 */
import { describe, expect, it } from 'vitest';
import { SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { vrfs } from '../../../filesystems/vrfs/index.ts';
import { codeOf, OPERATIONS, picture, sample } from '../../support/filesystem/failures.ts';
import type { MemoryDevice } from '../../support/memory-device.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';
import { copyOf, expectSound, mount, newDevice } from './support.ts';

/** Fills the disk to the last block. Returns the file that does. */
function fill(fs: ReturnType<typeof mount>): number {
  const filler = fs.create(fs.root, 'filler', 0o644);
  for (const bytes of [65_536, 4096]) {
    for (let size = fs.attributes(filler).size; ; size += bytes) {
      if (codeOf(() => fs.write(filler, size, Buffer.alloc(bytes, 1))) !== 'none') break;
      fs.commit();
    }
  }
  return filler;
}

describe('an operation on VRFS that fails', () => {
  it('has changed nothing when the disk is full, whatever is missing', () => {
    for (const [name, operation] of Object.entries(OPERATIONS)) {
      let failed = 0;
      for (let left = 0; left < 24; left++) {
        const device = newDevice(256);
        const fs = mount(device);
        const { directory, file } = sample(fs);
        const filler = fill(fs);
        fs.truncate(filler, fs.attributes(filler).size - left * 4096);
        fs.sync();
        const before = picture(fs);
        const free = fs.information();
        const message = `${name}, ${left} free`;
        const code = codeOf(() => operation(fs, directory, file));
        expect(['none', 'ENOSPC'], message).toContain(code);
        if (code === 'none') break;
        failed++;
        expect(picture(fs), message).toEqual(before);
        expect(fs.information(), message).toEqual(free);
        fs.close();
        expectSound(device);
        expect(picture(mount(device)), message).toEqual(before);
      }
      expect(failed, `${name}: with some blocks it succeeds`).toBeLessThan(24);
    }
  });

  it('has changed nothing when there is no inode left, and one that is given up can be used again', () => {
    const device = newDevice(512, 64);
    const fs = mount(device);
    let made = 0;
    while (codeOf(() => fs.create(fs.root, `file ${made}`, 0o644)) === 'none') made++;
    fs.sync();
    expect(made).toBeGreaterThan(40);
    const before = picture(fs);
    expect(codeOf(() => fs.create(fs.root, 'more', 0o644))).toBe('ENOSPC');
    expect(codeOf(() => fs.makeDirectory(fs.root, 'more', 0o755))).toBe('ENOSPC');
    expect(codeOf(() => fs.makeSymlink(fs.root, 'more', 'target'))).toBe('ENOSPC');
    expect(picture(fs)).toEqual(before);
    fs.unlink(fs.root, 'file 7');
    fs.create(fs.root, 'instead', 0o644);
    expect(codeOf(() => fs.create(fs.root, 'more', 0o644))).toBe('ENOSPC');
    fs.close();
    expectSound(device);
  });

  it('leaves what was committed when a request to the disk fails, whichever', () => {
    let failures = 0;
    for (const [name, operation] of Object.entries(OPERATIONS)) {
      const device = newDevice(256);
      sample(mount(device));
      for (let failing = 0; failing < 100; failing++) {
        const copy = copyOf(device);
        const keeper = new MemoryKeeper();
        const fs = mount(copy, keeper);
        const directory = fs.lookup(fs.root, 'directory');
        const file = fs.lookup(directory, 'file');
        const before = picture(mount(copyOf(copy)));
        let requests = 0;
        copy.refuses = () => requests++ === failing;
        const request = { sender: 1, sequence: failing };
        const code = codeOf(() => {
          operation(fs, directory, file);
          fs.note(request, [1]);
          fs.sync();
        });
        copy.refuses = () => false;
        const message = `${name}, request ${failing}`;
        expect(['none', 'EIO', 'EROFS'], message).toContain(code);
        const later = copyOf(copy);
        const again = mount(later, new MemoryKeeper(keeper.values));
        if (code === 'none') {
          expect(again.completed(request), message).toEqual([1]);
          if (requests <= failing) break;
          continue;
        }
        failures++;
        // It is on the disk whole or not at all, and so is what was noted of it.
        if (again.completed(request) === undefined) expect(picture(again), message).toEqual(before);
        again.close();
        expectSound(later);
      }
    }
    expect(failures).toBeGreaterThan(30);
  });
});

describe('VRFS on a disk that lies', () => {
  const kinds: Readonly<
    Record<string, (device: MemoryDevice, sector: number, data: Uint8Array, random: Random) => void>
  > = {
    'loses a write': () => {},
    'tears a write': (device, sector, data, random) =>
      device.bytes.set(
        data.subarray(0, random.below(data.length / SECTOR_BYTES) * SECTOR_BYTES),
        sector * SECTOR_BYTES,
      ),
    'puts a write elsewhere': (device, _, data, random) =>
      device.bytes.set(data, random.below(device.sectors - data.length / SECTOR_BYTES) * SECTOR_BYTES),
  };

  for (const [kind, misdo] of Object.entries(kinds)) {
    it(`that ${kind} in silence: clear errors, and a check makes it sound`, () => {
      const random = new Random();
      for (let round = 0; round < 25; round++) {
        const message = `seed ${random.seed}, round ${round}`;
        const device = newDevice(400);
        const victim = random.below(40);
        let writes = 0;
        const write = device.write.bind(device);
        device.write = (sector, data) => {
          if (writes++ === victim) misdo(device, sector, data, random);
          else write(sector, data);
        };
        const codes = ['none', 'EUCLEAN', 'EROFS', 'ENOENT', 'EINVAL'];
        expect(codes, message).toContain(
          codeOf(() => {
            const fs = mount(device);
            sample(fs);
            for (let number = 0; number < 40; number++) {
              fs.write(fs.create(fs.root, `file ${number}`, 0o644), 0, Buffer.alloc(random.below(9000), number));
              if (random.below(3) === 0) fs.unlink(fs.root, `file ${number}`);
              if (random.below(4) === 0) fs.sync();
              else fs.commit();
            }
            if (random.below(2) === 0) fs.close();
          }),
        );
        expect(codes, message).toContain(codeOf(() => picture(mount(copyOf(device), null, true))));
        const { problems } = vrfs.check(device, true);
        if (problems.length > 0) continue;
        expect(vrfs.check(device, false).problems, message).toEqual([]);
        expect(
          codeOf(() => picture(mount(device))),
          message,
        ).toBe('none');
      }
    });
  }
});
