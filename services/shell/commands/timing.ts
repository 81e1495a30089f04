/** Commands about time: sleep, time, uptime. */
import { sleep as pause, startInformation, taskList, time as timeOfDay, uptime as uptimeMs } from '../../lib/index.ts';
import { type Command, expectWords } from '../command.ts';
import { UsageError } from '../errors.ts';
import { formatMilliseconds } from '../table.ts';

/** Longest sleep in seconds (about 24 days). */
const MAX_SLEEP_SECONDS = 2_147_483;

const sleep: Command = {
  name: 'sleep',
  usage: 'SECONDS',
  about: 'Waits',
  kind: 'job',
  run: ({ words }) => {
    const [word = ''] = expectWords(words, 1, 1);
    const seconds = /^\d+(\.\d*)?$|^\.\d+$/.test(word) ? Number(word) : Number.NaN;
    if (!(seconds <= MAX_SLEEP_SECONDS))
      throw new UsageError(`SECONDS: expected a number from 0 to ${MAX_SLEEP_SECONDS}, got '${word}'`);
    pause(seconds * 1000);
    return 0;
  },
};

const time: Command = {
  name: 'time',
  usage: 'COMMAND [WORD …]',
  about: 'Runs a command and says how long it took',
  details: ['cpu: CPU time of the task that ran it; services that worked for it are not counted.'],
  kind: 'job',
  complete: (words, services, shell) => {
    const [, command, ...rest] = words;
    if (command === undefined) return [...shell.commands.keys()];
    return shell.commands.get(command)?.complete?.([command, ...rest], services, shell) ?? [];
  },
  run: ({ words, shell, lines }) => {
    expectWords(words, 1, Number.POSITIVE_INFINITY);
    const cpu = (): number => taskList().find(({ pid }) => pid === startInformation.pid)?.cpuMilliseconds ?? 0;
    const before = { real: uptimeMs(), cpu: cpu() };
    const status = shell.runWords(words);
    shell.flush();
    const real = uptimeMs() - before.real;
    lines(`real ${formatMilliseconds(real)}, cpu ${formatMilliseconds(cpu() - before.cpu)}`);
    return status;
  },
};

const uptime: Command = {
  name: 'uptime',
  usage: '',
  about: 'Tells the date, and how long the machine has been up',
  kind: 'here',
  run: ({ words, lines }) => {
    expectWords(words, 0, 0);
    const date = new Date(timeOfDay()).toISOString().replace('T', ' ').slice(0, 19);
    lines(`${date} UTC, up ${formatMilliseconds(uptimeMs())}, ${taskList().length} tasks`);
    return 0;
  },
};

export const timingCommands: readonly Command[] = [sleep, time, uptime];
