/** ext2: see ext2.ts for where to begin to read, and docs/ext2.md. */
import { SystemError } from '../../protocol/errno.ts';
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import type { FileSystem, Format, MountOptions } from '../file-system.ts';
import { isResumable } from '../redo-log.ts';
import { checkExt2 } from './check.ts';
import { Ext2FileSystem } from './ext2.ts';
import {
  featureNames,
  KNOWN_READ_ONLY_COMPATIBLE,
  MAGIC,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
  superblockField,
} from './layout.ts';
import { makeExt2 } from './make.ts';
import { readGeometry } from './read-geometry.ts';
import { Volume, volumeName } from './volume.ts';

/** Findings of a check that are written to the log one by one. */
const LOGGED_FINDINGS = 20;

function mount(device: BlockDevice, options: MountOptions): FileSystem {
  const geometry = readGeometry(device);
  const { keeper, readOnly, log } = options;
  const unknown = geometry.parameters.readOnlyCompatible & ~KNOWN_READ_ONLY_COMPATIBLE;
  const resumed = keeper !== null && isResumable(keeper, volumeName(geometry));
  let volume = new Volume(device, geometry, { ...options, readOnly: readOnly || unknown !== 0 });
  if (unknown !== 0)
    volume.reason = `features that have to be known for writing: ${featureNames('readOnlyCompatible', unknown >>> 0)}`;
  else if (!volume.superblock.clean && !resumed) {
    if (volume.readOnly) log('was not unmounted; it is not checked before it is mounted for writing', 'warning');
    else {
      const reason = checkDirty(device, log);
      // What was read before may have been repaired since.
      volume = new Volume(device, readGeometry(device), options);
      volume.reason = reason;
    }
  }
  return new Ext2FileSystem(volume);
}

/** Checks and mends a file system that was not unmounted. Answers why it cannot be changed; '' if it can. */
function checkDirty(device: BlockDevice, log: MountOptions['log']): string {
  const { problems, repaired } = checkExt2(device, true);
  log(`was not unmounted: ${repaired.length} findings repaired, ${problems.length} not`, 'warning');
  const findings = [...repaired.map((text) => `repaired: ${text}`), ...problems];
  for (const finding of findings.slice(0, LOGGED_FINDINGS)) log(finding, 'warning');
  const [problem] = problems;
  return problem === undefined ? '' : `it is damaged: ${problem}`;
}

/** ext2. */
export const ext2: Format = {
  name: 'ext2',
  probe: (device) => {
    if (device.sectors < (SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) / SECTOR_BYTES) return false;
    const bytes = device.read(SUPERBLOCK_OFFSET / SECTOR_BYTES, SUPERBLOCK_BYTES / SECTOR_BYTES);
    return Buffer.from(bytes.buffer, bytes.byteOffset).readUInt16LE(superblockField.magic) === MAGIC;
  },
  mount: (device, options) => {
    try {
      return mount(device, options);
    } catch (error) {
      // A number that leads out of a buffer is damage as well.
      if (error instanceof RangeError) throw new SystemError('EUCLEAN', error.message);
      throw error;
    }
  },
  format: makeExt2,
  check: checkExt2,
};
