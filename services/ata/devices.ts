/**
 * The devices of the interface `block`: drives and partitions, their names and badges, and requests against their
 * bounds.
 *
 * A badge is made from the place of the drive and the number of the partition and from nothing else, so that a right
 * means the same device to the next incarnation of the driver.
 */

import { type PartitionTable, readPartitionTable } from '../../filesystems/partitions.ts';
import { MAX_REQUEST_SECTORS, SECTOR_BYTES } from '../../protocol/block.ts';
import type { Reply } from '../../protocol/interface.ts';
import { type block, SystemError } from '../lib/index.ts';
import { Channel } from './channel.ts';
import { Drive, identify } from './drive.ts';
import type { Hardware } from './hardware.ts';
import { CHANNELS } from './registers.ts';
import { type Log, newStatistics, type Statistics } from './report.ts';

/** What clients are told of a device. */
export type Description = Reply<typeof block.methods.information>;

/** Partition number of the disk itself. */
const WHOLE_DISK = 0;

/** Badges of one drive: the disk and its partitions. */
const BADGES_PER_DRIVE = 0x100;

/** A drive at one of the four places, with its partition table. */
interface Disk {
  readonly place: number;
  readonly drive: Drive;
  table: PartitionTable;
}

/** A disk or a partition. */
export interface BlockDevice {
  readonly badge: number;
  readonly disk: Disk;
  readonly name: string;
  readonly kind: string;
  readonly firstSector: number;
  readonly sectors: number;
}

/** The badge of a right to a device. */
function badgeOf(place: number, partition: number): number {
  return (place + 1) * BADGES_PER_DRIVE + partition;
}

/** All devices of the machine. */
export class DeviceTable {
  readonly statistics: Statistics = newStatistics();
  readonly #log: Log;
  #devices: BlockDevice[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** Finds the drives at all four places, brings them to a known state and reads their partition tables. */
  probe(hardware: Hardware): void {
    this.#devices = [];
    for (const [index, registers] of CHANNELS.entries()) {
      const channel = new Channel(hardware, registers, index, this.statistics, this.#log);
      if (!channel.occupied()) continue;
      if (!channel.reset()) {
        this.#log(`${registers.name}: does not come out of reset`, 'error');
        continue;
      }
      this.#attach(channel, 0, 2 * index);
      this.#attach(channel, 1, 2 * index + 1);
    }
  }

  #attach(channel: Channel, position: 0 | 1, place: number): void {
    if (!channel.present(position)) return;
    const name = `hd${String.fromCharCode('a'.charCodeAt(0) + place)}`;
    const identity = identify(channel, position);
    if (typeof identity === 'string') {
      this.#log(`${name}: ${identity}`, 'warning');
      return;
    }
    const drive = new Drive(name, channel, position, identity, this.statistics, this.#log);
    drive.configure();
    const { model, sectors, lba48 } = identity;
    const addresses = lba48 ? 'LBA48' : 'LBA28';
    this.#log(
      `${name}: ${model}, ${sectors} sectors, ${addresses}, ${drive.sectorsPerInterrupt} per interrupt`,
      'info',
    );
    this.#readTable({ place, drive, table: { partitions: [], tableSectors: [0] } });
  }

  /** Reads the partition table of a disk and puts its devices into the list, in the place of those it had. */
  #readTable(disk: Disk): void {
    const { drive, place } = disk;
    const readSector = (sector: number): Uint8Array | undefined => {
      try {
        return drive.read(sector, 1);
      } catch (error) {
        if (error instanceof SystemError) return undefined;
        throw error;
      }
    };
    const warn = (text: string): void => this.#log(`${drive.name}: ${text}`, 'warning');
    disk.table = readPartitionTable(drive.identity.sectors, readSector, warn);
    const whole = { number: WHOLE_DISK, kind: 'disk', firstSector: 0, sectors: drive.identity.sectors };
    const partitions = disk.table.partitions.map(({ number, type, firstSector, sectors }) => {
      return { number, kind: type.toString(16).padStart(2, '0'), firstSector, sectors };
    });
    const devices = [whole, ...partitions].map(({ number, kind, firstSector, sectors }): BlockDevice => {
      const name = number === WHOLE_DISK ? drive.name : `${drive.name}${number}`;
      return { badge: badgeOf(place, number), disk, name, kind, firstSector, sectors };
    });
    const others = this.#devices.filter((device) => device.disk.place !== place);
    this.#devices = [...others, ...devices].sort((a, b) => a.badge - b.badge);
    const names =
      partitions.length === 0
        ? 'no partitions'
        : devices
            .slice(1)
            .map(({ name }) => name)
            .join(' ');
    this.#log(`${drive.name}: ${names}`, 'info');
  }

  /** All devices: drives by place, each followed by its partitions. */
  get all(): readonly BlockDevice[] {
    return this.#devices;
  }

  /** Throws ENODEV. */
  named(name: string): BlockDevice {
    const device = this.#devices.find((candidate) => candidate.name === name);
    if (device === undefined) throw new SystemError('ENODEV', `there is no ${name}`);
    return device;
  }

  /** The device of a right. Throws EBADF: the right is none to a device; ENODEV: the device is gone. */
  badged(badge: number): BlockDevice {
    if (badge < badgeOf(0, WHOLE_DISK) || badge >= badgeOf(2 * CHANNELS.length, WHOLE_DISK)) {
      throw new SystemError('EBADF', 'not a right to a device: see open');
    }
    const device = this.#devices.find((candidate) => candidate.badge === badge);
    if (device === undefined) throw new SystemError('ENODEV', 'the device of this right is gone');
    return device;
  }

  describe({ disk, name, kind, firstSector, sectors }: BlockDevice): Description {
    const { identity, readOnly, sectorsPerInterrupt } = disk.drive;
    const { model, serial, firmware } = identity;
    return { name, kind, firstSector, sectors, readOnly, model, serial, firmware, sectorsPerInterrupt };
  }

  /** Reads sectors of a device. Throws EINVAL, ERANGE, EIO. */
  read(device: BlockDevice, sector: number, count: number): Uint8Array {
    const first = absoluteSector(device, sector, count);
    const data = device.disk.drive.read(first, count);
    this.statistics.reads++;
    this.statistics.sectorsRead += count;
    return data;
  }

  /** Writes whole sectors of a device. Throws EINVAL, ERANGE, EROFS, EIO. */
  write(device: BlockDevice, sector: number, data: Uint8Array): void {
    const count = data.length / SECTOR_BYTES;
    const first = absoluteSector(device, sector, count);
    const { disk } = device;
    try {
      disk.drive.write(first, data);
    } finally {
      // Also after an error, when part of the sectors may have been written.
      if (disk.table.tableSectors.some((table) => table >= first && table < first + count)) this.#readTable(disk);
    }
    this.statistics.writes++;
    this.statistics.sectorsWritten += count;
  }

  /** Returns when everything written to the device's disk is on the medium. Throws EIO. */
  flush(device: BlockDevice): void {
    device.disk.drive.flush();
    this.statistics.flushes++;
  }
}

/**
 * Where a request starts on the disk. Throws EINVAL: not 1 to 256 whole sectors; ERANGE: not all of them are on the
 * device.
 */
function absoluteSector(device: BlockDevice, sector: number, count: number): number {
  if (!Number.isInteger(count) || count < 1 || count > MAX_REQUEST_SECTORS) {
    throw new SystemError('EINVAL', `a request is for 1 to ${MAX_REQUEST_SECTORS} whole sectors, not ${count}`);
  }
  if (sector > device.sectors - count) {
    throw new SystemError(
      'ERANGE',
      `${device.name} has ${device.sectors} sectors, asked for ${count} from ${sector} on`,
    );
  }
  return device.firstSector + sector;
}
