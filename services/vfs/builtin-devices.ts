/**
 * The devices `/dev/null`, `/dev/zero` and `/dev/random`, as interface `file`. They have no state: the badge of an
 * opened one says which it is and how it was opened, and that is all there is to it.
 */
import { SystemError } from '../../protocol/errno.ts';
import { type FileAttributes, MAX_FILE_BYTES } from '../../protocol/file.ts';
import { openFlags } from '../../protocol/vfs.ts';
import { badgeKind, badgeOf, restOf } from './badges.ts';
import { type BuiltinDevice, builtinDevices } from './devices.ts';

const ACCESS = openFlags.READ | openFlags.WRITE;

/** The badge of an opened device. */
export function builtinBadge(device: BuiltinDevice, flags: number): number {
  return badgeOf(badgeKind.DEVICE, builtinDevices.indexOf(device) * 256 + (flags & ACCESS));
}

/** Which device a badge stands for. Throws SystemError EBADF. */
export function builtinOf(badge: number): BuiltinDevice {
  const device = builtinDevices[restOf(badge) >>> 8];
  if (device === undefined) throw new SystemError('EBADF', 'not an open device');
  return device;
}

function check(badge: number, flag: number): BuiltinDevice {
  if ((badge & flag) === 0)
    throw new SystemError('EBADF', `not open for ${flag === openFlags.READ ? 'reading' : 'writing'}`);
  return builtinOf(badge);
}

/** Reads from a device; `random` answers so many random bytes. */
export function readBuiltin(badge: number, count: number, random: (count: number) => Uint8Array): Uint8Array {
  const device = check(badge, openFlags.READ);
  const most = Math.min(count, MAX_FILE_BYTES);
  if (device === 'null') return new Uint8Array(0);
  return device === 'zero' ? new Uint8Array(most) : random(most);
}

/** Takes what is written and forgets it; answers the offset behind it. */
export function writeBuiltin(badge: number, offset: number | null, data: Uint8Array): number {
  check(badge, openFlags.WRITE);
  return (offset ?? 0) + data.length;
}

/** Attributes of an opened device: those of its name, of which `fileSystem` and `node` are given. */
export function streamAttributes(
  type: FileAttributes['type'],
  identity: Pick<FileAttributes, 'fileSystem' | 'node'>,
  mode: number,
  now: number,
): FileAttributes {
  const times = { accessed: now, modified: now, changed: now, created: 0 };
  return { ...identity, type, mode, links: 1, size: 0, allocated: 0, ...times };
}
