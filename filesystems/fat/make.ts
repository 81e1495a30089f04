/** Makes an empty FAT file system. Read: fatgen103, "Boot Sector and BPB", "FAT Volume Initialization". */
import type { BlockDevice } from '../block-device.ts';
import { SECTOR_BYTES } from '../block-device.ts';
import type { FormatOptions } from '../file-system.ts';
import { EXTENDED_SIGNATURE, FIELDS } from './boot-sector.ts';
import { attribute, clampTime, newEntry } from './entry.ts';
import { newInformationSector } from './information-sector.ts';
import { type Layout, layoutFor } from './layout.ts';
import { encodeLabel } from './names.ts';
import { LAST, TableCode } from './table.ts';

/** Places in the reserved sectors of FAT32, where everybody has them. */
const ROOT_CLUSTER = 2;
const INFORMATION_SECTOR = 1;
const BACKUP_SECTOR = 6;

/** Sectors written at a time. */
const PIECE_SECTORS = 512;

/** BIOS number of the first hard disk, and of the first diskette drive. */
const HARD_DISK = 0x80;
const DISKETTE = 0x00;

/** Code for a computer that starts from it: asks the BIOS for another disk (int 18h), and stops. */
const NO_SYSTEM = Buffer.from([0xcd, 0x18, 0xf4, 0xeb, 0xfd]);

function bootSector(layout: Layout, serial: Buffer, label: Buffer): Buffer {
  const { bits, sectors, sectorsPerCluster, reserved, tables, tableSectors, rootEntries, media } = layout;
  const form = bits === 32 ? 'long' : 'short';
  const bytes = Buffer.alloc(SECTOR_BYTES);
  bytes.set([0xeb, FIELDS.code[form] - 2, 0x90]);
  bytes.write('VROS', 3, 'latin1');
  bytes.fill(' ', 7, 11);
  bytes.writeUInt16LE(SECTOR_BYTES, 11);
  bytes.writeUInt8(sectorsPerCluster, 13);
  bytes.writeUInt16LE(reserved, 14);
  bytes.writeUInt8(tables, 16);
  bytes.writeUInt16LE(rootEntries, 17);
  const few = bits !== 32 && sectors < 0x1_0000;
  bytes.writeUInt16LE(few ? sectors : 0, 19);
  bytes.writeUInt8(media, 21);
  bytes.writeUInt16LE(bits === 32 ? 0 : tableSectors, 22);
  bytes.writeUInt16LE(layout.sectorsPerTrack, 24);
  bytes.writeUInt16LE(layout.heads, 26);
  bytes.writeUInt32LE(few ? 0 : sectors, 32);
  if (bits === 32) {
    bytes.writeUInt32LE(tableSectors, 36);
    bytes.writeUInt32LE(ROOT_CLUSTER, 44);
    bytes.writeUInt16LE(INFORMATION_SECTOR, 48);
    bytes.writeUInt16LE(BACKUP_SECTOR, 50);
  }
  bytes.writeUInt8(media === 0xf8 ? HARD_DISK : DISKETTE, FIELDS.state[form] - 1);
  bytes.writeUInt8(EXTENDED_SIGNATURE, FIELDS.signature[form]);
  bytes.set(serial, FIELDS.serial[form]);
  bytes.set(label, FIELDS.label[form]);
  bytes.write(`FAT${bits}`.padEnd(8), FIELDS.type[form], 'latin1');
  bytes.set(NO_SYSTEM, FIELDS.code[form]);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

/** The first sector of a table: its first two entries, and the end of the root directory of FAT32. */
function tableStart({ bits, media }: Layout): Buffer {
  const bytes = Buffer.alloc(SECTOR_BYTES);
  const code = new TableCode(bits);
  const set = (cluster: number, meaning: number): void => {
    bytes.set(
      code.bytes(cluster, meaning, (offset) => bytes[offset] ?? 0),
      code.offset(cluster),
    );
  };
  set(0, LAST);
  set(1, LAST);
  if (bits === 32) set(ROOT_CLUSTER, LAST);
  bytes[0] = media;
  return bytes;
}

/** See Format.format. `blockBytes` are those of a cluster. Throws SystemError: EINVAL, EIO, EROFS. */
export function makeFat(device: BlockDevice, options: FormatOptions): void {
  const { label = '', fatBits, blockBytes, progress } = options;
  const layout = layoutFor(device.sectors, fatBits, blockBytes);
  const labelBytes = encodeLabel(label === '' ? 'NO NAME' : label);
  const { bits, reserved, tables, tableSectors, sectorsPerCluster, clusters } = layout;
  // Up to the end of the root directory everything is zeros, or what is written over them.
  const root = reserved + tables * tableSectors;
  const end = root + (bits === 32 ? sectorsPerCluster : (layout.rootEntries * 32) / SECTOR_BYTES);
  for (let sector = 0; sector < end; sector += PIECE_SECTORS) {
    device.write(sector, Buffer.alloc(Math.min(PIECE_SECTORS, end - sector) * SECTOR_BYTES));
    progress?.(sector / end);
  }
  for (let table = 0; table < tables; table++) device.write(reserved + table * tableSectors, tableStart(layout));
  if (label !== '') {
    const now = clampTime(options.now());
    const fields = { attributes: attribute.VOLUME, first: 0, size: 0, created: 0, accessed: 0, modified: now };
    const sector = Buffer.alloc(SECTOR_BYTES);
    sector.set(newEntry(labelBytes, fields, bits));
    device.write(root, sector);
  }
  const boot = bootSector(layout, Buffer.from(options.random(4)), labelBytes);
  if (bits === 32) {
    const information = newInformationSector(clusters - 1, ROOT_CLUSTER + 1);
    device.write(INFORMATION_SECTOR, information);
    device.write(BACKUP_SECTOR, boot);
    device.write(BACKUP_SECTOR + INFORMATION_SECTOR, information);
    const third = Buffer.alloc(SECTOR_BYTES);
    third.writeUInt16LE(0xaa55, 510);
    device.write(2, third);
    device.write(BACKUP_SECTOR + 2, third);
  }
  // The boot sector last: without it there is no file system.
  device.write(0, boot);
  device.flush();
  progress?.(1);
}
