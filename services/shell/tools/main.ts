/** disktools: jobs of commands that need the code of all formats of file systems. */
import type { Run } from '../command.ts';
import type { ToolName } from '../commands/catalogue.ts';
import { runOrder } from '../order.ts';
import { check } from './check.ts';
import { listDisks } from './list-disks.ts';
import { makeFileSystem } from './make.ts';

const toolRuns: Readonly<Record<ToolName, Run>> = { lsblk: listDisks, mkfs: makeFileSystem, fsck: check };

runOrder(toolRuns);
