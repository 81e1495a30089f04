/**
 * The interface `file` on a disk or partition: byte offsets and lengths of any size. Sectors of which only a part is
 * written are read first. The badge says which device it is and how it was opened, so there is nothing that a restart
 * could lose.
 */
import { MAX_REQUEST_SECTORS, SECTOR_BYTES } from '../../protocol/block.ts';
import { type FileAttributes, MAX_FILE_BYTES } from '../../protocol/file.ts';
import type { Handlers } from '../../protocol/interface.ts';
import { openFlags } from '../../protocol/vfs.ts';
import { type file, type RequestContext, SystemError } from '../lib/index.ts';
import type { BlockDevice, DeviceTable } from './devices.ts';

const { READ, WRITE } = openFlags;

/** Badges of devices are below this; in those of files the flags stand above it. */
const FILE_BADGE_UNIT = 0x1000;

/** The badge of a device that is open as a file. Throws EINVAL: flags; EROFS. */
export function fileBadge(device: BlockDevice, flags: number): number {
  if (flags === 0 || (flags & ~(READ | WRITE)) !== 0)
    throw new SystemError('EINVAL', 'a device is opened for reading, for writing, or for both');
  if ((flags & WRITE) !== 0 && device.disk.drive.readOnly)
    throw new SystemError('EROFS', `${device.disk.drive.name} is read-only`);
  return flags * FILE_BADGE_UNIT + device.badge;
}

/** Bytes of a device. */
export const bytesOf = ({ sectors }: BlockDevice): number => sectors * SECTOR_BYTES;

/** Handlers on a table of devices. `now`: milliseconds since 1970. */
export function fileHandlers(devices: DeviceTable, now: () => number): Handlers<typeof file.methods, RequestContext> {
  const opened = (badge: number, flag: number): BlockDevice => {
    const flags = Math.floor(badge / FILE_BADGE_UNIT);
    if (flags > (READ | WRITE) || (flags & flag) === 0) {
      const use = flag === WRITE ? 'writing' : 'reading';
      throw new SystemError('EBADF', `not open for ${flag === (READ | WRITE) ? 'use as a file' : use}`);
    }
    return devices.badged(badge % FILE_BADGE_UNIT);
  };
  const any = (badge: number): BlockDevice => opened(badge, READ | WRITE);
  return {
    read: ({ offset, count }, { badge }) => readBytes(devices, opened(badge, READ), offset, count),
    write: ({ offset, data }, { badge }) => {
      const device = opened(badge, WRITE);
      const start = offset ?? bytesOf(device);
      writeBytes(devices, device, start, data);
      return start + data.length;
    },
    attributes: (_request, { badge }) => attributesOf(any(badge), now()),
    set_attributes: (_request, { badge }) => refuse(any(badge), 'EROFS', 'has no attributes that could be set'),
    truncate: (_size, { badge }) => refuse(opened(badge, WRITE), 'EINVAL', 'has the length it has'),
    sync: (_request, { badge }) => devices.flush(any(badge)),
    read_directory: (_request, { badge }) => refuse(any(badge), 'ENOTDIR', 'is a device'),
    is_terminal: (_request, { badge }) => any(badge) === undefined,
  };
}

function refuse({ name }: BlockDevice, code: 'EROFS' | 'EINVAL' | 'ENOTDIR', why: string): never {
  throw new SystemError(code, `${name} ${why}`);
}

function attributesOf(device: BlockDevice, now: number): FileAttributes {
  const times = { accessed: now, modified: now, changed: now, created: 0 };
  const size = bytesOf(device);
  return { fileSystem: 0, node: device.badge, type: 'block', mode: 0o660, links: 1, size, allocated: 0, ...times };
}

function readBytes(devices: DeviceTable, device: BlockDevice, offset: number, count: number): Uint8Array {
  const end = Math.min(offset + Math.min(count, MAX_FILE_BYTES), bytesOf(device));
  if (end <= offset) return new Uint8Array(0);
  const first = Math.floor(offset / SECTOR_BYTES);
  const last = Math.ceil(end / SECTOR_BYTES);
  const pieces: Uint8Array[] = [];
  for (let sector = first; sector < last; sector += MAX_REQUEST_SECTORS) {
    pieces.push(devices.read(device, sector, Math.min(MAX_REQUEST_SECTORS, last - sector)));
  }
  const [only] = pieces;
  const whole = pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
  return whole.subarray(offset - first * SECTOR_BYTES, end - first * SECTOR_BYTES);
}

/** Throws ENOSPC when not all of it fits; then nothing is written. */
function writeBytes(devices: DeviceTable, device: BlockDevice, offset: number, data: Uint8Array): void {
  if (data.length === 0) return;
  const end = offset + data.length;
  if (end > bytesOf(device)) throw new SystemError('ENOSPC', `${device.name} ends at ${bytesOf(device)}`);
  const first = Math.floor(offset / SECTOR_BYTES);
  const last = Math.ceil(end / SECTOR_BYTES);
  const whole = Buffer.allocUnsafe((last - first) * SECTOR_BYTES);
  if (offset % SECTOR_BYTES !== 0) whole.set(devices.read(device, first, 1), 0);
  if (end % SECTOR_BYTES !== 0) whole.set(devices.read(device, last - 1, 1), whole.length - SECTOR_BYTES);
  whole.set(data, offset - first * SECTOR_BYTES);
  for (let sector = first; sector < last; sector += MAX_REQUEST_SECTORS) {
    const at = (sector - first) * SECTOR_BYTES;
    devices.write(device, sector, whole.subarray(at, at + MAX_REQUEST_SECTORS * SECTOR_BYTES));
  }
}
