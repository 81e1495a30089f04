/** The file systems under test: how each is made and mounted, and what it can keep. */
import { type BlockDevice, type Keeper, SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { ext2 } from '../../../filesystems/ext2/index.ts';
import type { FileSystem, Format, FormatOptions, MountOptions } from '../../../filesystems/file-system.ts';
import { ramfs } from '../../../filesystems/ram/ramfs.ts';
import { vrfs } from '../../../filesystems/vrfs/index.ts';
import { MemoryDevice } from '../memory-device.ts';
import { MemoryKeeper } from '../memory-keeper.ts';
import { Random } from '../random.ts';
import { type TreeOptions, wholeTree } from './tree.ts';

/** A clock that stands still until it is set, so that the times of a file system can be predicted. */
export class TestClock {
  milliseconds = 1_700_000_000_000;
  readonly now = (): number => this.milliseconds;

  tick(): void {
    this.milliseconds += 1000;
  }
}

/** What mounting is done with. */
export interface World {
  readonly device: BlockDevice;
  readonly keeper: Keeper;
  readonly clock: TestClock;
  /** Where the file system's random bytes come from. */
  readonly random: Random;
}

/** A file system under test. */
export interface Subject {
  readonly name: string;
  /** What is on the disk; null: it needs none. */
  readonly format: Format | null;
  /** Hard links and symbolic links. */
  readonly hasLinks: boolean;
  readonly tree: TreeOptions;
  /** Mounts; the first time after `prepare`. */
  mount(world: World): FileSystem;
  /** An empty file system. */
  prepare(device: BlockDevice): void;
}

/** Messages of file systems are of no interest here. */
const ignore = (): void => {};

/** How tests mount. */
export function mountOptions({ keeper, clock, random }: Omit<World, 'device'>): MountOptions {
  return { readOnly: false, now: clock.now, keeper, log: ignore, random: (count) => random.bytes(count) };
}

/** How tests make a file system: the same bytes each time. */
export function formatOptions(): FormatOptions {
  const random = new Random(1);
  return { now: new TestClock().now, random: (count) => random.bytes(count) };
}

/** A subject that is a format on a disk. */
export function formatSubject(format: Format, properties: Pick<Subject, 'hasLinks' | 'tree'>): Subject {
  return {
    name: format.name,
    format,
    ...properties,
    mount: (world) => format.mount(world.device, mountOptions(world)),
    prepare: (device) => format.format(device, formatOptions()),
  };
}

const wholeExt2 = formatSubject(ext2, { hasLinks: true, tree: wholeTree });

/** ext2 without the directory `lost+found`, which the others do not have. */
export const ext2Subject: Subject = {
  ...wholeExt2,
  prepare: (device) => {
    // With blocks of 4 KiB a symbolic link can be as long as elsewhere.
    ext2.format(device, { ...formatOptions(), blockBytes: 4096 });
    const options = { readOnly: false, now: new TestClock().now, keeper: null, log: ignore, random: Buffer.alloc };
    const fileSystem = ext2.mount(device, options);
    fileSystem.removeDirectory(fileSystem.root, 'lost+found');
    fileSystem.close();
  },
};

export const vrfsSubject: Subject = formatSubject(vrfs, { hasLinks: true, tree: wholeTree });

/** The file system in memory, with room for `bytes`. */
export function ramSubject(bytes = 16 * 1024 * 1024): Subject {
  return {
    ...{ name: 'ramfs', format: null, hasLinks: true, tree: wholeTree },
    mount: ({ keeper, clock }) => ramfs({ keeper, now: clock.now, bytes, keys: 65_536 }),
    prepare: ignore,
  };
}

/** An empty file system, mounted. `bytes`: of its disk. */
export function freshWorld(subject: Subject, bytes: number): World & { readonly device: MemoryDevice; fs: FileSystem } {
  const device = new MemoryDevice(bytes / SECTOR_BYTES);
  subject.prepare(device);
  const world = { device, keeper: new MemoryKeeper(), clock: new TestClock(), random: new Random(2) };
  return { ...world, fs: subject.mount(world) };
}
