/** Commands about time: sleep, time. */
import { sleep as pause, startInformation, taskList, uptime as uptimeMs } from '../../lib/index.ts';
import { expectWords, type Run } from '../command.ts';
import { UsageError } from '../errors.ts';
import { formatMilliseconds } from '../table.ts';

/** Longest sleep in seconds (about 24 days). */
const MAX_SLEEP_SECONDS = 2_147_483;

const sleep: Run = ({ words }) => {
  const [word = ''] = expectWords(words, 1, 1);
  const seconds = /^\d+(\.\d*)?$|^\.\d+$/.test(word) ? Number(word) : Number.NaN;
  if (!(seconds <= MAX_SLEEP_SECONDS))
    throw new UsageError(`SECONDS: expected a number from 0 to ${MAX_SLEEP_SECONDS}, got '${word}'`);
  pause(seconds * 1000);
  return 0;
};

/** POSIX: the times go where errors go, so that what the command writes stays as it is. */
const time: Run = ({ words, shell, descriptors }) => {
  expectWords(words, 1, Number.POSITIVE_INFINITY);
  const cpu = (): number => taskList().find(({ pid }) => pid === startInformation.pid)?.cpuMilliseconds ?? 0;
  const before = { real: uptimeMs(), cpu: cpu() };
  const status = shell.runWords(words);
  shell.flush();
  const real = uptimeMs() - before.real;
  descriptors.complain(`real ${formatMilliseconds(real)}, cpu ${formatMilliseconds(cpu() - before.cpu)}`);
  return status;
};

export const timingRuns = { sleep, time };
