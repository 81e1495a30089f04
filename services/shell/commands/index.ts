/** All commands, in the order of `help`. */
import type { Command } from '../command.ts';
import { atatest } from './atatest.ts';
import { basicCommands } from './basic.ts';
import { blktest } from './blktest.ts';
import { diskCommands } from './disks.ts';
import { driverTestCommands } from './drvtest.ts';
import { ipcTestCommands } from './ipctest.ts';
import { jobCommands } from './job-control.ts';
import { service } from './services.ts';
import { syscall } from './syscall.ts';
import { systemCommands } from './system.ts';
import { taskCommands } from './tasks.ts';
import { timingCommands } from './timing.ts';

export const commands: readonly Command[] = [
  ...[...basicCommands, ...jobCommands, ...timingCommands, ...taskCommands],
  ...[service, ...systemCommands, ...diskCommands],
  ...[blktest, atatest, ...ipcTestCommands, ...driverTestCommands, syscall],
];
