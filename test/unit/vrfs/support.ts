/** What the tests of VRFS share: small file systems in memory, their content as text, and deaths. */
import { expect } from 'vitest';
import { crc32c } from '../../../filesystems/crc32c.ts';
import type { FileSystem, NodeNumber } from '../../../filesystems/file-system.ts';
import { type Geometry, geometryOf } from '../../../filesystems/vrfs/geometry.ts';
import { vrfs } from '../../../filesystems/vrfs/index.ts';
import { Seals } from '../../../filesystems/vrfs/metadata.ts';
import { readSuperblock } from '../../../filesystems/vrfs/superblock.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import type { MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';

export const SECTORS_PER_BLOCK = 8;
export const BLOCK_BYTES = 4096;

let time = 1_700_000_000_000;

const options = {
  readOnly: false,
  now: () => time++,
  log: () => {},
  random: (count: number) => new Random().bytes(count),
};

/** A device with an empty file system. */
export function newDevice(blocks = 512, nodes?: number): MemoryDevice {
  const device = new MemoryDevice(blocks * SECTORS_PER_BLOCK);
  vrfs.format(device, { ...options, label: 'test', ...(nodes === undefined ? {} : { nodes }) });
  return device;
}

/** Mounts, with nothing retained. */
export function mount(device: MemoryDevice, keeper: MemoryKeeper | null = null, readOnly = false): FileSystem {
  const fileSystem = vrfs.mount(device, { ...options, keeper, readOnly });
  fileSystem.restoreRetained([]);
  return fileSystem;
}

/** The device as it is now, for another mount. */
export function copyOf(device: MemoryDevice): MemoryDevice {
  return new MemoryDevice(Buffer.from(device.bytes));
}

/** Expects a check to find nothing. */
export function expectSound(device: MemoryDevice): void {
  expect(vrfs.check(device, false).problems).toEqual([]);
}

/** Names, types, links and content of everything, as text. */
export function contentOf(fileSystem: FileSystem): string {
  const lines: string[] = [];
  const visit = (node: NodeNumber, path: string): void => {
    const { type, links, size } = fileSystem.attributes(node);
    let content = '';
    if (type === 'symlink') content = fileSystem.readLink(node);
    if (type === 'file') {
      let check = 0;
      for (let at = 0; at < size; at += 65536) check = crc32c(fileSystem.read(node, at, 65536), 0, undefined, check);
      content = `${size} ${check}`;
    }
    lines.push(`${path} ${type} ${links} ${content}`);
    if (type !== 'directory') return;
    for (const { name, node: child } of entriesOf(fileSystem, node)) visit(child, `${path}/${name}`);
  };
  visit(fileSystem.root, '');
  return lines.join('\n');
}

/** All entries of a directory by name. */
export function entriesOf(fileSystem: FileSystem, directory: NodeNumber): { name: string; node: NodeNumber }[] {
  const entries: { name: string; node: NodeNumber }[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const part = fileSystem.readDirectory(directory, cursor, 100);
    entries.push(...part.entries);
    cursor = part.cursor;
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Layout and checks of the file system on a device. */
export function insideOf(device: MemoryDevice): { geometry: Geometry; seals: Seals } {
  const { geometry, identity } = readSuperblock(device);
  return { geometry: geometryOf(geometry.blocks, geometry.journalBlocks, geometry.nodes), seals: new Seals(identity) };
}

/** A block on the device; changes are made on the device. */
export function blockOf(device: MemoryDevice, block: number): Buffer {
  return device.bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
}

/** Sound blocks of this kind outside of the area of journal records. */
export function blocksWith(device: MemoryDevice, magic: number): number[] {
  const { geometry, seals } = insideOf(device);
  const blocks: number[] = [];
  for (let block = 0; block < geometry.blocks; block++) {
    const isRecord = block > geometry.journalStart && block < geometry.journalStart + geometry.journalBlocks - 1;
    if (!isRecord && seals.holds(blockOf(device, block), block, magic)) blocks.push(block);
  }
  return blocks;
}
