/** Reads the superblock of a device. */
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import { refuse } from './errors.ts';
import { Geometry, parseSuperblock } from './geometry.ts';
import { SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from './layout.ts';

/** Throws SystemError: EINVAL: it holds no ext2; EOPNOTSUPP, EUCLEAN, EIO. */
export function readGeometry(device: BlockDevice): Geometry {
  if (device.sectors < (SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) / SECTOR_BYTES) refuse('EINVAL', 'no ext2 file system');
  const read = device.read(SUPERBLOCK_OFFSET / SECTOR_BYTES, SUPERBLOCK_BYTES / SECTOR_BYTES);
  const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
  return new Geometry(parseSuperblock(bytes, device.sectors * SECTOR_BYTES));
}
