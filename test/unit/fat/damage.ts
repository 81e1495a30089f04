/** Damages file systems at random, and sees to it that nothing but clear errors comes of it. */
import { expect } from 'vitest';
import { SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { fat } from '../../../filesystems/fat/index.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import type { Random } from '../../support/random.ts';
import { codeOf, entriesOf, mounted, problemsOf } from './volume.ts';

/** What damage may lead to; '' is that it was harmless or mended. */
const CODES = ['', 'EUCLEAN', 'EINVAL', 'EOPNOTSUPP'];

/** What a check may be refused with; damage that looks like a feature is taken for one. */
const CHECK_CODES = ['', 'EOPNOTSUPP'];

/**
 * Damages copies of an image, so many times: single bytes and whole sectors of the first `used` sectors, and its
 * length.
 */
export function damage(random: Random, source: Buffer, used: number, rounds: number): void {
  const sectors = source.length / SECTOR_BYTES;
  for (let round = 0; round < rounds; round++) {
    const message = `seed ${random.seed}, round ${round}`;
    const bytes = Buffer.from(source);
    const kind = random.below(3);
    if (kind === 0)
      for (let times = 1 + random.below(3); times > 0; times--)
        bytes[random.below(used * SECTOR_BYTES)] = random.below(256);
    else if (kind === 1) random.bytes(SECTOR_BYTES).copy(bytes, random.below(used) * SECTOR_BYTES);
    const device = new MemoryDevice(
      kind === 2 ? bytes.subarray(0, (1 + random.below(sectors - 1)) * SECTOR_BYTES) : bytes,
    );
    expect(CODES, message).toContain(codeOf(() => walk(mounted(device, null, { readOnly: true }))));
    expect(CHECK_CODES, message).toContain(
      codeOf(() => {
        if (fat.check(device, true).problems.length === 0) expect(problemsOf(device), message).toEqual([]);
      }),
    );
    expect(CODES, message).toContain(codeOf(() => change(mounted(device))));
  }
}

/** Reads all that can be read; the first error is thrown at the end. */
function walk(fs: FileSystem, directory = fs.root, depth = 0): void {
  let failure: SystemError | undefined;
  const attempt = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      failure ??= error;
    }
  };
  attempt(() => {
    for (const { name, node, type } of entriesOf(fs, directory)) {
      attempt(() => {
        fs.lookup(directory, name);
        const { size } = fs.attributes(node);
        if (type === 'file') fs.read(node, 0, Math.min(size, 100_000));
        else if (depth < 5) walk(fs, node, depth + 1);
      });
    }
  });
  if (failure !== undefined) throw failure;
}

/** Changes a little of everything. */
function change(fs: FileSystem): void {
  if (fs.information().readOnly) return;
  const node = fs.create(fs.root, 'made after the damage', 0o644);
  fs.write(node, 0, Buffer.alloc(10_000, 'x'));
  fs.commit();
  walk(fs);
  fs.unlink(fs.root, 'made after the damage');
  fs.close();
}
