/** All commands, in the order of `help`. */
import type { Command } from '../command.ts';
import { basicCommands } from './basic.ts';
import { fileCommands, testCommands, timingCommands, toolCommands } from './catalogue.ts';
import { directoryCommands } from './directories.ts';
import { diskCommands } from './disks.ts';
import { jobCommands } from './job-control.ts';
import { ls } from './list.ts';
import { mountCommands } from './mounts.ts';
import { nameCommands } from './names.ts';
import { networkCommands } from './network-catalogue.ts';
import { service } from './services.ts';
import { spaceCommands } from './space.ts';
import { stopCommands } from './stops.ts';
import { systemCommands } from './system.ts';
import { taskCommands } from './tasks.ts';

export const commands: readonly Command[] = [
  ...[...basicCommands, ...jobCommands, ...timingCommands, ...taskCommands],
  ...[ls, ...directoryCommands, ...nameCommands, ...spaceCommands, ...fileCommands],
  ...[...mountCommands, ...toolCommands, ...diskCommands],
  ...networkCommands,
  ...[service, ...systemCommands],
  ...[...testCommands, ...stopCommands],
];
