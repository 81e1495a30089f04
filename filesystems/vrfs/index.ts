/** VRFS, the crash-proof file system of VROS. Its format and guarantees are in docs/vrfs.md. */
import type { BlockDevice } from '../block-device.ts';
import type { Format } from '../file-system.ts';
import { checkDevice } from './check.ts';
import { formatDevice } from './format.ts';
import { kind, MAGIC, readBlocks, SECTORS_PER_BLOCK } from './metadata.ts';
import { mountDevice } from './mount.ts';

export const vrfs: Format = {
  name: 'vrfs',
  probe(device: BlockDevice): boolean {
    return device.sectors >= SECTORS_PER_BLOCK && readBlocks(device, 0, 1).readUInt32LE(MAGIC) === kind.SUPERBLOCK;
  },
  mount: mountDevice,
  format: formatDevice,
  check: checkDevice,
};
