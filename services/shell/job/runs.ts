/** How the commands of jobs are run. */
import type { Run } from '../command.ts';
import type { JobCommandName } from '../commands/catalogue.ts';
import { atatest } from './atatest.ts';
import { blktest } from './blktest.ts';
import { copyRuns } from './copy.ts';
import { dd } from './dd.ts';
import { drvtest } from './drvtest.ts';
import { du } from './du.ts';
import { hexdump } from './hexdump.ts';
import { ipctest } from './ipctest.ts';
import { searchRuns } from './search.ts';
import { streamRuns } from './streams.ts';
import { sync } from './sync.ts';
import { syscall } from './syscall.ts';
import { textRuns } from './text.ts';
import { timingRuns } from './timing.ts';

export const jobRuns: Readonly<Record<JobCommandName, Run>> = {
  ...timingRuns,
  ...{ ...textRuns, ...searchRuns, ...streamRuns, ...copyRuns, hexdump, dd, du, sync },
  ...{ blktest, atatest, ipctest, drvtest, syscall },
};
