/** Job control: jobs, fg, bg, wait. Read the POSIX utilities of these names. */
import { type Command, type CommandContext, expectWords } from '../command.ts';
import { CommandError } from '../errors.ts';
import type { Job, JobTable } from '../jobs.ts';

/** Status of `wait` for what is no job. */
const NOT_KNOWN = 127;

function jobsOf({ shell }: CommandContext): JobTable {
  if (shell.jobs === null) throw new CommandError('a job has no jobs of its own');
  return shell.jobs;
}

const jobs: Command = {
  name: 'jobs',
  usage: '',
  about: 'Lists the jobs',
  kind: 'here',
  ofShell: true,
  run: (context) => {
    expectWords(context.words, 0, 0);
    const table = jobsOf(context);
    table.poll();
    for (const job of table.all) {
      context.lines(`[${job.number}]  ${String(job.pid).padStart(4)}  ${job.stateText.padEnd(8)}  ${job.text}`);
      job.reported ||= job.state === 'ended';
    }
    // At a prompt that happens before the next line.
    if (!context.shell.interactive) table.endings();
    return 0;
  },
};

const fg: Command = {
  name: 'fg',
  usage: '[%JOB]',
  about: 'Brings a job to the foreground',
  kind: 'here',
  run: (context) => {
    const [word] = expectWords(context.words, 0, 1);
    const table = jobsOf(context);
    const job = table.find(word);
    context.lines(job.text);
    table.resume(job);
    return table.foreground(job);
  },
};

const bg: Command = {
  name: 'bg',
  usage: '[%JOB]',
  about: 'Lets a stopped job go on in the background',
  kind: 'here',
  run: (context) => {
    const [word] = expectWords(context.words, 0, 1);
    const table = jobsOf(context);
    const job = table.find(word);
    table.resume(job);
    table.lastBackground = job.pid;
    context.lines(`[${job.number}] ${job.text}`);
    return 0;
  },
};

/** Throws CommandError, with the status that POSIX wants for a process that is not known. */
function known(table: JobTable, word: string): Job {
  try {
    return table.find(word);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(error.message, NOT_KNOWN);
  }
}

const wait: Command = {
  name: 'wait',
  usage: '[%JOB | PID]',
  about: 'Waits for background jobs to end; the status is that of the job named',
  kind: 'here',
  run: (context) => {
    const [word] = expectWords(context.words, 0, 1);
    const table = jobsOf(context);
    table.poll();
    if (word === undefined) {
      const all = table.wait(table.all);
      // Nobody will be told of them, and their numbers are free again.
      if (!context.shell.interactive) table.endings();
      return all ? 0 : 130;
    }
    const job = known(table, word);
    if (!table.wait([job])) return 130;
    table.remove(job);
    return job.status;
  },
};

export const jobCommands: readonly Command[] = [jobs, fg, bg, wait];
