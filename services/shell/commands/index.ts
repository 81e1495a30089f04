/** All commands, in the order of `help`. */
import type { Command } from '../command.ts';
import { atatest } from './atatest.ts';
import { basicCommands } from './basic.ts';
import { blktest } from './blktest.ts';
import { copyCommands } from './copy.ts';
import { dd } from './dd.ts';
import { directoryCommands } from './directories.ts';
import { diskCommands } from './disks.ts';
import { driverTestCommands } from './drvtest.ts';
import { hexdump } from './hexdump.ts';
import { ipcTestCommands } from './ipctest.ts';
import { jobCommands } from './job-control.ts';
import { ls } from './list.ts';
import { mountCommands } from './mounts.ts';
import { nameCommands } from './names.ts';
import { searchCommands } from './search.ts';
import { service } from './services.ts';
import { spaceCommands } from './space.ts';
import { streamCommands } from './streams.ts';
import { syscall } from './syscall.ts';
import { systemCommands } from './system.ts';
import { taskCommands } from './tasks.ts';
import { textCommands } from './text.ts';
import { timingCommands } from './timing.ts';
import { toolCommands } from './tools.ts';

export const commands: readonly Command[] = [
  ...[...basicCommands, ...jobCommands, ...timingCommands, ...taskCommands],
  ...[ls, ...directoryCommands, ...nameCommands, ...copyCommands, ...spaceCommands],
  ...[...textCommands, ...searchCommands, ...streamCommands, hexdump, dd],
  ...[...mountCommands, ...toolCommands, ...diskCommands],
  ...[service, ...systemCommands],
  ...[blktest, atatest, ...ipcTestCommands, ...driverTestCommands, syscall],
];
