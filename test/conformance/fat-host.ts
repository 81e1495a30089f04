/** Trees on the host to compare with what is on FAT: a random one, and what is there. */
import fs from 'node:fs';
import path from 'node:path';
import { crc32c } from '../../filesystems/crc32c.ts';
import type { FileSystem } from '../../filesystems/file-system.ts';
import type { Random } from '../support/random.ts';
import { entriesOf } from '../unit/fat/volume.ts';

/**
 * Letters of names; of those that mtools can handle: of the basic plane, no brackets, and none that it takes for
 * letters of its code page (and '-' is standard input to it).
 */
const LETTERS = [..."abcdefghijKLMNOPQRSTUVWXYZ0123456789_-+=,;'&@(){}!# .äöüßéжЩλΩ漢字かな"];

/** A name that no other in `taken` is equal to, however it is written. */
function newName(random: Random, taken: Set<string>): string {
  for (;;) {
    const length = random.below(4) === 0 ? 1 + random.below(70) : 1 + random.below(12);
    let name = '';
    while (name.length < length) name += LETTERS[random.below(LETTERS.length)] ?? 'x';
    name = name.replace(/^[ .]+|[ .]+$/g, '');
    if (name === '' || name === '-' || Buffer.byteLength(name) > 255 || taken.has(name.toUpperCase())) continue;
    taken.add(name.toUpperCase());
    return name;
  }
}

/** Sizes around the ends of sectors and clusters, small ones, none, and large ones. */
function size(random: Random, clusterBytes: number): number {
  const kinds = [
    0,
    random.below(200),
    clusterBytes - 1,
    clusterBytes,
    clusterBytes + 1,
    512,
    random.below(60_000),
  ] as const;
  return random.pick(kinds);
}

/** Makes a random tree in an empty directory: so many directories and files, nested deeply now and then. */
export function makeTree(random: Random, folder: string, count: number, clusterBytes: number): void {
  const directories = [{ folder, names: new Set<string>(), depth: 0 }];
  for (let made = 0; made < count; made++) {
    const at = directories[random.below(3) === 0 ? directories.length - 1 : random.below(directories.length)];
    if (at === undefined) throw new Error('no directory');
    const target = path.join(at.folder, newName(random, at.names));
    if (random.below(4) === 0 && at.depth < 12) {
      fs.mkdirSync(target);
      directories.push({ folder: target, names: new Set(), depth: at.depth + 1 });
    } else {
      fs.writeFileSync(target, Buffer.alloc(size(random, clusterBytes), random.bytes(37)));
      const time = Date.UTC(1990 + random.below(100), random.below(12), 1 + random.below(28), 10, 20, 30) / 1000;
      fs.utimesSync(target, time, time);
    }
  }
}

/** What is in a folder: path, length, content and time of each file, to two seconds. */
export function hostPicture(folder: string, at = ''): string[] {
  return fs
    .readdirSync(path.join(folder, at), { withFileTypes: true })
    .flatMap((entry) => {
      const inner = `${at}/${entry.name}`;
      if (entry.isDirectory()) return [`${inner}/`, ...hostPicture(folder, inner)];
      const bytes = fs.readFileSync(path.join(folder, inner));
      return [fileLine(inner, bytes, fs.statSync(path.join(folder, inner)).mtimeMs)];
    })
    .sort();
}

/** The same of a file system. */
export function fatPicture(fileSystem: FileSystem, node = fileSystem.root, at = ''): string[] {
  return entriesOf(fileSystem, node)
    .flatMap(({ name, node: child, type }) => {
      const inner = `${at}/${name}`;
      if (type === 'directory') return [`${inner}/`, ...fatPicture(fileSystem, child, inner)];
      const { size: length, modified } = fileSystem.attributes(child);
      return [fileLine(inner, fileSystem.read(child, 0, length), modified)];
    })
    .sort();
}

function fileLine(name: string, bytes: Uint8Array, modified: number): string {
  return `${name} ${bytes.length} ${crc32c(bytes)} ${new Date(Math.floor(modified / 2000) * 2000).toISOString()}`;
}

/** All files and directories below a folder, as paths in it. */
export function pathsIn(folder: string): { path: string; isDirectory: boolean }[] {
  return fs.readdirSync(folder, { withFileTypes: true, recursive: true }).map((entry) => ({
    path: path.relative(folder, path.join(entry.parentPath, entry.name)),
    isDirectory: entry.isDirectory(),
  }));
}
