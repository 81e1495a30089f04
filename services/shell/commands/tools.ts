/** Commands on the file systems of disks, which need the code of all formats: a program of its own runs them (tools/main.ts). */
import type { Command } from '../command.ts';
import { deviceNames } from '../disks.ts';
import { TOOLS_PROGRAM } from '../launch.ts';

const lsblk: Command = {
  name: 'lsblk',
  usage: '',
  about: 'Lists disks and partitions with their file systems',
  details: [
    "TYPE: 'disk', or the partition's type in hexadecimal. START: first sector of the partition on its disk. FS, LABEL: file system. MOUNTED ON: where it is",
    'in the tree.',
  ],
  kind: 'job',
  program: TOOLS_PROGRAM,
  operands: 'none',
};

const mkfs: Command = {
  name: 'mkfs',
  usage: '[-t TYPE] [-L LABEL] DEVICE',
  about: 'Makes an empty file system on a disk or partition; what was there is lost',
  details: [
    '-t: vrfs unless given; fat takes the fitting width of its table, fat12, fat16 and fat32 fix it; ext2. A mounted device is refused.',
  ],
  kind: 'job',
  program: TOOLS_PROGRAM,
  complete: (_words, services) => deviceNames(services),
};

const fsck: Command = {
  name: 'fsck',
  usage: '[-y] [-t TYPE] DEVICE',
  about: 'Checks the file system of a disk or partition; -y: also repairs it',
  details: [
    'Status 0: it is sound, 1: it was repaired, 4: it has problems, 8: it could not be checked. A mounted device is refused.',
  ],
  kind: 'job',
  program: TOOLS_PROGRAM,
  complete: (_words, services) => deviceNames(services),
};

/** What these commands are; the program has the same with how they are run. */
export const toolCommands: readonly Command[] = [lsblk, mkfs, fsck];
