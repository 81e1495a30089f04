/** All formats, in the order in which a device is asked which one it holds. */
import { SystemError } from '../protocol/errno.ts';
import type { BlockDevice } from './block-device.ts';
import { ext2 } from './ext2/index.ts';
import { fat } from './fat/index.ts';
import type { Format } from './file-system.ts';
import { vrfs } from './vrfs/index.ts';

export const formats: readonly Format[] = [vrfs, fat, ext2];

/** The format of a name. Throws SystemError EINVAL, which lists them. */
export function formatNamed(name: string): Format {
  const found = formats.find((format) => format.name === name);
  if (found === undefined)
    throw new SystemError('EINVAL', `there is no format ${name}: ${formats.map((format) => format.name).join(', ')}`);
  return found;
}

/** The format that a device holds, if it is one of these. Throws SystemError EIO. */
export function formatOf(device: BlockDevice): Format | undefined {
  return formats.find((format) => format.probe(device));
}
