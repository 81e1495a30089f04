/** Disks and partitions as the formats see them: as a file of /dev, or straight from the driver. */
import { type BlockDevice, SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { formats } from '../../../filesystems/formats.ts';
import { MAX_REQUEST_SECTORS } from '../../../protocol/block.ts';
import { type File, SystemError } from '../../lib/index.ts';
import type { CommandContext } from '../command.ts';
import { type DeviceDescription, deviceName, listDevices, type OpenDevice } from '../disks.ts';
import { aboutFile, CommandError } from '../errors.ts';

/** A device through its file. */
class FileDevice implements BlockDevice {
  readonly sectors: number;
  readonly readOnly: boolean;
  private readonly file: File;

  constructor(file: File, readOnly: boolean) {
    this.file = file;
    this.readOnly = readOnly;
    this.sectors = Math.floor(file.attributes().size / SECTOR_BYTES);
  }

  read(sector: number, count: number): Uint8Array {
    this.expectInside(sector, count);
    const pieces: Uint8Array[] = [];
    let at = sector * SECTOR_BYTES;
    for (const end = at + count * SECTOR_BYTES; at < end; ) {
      const piece = this.file.readAt(at, end - at);
      if (piece.length === 0) throw new SystemError('EIO', `the device ends before sector ${sector + count}`);
      pieces.push(piece);
      at += piece.length;
    }
    const [only] = pieces;
    return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
  }

  write(sector: number, data: Uint8Array): void {
    this.expectInside(sector, data.length / SECTOR_BYTES);
    if (this.readOnly) throw new SystemError('EROFS');
    if (data.length > 0) this.file.writeAt(sector * SECTOR_BYTES, data);
  }

  flush(): void {
    this.file.sync();
  }

  private expectInside(sector: number, count: number): void {
    if (sector < 0 || sector + count > this.sectors)
      throw new SystemError('ERANGE', `there is no sector ${sector + count - 1}`);
  }
}

/** A device for reading only, straight from the driver: it works without vfs. */
export function readingDevice({ disk, description }: OpenDevice): BlockDevice {
  const refuse = (): never => {
    throw new SystemError('EROFS');
  };
  return {
    sectors: description.sectors,
    readOnly: true,
    read: (sector, count) => {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < count; at += MAX_REQUEST_SECTORS)
        pieces.push(disk.read({ sector: sector + at, count: Math.min(MAX_REQUEST_SECTORS, count - at) }));
      return Buffer.concat(pieces);
    },
    write: refuse,
    flush: () => undefined,
  };
}

/** Whether a device is a partition of a disk. */
const isPartOf = (name: string, disk: string): boolean =>
  /^\d+$/.test(name.slice(disk.length)) && name.startsWith(disk);

/**
 * Throws CommandError for a device that must not be changed or checked now: it, a part of it, or its disk is mounted.
 */
function expectUnmounted({ files }: CommandContext, name: string): void {
  for (const { device, path } of files.mounts()) {
    if (device === '') continue;
    if (device === name || isPartOf(device, name) || isPartOf(name, device))
      throw new CommandError(`${name}: ${device} is mounted on ${path}`);
  }
}

/** Opens the device of a name (`hda1` or `/dev/hda1`) for work on its file system. Throws CommandError. */
export function withDevice<T>(
  context: CommandContext,
  word: string,
  options: { readonly readOnly: boolean },
  work: (device: BlockDevice, name: string) => T,
): T {
  const name = deviceName(word);
  expectUnmounted(context, name);
  const path = `/dev/${name}`;
  const file = aboutFile(name, () => context.files.open(path, { read: true, write: !options.readOnly }));
  try {
    if (file.type !== 'block') throw new CommandError(`${name}: not a disk or partition`);
    return aboutFile(name, () => work(new FileDevice(file, options.readOnly), name));
  } finally {
    file.close();
  }
}

/** Throws CommandError for a disk with partitions: a file system in place of their table would lose them. */
export function expectNoPartitions({ services }: CommandContext, name: string): void {
  const parts = listDevices(services).filter((device: DeviceDescription) => isPartOf(device.name, name));
  if (parts.length > 0)
    throw new CommandError(`${name}: it has partitions; name one: ${parts.map((part) => part.name).join(', ')}`);
}

/** All names of formats. */
export const formatNames = (): string => formats.map(({ name }) => name).join(', ');
