/** All commands, in the order of `help`. */
import type { Command } from '../command.ts';
import { basicCommands } from './basic.ts';
import { jobCommands } from './job-control.ts';
import { taskCommands } from './tasks.ts';
import { timingCommands } from './timing.ts';

export const commands: readonly Command[] = [...basicCommands, ...jobCommands, ...timingCommands, ...taskCommands];
