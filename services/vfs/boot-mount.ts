/**
 * What is mounted on `/mnt` at boot: the first disk or partition with a VRFS, in the order of the devices; or a
 * partition of our type that holds nothing yet, which is made one first, so that files persist from the first start on.
 * Whatever goes wrong is said in the log, and the system boots all the same.
 */
import type { Format } from '../../filesystems/file-system.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { Disk, Mounts, MountWorld } from './mounts.ts';
import { isBlank, probe } from './probe.ts';
import type { Work } from './work.ts';

/** Where it is mounted. */
export const BOOT_DIRECTORY = '/mnt';

/** Name of the format that is looked for. */
export const BOOT_FORMAT = 'vrfs';

/** Partition type 7Fh, reserved for experiments: partitions that are made for VROS. */
export const OWN_PARTITION_TYPE = '7f';

/** Stands for the request of a mount that nobody asked for. */
const NO_REQUEST = { sender: 0, sequence: 0 };

/** Finds and mounts it. Never throws SystemError. */
export function* mountAtBoot(world: MountWorld, mounts: Mounts, formats: readonly Format[]): Work<void> {
  const format = formats.find(({ name }) => name === BOOT_FORMAT);
  if (format === undefined) return;
  try {
    for (const disk of yield* world.disks()) if (yield* mountThis(world, mounts, format, disk)) return;
    world.log(`nothing is mounted on ${BOOT_DIRECTORY}: no disk or partition holds a ${BOOT_FORMAT}`, 'info');
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    world.log(`nothing is mounted on ${BOOT_DIRECTORY}: ${error.message}`, 'warning');
  }
}

/** True: it was the one, mounted or not. */
function* mountThis(world: MountWorld, mounts: Mounts, format: Format, disk: Disk): Work<boolean> {
  const found = yield* look(world, format, disk);
  if (found === 'other') return false;
  const wanted = { device: disk.name, path: BOOT_DIRECTORY, type: format.name, format: found === 'blank' };
  try {
    yield* mounts.establish({ ...wanted, readOnly: disk.readOnly }, NO_REQUEST);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    // It was not as blank as its beginning.
    if (found === 'blank' && error.code === 'EINVAL') return false;
    world.log(`${disk.name}: ${error.message}`, disk.readOnly ? 'error' : 'warning');
    if (disk.readOnly || found === 'blank') return true;
  }
  yield* mountReadOnly(world, mounts, wanted);
  return true;
}

/** What is damaged, or on a disk that takes no writes, can still be read where the format allows it. */
function* mountReadOnly(
  world: MountWorld,
  mounts: Mounts,
  wanted: { device: string; path: string; type: string; format: boolean },
): Work<void> {
  try {
    yield* mounts.establish({ ...wanted, readOnly: true }, NO_REQUEST);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    world.log(`${wanted.device} is not mounted, not even read-only: ${error.message}`, 'error');
  }
}

function* look(world: MountWorld, format: Format, disk: Disk): Work<'format' | 'blank' | 'other'> {
  try {
    const device = yield* world.device(disk.name);
    try {
      if ((yield* probe(device, [format])) !== undefined) return 'format';
      const own = disk.kind === OWN_PARTITION_TYPE && !disk.readOnly;
      return own && (yield* isBlank(device)) ? 'blank' : 'other';
    } finally {
      device.close();
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    world.log(`${disk.name} cannot be looked at: ${error.message}`, 'warning');
    return 'other';
  }
}
