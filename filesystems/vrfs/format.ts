/**
 * Makes an empty VRFS file system (docs/vrfs.md, "Layout"). The superblock is written last, so that a format that was
 * interrupted leaves none.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { BlockDevice } from '../block-device.ts';
import type { FormatOptions } from '../file-system.ts';
import { BITS_PER_BLOCK, chooseGeometry, type Geometry, NODE_BYTES, ROOT } from './geometry.ts';
import { areaBlocks, areaStart, writeHeader } from './journal-header.ts';
import { BOOT_BYTES } from './journal-record.ts';
import {
  BLOCK_BYTES,
  CONTENT,
  IDENTITY_BYTES,
  kind,
  newBlock,
  SECTORS_PER_BLOCK,
  Seals,
  writeBlocks,
} from './metadata.ts';
import { Node } from './node.ts';
import { Notes } from './notes.ts';
import { encodeSuperblock, MAX_LABEL_BYTES } from './superblock.ts';

/** Blocks that are written with one request. */
const MAX_RUN = 64;

/** Writes blocks made one by one in large requests. */
function writeAll(
  device: BlockDevice,
  start: number,
  count: number,
  make: (index: number) => Buffer,
  progress: (done: number) => void,
): void {
  for (let done = 0; done < count; ) {
    const blocks = Array.from({ length: Math.min(MAX_RUN, count - done) }, (_, index) => make(done + index));
    writeBlocks(device, start + done, Buffer.concat(blocks));
    done += blocks.length;
    progress(blocks.length);
  }
}

/** Block `index` of a bitmap in which all below `low` and all from `high` on is used. */
function bitmapBlock(kindOfBitmap: number, index: number, low: number, high: number): Buffer {
  const bytes = newBlock(kindOfBitmap);
  const first = index * BITS_PER_BLOCK;
  const set = (from: number, to: number): void => {
    for (let bit = Math.max(from - first, 0); bit < Math.min(to - first, BITS_PER_BLOCK); bit++) {
      if ((bit & 7) === 0 && bit + 8 <= to - first) {
        bytes[CONTENT + (bit >> 3)] = 0xff;
        bit += 7;
      } else bytes[CONTENT + (bit >> 3)] = (bytes[CONTENT + (bit >> 3)] ?? 0) | (1 << (bit & 7));
    }
  };
  set(0, low);
  set(high, first + BITS_PER_BLOCK);
  return bytes;
}

/** The first block of the inode table: it has the root directory. */
function firstNodes(now: number): Buffer {
  const bytes = newBlock(kind.NODES);
  const root = new Node(ROOT, bytes, (ROOT + 1) * NODE_BYTES);
  root.clear('directory');
  root.mode = 0o755;
  root.links = 2;
  root.parent = ROOT;
  for (const time of ['accessed', 'modified', 'changed', 'created'] as const) root.setTime(time, now);
  return bytes;
}

/** See Format. */
export function formatDevice(device: BlockDevice, options: FormatOptions): void {
  if (device.readOnly) throw new SystemError('EROFS', 'the device is read-only');
  if (options.fatBits !== undefined) throw new SystemError('EINVAL', 'VRFS has no bits of table entries');
  if (options.blockBytes !== undefined && options.blockBytes !== BLOCK_BYTES)
    throw new SystemError('EINVAL', `blocks of VRFS have ${BLOCK_BYTES} bytes`);
  const label = options.label ?? '';
  if (Buffer.byteLength(label) > MAX_LABEL_BYTES)
    throw new SystemError('EINVAL', `a label of VRFS has at most ${MAX_LABEL_BYTES} bytes`);
  const geometry = chooseGeometry(Math.floor(device.sectors / SECTORS_PER_BLOCK), options.nodes);
  const identity = Buffer.from(options.random(IDENTITY_BYTES));
  write(device, geometry, identity, label, options);
  options.progress?.(1);
}

function write(device: BlockDevice, geometry: Geometry, identity: Buffer, label: string, options: FormatOptions): void {
  const seals = new Seals(identity);
  const { blockBitmapStart, blockBitmapBlocks, nodeBitmapStart, nodeBitmapBlocks, tableStart } = geometry;
  const total = blockBitmapBlocks + nodeBitmapBlocks + areaBlocks(geometry);
  let written = 0;
  const progress = (blocks: number): void => {
    written += blocks;
    options.progress?.(Math.min(written / total, 0.99));
  };
  const sealed = (bytes: Buffer, block: number): Buffer => {
    seals.seal(bytes, block);
    return bytes;
  };
  // Whatever was here is gone before anything of the new file system is there.
  writeBlocks(device, 0, Buffer.alloc(BLOCK_BYTES));
  device.flush();
  writeAll(device, areaStart(geometry), areaBlocks(geometry), () => Buffer.alloc(BLOCK_BYTES), progress);
  const blockBits = (index: number): Buffer =>
    sealed(bitmapBlock(kind.BLOCK_BITMAP, index, geometry.dataStart, geometry.dataEnd), blockBitmapStart + index);
  writeAll(device, blockBitmapStart, blockBitmapBlocks, blockBits, progress);
  const nodeBits = (index: number): Buffer =>
    sealed(bitmapBlock(kind.NODE_BITMAP, index, ROOT + 1, geometry.nodes), nodeBitmapStart + index);
  writeAll(device, nodeBitmapStart, nodeBitmapBlocks, nodeBits, progress);
  const now = options.now();
  writeBlocks(device, tableStart, sealed(firstNodes(now), tableStart));
  const state = {
    freeBlocks: geometry.dataEnd - geometry.dataStart,
    freeNodes: geometry.nodes - ROOT - 1,
    tableBlocks: 1,
    orphans: 0,
  };
  for (const generation of [0, 1]) {
    writeHeader(device, geometry, seals, {
      ...{ generation, tail: 0, clean: true, previous: 0, durable: 0, next: 0, state },
      boot: Buffer.alloc(BOOT_BYTES),
      notes: new Notes(),
    });
  }
  const superblock = { geometry, identity, label, created: now, fromCopy: false, readOnlyReason: '' };
  const copy = geometry.blocks - 1;
  writeBlocks(device, copy, encodeSuperblock(superblock, copy));
  device.flush();
  writeBlocks(device, 0, encodeSuperblock(superblock, 0));
  device.flush();
}
