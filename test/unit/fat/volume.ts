/** FAT file systems for tests: made, mounted, looked at. */
import { crc32c } from '../../../filesystems/crc32c.ts';
import { fat } from '../../../filesystems/fat/index.ts';
import type { FileSystem, FormatOptions, MountOptions } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import type { MemoryKeeper } from '../../support/memory-keeper.ts';

/** Advances by a second each time. */
export class Clock {
  private time = Date.UTC(2024, 1, 28);

  readonly now = (): number => {
    this.time += 1000;
    return this.time;
  };
}

const clock = new Clock();

/** A device with an empty file system. */
export function made(sectors: number, options: Partial<FormatOptions> = {}): MemoryDevice {
  const device = new MemoryDevice(sectors);
  fat.format(device, { now: clock.now, random: (count) => Buffer.alloc(count, 0x5a), ...options });
  return device;
}

/** What mounts have written to the log. */
export const logged: string[] = [];

export function mounted(
  device: MemoryDevice,
  keeper: MemoryKeeper | null = null,
  options: Partial<MountOptions> = {},
): FileSystem {
  return fat.mount(device, {
    ...{ readOnly: false, keeper, now: clock.now, random: (count: number) => Buffer.alloc(count, 0x77) },
    log: (text) => logged.push(text),
    ...options,
  });
}

/** The code of the error of an action; '' if it has none. */
export function codeOf(action: () => unknown): string {
  try {
    action();
    return '';
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}

/** All entries of a directory, read in parts of `most`. */
export function entriesOf(
  fs: FileSystem,
  directory: number,
  most = 100,
): { name: string; node: number; type: string }[] {
  const entries: { name: string; node: number; type: string }[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const part: ReturnType<FileSystem['readDirectory']> = fs.readDirectory(directory, cursor, most);
    entries.push(...part.entries);
    cursor = part.cursor;
  }
  return entries;
}

/** All that can be seen of a tree: names, attributes without times, contents. */
export function picture(fs: FileSystem, directory = fs.root, path = ''): string[] {
  return entriesOf(fs, directory)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name, node, type }) => {
      const { mode, links, size } = fs.attributes(node);
      if (type === 'directory') return [`${path}/${name}/ ${mode} ${links}`, ...picture(fs, node, `${path}/${name}`)];
      return [`${path}/${name} ${mode} ${size} ${crc32c(fs.read(node, 0, size))}`];
    });
}

/** Problems that a check of the device finds. */
export function problemsOf(device: MemoryDevice): readonly string[] {
  return fat.check(device, false).problems;
}

/** The part of a file system below a directory. */
export function below(fs: FileSystem, root: number): FileSystem {
  return new Proxy(fs, {
    get(target, key) {
      if (key === 'root') return root;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
