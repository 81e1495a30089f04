/** disktools: what jobs run that work with the formats of file systems: lsblk, mkfs, fsck. All other commands are there too, as in any job. */
import { exit } from '../../lib/index.ts';
import { commands } from '../commands/index.ts';
import { runOrder } from '../order.ts';
import { Terminal } from '../terminal.ts';
import { check } from './check.ts';
import { listDisks } from './list-disks.ts';
import { makeFileSystem } from './make.ts';

const runs = { lsblk: listDisks, mkfs: makeFileSystem, fsck: check };

exit(
  runOrder(
    new Terminal(),
    commands.map((command) => {
      const run = Object.entries(runs).find(([name]) => name === command.name)?.[1];
      return run === undefined ? command : { ...command, run };
    }),
  ),
);
